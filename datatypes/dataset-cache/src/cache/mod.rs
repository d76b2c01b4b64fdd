//! A cache: what it is made of, and what can be asked of it.

mod commit;
mod fetch;
pub(crate) mod open;
mod read;
mod room;
mod walk;
mod write;

use std::fmt;
use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use engine_api::{Error, ErrorKind, Result};

use crate::clock::Moments;
use crate::file::StorageFile;
use crate::flight::Flights;
use crate::index::Index;
use crate::lock::FileLock;
use crate::lookup::TreeInFile;
use crate::numbers::wide;
use crate::options::CacheOptions;
use crate::statistics::{Counters, Statistics};
use crate::storage::BlockStorage;

pub use read::{Found, Value};
pub use walk::{EntryInfo, Progress, Verified};

/// A bounded file in front of slow data: the entries that were used last.
///
/// # Contract
/// - What it answers is what was put in, or nothing: never other bytes, whatever has happened to the file.
/// - All methods may be called from several threads at once. A hit holds no lock while it copies.
/// - The file is never longer than the maximum.
pub struct DatasetCache {
    pub(crate) file: Arc<dyn StorageFile>,
    pub(crate) maximum: u64,
    pub(crate) mode: Mode,
    pub(crate) counters: Counters,
    pub(crate) flights: Flights,
    /// It goes last: others may open the file when all is written.
    lock: Option<FileLock>,
}

#[derive(Debug)]
pub(crate) enum Mode {
    Writer(Box<Writer>),
    /// The indices, unless the cache is empty.
    Reader(Option<Box<Reader>>),
}

/// What who reads has in memory.
#[derive(Debug)]
pub(crate) struct Reader {
    pub(crate) primary: TreeInFile,
    pub(crate) last_used: TreeInFile,
}

/// What who writes has in memory.
#[derive(Debug)]
pub(crate) struct Writer {
    state: RwLock<State>,
    /// Held for the length of a commit, which doesn't hold the state all the time. It is taken before the state.
    committing: Mutex<()>,
    pub(crate) moments: Moments,
    pub(crate) options: CacheOptions,
    /// Nodes that commits have room for, beyond what they need at least, so that many entries are evicted at once.
    spare_pages: u64,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) storage: BlockStorage,
    pub(crate) index: Index,
    /// Bytes that were put in since the last commit, and when the first were.
    pub(crate) uncommitted: u64,
    pub(crate) since: Option<i64>,
    /// Bytes that were freed since.
    pub(crate) freed: u64,
    /// Whether anything was changed since.
    pub(crate) changed: bool,
    /// Whether an entry went since, so that the file has one that is gone.
    pub(crate) removed: bool,
    /// How many have reserved a block, and haven't put their entries in.
    pub(crate) in_flight: usize,
    /// How often all was cleared, so that who writes a block meanwhile doesn't take it for its own.
    pub(crate) clears: u64,
}

impl Writer {
    pub(crate) fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl DatasetCache {
    /// Where the [`BlockStorage`] begins in a cache's file.
    pub const STORAGE_OFFSET: u64 = 64;

    /// Makes an empty cache of at most so many bytes, 0 for any number; one that is there is overwritten.
    ///
    /// # Errors
    /// `Incompatible` when there is a file that isn't a cache; `Locked` when somebody has the cache open.
    pub fn create(path: impl AsRef<Path>, maximum_bytes: u64) -> Result<Self> {
        CacheOptions::new().create(path, maximum_bytes)
    }

    /// Opens the cache that is there, if its maximum is this one; makes an empty one otherwise.
    ///
    /// A cache that is damaged is cleared.
    ///
    /// # Errors
    /// `Incompatible` when there is a file that isn't a cache, or is one of another version; `Locked` when somebody has it
    /// open.
    pub fn create_or_open(path: impl AsRef<Path>, maximum_bytes: u64) -> Result<Self> {
        CacheOptions::new().create_or_open(path, maximum_bytes)
    }

    /// Opens a cache. Any number may have it open to read at once, on media that can't be written too; or one to write.
    ///
    /// Opened to read, the file is never written: nothing is put in, and uses aren't noted. Opened to write, a cache that
    /// is damaged is cleared.
    ///
    /// # Errors
    /// `NotFound`; `Incompatible` when the file isn't a cache of this version; `Locked` when somebody has it open in a way
    /// that excludes this one; `Corrupt` when it is to be read and is damaged.
    pub fn open(path: impl AsRef<Path>, read_only: bool) -> Result<Self> {
        CacheOptions::new().open(path, read_only)
    }

    /// The most bytes that the file has; 0 for any number.
    pub fn maximum_bytes(&self) -> u64 {
        self.maximum
    }

    /// Whether it was opened to read.
    pub fn is_read_only(&self) -> bool {
        matches!(self.mode, Mode::Reader(_))
    }

    /// What has happened since it was opened, and how full it is.
    ///
    /// # Errors
    /// `Io` when the file's length can't be read.
    pub fn statistics(&self) -> Result<Statistics> {
        let length = self.file.length();
        let mut statistics = Statistics {
            maximum_bytes: self.maximum,
            file_bytes: length.map_err(|error| Error::from_io(error, "the length can't be read"))?,
            ..self.counters.statistics()
        };
        if let Mode::Writer(writer) = &self.mode {
            let state = writer.read();
            let space = &state.storage.space;
            statistics.entries = wide(state.index.len());
            statistics.free_bytes = space.free_bytes();
            statistics.longest_free = space.longest_free();
            statistics.blocks = space.blocks();
        }
        Ok(statistics)
    }

    pub(crate) fn writer(&self) -> Result<&Writer> {
        match &self.mode {
            Mode::Writer(writer) => Ok(writer),
            Mode::Reader(_) => Err(Error::new(ErrorKind::ReadOnly, "the cache is open to be read")),
        }
    }

    pub(crate) fn count(&self, counter: impl Fn(&Counters) -> &AtomicU64) {
        crate::statistics::count(counter(&self.counters));
    }
}

impl fmt::Debug for DatasetCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatasetCache")
            .field("file", &self.file)
            .field("maximum", &self.maximum)
            .field("read_only", &self.is_read_only())
            .finish_non_exhaustive()
    }
}

impl Drop for DatasetCache {
    fn drop(&mut self) {
        if !self.is_read_only() {
            // What isn't committed is lost, as by a kill; there is nobody to tell.
            self.flush().unwrap_or(());
        }
        self.lock.take();
    }
}
