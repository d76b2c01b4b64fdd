//! What a cache's file holds, without reading the entries' bytes.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use dataset_cache::{BlockStorage, DatasetCache, DiskFile};
use engine_api::{Error, Result};
use serde::Serialize;

/// Entries of a dataset, a scale, or all.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct Entries {
    pub(super) entries: u64,
    /// Of them, those which say that a chunk isn't stored.
    pub(super) absent: u64,
    /// What those that are stored take.
    pub(super) bytes: u64,
    /// When any of them was used last, and least recently, in microseconds since 1970.
    #[serde(skip)]
    pub(super) used: Option<(i64, i64)>,
}

impl Entries {
    fn add(&mut self, bytes: Option<u32>, last_used: i64) {
        self.entries += 1;
        self.absent += u64::from(bytes.is_none());
        self.bytes += u64::from(bytes.unwrap_or(0));
        let (first, last) = self.used.unwrap_or((last_used, last_used));
        self.used = Some((first.min(last_used), last.max(last_used)));
    }
}

/// By dataset and level of detail.
pub(super) type Datasets = BTreeMap<String, BTreeMap<i32, Entries>>;

/// Counts all entries.
pub(super) fn count(cache: &DatasetCache) -> Result<(Entries, Datasets)> {
    let (mut all, mut datasets) = (Entries::default(), Datasets::new());
    cache.entries(&mut |entry| {
        all.add(entry.bytes, entry.last_used);
        let dataset = datasets.entry(entry.key.dataset.to_string()).or_default();
        dataset.entry(entry.key.lod).or_default().add(entry.bytes, entry.last_used);
        Ok(())
    })?;
    Ok((all, datasets))
}

/// The blocks and free chunks of a cache's file, which must be open to be read so that nobody writes it.
///
/// # Errors
/// `Corrupt` when the trees of blocks and of free chunks are damaged, or don't fit each other.
pub(super) fn storage(file: &Path) -> Result<BlockStorage> {
    let failed = |error| Error::from_io(error, "the cache can't be read").with("path", file.display());
    let disk = File::open(file).and_then(|file| DiskFile::new(file, false)).map_err(failed)?;
    BlockStorage::open(Arc::new(disk), DatasetCache::STORAGE_OFFSET)
}

/// A time of use as people and programs read it.
pub(super) fn time(microseconds: i64) -> String {
    crate::cli::output::time(u64::try_from(microseconds / 1000).unwrap_or(0))
}
