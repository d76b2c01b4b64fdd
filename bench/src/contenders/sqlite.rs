//! SQLite, called through rusqlite with cached statements, over connections of its own to the store's file.
//!
//! They are set up as the store's are, and read and write the tables that the store has.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use engine_api::{Config, Descriptor, Direction, Durability, Engine};
use engine_sqlite::SQLITE;
use rusqlite::config::DbConfig;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, Rows, TransactionBehavior};

use super::{Contender, Subject};
use crate::Outcome;
use crate::contest::Side;
use crate::data::{digest, glance};
use crate::peer::{Batches, Keys, Peer, Ranges, Snapshot};
use crate::target::Targets;

/// See the module.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sqlite;

impl Contender for Sqlite {
    fn descriptor(&self) -> &'static Descriptor {
        SQLITE.descriptor()
    }

    fn targets(&self) -> Targets {
        Targets { lends: false, ..Targets::COMMON }
    }

    fn create(&self, path: &Path, _: Durability) -> Outcome<Subject> {
        let config = Config::new(SQLITE.descriptor()).at(path);
        let cache = config.number("cache")?;
        let store = SQLITE.open(&config)?.store;
        Ok(Subject { store: store.into(), peer: Some(Box::new(Raw { path: path.to_owned(), cache })) })
    }
}

#[derive(Debug)]
struct Raw {
    path: PathBuf,
    cache: u64,
}

impl Raw {
    fn connect(&self) -> Outcome<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags)?;
        connection.set_prepared_statement_cache_capacity(32);
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        connection.pragma_update(None, "cache_size", -i64::try_from(self.cache >> 10)?)?;
        connection.pragma_update(None, "mmap_size", 0)?;
        Ok(connection)
    }

    /// A connection in a read transaction.
    fn held(&self) -> Outcome<Connection> {
        let connection = self.connect()?;
        connection.execute_batch("BEGIN")?;
        Ok(connection)
    }
}

fn read(connection: &Connection, key: &[u8]) -> Outcome<u64> {
    let mut statement = connection.prepare_cached("SELECT v FROM kv WHERE k=?1")?;
    let mut rows = statement.query([key])?;
    match rows.next()?.ok_or("a key is absent that was stored")?.get_ref(0)? {
        ValueRef::Integer(id) => {
            let mut statement = connection.prepare_cached("SELECT v FROM large WHERE id=?1")?;
            let mut rows = statement.query([id])?;
            let row = rows.next()?.ok_or("a large value is absent that was stored")?;
            Ok(digest(row.get_ref(0)?.as_blob()?))
        }
        value => Ok(digest(value.as_blob()?)),
    }
}

impl Peer for Raw {
    fn get(&self, keys: Keys, snapshot: Snapshot) -> Outcome<Side<'_>> {
        Ok(match snapshot {
            Snapshot::Held => {
                let connection = self.held()?;
                Side::over("SELECT in a transaction", keys, move |key| read(&connection, key))
            }
            // A statement outside of a transaction is one by itself.
            Snapshot::Each => {
                let connection = self.connect()?;
                Side::over("SELECT", keys, move |key| read(&connection, key))
            }
        })
    }

    fn scans(&self, ranges: Ranges, direction: Direction) -> Outcome<Vec<Side<'_>>> {
        const UP: &str = "SELECT k,v FROM kv WHERE k>=?1 AND k<?2 ORDER BY k";
        const DOWN: &str = "SELECT k,v FROM kv WHERE k>=?1 AND k<?2 ORDER BY k DESC";
        let connection = self.held()?;
        let select = if direction == Direction::Forward { UP } else { DOWN };
        Ok(vec![Side::over("SELECT of the range", ranges, move |(start, end)| {
            sum(connection.prepare_cached(select)?.query((start, end))?)
        })])
    }

    fn seeks(&self, runs: Rc<[Vec<Vec<u8>>]>) -> Outcome<Side<'_>> {
        let connection = self.held()?;
        Ok(Side::over("SELECT per key", runs, move |keys| {
            let mut statement = connection.prepare_cached("SELECT v FROM kv WHERE k>=?1 ORDER BY k")?;
            let mut sum = 0_u64;
            for key in keys {
                let mut rows = statement.query([key])?;
                if let Some(row) = rows.next()? {
                    sum = sum.wrapping_add(glance(&[], row.get_ref(0)?.as_blob()?));
                }
            }
            Ok(sum)
        }))
    }

    fn puts(&self, batches: Batches, durability: Durability) -> Outcome<Side<'_>> {
        let mut connection = self.connect()?;
        let synchronous = if durability == Durability::Power { "FULL" } else { "NORMAL" };
        connection.pragma_update(None, "synchronous", synchronous)?;
        connection.pragma_update(None, "journal_size_limit", 64 << 20)?;
        Ok(Side::over("REPLACE", batches, move |entries| {
            let txn = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            {
                let mut replace = txn.prepare_cached("REPLACE INTO kv VALUES(?1,?2)")?;
                for (key, value) in entries {
                    replace.execute((key, value))?;
                }
            }
            txn.commit()?;
            Ok(0)
        }))
    }
}

fn sum(mut rows: Rows<'_>) -> Outcome<u64> {
    let mut sum = 0_u64;
    while let Some(row) = rows.next()? {
        sum = sum.wrapping_add(glance(row.get_ref(0)?.as_blob()?, row.get_ref(1)?.as_blob()?));
    }
    Ok(sum)
}
