//! The store: a connection that commits batches, and a pool of those that read.

use std::fmt;
use std::fs::OpenOptions;
use std::io;
use std::ops::Bound;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use engine_api::embedded::Unflushed;
use engine_api::{
    Atomicity, Bytes, Capabilities, Conditional, DeleteRange, Durability, DurabilityLevels, Error, ErrorKind,
    Execution, Limits, Op, Persistence, Processes, Reads, Result, Reverse, Scan, Store, View, WriteBatch,
    Writers,
};
use rusqlite::{Connection, TransactionBehavior};

use super::LAYOUT;
use super::config::Settings;
use super::error::{convert, convert_commit};
use super::view::{Readers, SqliteView, find, large_of, prepare};

const DURABILITY: DurabilityLevels = DurabilityLevels::new(&[Durability::Process, Durability::Power]);

/// SQLite takes longer keys, but reads all of a long key for each comparison of a search.
const KEY_BYTES: usize = 65_535;

/// A row has up to 1,000,000,000 bytes, of which a large value's header takes seven.
const VALUE_BYTES: usize = 1_000_000_000 - 7;

pub(crate) const CAPABILITIES: Capabilities = Capabilities::MINIMAL
    .reads(Reads::Snapshot)
    .atomicity(Atomicity::Store)
    .conditional(Conditional::Batch)
    .reverse(Reverse::Native)
    .delete_range(DeleteRange::PerKey)
    .persistence(Persistence::Disk)
    .durability(DURABILITY)
    .writers(Writers::Single)
    .processes(Processes::Many)
    // Any call may read the disk, and a commit waits for an fsync and for the writer before it, which may be
    // another process.
    .execution(Execution::Blocking)
    .limits(Limits::NONE.key_bytes(KEY_BYTES).value_bytes(VALUE_BYTES).views(100));

pub(crate) struct SqliteStore {
    // None where the store is open for reading alone.
    writer: Option<Mutex<Writer>>,
    readers: Arc<Readers>,
    capabilities: Capabilities,
    // The log beside the file.
    log: PathBuf,
    unforced: Unflushed,
}

impl SqliteStore {
    pub(crate) fn new(writer: Option<Writer>, readers: Readers, log: PathBuf, settings: &Settings) -> Self {
        let limits = CAPABILITIES.limits.views(settings.readers);
        Self {
            writer: writer.map(Mutex::new),
            readers: Arc::new(readers),
            capabilities: CAPABILITIES.limits(limits),
            log,
            unforced: Unflushed::default(),
        }
    }

    fn writer(&self) -> Result<MutexGuard<'_, Writer>> {
        let writer = self
            .writer
            .as_ref()
            .ok_or_else(|| Error::new(ErrorKind::ReadOnly, "the store is open for reading alone"))?;
        // Whoever panicked has left no transaction behind, and the level is set last.
        Ok(writer.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Store for SqliteStore {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn view(&self) -> Result<Box<dyn View>> {
        Ok(Box::new(SqliteView::new(Arc::clone(&self.readers))?))
    }

    fn commit(&self, batch: &WriteBatch, durability: Durability) -> Result<()> {
        batch.check(&self.capabilities, durability)?;
        let level = DURABILITY.serve(durability)?;
        self.writer()?.commit(batch, level)?;
        if level < Durability::Power {
            self.unforced.add();
        }
        Ok(())
    }

    fn flush(&self) -> Result<()> {
        // What was committed is in the log, or has been forced to the disk on its way to the file. SQLite
        // locks the file and not the log, so it can be opened and closed here without letting go of a lock.
        self.unforced.flush(|| {
            match OpenOptions::new().write(true).open(&self.log).and_then(|log| log.sync_data()) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                synced => {
                    synced.map_err(|error| Error::from_io(error, "the log can't be forced to the disk"))
                }
            }
        })
    }

    fn compact(&self) -> Result<()> {
        let mut writer = self.writer()?;
        // While this is held no view can be taken: it would keep the log from being emptied.
        let pool = self.readers.pool();
        if pool.open > 0 {
            return Err(Error::new(ErrorKind::Busy, "views are open, and this needs the store to itself"));
        }
        writer.compact()
    }

    fn verify(&self) -> Result<()> {
        verify(SqliteView::new(Arc::clone(&self.readers))?.connection()?)
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").finish_non_exhaustive()
    }
}

/// Checks the structure of the file, and that each large value belongs to one key.
pub(crate) fn verify(connection: &Connection) -> Result<()> {
    const LARGE: &str = "SELECT count(*), count(DISTINCT kv.v), count(id), (SELECT count(*) FROM large) \
                         FROM kv LEFT JOIN large ON id=kv.v WHERE typeof(kv.v)='integer'";
    const NEITHER: &str = "SELECT count(*) FROM kv WHERE typeof(v) NOT IN ('blob','integer')";
    let failed = |error| convert(error, "the file can't be verified");
    let finding: String =
        connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0)).map_err(failed)?;
    if finding != "ok" {
        return Err(Error::new(ErrorKind::Corrupt, "the file is damaged").with("finding", finding));
    }
    let [references, distinct, found, rows] = connection
        .query_row(LARGE, [], |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get::<_, i64>(3)?]))
        .map_err(failed)?;
    if [distinct, found, rows] != [references; 3] {
        return Err(Error::new(ErrorKind::Corrupt, "keys and large values don't belong together")
            .with("references", references)
            .with("found", found)
            .with("large_values", rows));
    }
    match connection.query_row(NEITHER, [], |row| row.get(0)).map_err(failed)? {
        0_i64 => Ok(()),
        count => Err(Error::new(ErrorKind::Corrupt, "keys have what is no value").with("keys", count)),
    }
}

/// The connection that writes.
pub(crate) struct Writer {
    connection: Connection,
    // The level that the connection is set to.
    level: Option<Durability>,
    // What `data_version` was after a commit that was forced to the disk, and with it all before it.
    forced: Option<i64>,
    // The most bytes of a key and its value that stay together in a page.
    inline: usize,
}

impl Writer {
    pub(crate) fn new(connection: Connection) -> Result<Self> {
        let page: u32 = connection
            .pragma_query_value(None, "page_size", |row| row.get(0))
            .map_err(|error| convert(error, "the page size can't be read"))?;
        // The longest cell that SQLite keeps whole in a page of such a table, less a record's header.
        let inline = (page.saturating_sub(12) * 64 / 255).saturating_sub(23 + 10);
        let inline = usize::try_from(inline).unwrap_or(0);
        Ok(Self { connection, level: None, forced: None, inline })
    }

    /// Sets what the next commit waits for. SQLite takes no change within a transaction.
    fn set_level(&mut self, level: Durability) -> Result<()> {
        if self.level != Some(level) {
            let synchronous = if level == Durability::Power { "FULL" } else { "NORMAL" };
            self.level = None;
            self.connection
                .pragma_update(None, "synchronous", synchronous)
                .map_err(|error| convert(error, "the durability of commits can't be set"))?;
            self.level = Some(level);
        }
        Ok(())
    }

    pub(crate) fn commit(&mut self, batch: &WriteBatch, level: Durability) -> Result<()> {
        self.set_level(level)?;
        let (inline, mut forced) = (self.inline, self.forced.take());
        // A transaction that is dropped before it is committed is rolled back.
        let txn = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(|error| convert(error, "a write transaction can't be begun"))?;
        judge(&txn, batch)?;
        if batch.ops().is_empty() {
            drop(txn);
            self.forced = forced;
            return Ok(());
        }
        let mut tables = Tables { connection: &txn, inline, any_large: any_large(&txn)? };
        for op in batch.ops() {
            tables.apply(op)?;
        }
        if level == Durability::Power {
            let version = data_version(&txn)?;
            // SQLite writes no page whose bytes stay the same, and forces nothing where it writes none. What
            // the batch finds done may not have been forced, so a page is written whatever it holds.
            if forced != Some(version) {
                txn.pragma_update(None, "user_version", LAYOUT)
                    .map_err(|error| convert(error, "a batch can't be made durable"))?;
            }
            forced = Some(version);
        } else {
            forced = None;
        }
        txn.commit().map_err(|error| convert_commit(error, "a batch can't be committed"))?;
        self.forced = forced;
        Ok(())
    }

    /// Writes the file anew without what is free in it, through the log.
    pub(crate) fn compact(&mut self) -> Result<()> {
        self.set_level(Durability::Power)?;
        // A reader of an older state is found here, before all is written and not after it.
        self.empty_log()?;
        self.connection
            .execute_batch("VACUUM")
            .map_err(|error| convert_commit(error, "the file can't be compacted"))?;
        self.empty_log()
    }

    /// Takes the whole log to the file and cuts it to nothing.
    fn empty_log(&self) -> Result<()> {
        let busy: bool = self
            .connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))
            .map_err(|error| convert(error, "the log can't be taken to the file"))?;
        if busy {
            return Err(Error::new(ErrorKind::Busy, "another process or handle reads an older state"));
        }
        Ok(())
    }
}

fn judge(connection: &Connection, batch: &WriteBatch) -> Result<()> {
    for requirement in batch.requirements() {
        let judged = find(connection, &requirement.key, |value| requirement.judge(Some(value)))?;
        judged.unwrap_or_else(|| requirement.judge(None))?;
    }
    Ok(())
}

/// A number that changes when another connection has committed, and not with this one's own commits.
fn data_version(connection: &Connection) -> Result<i64> {
    prepare(connection, "PRAGMA data_version")?
        .query_row([], |row| row.get(0))
        .map_err(|error| convert(error, "the version of the data can't be read"))
}

fn any_large(connection: &Connection) -> Result<bool> {
    prepare(connection, "SELECT 1 FROM large LIMIT 1")?
        .exists([])
        .map_err(|error| convert(error, "the table of large values can't be read"))
}

/// The tables within a transaction.
struct Tables<'c> {
    connection: &'c Connection,
    inline: usize,
    // Whether there may be large values at all: where there are none, none has to be looked for.
    any_large: bool,
}

impl Tables<'_> {
    fn apply(&mut self, op: &Op) -> Result<()> {
        match op {
            Op::Put { key, value } => self.put(key, value),
            Op::Delete { key } => {
                self.delete_large(key)?;
                self.run("DELETE FROM kv WHERE k=?1", [key.as_ref()])
            }
            Op::DeleteRange { start, end } => self.delete_range(start, end),
        }
    }

    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        const PUT: &str = "REPLACE INTO kv VALUES(?1,?2)";
        self.delete_large(key)?;
        // A reference takes as much as eight bytes do.
        if key.len() + value.len() <= self.inline || value.len() <= 8 {
            return self.run(PUT, (key, value));
        }
        self.run("INSERT INTO large(v) VALUES(?1)", [value])?;
        self.any_large = true;
        self.run(PUT, (key, self.connection.last_insert_rowid()))
    }

    fn delete_large(&self, key: &[u8]) -> Result<()> {
        if !self.any_large {
            return Ok(());
        }
        match large_of(self.connection, key)? {
            Some(id) => self.run("DELETE FROM large WHERE id=?1", [id]),
            None => Ok(()),
        }
    }

    fn delete_range(&self, start: &Bound<Bytes>, end: &Bound<Bytes>) -> Result<()> {
        if Scan::of_range(start, end).is_empty() {
            return Ok(());
        }
        // As keys: the first to go, and the first to stay.
        let first = match start {
            Bound::Included(key) => key.to_vec(),
            Bound::Excluded(key) => successor(key),
            Bound::Unbounded => Vec::new(),
        };
        let stays = match end {
            Bound::Included(key) => Some(successor(key)),
            Bound::Excluded(key) => Some(key.to_vec()),
            Bound::Unbounded => None,
        };
        if let Some(stays) = stays {
            if self.any_large {
                self.run(
                    "DELETE FROM large WHERE id IN \
                     (SELECT v FROM kv WHERE k>=?1 AND k<?2 AND typeof(v)='integer')",
                    (&first, &stays),
                )?;
            }
            self.run("DELETE FROM kv WHERE k>=?1 AND k<?2", (&first, &stays))
        } else {
            if self.any_large {
                self.run(
                    "DELETE FROM large WHERE id IN \
                     (SELECT v FROM kv WHERE k>=?1 AND typeof(v)='integer')",
                    [&first],
                )?;
            }
            self.run("DELETE FROM kv WHERE k>=?1", [&first])
        }
    }

    fn run(&self, sql: &str, params: impl rusqlite::Params) -> Result<()> {
        prepare(self.connection, sql)?
            .execute(params)
            .map(drop)
            .map_err(|error| convert(error, "an operation can't be applied"))
    }
}

/// The least key above `key`.
fn successor(key: &[u8]) -> Vec<u8> {
    [key, &[0]].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_durability_is_set_for_each_commit() {
        let folder = tempfile::tempdir().unwrap();
        let connection = Connection::open(folder.path().join("store.sqlite")).unwrap();
        connection.execute_batch(&crate::SCHEMA.join(";")).unwrap();
        let mut writer = Writer::new(connection).unwrap();
        for (level, synchronous) in [
            (Durability::Power, 2),
            (Durability::Process, 1),
            (Durability::Process, 1),
            (Durability::Power, 2),
        ] {
            let mut batch = WriteBatch::new();
            batch.put("key", level.as_str());
            writer.commit(&batch, level).unwrap();
            let set: i64 =
                writer.connection.pragma_query_value(None, "synchronous", |row| row.get(0)).unwrap();
            assert_eq!(set, synchronous, "{level}");
        }
    }

    #[test]
    fn a_value_at_the_limit_fills_a_row() {
        use rusqlite::limits::Limit;
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(&crate::SCHEMA.join(";")).unwrap();
        assert_eq!(connection.limit(Limit::SQLITE_LIMIT_LENGTH).unwrap(), 1_000_000_000);
        // A smaller limit stands for the real one; a length takes as many bytes from 134 million on.
        connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, 140_000_000).unwrap();
        let insert = |bytes: usize| {
            connection.execute("INSERT INTO large(v) VALUES(zeroblob(?1))", [i64::try_from(bytes).unwrap()])
        };
        assert_eq!(insert(140_000_000 - (1_000_000_000 - VALUE_BYTES)), Ok(1));
        assert!(insert(140_000_000 - (1_000_000_000 - VALUE_BYTES) + 1).is_err());
    }
}
