#![doc = include_str!("../README.md")]

mod config;
mod error;
mod store;
mod view;
mod writer;

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use engine_api::semver::Version;
use engine_api::{
    Config, Descriptor, Engine, Error, ErrorKind, OpenMode, Opened, Registration, Repaired, Result,
};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use config::{Access, Settings};
use error::{convert, convert_io, lock_out};
use store::SqliteStore;
use view::Readers;
use writer::Writer;

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
        let (path, settings, mode) = (config.local_path()?, Settings::of(config)?, config.mode());
        let at = |error| lock_out(error).with("path", path.display());
        let mut created = mode.decide(path)?;
        if created {
            match create(path, settings) {
                // Another process or handle has created it since we looked.
                Err(error) if mode == OpenMode::Create && error.kind() == ErrorKind::AlreadyExists => {
                    created = false;
                }
                outcome => outcome.map_err(at)?,
            }
        }
        let store = match mode {
            OpenMode::ReadOnly => open_read_only(path, settings),
            _ => open_existing(path, settings),
        };
        Ok(Opened { store: Box::new(store.map_err(at)?), created })
    }

    fn destroy(&self, config: &Config) -> Result<()> {
        let (path, settings) = (config.local_path()?, Settings::of(config)?);
        if OpenMode::Create.decide(path)? {
            return Ok(());
        }
        remove(path, settings).map_err(|error| lock_out(error).with("path", path.display()))
    }

    fn repair(&self, config: &Config) -> Result<Repaired> {
        let (path, settings) = (config.local_path()?, Settings::of(config)?);
        OpenMode::Existing.decide(path)?;
        mend(path, settings).map_err(|error| lock_out(error).with("path", path.display()))
    }
}

/// Creates the file under another name and gives it its own once it is a store, so that a process that
/// dies on the way leaves no file that is half one, and of two that create one, one fails.
fn create(path: &Path, settings: Settings) -> Result<()> {
    for suffix in ["-wal", "-journal"] {
        if beside(path, suffix).try_exists().unwrap_or(true) {
            let message =
                "what is left of another database lies beside the path, and would be taken into a new one";
            return Err(Error::new(ErrorKind::Incompatible, message).with("suffix", suffix));
        }
    }
    let folder = folder_of(path);
    let mut unnamed = tempfile::Builder::new();
    unnamed.prefix(".sqlite-");
    #[cfg(unix)]
    unnamed.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    // Closed before SQLite opens it: to close a file lets go of all locks that a process has on it.
    let unnamed =
        unnamed.tempfile_in(folder).map(tempfile::NamedTempFile::into_temp_path).map_err(|error| {
            convert_io(error, "no file can be created in the folder").with("folder", folder.display())
        })?;
    lay_out(&unnamed, settings)?;
    unnamed
        .persist_noclobber(path)
        .map_err(|error| convert_io(error.error, "the new file can't be given its name"))?;
    sync(folder)
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
    let created = tempfile::Builder::new().prefix(".sqlite-").tempfile_in(folder_of(path));
    created.is_err_and(|error| error.kind() == io::ErrorKind::ReadOnlyFilesystem)
}

/// Refuses what isn't a store by its header, without a lock, a write, or a file beside it.
///
/// The file is read by SQLite alone: opening and closing it here would let go of the locks that this
/// process has on it through other connections. What the header says of the application never changes, so
/// it doesn't matter that the log isn't looked at; a file that is shorter than it says passes.
fn inspect(path: &Path) -> Result<()> {
    let foreign = |message| Err(Error::new(ErrorKind::Incompatible, message));
    let metadata = fs::metadata(path).map_err(|error| convert_io(error, "the file can't be looked at"))?;
    if !metadata.is_file() {
        return foreign("a store of this engine is a file, and this isn't one");
    }
    let header = || -> Result<(i32, i32)> {
        let connection = config::open_immutable(path)?;
        let field = |name| connection.pragma_query_value(None, name, |row| row.get(0));
        // Without this SQLite refuses a file that its header calls longer than it is.
        connection
            .set_db_config(DbConfig::SQLITE_DBCONFIG_WRITABLE_SCHEMA, true)
            .and_then(|_| Ok((field("application_id")?, field("user_version")?)))
            .map_err(|error| convert(error, "the file isn't an SQLite database"))
    };
    match header()? {
        (APPLICATION, LAYOUT) => Ok(()),
        (APPLICATION, layout) => {
            Err(Error::new(ErrorKind::Incompatible, "the store's layout is of another version")
                .with("layout", layout)
                .with("known", LAYOUT))
        }
        _ => foreign("the file isn't a store, but empty or another application's SQLite database"),
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
    // The file goes last: what is removed by halves is still a store, and can be destroyed again.
    for suffix in ["-wal", "-shm", "-journal"] {
        match fs::remove_file(beside(&file, suffix)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(convert_io(error, "a file beside the store can't be removed"));
            }
            _ => {}
        }
    }
    fs::remove_file(path).map_err(|error| convert_io(error, "the file can't be removed"))?;
    drop(held);
    sync(folder_of(path))
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
    fs::canonicalize(path).map_err(|error| convert_io(error, "the path can't be followed"))
}

fn log_of(path: &Path) -> Result<PathBuf> {
    Ok(beside(&real(path)?, "-wal"))
}

fn has_content(log: &Path) -> Result<bool> {
    match fs::metadata(log) {
        Ok(metadata) => Ok(metadata.len() > 0),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(convert_io(error, "the log can't be looked at")),
    }
}

/// The path with something behind its last name.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name: OsString = path.into();
    name.push(suffix);
    name.into()
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Makes the names in a folder survive a power cut. Windows keeps them so without being asked.
fn sync(folder: &Path) -> Result<()> {
    if cfg!(windows) {
        return Ok(());
    }
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|error| convert_io(error, "the folder can't be made durable"))
}
