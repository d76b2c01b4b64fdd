//! A store whose commits don't wait for the disk.

use crate::graph::Graph;
use crate::spi::{Capabilities, Durability, Result, Store, View, WriteBatch};

/// Takes every commit relaxed, whatever durability is asked for; `flush` makes what was committed durable.
///
/// A store of versions asks for the most with each commit. Beneath it, this makes an import, or a history
/// that a test builds, of thousands of commits that are flushed once at the end. A power cut before that
/// loses the latest of them.
#[derive(Debug)]
pub struct Relaxed<S>(pub S);

impl<S: Store> Store for Relaxed<S> {
    fn capabilities(&self) -> &Capabilities {
        self.0.capabilities()
    }

    fn view(&self) -> Result<Box<dyn View>> {
        self.0.view()
    }

    fn commit(&self, batch: &WriteBatch, durability: Durability) -> Result<()> {
        self.capabilities().durability.serve(durability)?;
        self.0.commit(batch, Durability::Relaxed)
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

    fn graph(&self) -> Option<&dyn Graph> {
        self.0.graph()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::{ErrorKind, MemoryStore, StoreExt};

    /// Keeps what is asked of it.
    #[derive(Debug, Default)]
    struct Asked {
        store: MemoryStore,
        levels: Mutex<Vec<Durability>>,
    }

    impl Store for Asked {
        fn capabilities(&self) -> &Capabilities {
            self.store.capabilities()
        }

        fn view(&self) -> Result<Box<dyn View>> {
            self.store.view()
        }

        fn commit(&self, batch: &WriteBatch, durability: Durability) -> Result<()> {
            self.levels.lock().unwrap().push(durability);
            self.store.commit(batch, Durability::Relaxed)
        }

        fn flush(&self) -> Result<()> {
            self.levels.lock().unwrap().push(Durability::Power);
            Ok(())
        }
    }

    #[test]
    fn every_commit_is_relaxed_and_a_flush_is_one() {
        let store = Relaxed(Asked::default());
        let strongest = store.capabilities().durability.strongest();
        let mut batch = WriteBatch::new();
        batch.put("k", "v");
        for durability in [Durability::Relaxed, strongest] {
            store.commit(&batch, durability).unwrap();
        }
        store.flush().unwrap();
        assert_eq!(store.get("k").unwrap().as_deref(), Some(b"v".as_slice()));
        let expected = [Durability::Relaxed, Durability::Relaxed, Durability::Power];
        assert_eq!(*store.0.levels.lock().unwrap(), expected);
    }

    #[test]
    fn what_the_store_beneath_cannot_promise_is_refused() {
        let store = Relaxed(MemoryStore::new());
        let refused = store.commit(&WriteBatch::new(), Durability::Power).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Unsupported);
    }
}
