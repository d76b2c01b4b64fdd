//! What was written and isn't committed yet.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;

use crate::coord::Coord;
use crate::layer::Layer;
use crate::stats::ChunkStats;

/// A chunk by its array's id and its coordinates.
pub(crate) type ChunkKey = (u64, Coord);

/// A chunk that waits for a flush.
#[derive(Clone, Debug)]
pub(crate) enum PendingChunk {
    /// As it is, to be written to again, or packed with others.
    Raw(Arc<Vec<u8>>),
    /// As it will be stored, in a block of its own.
    Block { stored: Bytes, raw: u32, stats: ChunkStats },
    /// It will be as if it had never been written.
    Removed,
}

impl PendingChunk {
    fn bytes(&self) -> usize {
        // With about what the map takes.
        64 + match self {
            Self::Raw(chunk) => chunk.len(),
            Self::Block { stored, .. } => stored.len(),
            Self::Removed => 0,
        }
    }
}

/// The chunks that wait, and the layers that others were put into to make room.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    pub(crate) chunks: BTreeMap<ChunkKey, PendingChunk>,
    bytes: usize,
    /// Layers that are in the store, and that no manifest names yet; the oldest first.
    pub(crate) spilled: Vec<Arc<Layer>>,
    /// Arrays whose chunks or bounds have changed.
    pub(crate) touched: BTreeSet<u64>,
    /// Whether arrays, attributes or snapshots have changed.
    pub(crate) catalog: bool,
}

impl Pending {
    pub(crate) fn put(&mut self, key: ChunkKey, chunk: PendingChunk) {
        self.touched.insert(key.0);
        self.bytes = self.bytes.saturating_add(chunk.bytes());
        if let Some(before) = self.chunks.insert(key, chunk) {
            self.bytes = self.bytes.saturating_sub(before.bytes());
        }
    }

    pub(crate) fn get(&self, array: u64, coord: &Coord) -> Option<&PendingChunk> {
        if self.chunks.is_empty() {
            return None;
        }
        self.chunks.get(&(array, coord.clone()))
    }

    /// Takes a chunk out to be changed; it must be put back.
    pub(crate) fn take(&mut self, key: &ChunkKey) -> Option<PendingChunk> {
        let chunk = self.chunks.remove(key)?;
        self.bytes = self.bytes.saturating_sub(chunk.bytes());
        Some(chunk)
    }

    /// Forgets the chunks of an array.
    pub(crate) fn forget(&mut self, array: u64) {
        self.chunks.retain(|key, _| key.0 != array);
        self.touched.remove(&array);
        self.bytes = self.chunks.values().map(PendingChunk::bytes).sum();
    }

    /// What waits in memory.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Forgets the chunks, of which nothing needs to be stored.
    pub(crate) fn forget_chunks(&mut self) {
        self.chunks.clear();
        self.bytes = 0;
    }

    /// Forgets the chunks, which are in a layer now.
    pub(crate) fn chunks_are_in(&mut self, layer: Arc<Layer>) {
        self.forget_chunks();
        self.spilled.push(layer);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.chunks.is_empty() && self.spilled.is_empty() && self.touched.is_empty() && !self.catalog
    }

    /// The pending chunks of an array.
    pub(crate) fn of_array(&self, array: u64) -> impl Iterator<Item = (&Coord, &PendingChunk)> {
        self.chunks
            .range((array, Coord::new())..)
            .take_while(move |(key, _)| key.0 == array)
            .map(|((_, coord), chunk)| (coord, chunk))
    }
}
