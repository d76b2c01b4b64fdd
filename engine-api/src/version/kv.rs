//! What datatypes are written against: ordered keys and values in a context.

use std::ops::ControlFlow;

use bytes::Bytes;

use super::conflicts::Side;
use super::resolver::Resolved;
use crate::ext::KeyRange;
use crate::key::{Context, DataKey, TKey, VersionId};
use crate::spi::{Fetch, Result, Value};

/// Whether a visit goes on.
pub type Flow = ControlFlow<()>;

/// What a visitor of a range sees of a key, lent for the length of a call.
#[derive(Debug)]
pub enum Seen<'a> {
    /// It has a value.
    Found {
        /// The value; unspecified where keys alone were asked for.
        value: Value<'a>,
        /// The version at which it was written.
        version: VersionId,
    },
    /// It has several values that no version has chosen between.
    Conflict {
        /// The versions at which they were written, by ascending number.
        versions: Vec<VersionId>,
    },
}

impl Seen<'_> {
    /// The same with a copy of the value.
    pub fn into_resolved(self) -> Result<Resolved> {
        Ok(match self {
            Self::Found { value, version } => Resolved::Found { value: value.to_bytes()?, version },
            Self::Conflict { versions } => Resolved::Conflict { versions },
        })
    }
}

/// What a delete of everything means by "everything".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeleteScope {
    /// What was written at the context's version; the ancestors' values show again.
    ThisVersion,
    /// The whole instance, at every version.
    AllVersions,
}

/// Ordered keys and values in a [`Context`].
///
/// In a versioned context reads follow the [read rule](crate::version), and writes are refused with
/// `ReadOnly` once the version is committed. In an unversioned one a put replaces and a delete removes. The
/// metadata context's classes below 16 are the version layer's own and can't be written through here.
///
/// # Errors
/// Every method answers `NotFound` for an instance or a version that isn't there, and `InvalidArgument` for
/// a context that doesn't fit the instance.
pub trait OrderedKeyValue: Send + Sync {
    /// What a key is. A value may pin the state that was read, as with [`get`](Self::get).
    fn resolve(&self, ctx: &dyn Context, tkey: &TKey) -> Result<Resolved>;

    /// Visits the keys of a range in their order, each with what it is; keys that aren't visible (absent or
    /// deleted) are passed over, and one in conflict is visited as such, without an end to the visit.
    ///
    /// Keys and values are lent, mostly from the engine's own pages; [`visit`](Self::visit) hands them over.
    fn visit_with(
        &self,
        ctx: &dyn Context,
        range: &KeyRange,
        fetch: Fetch,
        visit: &mut dyn FnMut(&[u8], Seen<'_>) -> Result<Flow>,
    ) -> Result<()>;

    /// Reads several keys or ranges in one context, of one state where the engine has snapshots; see
    /// [`Versioned::reader`](super::Versioned::reader).
    fn reading<'a>(&'a self, ctx: &dyn Context) -> Result<Box<dyn Reading + 'a>>;

    /// Visits every stored entry of a range, at every version, tombstones too, in the order of full keys.
    ///
    /// # Errors
    /// `InvalidArgument` in the metadata context.
    fn visit_raw(
        &self,
        ctx: &dyn Context,
        range: &KeyRange,
        visit: &mut dyn FnMut(&DataKey, Value<'_>) -> Result<Flow>,
    ) -> Result<()>;

    /// The stored entry with exactly this key, whatever its version's ancestors have.
    fn get_raw(&self, key: &DataKey) -> Result<Option<Bytes>>;

    /// Stores an entry under exactly this key; the version's entry of the other mark goes, for it has one of
    /// the two.
    ///
    /// # Errors
    /// `ReadOnly` when the version is committed; `InvalidArgument` for a tombstone with a value.
    fn put_raw(&self, key: &DataKey, value: Bytes) -> Result<()>;

    /// Removes, physically, the entry with exactly this key; what ancestors have shows again.
    ///
    /// # Errors
    /// `ReadOnly` when the version is committed.
    fn delete_raw(&self, key: &DataKey) -> Result<()>;

    /// Stores a value.
    fn put(&self, ctx: &dyn Context, tkey: &TKey, value: Bytes) -> Result<()>;

    /// Removes a key; at a version, by a tombstone that hides what its ancestors have.
    fn delete(&self, ctx: &dyn Context, tkey: &TKey) -> Result<()>;

    /// Stores several values, all or none.
    fn put_range(&self, ctx: &dyn Context, entries: &[(TKey, Bytes)]) -> Result<()>;

    /// Removes the keys of a range that are visible, all or none, and answers how many there were.
    ///
    /// # Errors
    /// `TooLarge` when there are more than the engine takes in one batch; then delete the range in parts.
    fn delete_range(&self, ctx: &dyn Context, range: &KeyRange) -> Result<u64>;

    /// Removes, physically, what was written at the context's version, or the instance's data whole; all or
    /// nothing. A commit keeps a version's data from the first of the two, and not from the second.
    ///
    /// # Errors
    /// `TooLarge` when there is more than the engine takes in one batch; `Unsupported` for `AllVersions` where it
    /// has no range deletes. `InvalidArgument` for `ThisVersion` in an unversioned context, and in the metadata context.
    fn delete_all(&self, ctx: &dyn Context, scope: DeleteScope) -> Result<()>;

    /// Hands a key's value to `read`, from the engine's own page where it can be; answers whether there is
    /// one.
    ///
    /// # Errors
    /// `Conflict`, as for [`get`](Self::get).
    fn get_with(&self, ctx: &dyn Context, tkey: &TKey, read: &mut dyn FnMut(&[u8])) -> Result<bool> {
        let value = self.get(ctx, tkey)?;
        if let Some(value) = &value {
            read(value);
        }
        Ok(value.is_some())
    }

    /// Visits the keys of a range as [`visit_with`](Self::visit_with) does, with a copy of each value.
    fn visit(
        &self,
        ctx: &dyn Context,
        range: &KeyRange,
        fetch: Fetch,
        visit: &mut dyn FnMut(&TKey, Resolved) -> Result<Flow>,
    ) -> Result<()> {
        self.visit_with(ctx, range, fetch, &mut |tkey, seen| visit(&TKey::from(tkey), seen.into_resolved()?))
    }

    /// The value of a key, or `None` where there is none.
    ///
    /// The bytes may pin the state that was read, as those of [`View::get`](crate::View::get) do: copy what
    /// is kept for long.
    ///
    /// # Errors
    /// `Conflict` names the versions between which nothing has chosen.
    fn get(&self, ctx: &dyn Context, tkey: &TKey) -> Result<Option<Bytes>> {
        self.resolve(ctx, tkey)?.into_value()
    }

    /// Whether a key has a value.
    ///
    /// # Errors
    /// `Conflict`, as for [`get`](Self::get).
    fn exists(&self, ctx: &dyn Context, tkey: &TKey) -> Result<bool> {
        self.get_with(ctx, tkey, &mut |_| {})
    }

    /// The keys and values of a range, in memory.
    ///
    /// # Errors
    /// `Conflict` at the first key in conflict; use [`visit`](Self::visit) to go on past it.
    fn get_range(&self, ctx: &dyn Context, range: &KeyRange) -> Result<Vec<(TKey, Bytes)>> {
        let mut entries = Vec::new();
        self.visit_with(ctx, range, Fetch::Entries, &mut |tkey, seen| {
            if let Some(value) = seen.into_resolved()?.into_value()? {
                entries.push((TKey::from(tkey), value));
            }
            Ok(Flow::Continue(()))
        })?;
        Ok(entries)
    }

    /// The visible keys of a range, in memory; keys in conflict are among them.
    fn keys_in_range(&self, ctx: &dyn Context, range: &KeyRange) -> Result<Vec<TKey>> {
        let mut keys = Vec::new();
        self.visit_with(ctx, range, Fetch::Keys, &mut |tkey, _| {
            keys.push(TKey::from(tkey));
            Ok(Flow::Continue(()))
        })?;
        Ok(keys)
    }
}

/// Reads in one context, of one state where the engine has snapshots. A visitor may read on.
pub trait Reading {
    /// What a key is.
    fn resolve(&self, tkey: &TKey) -> Result<Resolved>;

    /// Visits the keys of a range in their order; see [`OrderedKeyValue::visit_with`].
    fn visit_with(
        &self,
        range: &KeyRange,
        fetch: Fetch,
        visit: &mut dyn FnMut(&[u8], Seen<'_>) -> Result<Flow>,
    ) -> Result<()>;

    /// What these versions wrote under a key that is in conflict between them.
    fn sides(&self, tkey: &TKey, versions: &[VersionId]) -> Result<Vec<Side>>;

    /// Whether what is seen comes from one line of versions. Then what was written together is seen together; a
    /// merge decides key by key.
    fn is_linear(&self) -> bool;
}

/// Makes batches.
pub trait Batcher {
    /// A batch of writes in a context, which take effect together when it is committed.
    fn batch<'a>(&'a self, ctx: &'a dyn Context) -> Result<Box<dyn Batch + 'a>>;
}

/// Writes in one context that take effect together or not at all. Of two on one key the later one wins.
pub trait Batch {
    /// Stores a value.
    fn put(&mut self, tkey: &TKey, value: Bytes);

    /// Removes a key.
    fn delete(&mut self, tkey: &TKey);

    /// Requires that a key is still what it was resolved to: for writes that were derived from it.
    fn require(&mut self, tkey: &TKey, resolved: &Resolved);

    /// Commits.
    ///
    /// # Errors
    /// `Conflict` when a requirement doesn't hold; `ReadOnly` when the version is committed. Nothing is
    /// changed then.
    fn commit(self: Box<Self>) -> Result<()>;
}
