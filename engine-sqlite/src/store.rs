//! The store: a connection that writes, and a pool of those that read.

use std::fmt;
use std::fs::OpenOptions;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use engine_api::embedded::Unflushed;
use engine_api::{
    Atomicity, Capabilities, Conditional, DeleteRange, Durability, DurabilityLevels, Error, ErrorKind,
    Execution, Limits, Persistence, Processes, Reads, Result, Reverse, Store, View, WriteBatch, Writers,
};
use rusqlite::Connection;

use super::config::Settings;
use super::error::convert;
use super::view::{Readers, SqliteView};
use super::writer::Writer;

const DURABILITY: DurabilityLevels = DurabilityLevels::new(&[Durability::Process, Durability::Power]);

/// SQLite takes longer keys, but reads all of a long key for each comparison of a search.
const KEY_BYTES: usize = 65_535;

/// A row has up to 1,000,000,000 bytes, of which a large value's header takes seven.
pub(crate) const VALUE_BYTES: usize = 1_000_000_000 - 7;

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
