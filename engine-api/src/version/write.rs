//! Writing in a context, and the interface that datatypes are written against.

use std::ops::ControlFlow;

use bytes::Bytes;

use super::kv::{Batch, Batcher, DeleteScope, Flow, OrderedKeyValue, Reading, Seen};
use super::record;
use super::resolver::Resolved;
use super::target::Target;
use super::versioned::Versioned;
use crate::ext::{KeyRange, StoreExt, ViewExt};
use crate::key::{Context, DataContext, DataKey, Mark, MetadataContext, TKey, VersionId};
use crate::spi::{
    DeleteRange, Error, ErrorKind, Expected, Fetch, Op, Result, Step, Store, Value, View, WriteBatch, visitor,
};

impl<S: Store> Versioned<S> {
    /// Commits a batch that [`writing`] has begun.
    pub(super) fn finish(&self, target: &Target, batch: &WriteBatch) -> Result<()> {
        let error = match self.store.write(batch) {
            Err(error) if error.kind() == ErrorKind::Conflict => error,
            outcome => return outcome,
        };
        let Ok(ctx) = target.data() else { return Err(error) };
        // Which of the requirements it was decides what is told, and the DAG at hand was out of date.
        let view = self.store.view()?;
        if !view.exists(&record::numbered(record::INSTANCE, ctx.instance().0))? {
            self.refresh()?;
            return Err(Error::new(ErrorKind::NotFound, "the data instance was deleted")
                .with("instance", ctx.instance()));
        }
        if let Some(version) = ctx.version()
            && !view.exists(&record::numbered(record::VERSION, version.0))?
        {
            self.refresh()?;
            return Err(Error::new(ErrorKind::NotFound, "the version was deleted").with("version", version));
        }
        if let Some(version) = ctx.version()
            && view.exists(&record::committed(version))?
        {
            self.refresh()?;
            return Err(closed());
        }
        Err(error)
    }

    /// Refuses a batch that has grown beyond what the engine takes, before it grows further.
    fn check_size(&self, batch: &WriteBatch) -> Result<()> {
        let ops = batch.ops().len() + batch.requirements().len();
        self.store.capabilities().limits.check_batch(ops, batch.bytes())
    }
}

/// The context in which a full key is meant.
fn context_of(key: &DataKey) -> DataContext {
    if key.version == VersionId::default() {
        DataContext::unversioned(key.instance)
    } else {
        DataContext::versioned(key.instance, key.version)
    }
}

/// Begins a batch in a context that may be written.
pub(super) fn writing(target: &Target) -> Result<WriteBatch> {
    let mut batch = WriteBatch::new();
    if let Target::Versioned { committed: true, .. } = target {
        return Err(closed());
    }
    // Judged with the commit itself, so that no write slips in behind another thread's, or another process's,
    // commit or deletion of the version, or deletion of the instance.
    if let Ok(ctx) = target.data() {
        batch.require_present(record::numbered(record::INSTANCE, ctx.instance().0));
        if let Some(version) = ctx.version() {
            batch.require_present(record::numbered(record::VERSION, version.0));
            batch.require_absent(record::committed(version));
        }
    }
    Ok(batch)
}

pub(super) fn view_raw(
    view: &dyn View,
    ctx: &DataContext,
    range: &KeyRange,
    visit: &mut dyn FnMut(&DataKey, Value<'_>) -> Result<Flow>,
) -> Result<()> {
    let full = ctx.full_range(range);
    let mut each = visitor(|key: &[u8], value: Value<'_>| {
        Ok(match visit(&DataKey::parse(key)?, value)? {
            ControlFlow::Continue(()) => Step::Next,
            ControlFlow::Break(()) => Step::Stop,
        })
    });
    view.scan(full.scan(), &mut each)
}

#[cold]
fn closed() -> Error {
    Error::new(
        ErrorKind::ReadOnly,
        "the version is committed, so it can't be written; make a new version from it",
    )
}

/// Adds a put to a batch.
pub(super) fn put(batch: &mut WriteBatch, target: &Target, tkey: &TKey, value: Bytes) {
    if let Target::Versioned { ctx, .. } = target {
        batch.push(Op::Delete { key: ctx.tombstone_key(tkey).into() });
    }
    batch.push(Op::Put { key: target.construct_key(tkey).into(), value });
}

/// Adds a delete to a batch.
pub(super) fn delete(batch: &mut WriteBatch, target: &Target, tkey: &TKey) {
    batch.push(Op::Delete { key: target.construct_key(tkey).into() });
    if let Target::Versioned { ctx, .. } = target {
        batch.push(Op::Put { key: ctx.tombstone_key(tkey).into(), value: Bytes::new() });
    }
}

/// Adds to a batch what holds as long as a key is what it was resolved to. Ancestors are committed and can't
/// change, so at a version that is its own entry alone.
pub(super) fn require(batch: &mut WriteBatch, target: &Target, tkey: &TKey, resolved: &Resolved) {
    let own = |version: VersionId, ctx: &DataContext| ctx.version() == Some(version);
    let value = match resolved {
        Resolved::Found { value, .. } => Some(value.clone()),
        _ => None,
    };
    let exactly = |value: Option<Bytes>| value.map_or(Expected::Absent, Expected::Equals);
    match target {
        Target::Metadata => batch.require(MetadataContext.construct_key(tkey), exactly(value)),
        Target::Unversioned(ctx) => batch.require(ctx.construct_key(tkey), exactly(value)),
        Target::Versioned { ctx, .. } => {
            let (data, tombstone) = match resolved {
                Resolved::Found { version, value } if own(*version, ctx) => {
                    (Expected::Equals(value.clone()), Expected::Absent)
                }
                Resolved::Deleted { version } if own(*version, ctx) => (Expected::Absent, Expected::Present),
                _ => (Expected::Absent, Expected::Absent),
            };
            batch.require(ctx.construct_key(tkey), data).require(ctx.tombstone_key(tkey), tombstone)
        }
    };
}

/// Refuses writes to the version layer's own metadata.
fn check_free(target: &Target, tkey: &TKey) -> Result<()> {
    if matches!(target, Target::Metadata) && tkey.class()?.0 < record::FIRST_FREE_CLASS {
        return Err(Error::new(
            ErrorKind::InvalidArgument,
            "metadata classes below 16 belong to the version layer",
        )
        .with_key("key", tkey.as_bytes()));
    }
    Ok(())
}

impl<S: Store> OrderedKeyValue for Versioned<S> {
    fn resolve(&self, ctx: &dyn Context, tkey: &TKey) -> Result<Resolved> {
        self.reader(ctx)?.resolve(tkey)
    }

    fn get_with(&self, ctx: &dyn Context, tkey: &TKey, read: &mut dyn FnMut(&[u8])) -> Result<bool> {
        self.reader(ctx)?.get_with(tkey, read)
    }

    fn visit_with(
        &self,
        ctx: &dyn Context,
        range: &KeyRange,
        fetch: Fetch,
        visit: &mut dyn FnMut(&[u8], Seen<'_>) -> Result<Flow>,
    ) -> Result<()> {
        self.reader(ctx)?.visit_with(range, fetch, visit)
    }

    fn reading<'a>(&'a self, ctx: &dyn Context) -> Result<Box<dyn Reading + 'a>> {
        Ok(Box::new(self.reader(ctx)?))
    }

    fn visit_raw(
        &self,
        ctx: &dyn Context,
        range: &KeyRange,
        visit: &mut dyn FnMut(&DataKey, Value<'_>) -> Result<Flow>,
    ) -> Result<()> {
        let reader = self.reader(ctx)?;
        view_raw(&*reader.view, reader.target.data()?, range, visit)
    }

    fn get_raw(&self, key: &DataKey) -> Result<Option<Bytes>> {
        self.reader(&context_of(key))?.view.get(&key.encode())
    }

    fn put_raw(&self, key: &DataKey, value: Bytes) -> Result<()> {
        if key.mark == Mark::Tombstone && !value.is_empty() {
            return Err(Error::new(ErrorKind::InvalidArgument, "a tombstone has no value"));
        }
        let target = self.place_to_write(&context_of(key))?;
        let mut batch = writing(&target)?;
        let other = match key.mark {
            Mark::Data => Mark::Tombstone,
            Mark::Tombstone => Mark::Data,
        };
        batch.delete(DataKey { mark: other, ..key.clone() }.encode()).put(key.encode(), value);
        self.finish(&target, &batch)
    }

    fn delete_raw(&self, key: &DataKey) -> Result<()> {
        let target = self.place_to_write(&context_of(key))?;
        let mut batch = writing(&target)?;
        batch.delete(key.encode());
        self.finish(&target, &batch)
    }

    fn put(&self, ctx: &dyn Context, tkey: &TKey, value: Bytes) -> Result<()> {
        self.put_range(ctx, &[(tkey.clone(), value)])
    }

    fn delete(&self, ctx: &dyn Context, tkey: &TKey) -> Result<()> {
        let target = self.place_to_write(ctx)?;
        check_free(&target, tkey)?;
        let mut batch = writing(&target)?;
        delete(&mut batch, &target, tkey);
        self.finish(&target, &batch)
    }

    fn put_range(&self, ctx: &dyn Context, entries: &[(TKey, Bytes)]) -> Result<()> {
        let target = self.place_to_write(ctx)?;
        let mut batch = writing(&target)?;
        for (tkey, value) in entries {
            check_free(&target, tkey)?;
            put(&mut batch, &target, tkey, value.clone());
        }
        self.finish(&target, &batch)
    }

    fn delete_range(&self, ctx: &dyn Context, range: &KeyRange) -> Result<u64> {
        let target = self.place_to_write(ctx)?;
        let mut batch = writing(&target)?;
        let mut count = 0;
        self.visit_with(ctx, range, Fetch::Keys, &mut |tkey, _| {
            let tkey = TKey::from(tkey);
            check_free(&target, &tkey)?;
            delete(&mut batch, &target, &tkey);
            self.check_size(&batch)?;
            count += 1;
            Ok(Flow::Continue(()))
        })?;
        self.finish(&target, &batch)?;
        Ok(count)
    }

    fn delete_all(&self, ctx: &dyn Context, scope: DeleteScope) -> Result<()> {
        let target = self.place_to_write(ctx)?;
        let data = *target.data()?;
        match scope {
            DeleteScope::AllVersions => {
                if self.store.capabilities().delete_range == DeleteRange::None {
                    return Err(Error::new(ErrorKind::Unsupported, "the engine has no range deletes"));
                }
                // Commits don't matter, for it is the instance that loses its data; but it must be there.
                let mut batch = WriteBatch::new();
                batch.require_present(record::numbered(record::INSTANCE, data.instance().0));
                let range = data.key_range();
                batch.delete_range(range.start(), range.end());
                self.finish(&target, &batch)
            }
            DeleteScope::ThisVersion => {
                let Some(version) = data.version() else {
                    return Err(Error::new(
                        ErrorKind::InvalidArgument,
                        "data without versions has nothing of one version",
                    ));
                };
                let mut batch = writing(&target)?;
                view_raw(&*self.store.view()?, &data, &KeyRange::ALL, &mut |key, _| {
                    if key.version == version {
                        batch.delete(key.encode());
                        self.check_size(&batch)?;
                    }
                    Ok(Flow::Continue(()))
                })?;
                self.finish(&target, &batch)
            }
        }
    }
}

impl<S: Store> Batcher for Versioned<S> {
    fn batch<'a>(&'a self, ctx: &'a dyn Context) -> Result<Box<dyn Batch + 'a>> {
        let target = self.place_to_write(ctx)?;
        let writes = writing(&target)?;
        Ok(Box::new(VersionedBatch { store: self, target, writes, refused: None }))
    }
}

struct VersionedBatch<'a, S> {
    store: &'a Versioned<S>,
    target: Target,
    writes: WriteBatch,
    /// The first write that may not be made; the commit answers it.
    refused: Option<Error>,
}

impl<S> VersionedBatch<'_, S> {
    fn admits(&mut self, tkey: &TKey) -> bool {
        match check_free(&self.target, tkey) {
            Ok(()) => true,
            Err(error) => {
                self.refused.get_or_insert(error);
                false
            }
        }
    }
}

impl<S: Store> Batch for VersionedBatch<'_, S> {
    fn put(&mut self, tkey: &TKey, value: Bytes) {
        if self.admits(tkey) {
            put(&mut self.writes, &self.target, tkey, value);
        }
    }

    fn delete(&mut self, tkey: &TKey) {
        if self.admits(tkey) {
            delete(&mut self.writes, &self.target, tkey);
        }
    }

    fn require(&mut self, tkey: &TKey, resolved: &Resolved) {
        require(&mut self.writes, &self.target, tkey, resolved);
    }

    fn commit(self: Box<Self>) -> Result<()> {
        match self.refused {
            Some(error) => Err(error),
            None => self.store.finish(&self.target, &self.writes),
        }
    }
}
