//! The cache that a command reads through.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chunks::MultiscaleStore;
use dataset_cache::DatasetCache;
use engine_api::version::{Instance, Version};
use engine_api::{Error, ErrorKind, Result};
use kvdag::cache::{CachedScales, dataset_of, identity};
use serde::Serialize;

/// The maximum of a cache that a command makes on the way.
pub(super) const DEFAULT_MAXIMUM: u64 = 1 << 30;

/// A cache in front of a store, as far as it may be used.
#[derive(Debug)]
pub(crate) struct OpenCache {
    file: PathBuf,
    /// None where another process writes it, or it can't be made.
    cache: Option<Arc<DatasetCache>>,
    /// The store's.
    identity: String,
    /// Why it isn't used as it might be.
    note: Option<&'static str>,
    /// Whether a version was read that is open.
    passed_by: AtomicBool,
}

impl OpenCache {
    /// Opens a cache, or makes one. Where another process has it, it is read, or left alone: who reads through a cache
    /// wants the data first.
    ///
    /// # Errors
    /// `Incompatible` when the file isn't a cache; `InvalidArgument` when it has another maximum than the one asked for.
    pub(crate) fn open(file: &Path, maximum: Option<u64>, store: &str) -> Result<Self> {
        let identity = identity_of(store)?;
        let (cache, note) = match open_or_create(file, maximum) {
            Ok(cache) => {
                let emptied = cache.statistics()?.clears > 0;
                (Some(cache), emptied.then_some("the cache was damaged, and has been emptied"))
            }
            Err(error) if matches!(error.kind(), ErrorKind::Locked | ErrorKind::ReadOnly) => {
                match DatasetCache::open(file, true) {
                    Ok(cache) => {
                        (Some(cache), Some("the cache can't be written here and now; it is read alone"))
                    }
                    Err(error) if error.kind() == ErrorKind::Locked => {
                        (None, Some("another process writes the cache; the store is read without it"))
                    }
                    Err(error) if error.kind() == ErrorKind::NotFound => {
                        (None, Some("no cache can be made here; the store is read without it"))
                    }
                    Err(error) => return Err(error),
                }
            }
            Err(error) => return Err(error),
        };
        if let Some(cache) = &cache {
            must_have(maximum, cache, file)?;
        }
        let cache = cache.map(Arc::new);
        Ok(Self { file: file.to_owned(), cache, identity, note, passed_by: AtomicBool::new(false) })
    }

    /// Opens a cache to write it, or makes one.
    ///
    /// # Errors
    /// As [`open`](Self::open); `Locked` and `ReadOnly` where it can't be written.
    pub(super) fn to_write(file: &Path, maximum: Option<u64>, store: &str) -> Result<Self> {
        let cache = open_or_create(file, maximum)?;
        must_have(maximum, &cache, file)?;
        Ok(Self {
            file: file.to_owned(),
            cache: Some(Arc::new(cache)),
            identity: identity_of(store)?,
            note: None,
            passed_by: AtomicBool::new(false),
        })
    }

    /// Commits what was put in.
    pub(super) fn flush(&self) -> Result<()> {
        self.cache.as_ref().map_or(Ok(()), |cache| cache.flush())
    }

    /// The chunks of a volume at a version, through the cache; `None` where they can't be: the version is open.
    pub(crate) fn scales<'a>(
        &self,
        volume: &'a dyn MultiscaleStore,
        (instance, version): (&Instance, &Version),
    ) -> Result<Option<CachedScales<'a>>> {
        let Some(cache) = &self.cache else { return Ok(None) };
        let Some(dataset) = dataset_of(&self.identity, instance, version) else {
            self.passed_by.store(true, Ordering::Relaxed);
            return Ok(None);
        };
        CachedScales::new(volume, cache, dataset).map(Some)
    }

    /// All scales of a volume at a URL, through the cache; `None` where it can't be used.
    #[cfg(feature = "http")]
    pub(crate) fn scales_of_source<'a>(
        &self,
        source: &'a volume::PrecomputedSource,
    ) -> Result<Option<CachedScales<'a>>> {
        let Some(cache) = &self.cache else { return Ok(None) };
        CachedScales::new(source, cache, kvdag::cache::dataset_of_source(source)).map(Some)
    }

    /// The chunks of full resolution of a volume at a URL, through the cache where it can be used.
    #[cfg(feature = "http")]
    pub(crate) fn chunks_of_source(
        &self,
        source: &volume::PrecomputedSource,
    ) -> Result<Arc<dyn chunks::ChunkStore>> {
        let store = source.shared(0)?;
        Ok(match &self.cache {
            Some(cache) => {
                let dataset = kvdag::cache::dataset_of_source(source);
                Arc::new(dataset_cache::Cached::new(store, Arc::clone(cache), dataset, 0))
            }
            None => store,
        })
    }

    /// What it was good for so far.
    pub(crate) fn used(&self) -> Result<CacheUse> {
        let statistics = self.cache.as_ref().map(|cache| cache.statistics()).transpose()?.unwrap_or_default();
        Ok(CacheUse {
            file: self.file.display().to_string(),
            written: self.cache.as_ref().is_some_and(|cache| !cache.is_read_only()),
            hits: statistics.hits,
            misses: statistics.misses,
            inserted: statistics.inserted,
            evicted: statistics.evicted,
            rejected: statistics.rejected.saturating_add(statistics.failed),
            damaged: statistics.damaged,
            notes: self.notes().map(str::to_owned).collect(),
        })
    }

    fn notes(&self) -> impl Iterator<Item = &'static str> {
        let open = "the version is open, and isn't cached before it is committed";
        self.note.into_iter().chain(self.passed_by.load(Ordering::Relaxed).then_some(open))
    }

    /// Says on standard error why it isn't used as it might be.
    pub(crate) fn tell(&self) {
        for note in self.notes() {
            eprintln!("{}: {note}", self.file.display());
        }
    }
}

/// What tells a store from others. Of a volume at a URL nothing is stored: its own description says more.
fn identity_of(store: &str) -> Result<String> {
    if volume::is_url(Path::new(store)) { Ok(String::new()) } else { identity(store) }
}

/// Opens the cache that is there with the maximum that it has, or makes one.
fn open_or_create(file: &Path, maximum: Option<u64>) -> Result<DatasetCache> {
    match DatasetCache::open(file, false) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            DatasetCache::create_or_open(file, maximum.unwrap_or(DEFAULT_MAXIMUM))
        }
        outcome => outcome,
    }
}

/// That a cache has the maximum that was asked for. Another one would have to be emptied for it.
fn must_have(maximum: Option<u64>, cache: &DatasetCache, file: &Path) -> Result<()> {
    match maximum {
        Some(maximum) if maximum != cache.maximum_bytes() => Err(Error::new(
            ErrorKind::InvalidArgument,
            "the cache has another maximum; leave --cache-size out, or make a cache in another file",
        )
        .with("path", file.display())
        .with("maximum", cache.maximum_bytes())
        .with("asked for", maximum)),
        _ => Ok(()),
    }
}

/// What a cache was good for to a command.
#[derive(Debug, Serialize)]
pub(crate) struct CacheUse {
    file: String,
    /// Whether what was missing was put in, as far as there was room.
    written: bool,
    /// Chunks that were in it.
    hits: u64,
    /// Chunks that were read from the store.
    misses: u64,
    inserted: u64,
    evicted: u64,
    /// Chunks that couldn't be put in.
    rejected: u64,
    damaged: u64,
    notes: Vec<String>,
}

impl fmt::Display for CacheUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} hits, {} misses, {} put in", self.file, self.hits, self.misses, self.inserted)?;
        let rest =
            [(self.evicted, "evicted"), (self.rejected, "that had no room"), (self.damaged, "damaged")];
        for (number, what) in rest.into_iter().filter(|(number, _)| *number > 0) {
            write!(f, ", {number} {what}")?;
        }
        for note in &self.notes {
            write!(f, "\n{}: {note}", self.file)?;
        }
        Ok(())
    }
}
