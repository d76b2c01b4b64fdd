//! SQLite as a cache: a table of entries by number, and one of when each was used, with an index.

use std::fmt;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

use super::side::{COMMIT_BYTES, Contents, Reader, Side, Uses};
use crate::Outcome;

const SCHEMA: &str = "
    CREATE TABLE entries(id INTEGER PRIMARY KEY, v BLOB);
    CREATE TABLE used(id INTEGER PRIMARY KEY, at INTEGER);
    CREATE INDEX by_use ON used(at);";

pub(super) struct Sqlite {
    path: PathBuf,
    writer: Mutex<Connection>,
    maximum: u64,
    held: u64,
    uses: Uses,
}

impl fmt::Debug for Sqlite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sqlite").finish_non_exhaustive()
    }
}

/// A connection with a mapping and pages of 16 KiB, with a log, and commits that are on the disk.
fn connect(path: &Path) -> Outcome<Connection> {
    let connection = Connection::open(path)?;
    connection.pragma_update(None, "page_size", 16384)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "mmap_size", 1_i64 << 30)?;
    connection.pragma_update(None, "cache_size", -65_536)?;
    Ok(connection)
}

impl Sqlite {
    pub(super) fn create(path: &Path, maximum: u64) -> Outcome<Self> {
        let writer = connect(path)?;
        writer.execute_batch(SCHEMA)?;
        let (path, uses) = (path.to_owned(), Uses::default());
        Ok(Self { path, writer: Mutex::new(writer), maximum, held: 0, uses })
    }
}

/// Drops the entry that was used least recently; answers its length.
fn evict(connection: &Connection) -> Outcome<u64> {
    let oldest: i64 = connection
        .prepare_cached("SELECT id FROM used ORDER BY at LIMIT 1")?
        .query_row([], |row| row.get(0))?;
    let length: i64 = connection
        .prepare_cached("DELETE FROM entries WHERE id=?1 RETURNING length(v)")?
        .query_row([oldest], |row| row.get(0))?;
    connection.prepare_cached("DELETE FROM used WHERE id=?1")?.execute([oldest])?;
    Ok(u64::try_from(length)?)
}

impl Side for Sqlite {
    fn name(&self) -> &'static str {
        "SQLite"
    }

    fn reader(&self) -> Outcome<Box<dyn Reader + '_>> {
        Ok(Box::new(Lookup { connection: connect(&self.path)?, uses: &self.uses }))
    }

    fn put(&mut self, numbers: Range<u64>, contents: &mut Contents) -> Outcome {
        let length = u64::try_from(contents.len())?;
        let connection = self.writer.get_mut().unwrap_or_else(PoisonError::into_inner);
        let mut numbers = numbers.peekable();
        while numbers.peek().is_some() {
            let txn = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let mut uncommitted = 0;
            {
                let mut entries = txn.prepare_cached("REPLACE INTO entries VALUES(?1,?2)")?;
                let mut used = txn.prepare_cached("REPLACE INTO used VALUES(?1,?2)")?;
                while uncommitted < COMMIT_BYTES
                    && let Some(number) = numbers.next()
                {
                    if self.held + length > self.maximum {
                        // As much at once as a dataset cache does.
                        while self.held + (self.maximum / 16).min(16 << 20) > self.maximum {
                            self.held -= evict(&txn)?;
                        }
                    }
                    let id = number.cast_signed();
                    entries.execute((id, contents.of(number)))?;
                    used.execute((id, self.uses.now()))?;
                    self.held += length;
                    uncommitted += length;
                }
                for (number, at) in self.uses.take() {
                    used.execute((number.cast_signed(), at))?;
                }
            }
            txn.commit()?;
        }
        Ok(())
    }

    fn file_bytes(&self) -> Outcome<u64> {
        let log = self.path.with_extension("sqlite-wal");
        Ok(fs::metadata(&self.path)?.len() + fs::metadata(log).map_or(0, |metadata| metadata.len()))
    }
}

struct Lookup<'a> {
    connection: Connection,
    uses: &'a Uses,
}

impl Reader for Lookup<'_> {
    fn read(&mut self, number: u64, out: &mut [u8]) -> Outcome<bool> {
        let mut statement = self.connection.prepare_cached("SELECT v FROM entries WHERE id=?1")?;
        let found = statement.query_row([number.cast_signed()], |row| {
            let data = row.get_ref(0)?.as_blob()?;
            if data.len() != out.len() {
                return Ok(false);
            }
            out.copy_from_slice(data);
            Ok(true)
        });
        let found = found.optional()?.unwrap_or(false);
        if found {
            self.uses.note(number);
        }
        Ok(found)
    }
}
