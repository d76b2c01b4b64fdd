//! Blocks that were read before.

use bytes::Bytes;
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use crate::wire::wide;

/// A block of a layer. Layers are known by what they hold, not by their names, so that an entry is never that
/// of another file's layer, or of one that has replaced it.
pub(crate) type BlockKey = ([u8; 16], u64);

#[derive(Clone, Debug)]
struct Weight;

impl Weighter<BlockKey, Bytes> for Weight {
    fn weight(&self, _: &BlockKey, block: &Bytes) -> u64 {
        // With what the entry itself takes.
        wide(block.len()).saturating_add(128)
    }
}

type Blocks = Cache<BlockKey, Bytes, Weight>;

/// A cache of blocks that several files may share: as they are restored, and as they are stored.
///
/// Reads of more than an eighth of it pass it by, so that a scan doesn't push everything else out. Chunks that are read whole, or nearly,
/// are kept as they are stored at first, and restored when they are read again.
#[derive(Debug)]
pub struct BlockCache {
    restored: Option<Blocks>,
    stored: Option<Blocks>,
    capacity: u64,
}

impl BlockCache {
    /// A cache of this many bytes of restored blocks, and of stored ones; either may be zero.
    pub fn new(capacity: usize, io_capacity: usize) -> Self {
        let cache = |bytes: usize| (bytes > 0).then(|| Cache::with_weighter(1024, wide(bytes), Weight));
        Self {
            restored: cache(capacity),
            stored: cache(io_capacity),
            capacity: wide(capacity.max(io_capacity)),
        }
    }

    /// Whether a read of this many restored bytes leaves its blocks here.
    pub(crate) fn admits(&self, bytes: u64) -> bool {
        bytes <= self.capacity / 8
    }

    /// Whether blocks are kept as they are stored.
    pub(crate) fn keeps_stored(&self) -> bool {
        self.stored.is_some()
    }

    pub(crate) fn restored(&self, key: &BlockKey) -> Option<Bytes> {
        self.restored.as_ref()?.get(key)
    }

    pub(crate) fn stored(&self, key: &BlockKey) -> Option<Bytes> {
        self.stored.as_ref()?.get(key)
    }

    pub(crate) fn keep_restored(&self, key: BlockKey, block: &Bytes) {
        if let Some(cache) = &self.restored {
            cache.insert(key, block.clone());
        }
    }

    pub(crate) fn keep_stored(&self, key: BlockKey, block: &Bytes) {
        if let Some(cache) = &self.stored {
            cache.insert(key, block.clone());
        }
    }
}
