//! Where objects are kept: keys and values, with or without versions.

use std::fmt;

use bytes::Bytes;
use engine_api::key::TKey;
use engine_api::version::{Flow, Resolved};
use engine_api::{Capabilities, Fetch, KeyRange, Result, Value};

/// Keys and values in one place: a store's own, or a data instance's at a version.
pub(crate) trait Space: Send + Sync + fmt::Debug {
    /// What the store underneath can do.
    fn capabilities(&self) -> &Capabilities;

    /// The length of the key that the store underneath gets for `tkey`.
    fn key_bytes(&self, tkey: &TKey) -> Vec<u8>;

    /// Calls `read` with a reader, which reads one state where the engine has snapshots.
    fn read(&self, read: &mut dyn FnMut(&dyn Reading) -> Result<()>) -> Result<()>;

    /// Makes writes, all or none.
    ///
    /// # Errors
    /// `Conflict` when a requirement doesn't hold.
    fn commit(&self, writes: &Writes) -> Result<()>;

    /// Whether blocks may pass from one object to another. At a version they may not: another branch that replaces
    /// the first object removes them, and a merge would leave the other one without.
    fn blocks_may_move(&self) -> bool;
}

/// Reads of a [`Space`].
pub(crate) trait Reading {
    /// What a key is.
    fn resolve(&self, tkey: &TKey) -> Result<Resolved>;

    /// Hands a key's value to `take`; answers whether there is one.
    fn get_with(&self, tkey: &TKey, take: &mut dyn FnMut(&[u8])) -> Result<bool>;

    /// The value that any version has of a key which is written once and never changed.
    fn get_of_any_version(&self, tkey: &TKey) -> Result<Option<Bytes>>;

    /// Visits the visible keys of a range in their order.
    fn visit(
        &self,
        range: &KeyRange,
        fetch: Fetch,
        visit: &mut dyn FnMut(&[u8], Entry<'_>) -> Result<Flow>,
    ) -> Result<()>;
}

/// A visited key.
#[derive(Debug)]
pub(crate) enum Entry<'a> {
    Value(Value<'a>),
    /// Several values, written at several versions, that nothing has chosen between.
    Conflict(Resolved),
}

/// Writes that are made together, and what must hold for them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Writes {
    pub(crate) required: Vec<(TKey, Resolved)>,
    /// Values to store; `None` removes.
    pub(crate) ops: Vec<(TKey, Option<Bytes>)>,
    bytes: usize,
}

impl Writes {
    pub(crate) fn require(&mut self, tkey: TKey, resolved: Resolved) -> &mut Self {
        self.required.push((tkey, resolved));
        self
    }

    pub(crate) fn put(&mut self, tkey: TKey, value: impl Into<Bytes>) -> &mut Self {
        let value = value.into();
        self.bytes += tkey.as_bytes().len() + value.len();
        self.ops.push((tkey, Some(value)));
        self
    }

    pub(crate) fn delete(&mut self, tkey: TKey) -> &mut Self {
        self.bytes += tkey.as_bytes().len();
        self.ops.push((tkey, None));
        self
    }

    /// Adds all that `other` requires and does, after what these do.
    pub(crate) fn append(&mut self, other: Self) -> &mut Self {
        self.required.extend(other.required);
        self.ops.extend(other.ops);
        self.bytes += other.bytes;
        self
    }

    /// The bytes of keys and values.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}
