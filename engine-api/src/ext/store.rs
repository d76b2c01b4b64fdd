//! What users call on a store.

use bytes::Bytes;

use super::cursor::Entry;
use super::range::KeyRange;
use super::txn::{self, Txn};
use super::view::ViewExt;
use crate::spi::{Result, Store, WriteBatch};

/// What users call on a store, written once over [`Store`].
///
/// Reads take a view of their own each; take one yourself to read several things from one state. Writes
/// are as durable as the engine can make them; call [`Store::commit`] for less.
///
/// ```
/// use engine_api::{KeyRange, MemoryStore, StoreExt};
///
/// # fn main() -> engine_api::Result<()> {
/// let store = MemoryStore::new();
/// store.put("a/1", "one")?;
/// store.put("a/2", "two")?;
/// assert_eq!(store.get("a/1")?.as_deref(), Some(b"one".as_slice()));
/// assert_eq!(store.count(&KeyRange::prefix(b"a/"))?, 2);
/// # Ok(())
/// # }
/// ```
pub trait StoreExt: Store {
    /// The value of a key.
    fn get(&self, key: impl AsRef<[u8]>) -> Result<Option<Bytes>> {
        self.view()?.get(key.as_ref())
    }

    /// The values of several keys from one state, in the order of the keys.
    fn get_many<K: AsRef<[u8]>>(&self, keys: &[K]) -> Result<Vec<Option<Bytes>>> {
        self.view()?.get_many(keys)
    }

    /// Whether a key is there.
    fn exists(&self, key: impl AsRef<[u8]>) -> Result<bool> {
        self.view()?.exists(key.as_ref())
    }

    /// Stores a value.
    fn put(&self, key: impl AsRef<[u8]>, value: impl Into<Bytes>) -> Result<()> {
        let mut batch = WriteBatch::new();
        batch.put(key, value);
        self.write(&batch)
    }

    /// Removes a key; removing one that is absent is no error.
    fn delete(&self, key: impl AsRef<[u8]>) -> Result<()> {
        let mut batch = WriteBatch::new();
        batch.delete(key);
        self.write(&batch)
    }

    /// Commits a batch, as durable as the engine can make it.
    fn write(&self, batch: &WriteBatch) -> Result<()> {
        self.commit(batch, self.capabilities().durability.strongest())
    }

    /// The first entry of a range.
    fn first(&self, range: &KeyRange) -> Result<Option<Entry>> {
        self.view()?.first(range)
    }

    /// The last entry of a range.
    fn last(&self, range: &KeyRange) -> Result<Option<Entry>> {
        self.view()?.last(range)
    }

    /// The number of keys in a range, by reading every key of it.
    fn count(&self, range: &KeyRange) -> Result<u64> {
        self.view()?.count(range)
    }

    /// Every entry that begins with `prefix`, ascending, in memory.
    fn prefix(&self, prefix: impl AsRef<[u8]>) -> Result<Vec<Entry>> {
        self.view()?.prefix(prefix.as_ref())
    }

    /// Runs `f` over a transaction and commits what it wrote, again from the start when another commit
    /// changed what it had read.
    ///
    /// It is serialisable for what was read key by key. Ranges are read from the transaction's view, and
    /// a key that appears in one later is no conflict: it is snapshot isolation for ranges.
    ///
    /// ```
    /// use engine_api::{MemoryStore, StoreExt};
    ///
    /// # fn main() -> engine_api::Result<()> {
    /// let store = MemoryStore::new();
    /// let count = store.update(|txn| {
    ///     let count = txn.get(b"count")?.map_or(0, |value| value.len()) + 1;
    ///     txn.put(b"count", vec![b'|'; count]);
    ///     Ok(count)
    /// })?;
    /// assert_eq!(count, 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Conflict` when it lost the race 64 times; `Unsupported` where the engine has no conditional
    /// commits; whatever `f` answers.
    fn update<T>(&self, f: impl FnMut(&mut Txn) -> Result<T>) -> Result<T> {
        txn::update(self, f)
    }
}

impl<S: Store + ?Sized> StoreExt for S {}
