//! How a file is opened.

use std::sync::Arc;
use std::time::Duration;

use crate::cache::BlockCache;
use crate::codec::{BlockCodec, CodecRegistry};

/// Chunks that are shorter are packed with others until a block has this many bytes: 256 KiB.
pub const DEFAULT_BLOCK_TARGET_SIZE: usize = 256 << 10;
/// Restored blocks kept in memory: 256 MiB.
pub const DEFAULT_CACHE_CAPACITY: usize = 256 << 20;
/// Stored blocks kept in memory: 64 MiB.
pub const DEFAULT_IO_CACHE_CAPACITY: usize = 64 << 20;
/// Bytes that wait in memory for a flush before they are put into the store: 256 MiB.
pub const DEFAULT_WRITE_BUFFER_SIZE: usize = 256 << 20;
/// How long what a commit has replaced is kept: ten minutes.
pub const DEFAULT_GRACE: Duration = Duration::from_mins(10);

/// How a file is opened or created. Nothing of it is in the file: another reader may choose otherwise.
#[derive(Clone, Debug)]
pub struct FileConfig {
    /// The compression of what is written.
    pub codec: BlockCodec,
    /// Where a program's own codecs are found when blocks that they wrote are read.
    pub codecs: CodecRegistry,
    /// Chunks at least half as long as this are a block each, and a read of one restores nothing else. Shorter
    /// ones are packed into blocks of about this size.
    pub block_target_size: usize,
    /// Bytes of restored blocks to keep in memory.
    pub cache_capacity: usize,
    /// Bytes of stored blocks to keep in memory.
    pub io_cache_capacity: usize,
    /// A cache that several files share; the two capacities are without effect then.
    pub cache: Option<Arc<BlockCache>>,
    /// What waits for a flush, in bytes, before it is put into the store, where nobody sees it until then.
    pub write_buffer_size: usize,
    /// How long commits that aren't the newest, and the layers that only they name, outlive a
    /// [`compact`](crate::ArrayFile::compact): readers that have one of them open go on for as long.
    pub grace: Duration,
}

impl FileConfig {
    /// The defaults, with this codec.
    pub fn new(codec: impl Into<BlockCodec>) -> Self {
        Self {
            codec: codec.into(),
            codecs: CodecRegistry::default(),
            block_target_size: DEFAULT_BLOCK_TARGET_SIZE,
            cache_capacity: DEFAULT_CACHE_CAPACITY,
            io_cache_capacity: DEFAULT_IO_CACHE_CAPACITY,
            cache: None,
            write_buffer_size: DEFAULT_WRITE_BUFFER_SIZE,
            grace: DEFAULT_GRACE,
        }
    }

    /// A file that keeps its blocks in a cache shared with others.
    #[must_use]
    pub fn with_cache(mut self, cache: Arc<BlockCache>) -> Self {
        self.cache = Some(cache);
        self
    }

    pub(crate) fn open_cache(&self) -> Option<Arc<BlockCache>> {
        match &self.cache {
            Some(cache) => Some(Arc::clone(cache)),
            None if self.cache_capacity == 0 && self.io_cache_capacity == 0 => None,
            None => Some(Arc::new(BlockCache::new(self.cache_capacity, self.io_cache_capacity))),
        }
    }
}

impl Default for FileConfig {
    /// Zstandard of regrouped bytes.
    fn default() -> Self {
        Self::new(BlockCodec::default())
    }
}
