//! Statistics of arrays and of their chunks.

use std::sync::Arc;

use object_store::{ObjectStoreExt, PutPayload};

use super::{ArrayFile, KnownStats};
use crate::array::Array;
use crate::error::Result;
use crate::locate::locate_all;
use crate::snapshot::Snapshot;
use crate::stats::ArrayStats;
use crate::stats_file::StatsFile;

/// A stored chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChunkInfo {
    /// Its coordinates, counted in chunks.
    pub coord: Vec<u32>,
    /// Its first element.
    pub start: Vec<u64>,
    /// The shape of what it has in the array.
    pub shape: Vec<u64>,
    /// The bytes that its block takes in the store; chunks that share one have the same block.
    pub stored_bytes: u64,
    /// What is known of its elements. A reader that looks for values outside of the bounds can leave the
    /// chunk out.
    pub stats: ArrayStats,
}

impl ArrayFile {
    /// The statistics of an array as of the last flush; `None` where nothing was ever stored in it.
    ///
    /// They are merged from those of its chunks, which the index has: no chunk is read.
    ///
    /// # Errors
    /// `ArrayNotFound`; `Corrupt` when the index can't be read.
    pub async fn array_stats(&self, name: &str) -> Result<Option<ArrayStats>> {
        let array = match self.committed.catalog.get(name) {
            Ok(array) => Arc::clone(array),
            // It is defined, and wasn't committed yet.
            Err(error) => return self.catalog.get(name).map(|_| None).map_err(|_| error),
        };
        if self.catalog.get(name)?.meta.id != array.meta.id {
            return Ok(None);
        }
        let mut known = self.stats.lock().await;
        self.load_statistics(&mut known).await?;
        if let Some(stats) = known.arrays.get(&array.meta.id) {
            return Ok(stats.clone());
        }
        let stats = self.merged_statistics(&self.committed, &array).await?;
        known.arrays.insert(array.meta.id, stats.clone());
        Ok(stats)
    }

    /// The chunks of an array that are stored, as of the last flush, in C order, with their statistics.
    ///
    /// # Errors
    /// `ArrayNotFound`; `Corrupt` when the index can't be read.
    pub async fn stored_chunks(&self, name: &str) -> Result<Vec<ChunkInfo>> {
        let array = self.committed.catalog.get(name)?;
        let found = locate_all(&self.io, &self.committed.layers, array).await?;
        let chunks =
            found.into_iter().filter(|(coord, _)| array.is_in_bounds(coord)).map(|(coord, found)| {
                let (start, shape) = array.chunk_box(&coord);
                let elements = shape.iter().fold(1, |all: u64, length| all.saturating_mul(*length));
                let mut stats = ArrayStats::null(name, elements);
                stats.merge(&found.stats, &array.meta.dtype);
                let stored_bytes = found.chunk.block.stored.into();
                ChunkInfo { coord: coord.to_vec(), start, shape, stored_bytes, stats }
            });
        Ok(chunks.collect())
    }

    async fn merged_statistics(&self, of: &Snapshot, array: &Array) -> Result<Option<ArrayStats>> {
        let found = locate_all(&self.io, &of.layers, array).await?;
        if found.is_empty() {
            return Ok(None);
        }
        let mut stats = ArrayStats::null(&array.meta.name, array.meta.elements());
        for found in found.values() {
            stats.merge(&found.stats, &array.meta.dtype);
        }
        Ok(Some(stats))
    }

    async fn load_statistics(&self, known: &mut KnownStats) -> Result<()> {
        if known.loaded {
            return Ok(());
        }
        let bytes = self.io.object(&self.names.stats()).await?;
        known.loaded = true;
        // One that is damaged, or of another commit, says nothing that the index doesn't.
        let file = bytes.and_then(|bytes| StatsFile::decode(&bytes).ok());
        let ours = |file: &StatsFile| {
            file.commit == self.committed.commit && file.checksum == self.committed.checksum
        };
        if let Some(file) = file.filter(ours) {
            for (id, stats) in file.arrays {
                known.arrays.entry(id).or_insert(Some(stats));
            }
        }
        Ok(())
    }

    /// The statistics of a commit that is about to be made on top of the one that is open.
    pub(super) async fn next_statistics(&self, next: &Snapshot) -> KnownStats {
        let mut base = self.stats.lock().await;
        if self.committed.commit > 0 {
            // What can't be read is merged anew when somebody asks.
            self.load_statistics(&mut base).await.ok();
        }
        let mut known = KnownStats { loaded: true, arrays: base.arrays.clone() };
        let arrays = next.catalog.by_id();
        known.arrays.retain(|id, _| arrays.contains_key(id) && !self.pending.touched.contains(id));
        for id in &self.pending.touched {
            if let Some(array) = arrays.get(id)
                && let Ok(stats) = self.merged_statistics(next, array).await
            {
                known.arrays.insert(*id, stats);
            }
        }
        known
    }

    /// Puts the statistics of a commit beside it. The commit stands whether or not this works, and whether or
    /// not they are another commit's then: a reader looks at which commit they are of.
    pub(super) async fn put_statistics(&self, of: &Snapshot, known: &KnownStats) {
        let mut arrays: Vec<(u64, ArrayStats)> =
            known.arrays.iter().filter_map(|(id, stats)| Some((*id, stats.clone()?))).collect();
        arrays.sort_unstable_by_key(|(id, _)| *id);
        let file = StatsFile { commit: of.commit, checksum: of.checksum, arrays };
        if let Ok(bytes) = file.encode() {
            self.io.store.put(&self.names.stats(), PutPayload::from(bytes)).await.ok();
        }
    }
}
