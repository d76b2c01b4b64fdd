//! Read, decide, write: a transaction made of a view, an overlay, and a batch with requirements.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Bound;
use std::thread;
use std::time::Duration;

use bytes::Bytes;

use super::range::KeyRange;
use super::view::ViewExt;
use crate::spi::{ErrorKind, Expected, Result, Store, View, WriteBatch};

const ATTEMPTS: u32 = 64;

/// What [`StoreExt::update`](crate::StoreExt::update) hands to its closure: reads of one state, with the
/// transaction's own writes on top.
pub struct Txn {
    view: Box<dyn View>,
    /// Own writes; `None` is a delete.
    writes: BTreeMap<Bytes, Option<Bytes>>,
    reads: BTreeMap<Bytes, Expected>,
}

impl fmt::Debug for Txn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Txn")
            .field("writes", &self.writes.len())
            .field("reads", &self.reads.len())
            .finish_non_exhaustive()
    }
}

impl Txn {
    fn begin<S: Store + ?Sized>(store: &S) -> Result<Self> {
        Ok(Self { view: store.view()?, writes: BTreeMap::new(), reads: BTreeMap::new() })
    }

    /// The value of a key; the commit fails if it has changed by then.
    pub fn get(&mut self, key: &[u8]) -> Result<Option<Bytes>> {
        if let Some(own) = self.writes.get(key) {
            return Ok(own.clone());
        }
        let value = self.view.get(key)?;
        let expected = value.clone().map_or(Expected::Absent, Expected::Equals);
        // The first read is the one that counts: a live view may answer otherwise the second time.
        self.reads.entry(Bytes::copy_from_slice(key)).or_insert(expected);
        Ok(value)
    }

    /// Stores a value when the transaction commits.
    pub fn put(&mut self, key: impl AsRef<[u8]>, value: impl Into<Bytes>) {
        self.writes.insert(Bytes::copy_from_slice(key.as_ref()), Some(value.into()));
    }

    /// Removes a key when the transaction commits.
    pub fn delete(&mut self, key: impl AsRef<[u8]>) {
        self.writes.insert(Bytes::copy_from_slice(key.as_ref()), None);
    }

    /// Calls `f` for each entry of a range, ascending, own writes among them.
    pub fn for_each(&self, range: &KeyRange, mut f: impl FnMut(&[u8], &[u8]) -> Result<()>) -> Result<()> {
        if range.scan().is_empty() {
            return Ok(());
        }
        let bounds: (Bound<&[u8]>, Bound<&[u8]>) = (range.start(), range.end());
        let mut own = self.writes.range::<[u8], _>(bounds).peekable();
        self.view.for_each(range, |key, value| {
            while let Some((written, new)) = own.next_if(|(written, _)| written.as_ref() < key) {
                if let Some(new) = new {
                    f(written, new)?;
                }
            }
            match own.next_if(|(written, _)| written.as_ref() == key) {
                Some((_, Some(new))) => f(key, new),
                Some((_, None)) => Ok(()),
                None => f(key, value),
            }
        })?;
        own.try_for_each(|(written, new)| new.as_ref().map_or(Ok(()), |new| f(written, new)))
    }

    fn into_batch(self) -> WriteBatch {
        let mut batch = WriteBatch::new();
        for (key, expected) in self.reads {
            batch.require(key, expected);
        }
        for (key, write) in self.writes {
            match write {
                Some(value) => batch.put(key, value),
                None => batch.delete(key),
            };
        }
        batch
    }
}

pub(super) fn update<S, T>(store: &S, mut f: impl FnMut(&mut Txn) -> Result<T>) -> Result<T>
where
    S: Store + ?Sized,
{
    let durability = store.capabilities().durability.strongest();
    let mut attempt = 0;
    loop {
        let mut txn = Txn::begin(store)?;
        let answer = f(&mut txn)?;
        let batch = txn.into_batch();
        if batch.ops().is_empty() {
            return Ok(answer);
        }
        match store.commit(&batch, durability) {
            Ok(()) => return Ok(answer),
            Err(error) if error.kind() == ErrorKind::Conflict && attempt < ATTEMPTS => {
                // Losers of a race spread out, the more the longer they have been losing.
                thread::sleep(Duration::from_micros(u64::from(attempt) * 20));
                attempt += 1;
            }
            Err(error) => return Err(error),
        }
    }
}
