//! A view: a connection in a read transaction, and the pool that it goes back to.

use std::cell::OnceCell;
use std::ops::Bound;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use engine_api::{
    Advance, Bytes, Direction, Error, ErrorKind, Fetch, LoadValue, Result, Scan, Value, View, Visitor,
};
use rusqlite::types::ValueRef;
use rusqlite::{CachedStatement, Connection, Row};

use super::config::{Access, Settings};
use super::error::convert;

/// Connections for views.
pub(crate) struct Readers {
    path: PathBuf,
    settings: Settings,
    access: Access,
    pool: Mutex<Pool>,
}

/// Connections that no view has, the latest used last, and how many are with views.
#[derive(Default)]
pub(crate) struct Pool {
    idle: Vec<Connection>,
    pub(crate) open: usize,
}

impl Readers {
    pub(crate) fn new(path: PathBuf, settings: Settings, access: Access) -> Self {
        Self { path, settings, access, pool: Mutex::default() }
    }

    pub(crate) fn pool(&self) -> MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Result<Connection> {
        let idle = {
            let mut pool = self.pool();
            if pool.open >= self.settings.readers {
                return Err(Error::new(
                    ErrorKind::Busy,
                    "as many views are open as the option readers allows",
                )
                .with("readers", self.settings.readers));
            }
            pool.open += 1;
            pool.idle.pop()
        };
        match idle {
            Some(connection) => Ok(connection),
            None => self.settings.connect(&self.path, self.access).inspect_err(|_| self.pool().open -= 1),
        }
    }

    fn give_back(&self, connection: Option<Connection>) {
        let mut pool = self.pool();
        pool.open -= 1;
        pool.idle.extend(connection);
    }
}

pub(crate) struct SqliteView {
    // There until the view is dropped.
    connection: Option<Connection>,
    readers: Arc<Readers>,
}

impl SqliteView {
    /// Takes a connection and pins it to the state that is committed now.
    pub(crate) fn new(readers: Arc<Readers>) -> Result<Self> {
        let connection = readers.take()?;
        let view = Self { connection: Some(connection), readers };
        view.pin().map_err(|error| convert(error, "a read transaction can't be begun"))?;
        Ok(view)
    }

    /// A transaction has no state of its own until the first read in it, even if that finds nothing.
    fn pin(&self) -> rusqlite::Result<()> {
        let Some(connection) = &self.connection else { return Ok(()) };
        connection.prepare_cached("BEGIN")?.execute([])?;
        connection.prepare_cached("SELECT 1 FROM kv WHERE 0")?.query([])?.next()?;
        Ok(())
    }

    pub(crate) fn connection(&self) -> Result<&Connection> {
        self.connection.as_ref().ok_or_else(|| Error::new(ErrorKind::Closed, "the view is closed"))
    }
}

impl Drop for SqliteView {
    fn drop(&mut self) {
        let connection = self.connection.take().filter(|connection| {
            let ended = connection.prepare_cached("COMMIT").and_then(|mut commit| commit.execute([]));
            // Closing a connection ends its transaction too, whatever stands in the way.
            ended.is_ok() && connection.is_autocommit()
        });
        self.readers.give_back(connection);
    }
}

impl View for SqliteView {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>> {
        find(self.connection()?, key, Bytes::copy_from_slice)
    }

    fn get_with(&self, key: &[u8], read: &mut dyn FnMut(&[u8])) -> Result<bool> {
        find(self.connection()?, key, read).map(|found| found.is_some())
    }

    fn scan(&self, scan: Scan<'_>, visitor: &mut dyn Visitor) -> Result<()> {
        if scan.is_empty() {
            return Ok(());
        }
        let connection = self.connection()?;
        let from = scan.from();
        let mut statement = prepare(connection, select(&scan, from))?;
        let mut rows = match from {
            Bound::Included(key) | Bound::Excluded(key) => statement.query([key]),
            Bound::Unbounded => statement.query([]),
        }
        .map_err(sought)?;
        let mut seeks = matches!(from, Bound::Included(_));
        while let Some(row) = rows.next().map_err(stepped)? {
            let ValueRef::Blob(key) = row.get_ref(0).map_err(stepped)? else { return Err(no_key()) };
            if scan.is_past(key) {
                return Ok(());
            }
            let large;
            let value = match scan.fetch {
                Fetch::Keys => Value::ready(&[]),
                Fetch::Entries => match stored(row, 1, key)? {
                    Stored::Inline(value) => Value::ready(value),
                    Stored::Large(id) => {
                        large = Large { connection, id, bytes: OnceCell::new() };
                        Value::deferred(&large)
                    }
                },
            };
            match scan.advance(key, visitor.visit(key, value)?) {
                Advance::Next => {}
                Advance::Stop => return Ok(()),
                Advance::Seek(target) => {
                    drop(rows);
                    if !seeks {
                        statement = prepare(connection, select(&scan, Bound::Included(target)))?;
                        seeks = true;
                    }
                    rows = statement.query([target]).map_err(sought)?;
                }
            }
        }
        Ok(())
    }
}

/// The statement of a scan from a bound on. Where it ends is told by the keys: a second bound would cost a
/// comparison in SQLite too, and a bound `LIMIT` a preparation each time.
fn select(scan: &Scan<'_>, from: Bound<&[u8]>) -> &'static str {
    use Bound::{Excluded, Included, Unbounded};
    match (scan.direction, scan.fetch, from) {
        (Direction::Forward, Fetch::Entries, Included(_)) => "SELECT k,v FROM kv WHERE k>=?1 ORDER BY k",
        (Direction::Forward, Fetch::Entries, Excluded(_)) => "SELECT k,v FROM kv WHERE k>?1 ORDER BY k",
        (Direction::Forward, Fetch::Entries, Unbounded) => "SELECT k,v FROM kv ORDER BY k",
        (Direction::Forward, Fetch::Keys, Included(_)) => "SELECT k FROM kv WHERE k>=?1 ORDER BY k",
        (Direction::Forward, Fetch::Keys, Excluded(_)) => "SELECT k FROM kv WHERE k>?1 ORDER BY k",
        (Direction::Forward, Fetch::Keys, Unbounded) => "SELECT k FROM kv ORDER BY k",
        (Direction::Reverse, Fetch::Entries, Included(_)) => "SELECT k,v FROM kv WHERE k<=?1 ORDER BY k DESC",
        (Direction::Reverse, Fetch::Entries, Excluded(_)) => "SELECT k,v FROM kv WHERE k<?1 ORDER BY k DESC",
        (Direction::Reverse, Fetch::Entries, Unbounded) => "SELECT k,v FROM kv ORDER BY k DESC",
        (Direction::Reverse, Fetch::Keys, Included(_)) => "SELECT k FROM kv WHERE k<=?1 ORDER BY k DESC",
        (Direction::Reverse, Fetch::Keys, Excluded(_)) => "SELECT k FROM kv WHERE k<?1 ORDER BY k DESC",
        (Direction::Reverse, Fetch::Keys, Unbounded) => "SELECT k FROM kv ORDER BY k DESC",
    }
}

/// What stands for a value beside its key.
enum Stored<'r> {
    /// The value.
    Inline(&'r [u8]),
    /// The row of the table of large values that holds it.
    Large(i64),
}

fn stored<'r>(row: &'r Row<'_>, column: usize, key: &[u8]) -> Result<Stored<'r>> {
    match row.get_ref(column).map_err(|error| convert(error, "a value can't be read"))? {
        ValueRef::Blob(value) => Ok(Stored::Inline(value)),
        ValueRef::Integer(id) => Ok(Stored::Large(id)),
        _ => Err(Error::new(ErrorKind::Corrupt, "what is stored for a key is no value").with_key("key", key)),
    }
}

const GET: &str = "SELECT v FROM kv WHERE k=?1";

/// Hands the value of a key to `read`, borrowed from SQLite; answers `None` where the key is absent.
pub(crate) fn find<T>(
    connection: &Connection,
    key: &[u8],
    read: impl FnOnce(&[u8]) -> T,
) -> Result<Option<T>> {
    let failed = |error| convert(error, "a key can't be read");
    let mut statement = prepare(connection, GET)?;
    let mut rows = statement.query([key]).map_err(failed)?;
    let Some(row) = rows.next().map_err(failed)? else { return Ok(None) };
    match stored(row, 0, key)? {
        Stored::Inline(value) => Ok(Some(read(value))),
        Stored::Large(id) => find_large(connection, id, read).map(Some),
    }
}

/// The row of the table of large values that holds the value of a key, where one does.
pub(crate) fn large_of(connection: &Connection, key: &[u8]) -> Result<Option<i64>> {
    let failed = |error| convert(error, "a key can't be read");
    let mut statement = prepare(connection, GET)?;
    let mut rows = statement.query([key]).map_err(failed)?;
    match rows.next().map_err(failed)?.map(|row| stored(row, 0, key)).transpose()? {
        Some(Stored::Large(id)) => Ok(Some(id)),
        _ => Ok(None),
    }
}

fn find_large<T>(connection: &Connection, id: i64, read: impl FnOnce(&[u8]) -> T) -> Result<T> {
    let failed = |error| convert(error, "a large value can't be read");
    let mut statement = prepare(connection, "SELECT v FROM large WHERE id=?1")?;
    let mut rows = statement.query([id]).map_err(failed)?;
    let row = rows.next().map_err(failed)?;
    match row.map(|row| row.get_ref(0)).transpose().map_err(failed)? {
        Some(ValueRef::Blob(value)) => Ok(read(value)),
        _ => Err(Error::new(ErrorKind::Corrupt, "a large value isn't where its key says").with("row", id)),
    }
}

/// A large value that a scan stands on.
struct Large<'v> {
    connection: &'v Connection,
    id: i64,
    bytes: OnceCell<Box<[u8]>>,
}

impl LoadValue for Large<'_> {
    fn load(&self) -> Result<&[u8]> {
        if let Some(bytes) = self.bytes.get() {
            return Ok(bytes);
        }
        let bytes = find_large(self.connection, self.id, |value| Box::from(value))?;
        Ok(self.bytes.get_or_init(|| bytes))
    }
}

pub(crate) fn prepare<'c>(connection: &'c Connection, sql: &str) -> Result<CachedStatement<'c>> {
    connection.prepare_cached(sql).map_err(|error| convert(error, "a statement can't be prepared"))
}

#[cold]
fn sought(error: rusqlite::Error) -> Error {
    convert(error, "the first key of a scan can't be found")
}

#[cold]
fn stepped(error: rusqlite::Error) -> Error {
    convert(error, "the next key of a scan can't be read")
}

#[cold]
fn no_key() -> Error {
    Error::new(ErrorKind::Corrupt, "what is stored where a key should be is none")
}
