//! A store in which what was put stays.

use std::collections::HashSet;

use crate::ext::ViewExt;
use crate::spi::{
    Capabilities, Conditional, Durability, Error, ErrorKind, Op, Result, Store, View, WriteBatch,
};

/// Refuses a second put of a key with `AlreadyExists`, and every delete with `ReadOnly`.
///
/// A put is made conditional on the absence of its key, so the refusal is as atomic as the engine's batches.
#[derive(Debug)]
pub struct Immutable<S>(S);

impl<S: Store> Immutable<S> {
    /// Wraps `inner`.
    ///
    /// # Errors
    /// `Unsupported` where the engine has no conditional commits.
    pub fn new(inner: S) -> Result<Self> {
        if inner.capabilities().conditional == Conditional::None {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "an immutable store needs conditional commits, which the engine doesn't have",
            ));
        }
        Ok(Self(inner))
    }

    /// The key of a refused batch that is there already.
    fn present(&self, batch: &WriteBatch) -> Result<Option<Error>> {
        let view = self.0.view()?;
        for op in batch.ops() {
            if let Op::Put { key, .. } = op
                && view.exists(key)?
            {
                return Ok(Some(twice(key)));
            }
        }
        Ok(None)
    }
}

fn twice(key: &[u8]) -> Error {
    Error::new(ErrorKind::AlreadyExists, "an immutable store takes a key once").with_key("key", key)
}

impl<S: Store> Store for Immutable<S> {
    fn capabilities(&self) -> &Capabilities {
        self.0.capabilities()
    }

    fn view(&self) -> Result<Box<dyn View>> {
        self.0.view()
    }

    fn commit(&self, batch: &WriteBatch, durability: Durability) -> Result<()> {
        let mut once = WriteBatch::new();
        let mut keys = HashSet::new();
        for op in batch.ops() {
            let Op::Put { key, .. } = op else {
                return Err(Error::new(ErrorKind::ReadOnly, "an immutable store deletes nothing"));
            };
            if !keys.insert(key) {
                return Err(twice(key));
            }
            once.require_absent(key);
        }
        once.append(batch.clone());
        match self.0.commit(&once, durability) {
            // The caller's own requirements fail with the same kind.
            Err(error) if error.kind() == ErrorKind::Conflict => Err(self.present(batch)?.unwrap_or(error)),
            outcome => outcome,
        }
    }

    fn flush(&self) -> Result<()> {
        self.0.flush()
    }

    fn compact(&self) -> Result<()> {
        self.0.compact()
    }

    fn verify(&self) -> Result<()> {
        self.0.verify()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MemoryStore, StoreExt};

    #[test]
    fn a_key_is_put_once_and_stays() {
        let store = Immutable::new(MemoryStore::new()).unwrap();
        store.put("k", "v").unwrap();
        let kind = |batch: &WriteBatch| store.write(batch).unwrap_err().kind();
        let mut batch = WriteBatch::new();
        batch.put("new", "1").put("k", "w");
        assert_eq!(kind(&batch), ErrorKind::AlreadyExists);
        let mut batch = WriteBatch::new();
        batch.put("new", "1").put("new", "2");
        assert_eq!(kind(&batch), ErrorKind::AlreadyExists);
        let mut batch = WriteBatch::new();
        batch.delete("k");
        assert_eq!(kind(&batch), ErrorKind::ReadOnly);
        let mut batch = WriteBatch::new();
        batch.require_absent("k").put("new", "1");
        assert_eq!(kind(&batch), ErrorKind::Conflict, "the caller's own requirement");
        assert_eq!(store.get("k").unwrap().as_deref(), Some(b"v".as_slice()));
        assert!(!store.exists("new").unwrap());
    }

    #[test]
    fn of_many_that_put_one_key_one_succeeds() {
        let store = Immutable::new(MemoryStore::new()).unwrap();
        let won = std::thread::scope(|scope| {
            let attempts: Vec<_> = (0..8)
                .map(|at: u8| {
                    scope.spawn({
                        let store = &store;
                        move || store.put("k", vec![at]).is_ok()
                    })
                })
                .collect();
            attempts.into_iter().filter_map(|attempt| attempt.join().ok()).filter(|won| *won).count()
        });
        assert_eq!(won, 1);
    }
}
