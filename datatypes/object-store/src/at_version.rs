//! Objects in a data instance: at a version, or in one without versions.

use std::ops::ControlFlow;
use std::sync::Arc;

use bytes::Bytes;
use engine_api::key::{Context, DataContext, Mark, TKey};
use engine_api::version::{Batcher, Flow, OrderedKeyValue, Reader, Resolved, Seen, Versioned};
use engine_api::{Capabilities, Fetch, KeyRange, Result, Store};

use crate::space::{Entry, Reading, Space, Writes};

/// The keys of a data instance.
pub(crate) struct InstanceSpace<S> {
    store: Arc<Versioned<S>>,
    ctx: DataContext,
}

impl<S: Store> InstanceSpace<S> {
    pub(crate) fn new(store: Arc<Versioned<S>>, ctx: DataContext) -> Self {
        Self { store, ctx }
    }
}

impl<S: Store> std::fmt::Debug for InstanceSpace<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InstanceSpace").field("store", &self.store).field("ctx", &self.ctx).finish()
    }
}

impl<S: Store> Space for InstanceSpace<S> {
    fn capabilities(&self) -> &Capabilities {
        self.store.store().capabilities()
    }

    fn key_bytes(&self, tkey: &TKey) -> Vec<u8> {
        self.ctx.construct_key(tkey)
    }

    fn read(&self, read: &mut dyn FnMut(&dyn Reading) -> Result<()>) -> Result<()> {
        read(&InstanceReading { space: self, reader: self.store.reader(&self.ctx)? })
    }

    fn commit(&self, writes: &Writes) -> Result<()> {
        let mut batch = self.store.batch(&self.ctx)?;
        for (tkey, resolved) in &writes.required {
            batch.require(tkey, resolved);
        }
        for (tkey, value) in &writes.ops {
            match value {
                Some(value) => batch.put(tkey, value.clone()),
                None => batch.delete(tkey),
            }
        }
        batch.commit()
    }

    fn blocks_may_move(&self) -> bool {
        self.ctx.version().is_none()
    }
}

struct InstanceReading<'a, S> {
    space: &'a InstanceSpace<S>,
    reader: Reader<'a, S>,
}

impl<S: Store> Reading for InstanceReading<'_, S> {
    fn resolve(&self, tkey: &TKey) -> Result<Resolved> {
        self.reader.resolve(tkey)
    }

    fn get_with(&self, tkey: &TKey, take: &mut dyn FnMut(&[u8])) -> Result<bool> {
        self.reader.get_with(tkey, take)
    }

    fn get_of_any_version(&self, tkey: &TKey) -> Result<Option<Bytes>> {
        if self.space.ctx.version().is_none() {
            return Ok(None);
        }
        let mut found = None;
        let range = KeyRange::one(tkey.as_bytes());
        self.space.store.visit_raw(&self.space.ctx, &range, &mut |key, value| {
            if key.mark == Mark::Tombstone {
                return Ok(ControlFlow::Continue(()));
            }
            found = Some(value.to_bytes()?);
            Ok(ControlFlow::Break(()))
        })?;
        Ok(found)
    }

    fn visit(
        &self,
        range: &KeyRange,
        fetch: Fetch,
        visit: &mut dyn FnMut(&[u8], Entry<'_>) -> Result<Flow>,
    ) -> Result<()> {
        self.reader.visit_with(range, fetch, &mut |tkey, seen| {
            visit(
                tkey,
                match seen {
                    Seen::Found { value, .. } => Entry::Value(value),
                    Seen::Conflict { versions } => Entry::Conflict(Resolved::Conflict { versions }),
                },
            )
        })
    }
}
