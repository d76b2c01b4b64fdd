//! The store: one redb file.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use engine_api::embedded::{Contained, Unflushed, contain};
use engine_api::{
    Atomicity, Capabilities, Conditional, DeleteRange, Durability, DurabilityLevels, Error, ErrorKind,
    Execution, Limits, Persistence, Processes, Reads, Result, Reverse, Store, View, WriteBatch, Writers,
};
use redb::{ReadableDatabase, TableDefinition};

use super::config::Settings;
use super::error::{convert, convert_begin, convert_commit};
use super::view::RedbView;
use super::write::Tables;

/// Keys and values, but for what is in [`REST`](super::parts::REST).
pub(crate) const TABLE: TableDefinition<'static, &'static [u8], &'static [u8]> = TableDefinition::new("kv");

const DURABILITY: DurabilityLevels = DurabilityLevels::new(&[Durability::Relaxed, Durability::Power]);

/// redb takes longer keys, but a branch page holds whole keys: long ones leave it few children.
const KEY_BYTES: usize = 65_535;

/// The longest value that redb takes.
const VALUE_BYTES: usize = 3 << 30;

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
    // A get of a page in the cache takes half a microsecond, but one that isn't reads the disk, a commit
    // waits for an fsync and the writer before it, and no call can say beforehand which it will be.
    .execution(Execution::Blocking)
    .limits(Limits::NONE.key_bytes(KEY_BYTES).value_bytes(VALUE_BYTES));

/// An open file. Closing one that was open for writing writes, and may be led astray by a damaged page.
pub(crate) enum Database {
    Writable(Contained<redb::Database>),
    ReadOnly(redb::ReadOnlyDatabase),
}

impl Database {
    pub(crate) fn begin_read(&self) -> Result<redb::ReadTransaction> {
        match self {
            Self::Writable(database) => database.get()?.begin_read(),
            Self::ReadOnly(database) => database.begin_read(),
        }
        .map_err(|error| convert(error, "a read transaction can't be begun"))
    }
}

pub(crate) struct RedbStore {
    // Views share the database. Whoever needs it alone, to compact or to verify, takes the lock for
    // writing and finds out whether there are any.
    database: RwLock<Arc<Database>>,
    settings: Settings,
    relaxed: Unflushed,
}

impl RedbStore {
    pub(crate) fn new(database: Database, settings: Settings) -> Self {
        Self { database: RwLock::new(Arc::new(database)), settings, relaxed: Unflushed::default() }
    }

    pub(crate) fn shared(&self) -> RwLockReadGuard<'_, Arc<Database>> {
        self.database.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn alone(&self) -> RwLockWriteGuard<'_, Arc<Database>> {
        self.database.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, database: &redb::Database, level: Durability) -> Result<redb::WriteTransaction> {
        let mut txn = database
            .begin_write()
            .map_err(|error| convert_begin(error, "a write transaction can't be begun"))?;
        let durability = match level {
            Durability::Relaxed => redb::Durability::None,
            Durability::Process | Durability::Power => redb::Durability::Immediate,
        };
        txn.set_durability(durability)
            .map_err(|error| convert(error, "a write transaction's durability can't be set"))?;
        txn.set_two_phase_commit(self.settings.two_phase);
        txn.set_quick_repair(self.settings.quick_repair);
        Ok(txn)
    }

    fn commit_to(&self, database: &redb::Database, batch: &WriteBatch, level: Durability) -> Result<()> {
        // A transaction that is dropped before it is committed is rolled back.
        let txn = self.begin(database, level)?;
        {
            let mut tables = Tables::open(&txn)?;
            tables.judge(batch)?;
            if batch.ops().is_empty() {
                return Ok(());
            }
            for op in batch.ops() {
                tables.apply(op).map_err(|error| convert(error, "an operation can't be applied"))?;
            }
        }
        txn.commit().map_err(|error| convert_commit(error, "a batch can't be committed"))
    }
}

impl Store for RedbStore {
    fn capabilities(&self) -> &Capabilities {
        &CAPABILITIES
    }

    fn view(&self) -> Result<Box<dyn View>> {
        let database = Arc::clone(&self.shared());
        contain(|| {
            let txn = database.begin_read()?;
            let table = txn.open_table(TABLE).map_err(|error| convert(error, "the table can't be opened"))?;
            Ok(Box::new(RedbView::new(table, txn, database)) as Box<dyn View>)
        })
    }

    fn commit(&self, batch: &WriteBatch, durability: Durability) -> Result<()> {
        batch.check(&CAPABILITIES, durability)?;
        let level = DURABILITY.serve(durability)?;
        let database = self.shared();
        contain(|| self.commit_to(writable(&database)?, batch, level))?;
        if level == Durability::Relaxed {
            self.relaxed.add();
        }
        Ok(())
    }

    fn flush(&self) -> Result<()> {
        self.relaxed.flush(|| {
            let database = self.shared();
            // A durable commit takes every relaxed one before it along, and needs no operation to do so.
            contain(|| {
                let txn = self.begin(writable(&database)?, Durability::Power)?;
                txn.commit().map_err(|error| convert_commit(error, "relaxed commits can't be made durable"))
            })
        })
    }

    fn compact(&self) -> Result<()> {
        let mut alone = self.alone();
        let database = exclusive(&mut alone)?;
        contain(|| database.compact().map_err(|error| convert(error, "the file can't be compacted")))?;
        Ok(())
    }

    fn verify(&self) -> Result<()> {
        let mut alone = self.alone();
        let database = exclusive(&mut alone)?;
        let sound = contain(|| {
            database.check_integrity().map_err(|error| convert(error, "the file can't be verified"))
        })?;
        if sound {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Corrupt, "the file was damaged; the check has mended what it could"))
    }
}

impl fmt::Debug for RedbStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedbStore").finish_non_exhaustive()
    }
}

pub(crate) fn writable(database: &Database) -> Result<&redb::Database> {
    match database {
        Database::Writable(database) => database.get(),
        Database::ReadOnly(_) => Err(read_only()),
    }
}

fn exclusive(database: &mut Arc<Database>) -> Result<&mut redb::Database> {
    match Arc::get_mut(database) {
        Some(Database::Writable(database)) => database.get_mut(),
        Some(Database::ReadOnly(_)) => Err(read_only()),
        None => Err(Error::new(ErrorKind::Busy, "views are open, and this needs the store to itself")),
    }
}

fn read_only() -> Error {
    Error::new(ErrorKind::ReadOnly, "the store is open for reading alone")
}
