#![doc = include_str!("../README.md")]

mod config;
mod error;
mod store;
mod view;

use std::error::Error as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use engine_api::embedded::{self, NewFile, beside};
use engine_api::semver::Version;
use engine_api::{
    Config, Descriptor, Engine, Error, ErrorKind, OpenMode, Opened, Registration, Repaired, Result,
};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use config::{Access, Settings};
use error::{convert, lock_out};
use store::{SqliteStore, Writer};
use view::Readers;

/// The SQLite engine, under the scheme `sqlite:`. A store is one file, and two beside it while it is open.
pub static SQLITE: SqliteEngine = SqliteEngine;

engine_api::inventory::submit! { Registration::new(&SQLITE) }

/// See [`SQLITE`].
#[derive(Clone, Copy, Debug)]
pub struct SqliteEngine;

static DESCRIPTOR: Descriptor = Descriptor::new(
    "sqlite",
    &["sqlite"],
    Version::new(3, 54, 1),
    "B-trees in one file with a write-ahead log: snapshots, one writer at a time, several processes.",
    store::CAPABILITIES,
)
.choose(
    "For a file that tools everywhere can open, little memory, and disks that fill up: it goes on after every \
     failure. Each get costs a few microseconds, where others take less than one.",
)
.options(config::OPTIONS);

/// What the header of a store's file names as its application: "kvdg".
const APPLICATION: i32 = 0x6B76_6467;

/// The version of the layout.
const LAYOUT: i32 = 1;

/// A key has its value beside it, or the number of a row of `large`. A record that doesn't fit a page is
/// read whole for each comparison of a search in a table without row numbers, and never in one with them.
const SCHEMA: [&str; 2] = [
    "CREATE TABLE kv(k BLOB PRIMARY KEY NOT NULL, v ANY NOT NULL) STRICT, WITHOUT ROWID",
    "CREATE TABLE large(id INTEGER PRIMARY KEY, v BLOB NOT NULL) STRICT",
];

impl Engine for SqliteEngine {
    fn descriptor(&self) -> &'static Descriptor {
        &DESCRIPTOR
    }

    fn open(&self, config: &Config) -> Result<Opened> {
        let settings = Settings::of(config)?;
        let open = |path: &Path| match config.mode() {
            OpenMode::ReadOnly => open_read_only(path, settings).map_err(lock_out),
            _ => open_existing(path, settings).map_err(lock_out),
        };
        let create = |path: &Path| create(path, settings).and_then(|()| open(path));
        let (store, created) = embedded::open_or_create(config, create, open)?;
        Ok(Opened { store: Box::new(store), created })
    }

    fn destroy(&self, config: &Config) -> Result<()> {
        let settings = Settings::of(config)?;
        embedded::destroy(config, |path| remove(path, settings).map_err(lock_out))
    }

    fn repair(&self, config: &Config) -> Result<Repaired> {
        let settings = Settings::of(config)?;
        embedded::repair(config, |path| mend(path, settings).map_err(lock_out))
    }
}

fn create(path: &Path, settings: Settings) -> Result<()> {
    for suffix in ["-wal", "-journal"] {
        if beside(path, suffix).try_exists().unwrap_or(true) {
            let message =
                "what is left of another database lies beside the path, and would be taken into a new one";
            return Err(Error::new(ErrorKind::Incompatible, message).with("suffix", suffix));
        }
    }
    let new = NewFile::create(path, ".sqlite-")?;
    lay_out(new.path(), settings)?;
    new.give_name()
}

fn lay_out(path: &Path, settings: Settings) -> Result<()> {
    let connection = config::open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let laid_out = || -> rusqlite::Result<()> {
        connection.pragma_update(None, "synchronous", "EXTRA")?;
        connection.pragma_update(None, "page_size", settings.page_size)?;
        connection.execute_batch("BEGIN")?;
        connection.pragma_update(None, "application_id", APPLICATION)?;
        connection.pragma_update(None, "user_version", LAYOUT)?;
        SCHEMA.iter().try_for_each(|table| connection.execute_batch(table))?;
        connection.execute_batch("COMMIT")
    };
    laid_out().map_err(|error| convert(error, "the new file can't be made a database"))?;
    use_log(&connection)?;
    connection.close().map_err(|(_, error)| convert(error, "the new file can't be closed"))
}

/// Makes the file one with a write-ahead log, which it then stays.
fn use_log(connection: &Connection) -> Result<()> {
    let mode: String = connection
        .pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))
        .map_err(|error| convert(error, "the file can't be given a write-ahead log"))?;
    if mode == "wal" {
        return Ok(());
    }
    let message = "SQLite can't keep a write-ahead log here: the file system may lack shared memory";
    Err(Error::new(ErrorKind::Unsupported, message).with("journal_mode", mode))
}

fn open_existing(path: &Path, settings: Settings) -> Result<SqliteStore> {
    inspect(path)?;
    let connection = settings.connect(path, Access::Write)?;
    use_log(&connection)?;
    has_tables(&connection)?;
    let log = log_of(path)?;
    let readers = Readers::new(path.to_owned(), settings, Access::Read);
    Ok(SqliteStore::new(Some(Writer::new(connection)?), readers, log, &settings))
}

fn open_read_only(path: &Path, settings: Settings) -> Result<SqliteStore> {
    inspect(path)?;
    let log = log_of(path)?;
    let logged = has_content(&log)?;
    let access = if logged { Access::ReadOnly } else { Access::Read };
    let opened = settings.connect(path, access).and_then(|connection| has_tables(&connection));
    let access = match opened {
        Ok(()) => access,
        // SQLite shares the state of the log through a file beside it, which can't be made here.
        Err(error) if matches!(error.kind(), ErrorKind::Io | ErrorKind::ReadOnly) => {
            if !on_read_only_medium(path) {
                let message = "SQLite must create files beside a store to read it, and can't";
                return Err(Error::new(ErrorKind::ReadOnly, message).caused_by(error));
            }
            if logged {
                let message = "the store wasn't closed, and its log can't be read on a read-only medium";
                return Err(Error::new(ErrorKind::ReadOnly, message).caused_by(error));
            }
            has_tables(&settings.connect(path, Access::Immutable)?)?;
            Access::Immutable
        }
        Err(error) => return Err(error),
    };
    Ok(SqliteStore::new(None, Readers::new(path.to_owned(), settings, access), log, &settings))
}

/// Whether nobody at all can write where the file is, rather than this process alone.
fn on_read_only_medium(path: &Path) -> bool {
    let created = NewFile::create(path, ".sqlite-");
    let cause = created.as_ref().err().and_then(Error::source);
    let cause = cause.and_then(|cause| cause.downcast_ref::<io::Error>());
    cause.is_some_and(|cause| cause.kind() == io::ErrorKind::ReadOnlyFilesystem)
}

/// Refuses what isn't a store by its header, without a lock, a write, or a file beside it.
///
/// The file is read by SQLite alone: opening and closing it here would let go of the locks that this
/// process has on it through other connections. What the header says of the application never changes, so
/// it doesn't matter that the log isn't looked at; a file that is shorter than it says passes.
fn inspect(path: &Path) -> Result<()> {
    embedded::must_be_file(path)?;
    let header = || -> Result<(i32, i32)> {
        let connection = config::open_immutable(path)?;
        let field = |name| connection.pragma_query_value(None, name, |row| row.get(0));
        // Without this SQLite refuses a file that its header calls longer than it is.
        connection
            .set_db_config(DbConfig::SQLITE_DBCONFIG_WRITABLE_SCHEMA, true)
            .and_then(|_| Ok((field("application_id")?, field("user_version")?)))
            .map_err(|error| convert(error, "the file isn't an SQLite database"))
    };
    let foreign = |message| Error::new(ErrorKind::Incompatible, message);
    match header()? {
        (APPLICATION, LAYOUT) => Ok(()),
        (APPLICATION, layout) => {
            let error = foreign("the store's layout is of another version");
            Err(error.with("layout", layout).with("known", LAYOUT))
        }
        _ => Err(foreign("the file isn't a store, but empty or another application's SQLite database")),
    }
}

fn has_tables(connection: &Connection) -> Result<()> {
    let failed = |error| convert(error, "the tables of a store can't be found");
    let mut statement = connection
        .prepare("SELECT sql FROM sqlite_schema WHERE substr(name,1,7)<>'sqlite_' ORDER BY name")
        .map_err(failed)?;
    let tables = statement
        .query_map([], |row| row.get(0))
        .and_then(Iterator::collect::<rusqlite::Result<Vec<Option<String>>>>);
    if tables.map_err(failed)?.iter().map(Option::as_deref).eq(SCHEMA.map(Some)) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Incompatible, "the file has other tables than a store of this engine"))
}

/// A connection that has the store to itself.
fn alone(path: &Path, settings: Settings) -> Result<Connection> {
    let connection = settings.connect(path, Access::Exclusive)?;
    // The first statement takes the lock, and it isn't let go of until the connection is closed.
    connection
        .execute_batch("BEGIN EXCLUSIVE; COMMIT")
        .map_err(|error| convert(error, "the store can't be had alone"))?;
    Ok(connection)
}

fn remove(path: &Path, settings: Settings) -> Result<()> {
    inspect(path)?;
    let held = match alone(path, settings) {
        Err(error) if error.kind() != ErrorKind::Corrupt => return Err(error),
        held => held.ok(),
    };
    let file = real(path)?;
    // Windows doesn't remove what is open.
    let held = held.filter(|_| !cfg!(windows));
    let removed = embedded::remove_files([
        beside(&file, "-wal"),
        beside(&file, "-shm"),
        beside(&file, "-journal"),
        path.to_owned(),
    ]);
    drop(held);
    removed
}

fn mend(path: &Path, settings: Settings) -> Result<Repaired> {
    inspect(path)?;
    let logged = has_content(&log_of(path)?)?;
    let connection = alone(path, settings)?;
    use_log(&connection)?;
    has_tables(&connection)?;
    store::verify(&connection)?;
    connection.close().map_err(|(_, error)| convert(error, "the log can't be taken to the file"))?;
    Ok(if logged { Repaired::Mended } else { Repaired::Sound })
}

/// The file that a path leads to: SQLite keeps its other files beside it, not beside a link to it.
fn real(path: &Path) -> Result<PathBuf> {
    fs::canonicalize(path).map_err(|error| Error::from_io(error, "the path can't be followed"))
}

fn log_of(path: &Path) -> Result<PathBuf> {
    Ok(beside(&real(path)?, "-wal"))
}

fn has_content(log: &Path) -> Result<bool> {
    match fs::metadata(log) {
        Ok(metadata) => Ok(metadata.len() > 0),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(Error::from_io(error, "the log can't be looked at")),
    }
}
