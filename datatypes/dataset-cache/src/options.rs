//! How a cache is opened, and how it behaves.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use engine_api::Result;

use crate::cache::{DatasetCache, open};
use crate::clock::{Clock, system};
use crate::file::StorageFile;

/// How a cache behaves; the defaults are those of [`DatasetCache::create`] and its like.
#[derive(Clone)]
pub struct CacheOptions {
    pub(crate) mapped: bool,
    pub(crate) touch_granularity: Duration,
    pub(crate) commit_bytes: u64,
    pub(crate) commit_interval: Duration,
    pub(crate) clock: Clock,
}

impl Default for CacheOptions {
    fn default() -> Self {
        Self {
            mapped: true,
            touch_granularity: Duration::from_secs(1),
            commit_bytes: 64 << 20,
            commit_interval: Duration::from_secs(10),
            clock: system(),
        }
    }
}

impl CacheOptions {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether the file is read through a mapping, which is the default on Unix; otherwise by calls. Without it a file
    /// that somebody cuts off, or a medium that fails, is a miss; with it, it ends the process.
    #[must_use]
    pub fn mapped(mut self, mapped: bool) -> Self {
        self.mapped = mapped;
        self
    }

    /// A use isn't noted that comes less than this after the one that was noted last: a second by default. With zero the
    /// order of eviction is exactly that of use.
    #[must_use]
    pub fn touch_granularity(mut self, granularity: Duration) -> Self {
        self.touch_granularity = granularity;
        self
    }

    /// Commits once so many bytes were put in: 64 MiB by default.
    #[must_use]
    pub fn commit_bytes(mut self, bytes: u64) -> Self {
        self.commit_bytes = bytes;
        self
    }

    /// Commits at the first insertion so long after one that wasn't committed: 10 seconds by default.
    #[must_use]
    pub fn commit_interval(mut self, interval: Duration) -> Self {
        self.commit_interval = interval;
        self
    }

    /// What tells the time, in microseconds since 1970: for tests.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// As [`DatasetCache::create`].
    ///
    /// # Errors
    /// As there.
    pub fn create(&self, path: impl AsRef<Path>, maximum_bytes: u64) -> Result<DatasetCache> {
        open::create(path.as_ref(), maximum_bytes, self)
    }

    /// As [`DatasetCache::create_or_open`].
    ///
    /// # Errors
    /// As there.
    pub fn create_or_open(&self, path: impl AsRef<Path>, maximum_bytes: u64) -> Result<DatasetCache> {
        open::create_or_open(path.as_ref(), maximum_bytes, self)
    }

    /// As [`DatasetCache::open`].
    ///
    /// # Errors
    /// As there.
    pub fn open(&self, path: impl AsRef<Path>, read_only: bool) -> Result<DatasetCache> {
        open::open(path.as_ref(), read_only, self)
    }

    /// Makes an empty cache of a file that is open already, whatever it has. Who has it open is the caller's matter.
    ///
    /// # Errors
    /// Those of the file.
    pub fn create_in(&self, file: Arc<dyn StorageFile>, maximum_bytes: u64) -> Result<DatasetCache> {
        open::create_in(file, maximum_bytes, self)
    }

    /// Opens the cache that is in a file which is open already.
    ///
    /// # Errors
    /// As [`DatasetCache::open`].
    pub fn open_in(&self, file: Arc<dyn StorageFile>, read_only: bool) -> Result<DatasetCache> {
        open::open_in(file, read_only, self)
    }
}

impl fmt::Debug for CacheOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CacheOptions")
            .field("mapped", &self.mapped)
            .field("touch_granularity", &self.touch_granularity)
            .field("commit_bytes", &self.commit_bytes)
            .field("commit_interval", &self.commit_interval)
            .finish_non_exhaustive()
    }
}
