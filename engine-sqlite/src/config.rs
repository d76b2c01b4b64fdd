//! The options of a `sqlite:` URL, and the connections that are made with them.

use std::path::Path;
use std::time::Duration;

use engine_api::embedded::absolute;
use engine_api::{Config, Error, ErrorKind, OptionKind, OptionSpec, Result};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::error::convert;

pub(crate) const OPTIONS: &[OptionSpec] = &[
    OptionSpec {
        name: "cache",
        kind: OptionKind::Bytes { min: 64 << 10, max: 1 << 40 },
        default: "8MiB",
        about: "Memory for pages, of each connection: the writer's and each view's.",
    },
    OptionSpec {
        name: "mmap",
        kind: OptionKind::Bytes { min: 0, max: 1 << 40 },
        default: "0",
        about: "How much of the file is read through a memory map: fewer calls, but a failing disk ends the process.",
    },
    OptionSpec {
        name: "readers",
        kind: OptionKind::Integer { min: 1, max: 10_000 },
        default: "100",
        about: "The most views open at once; each has a connection, which is kept for the next.",
    },
    OptionSpec {
        name: "busy-timeout",
        kind: OptionKind::Integer { min: 0, max: 3_600_000 },
        default: "5000",
        about: "Milliseconds to wait for another process or handle before an operation is Busy.",
    },
    OptionSpec {
        name: "page-size",
        kind: OptionKind::Choice(&["4KiB", "8KiB", "16KiB", "32KiB", "64KiB"]),
        default: "4KiB",
        about: "The page size of a store that is created: larger for values of many KiB.",
    },
];

/// The options, parsed.
#[derive(Clone, Copy)]
pub(crate) struct Settings {
    pub(crate) cache: u64,
    pub(crate) mmap: u64,
    pub(crate) readers: usize,
    pub(crate) busy_timeout: Duration,
    pub(crate) page_size: u32,
}

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Writing, alone in the file: others are locked out from the first statement on.
    Exclusive,
    /// Writing.
    Write,
    /// Reading a store that may be written through other connections, and closing it as a writer does.
    Read,
    /// Reading a store that was left with a log: closing leaves the log as it is.
    ReadOnly,
    /// Reading a file that nobody writes, without locks and without files beside it.
    Immutable,
}

impl Settings {
    pub(crate) fn of(config: &Config) -> Result<Self> {
        Ok(Self {
            cache: config.number("cache")?,
            mmap: config.number("mmap")?,
            readers: usize::try_from(config.number("readers")?).unwrap_or(usize::MAX),
            busy_timeout: Duration::from_millis(config.number("busy-timeout")?),
            page_size: match config.text("page-size")?.as_str() {
                "64KiB" => 64 << 10,
                "32KiB" => 32 << 10,
                "16KiB" => 16 << 10,
                "8KiB" => 8 << 10,
                _ => 4 << 10,
            },
        })
    }

    /// A connection to a file that is there.
    pub(crate) fn connect(&self, path: &Path, access: Access) -> Result<Connection> {
        let connection = match access {
            Access::Immutable => open_immutable(path)?,
            _ => open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?,
        };
        if matches!(access, Access::Exclusive | Access::Write) {
            // SQLite opens for reading what it can't open for writing.
            let read_only = connection.is_readonly(c"main");
            if read_only.map_err(|error| convert(error, "the file can't be opened"))? {
                return Err(Error::new(
                    ErrorKind::ReadOnly,
                    "the file doesn't admit writes; mode=read-only reads it",
                ));
            }
        }
        self.apply(&connection, access).map_err(|error| convert(error, "a connection can't be set up"))?;
        Ok(connection)
    }

    fn apply(&self, connection: &Connection, access: Access) -> rusqlite::Result<()> {
        connection.busy_timeout(self.busy_timeout)?;
        connection.set_prepared_statement_cache_capacity(32);
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
        // What is bound to a statement never makes SQLite prepare it anew.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, access == Access::ReadOnly)?;
        let kibibytes = i64::try_from(self.cache >> 10).unwrap_or(i64::MAX);
        connection.pragma_update(None, "cache_size", -kibibytes)?;
        connection.pragma_update(None, "mmap_size", i64::try_from(self.mmap).unwrap_or(i64::MAX))?;
        match access {
            Access::Exclusive => connection.pragma_update(None, "locking_mode", "EXCLUSIVE"),
            Access::Write => connection.pragma_update(None, "journal_size_limit", LOG_KEPT),
            Access::Read | Access::ReadOnly | Access::Immutable => {
                connection.pragma_update(None, "query_only", true)
            }
        }
    }
}

/// The bytes that the log keeps when it starts over.
const LOG_KEPT: u32 = 64 << 20;

/// Opens a file for what `flags` say. A path is made absolute, for one that begins with `file:` would be
/// read as a URI.
pub(crate) fn open(path: &Path, flags: OpenFlags) -> Result<Connection> {
    Connection::open_with_flags(absolute(path)?, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)
        .map_err(|error| convert(error, "the file can't be opened"))
}

/// Opens a file for reading as if it could never change: no lock is taken, no journal or log is looked at,
/// and nothing is created beside it.
pub(crate) fn open_immutable(path: &Path) -> Result<Connection> {
    const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'.').remove(b'-').remove(b'_');
    let mut bytes = absolute(path)?.as_os_str().as_encoded_bytes().to_vec();
    if cfg!(windows) {
        bytes.insert(0, b'/');
        bytes.iter_mut().filter(|byte| **byte == b'\\').for_each(|byte| *byte = b'/');
    }
    let uri = format!("file://{}?immutable=1", percent_encode(&bytes, ESCAPED));
    let flags =
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(uri, flags).map_err(|error| convert(error, "the file can't be opened"))
}
