//! Writing a bundle's entries under their reserved numbers, in batches that the engine takes.

use super::super::record;
use super::super::work::Task;
use super::format::Entry;
use crate::ext::StoreExt;
use crate::key::{ClientId, DataKey, InstanceId, TKey, VersionId};
use crate::spi::{Limits, Result, Store, WriteBatch};

/// A batch is written when it has this many entries, or bytes; less where the engine takes less.
const BATCH_ENTRIES: usize = 4096;
const BATCH_BYTES: usize = 1 << 20;
/// What a batch requires beside: the work's record, and the instance's.
const REQUIREMENTS: usize = 2;

/// Writes entries in batches that an engine takes.
pub(super) struct Writer<'a, S> {
    store: &'a S,
    task: &'a Task,
    batch: WriteBatch,
    entries: usize,
    bytes: usize,
    /// The instance of the batch, where it was there before, and so may be deleted meanwhile.
    found: Option<InstanceId>,
}

impl<'a, S: Store> Writer<'a, S> {
    pub(super) fn new(store: &'a S, task: &'a Task) -> Self {
        let Limits { batch_ops, batch_bytes, .. } = store.capabilities().limits;
        let entries = batch_ops.map_or(BATCH_ENTRIES, |limit| limit.saturating_sub(REQUIREMENTS));
        let bytes = batch_bytes.map_or(BATCH_BYTES, |limit| limit.min(BATCH_BYTES));
        let entries = entries.clamp(1, BATCH_ENTRIES);
        Self { store, task, batch: WriteBatch::new(), entries, bytes, found: None }
    }

    pub(super) fn add(
        &mut self,
        found: Option<InstanceId>,
        instance: InstanceId,
        version: VersionId,
        entry: Entry,
    ) -> Result<()> {
        let Entry { tkey, mark, value, .. } = entry;
        let key =
            DataKey { instance, tkey: TKey::from_bytes(tkey), version, client: ClientId(0), mark }.encode();
        let full = self.batch.ops().len() >= self.entries
            || self.batch.bytes() + key.len() + value.len() > self.bytes;
        if full || self.found != found {
            self.flush()?;
        }
        self.found = found;
        self.batch.put(key, value);
        Ok(())
    }

    pub(super) fn flush(&mut self) -> Result<()> {
        if self.batch.ops().is_empty() {
            return Ok(());
        }
        let mut batch = std::mem::take(&mut self.batch);
        self.task.guard(&mut batch);
        if let Some(instance) = self.found {
            batch.require_present(record::numbered(record::INSTANCE, instance.0));
        }
        self.store.write(&batch)
    }
}
