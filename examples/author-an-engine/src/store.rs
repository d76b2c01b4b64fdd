//! The store: one keyspace of a fjall database.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use engine_api::embedded::{Unflushed, contain};
use engine_api::{
    Atomicity, Bytes, Capabilities, Conditional, DeleteRange, Durability, DurabilityLevels, Execution,
    Limits, Op, Persistence, Processes, Reads, Result, Reverse, Scan, Store, View, WriteBatch, Writers,
};
use fjall::PersistMode;

use super::database::Database;
use super::error::convert_commit;
use super::view::FjallView;

/// Commits are forced to the disk, and still a power cut may leave a journal that fjall refuses: see the README.
const DURABILITY: DurabilityLevels = DurabilityLevels::new(&[Durability::Relaxed, Durability::Process]);

/// The longest key that fjall takes; it panics over others, and over the empty one.
pub(crate) const KEY_BYTES: usize = 65_535;

/// fjall takes 4 GiB, but a block of a table holds whole values, and what is merged is written anew.
const VALUE_BYTES: usize = 64 << 20;

pub(crate) const LIMITS: Limits = Limits::NONE.key_bytes(KEY_BYTES).value_bytes(VALUE_BYTES).no_empty_key();

pub(crate) const CAPABILITIES: Capabilities = Capabilities::MINIMAL
    .reads(Reads::Snapshot)
    .atomicity(Atomicity::Store)
    .conditional(Conditional::Batch)
    .reverse(Reverse::Native)
    .delete_range(DeleteRange::PerKey)
    .persistence(Persistence::Disk)
    .durability(DURABILITY)
    .writers(Writers::Single)
    .processes(Processes::One)
    // A get of a block in the cache takes a microsecond, but one that isn't reads the disk, a commit waits for
    // the one before it, and no call can say beforehand which it will be.
    .execution(Execution::Blocking)
    .limits(LIMITS);

pub(crate) struct FjallStore {
    database: Arc<Database>,
    // Between the reads that a batch depends on and its writes nothing may be committed.
    gate: Mutex<()>,
    unflushed: Unflushed,
}

impl FjallStore {
    pub(crate) fn new(database: Database) -> Self {
        Self { database: Arc::new(database), gate: Mutex::new(()), unflushed: Unflushed::default() }
    }

    fn now(&self) -> FjallView {
        FjallView::new(Arc::clone(&self.database))
    }
}

impl Store for FjallStore {
    fn capabilities(&self) -> &Capabilities {
        &CAPABILITIES
    }

    fn view(&self) -> Result<Box<dyn View>> {
        Ok(Box::new(self.now()))
    }

    fn commit(&self, batch: &WriteBatch, durability: Durability) -> Result<()> {
        batch.check(&CAPABILITIES, durability)?;
        let level = DURABILITY.serve(durability)?;
        let _gate = self.gate.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.now();
        for requirement in batch.requirements() {
            requirement.judge(now.find(&requirement.key)?.as_deref())?;
        }
        let writes = plan(&now, batch.ops())?;
        contain(|| self.apply(&writes, level))?;
        if level == Durability::Relaxed {
            self.unflushed.add();
        }
        Ok(())
    }

    fn flush(&self) -> Result<()> {
        self.unflushed.flush(|| {
            contain(|| {
                let persisted = self.database.fjall.persist(PersistMode::SyncData);
                persisted.map_err(|error| convert_commit(error, "commits can't be made durable"))
            })
        })
    }
}

impl FjallStore {
    fn apply(&self, writes: &Writes, level: Durability) -> Result<()> {
        let Database { fjall, keys, .. } = self.database.as_ref();
        let mut batch = fjall.batch().durability(match level {
            Durability::Relaxed => None,
            Durability::Process | Durability::Power => Some(PersistMode::SyncData),
        });
        // Copied, for fjall keeps them in memory for long, and what is lent may be a small part of something large.
        for (key, value) in writes {
            match value {
                Some(value) => batch.insert(keys, key.as_ref(), value.as_ref()),
                None => batch.remove(keys, key.as_ref()),
            }
        }
        batch.commit().map_err(|error| convert_commit(error, "a batch can't be committed"))
    }
}

impl fmt::Debug for FjallStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FjallStore").finish_non_exhaustive()
    }
}

/// Keys, and the values that they come to have; `None` is a delete.
type Writes = BTreeMap<Bytes, Option<Bytes>>;

/// What the operations come to, key by key: fjall doesn't say which of two on a key in one batch wins.
fn plan(now: &FjallView, ops: &[Op]) -> Result<Writes> {
    let mut writes = Writes::new();
    for op in ops {
        match op {
            Op::Put { key, value } => {
                writes.insert(key.clone(), Some(value.clone()));
            }
            Op::Delete { key } => {
                writes.insert(key.clone(), None);
            }
            Op::DeleteRange { start, end } => {
                let range = Scan::of_range(start, end);
                if range.is_empty() {
                    continue;
                }
                for (_, value) in writes.range_mut::<[u8], _>((range.start, range.end)) {
                    *value = None;
                }
                now.each_key(range, |key| {
                    writes.insert(key, None);
                })?;
            }
        }
    }
    Ok(writes)
}
