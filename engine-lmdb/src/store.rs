//! The store: one table of one LMDB environment.

use std::fmt;
use std::ops::Bound;
use std::sync::Arc;

use engine_api::{
    Atomicity, Capabilities, Conditional, DeleteRange, Durability, DurabilityLevels, Error, ErrorKind,
    Execution, Limits, Op, Persistence, Processes, Reads, Result, Reverse, Scan, Store, View, WriteBatch,
    Writers,
};
use heed::RwTxn;

use super::environment::{Entered, Environment};
use super::error::{Failed, convert};
use super::raw::{Handle, Table};
use super::view::LmdbView;

/// A commit has been forced to the disk when it returns: LMDB can't be asked for less of one commit.
const SYNCED: DurabilityLevels = DurabilityLevels::new(&[Durability::Power]);

/// It has been handed to the operating system.
const UNSYNCED: DurabilityLevels = DurabilityLevels::new(&[Durability::Process]);

/// What LMDB takes when it isn't compiled for longer keys; a store asks the one that is linked.
const KEY_BYTES: usize = 511;

/// The longest value that LMDB takes.
const VALUE_BYTES: usize = u32::MAX as usize;

/// The default of the option.
const READERS: usize = 1024;

pub(crate) const CAPABILITIES: Capabilities = Capabilities::MINIMAL
    .reads(Reads::Snapshot)
    .atomicity(Atomicity::Store)
    .conditional(Conditional::Batch)
    .reverse(Reverse::Native)
    .delete_range(DeleteRange::PerKey)
    .persistence(Persistence::Disk)
    .durability(SYNCED)
    .writers(Writers::Single)
    .processes(Processes::Many)
    // A get of a page in memory takes a third of a microsecond, but one that isn't reads the disk, a commit
    // waits for an fsync and the writers before it, in any process, and no call can say which it will be.
    .execution(Execution::Blocking)
    .limits(Limits::NONE.key_bytes(KEY_BYTES).value_bytes(VALUE_BYTES).views(READERS).no_empty_key());

pub(crate) struct LmdbStore {
    environment: Arc<Environment>,
    capabilities: Capabilities,
    writable: bool,
}

impl LmdbStore {
    pub(crate) fn new(environment: Arc<Environment>, writable: bool) -> Self {
        let limits = CAPABILITIES.limits.key_bytes(environment.key_bytes()).views(environment.readers());
        let levels = if environment.settings().sync { SYNCED } else { UNSYNCED };
        let capabilities = CAPABILITIES.durability(levels).limits(limits);
        Self { environment, capabilities, writable }
    }

    #[cfg(feature = "bench")]
    pub(crate) fn enter(&self) -> Result<Entered> {
        self.environment.enter()
    }

    fn writable(&self) -> Result<()> {
        if self.writable {
            return Ok(());
        }
        Err(Error::new(ErrorKind::ReadOnly, "the store is open for reading alone"))
    }
}

impl Store for LmdbStore {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn view(&self) -> Result<Box<dyn View>> {
        let (txn, table, user) = self.environment.read()?;
        Ok(Box::new(LmdbView::new(txn, table, self.capabilities.limits, user)))
    }

    fn commit(&self, batch: &WriteBatch, durability: Durability) -> Result<()> {
        batch.check(&self.capabilities, durability)?;
        self.writable()?;
        let _turn = self.environment.turn();
        loop {
            let entered = self.environment.enter()?;
            let map = entered.map;
            match commit_to(&entered.handle, batch) {
                Ok(()) => return Ok(()),
                Err(Failed::With(error)) => return Err(self.environment.explain(&entered, error)),
                // The transaction was rolled back, so nothing of the batch is there.
                Err(Failed::Outgrown) => {
                    drop(entered);
                    self.environment.grow(map, batch.bytes())?;
                }
            }
        }
    }

    fn flush(&self) -> Result<()> {
        if self.environment.settings().sync || !self.writable {
            return Ok(());
        }
        let Entered { handle, .. } = &self.environment.enter()?;
        handle.env.force_sync().map_err(|error| convert(error, "commits can't be made durable"))
    }

    fn compact(&self) -> Result<()> {
        self.writable()?;
        self.environment.compact()
    }

    fn verify(&self) -> Result<()> {
        self.environment.verify()
    }
}

impl Drop for LmdbStore {
    fn drop(&mut self) {
        // LMDB doesn't when it is closed. A drop can't answer an error.
        self.flush().unwrap_or(());
    }
}

impl fmt::Debug for LmdbStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LmdbStore").finish_non_exhaustive()
    }
}

/// A transaction begins and ends within, and so on one thread, as LMDB demands of one that writes.
fn commit_to(handle: &Handle, batch: &WriteBatch) -> Result<(), Failed> {
    let mut txn =
        handle.env.write_txn().map_err(|error| Failed::at(error, "a write transaction can't be begun"))?;
    judge(handle.table, &txn, batch)?;
    if batch.ops().is_empty() {
        return Ok(());
    }
    for op in batch.ops() {
        apply(handle.table, &mut txn, op)
            .map_err(|error| Failed::at(error, "an operation can't be applied"))?;
    }
    txn.commit().map_err(|error| Failed::at_commit(error, "a batch can't be committed"))
}

fn judge(table: Table, txn: &RwTxn<'_>, batch: &WriteBatch) -> Result<()> {
    for requirement in batch.requirements() {
        let stored = table.get(txn, &requirement.key);
        let stored = stored.map_err(|error| convert(error, "a required key can't be read"))?;
        requirement.judge(stored)?;
    }
    Ok(())
}

fn apply(table: Table, txn: &mut RwTxn<'_>, op: &Op) -> heed::Result<()> {
    match op {
        Op::Put { key, value } => table.put(txn, key, value),
        Op::Delete { key } => table.delete(txn, key).map(drop),
        Op::DeleteRange { start, end } => {
            let range = Scan::of_range(start, end);
            if range.is_empty() || matches!(range.end, Bound::Included([])) {
                return Ok(());
            }
            // LMDB can't look for the empty key, and there is none below it.
            let start = match range.start {
                Bound::Included([]) | Bound::Excluded([]) => Bound::Unbounded,
                start => start,
            };
            table.delete_range(txn, &(start, range.end)).map(drop)
        }
    }
}
