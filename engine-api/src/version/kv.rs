//! What datatypes are written against: ordered keys and values in a context.

use std::ops::ControlFlow;

use bytes::Bytes;

use super::resolver::Resolved;
use crate::ext::KeyRange;
use crate::key::{Context, DataKey, TKey};
use crate::spi::{Fetch, Result, Value};

/// Whether a visit goes on.
pub type Flow = ControlFlow<()>;

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
    /// What a key is.
    fn resolve(&self, ctx: &dyn Context, tkey: &TKey) -> Result<Resolved>;

    /// Visits the keys of a range in their order, each with what it is; keys that aren't visible (absent or
    /// deleted) are passed over, and one in conflict is visited as such, without an end to the visit.
    fn visit(
        &self,
        ctx: &dyn Context,
        range: &KeyRange,
        fetch: Fetch,
        visit: &mut dyn FnMut(&TKey, Resolved) -> Result<Flow>,
    ) -> Result<()>;

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
    fn delete_range(&self, ctx: &dyn Context, range: &KeyRange) -> Result<u64>;

    /// Removes, physically, what was written at the context's version, or the instance's data whole.
    ///
    /// # Errors
    /// `InvalidArgument` for `ThisVersion` in an unversioned context, and in the metadata context.
    fn delete_all(&self, ctx: &dyn Context, scope: DeleteScope) -> Result<()>;

    /// The value of a key, or `None` where there is none.
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
        self.get(ctx, tkey).map(|value| value.is_some())
    }

    /// The keys and values of a range, in memory.
    ///
    /// # Errors
    /// `Conflict` at the first key in conflict; use [`visit`](Self::visit) to go on past it.
    fn get_range(&self, ctx: &dyn Context, range: &KeyRange) -> Result<Vec<(TKey, Bytes)>> {
        let mut entries = Vec::new();
        self.visit(ctx, range, Fetch::Entries, &mut |tkey, resolved| {
            if let Some(value) = resolved.into_value()? {
                entries.push((tkey.clone(), value));
            }
            Ok(Flow::Continue(()))
        })?;
        Ok(entries)
    }

    /// The visible keys of a range, in memory; keys in conflict are among them.
    fn keys_in_range(&self, ctx: &dyn Context, range: &KeyRange) -> Result<Vec<TKey>> {
        let mut keys = Vec::new();
        self.visit(ctx, range, Fetch::Keys, &mut |tkey, _| {
            keys.push(tkey.clone());
            Ok(Flow::Continue(()))
        })?;
        Ok(keys)
    }
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
