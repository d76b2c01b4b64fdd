//! Chunks kept in memory.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError, RwLock, RwLockWriteGuard};

use engine_api::{Bytes, Result};

use crate::codec::{Codec, decode_chunk};
use crate::source::{ChunkSource, encode_chunks};
use crate::store::ChunkStore;
use crate::{Coords, Grid};

/// Frames by their chunks.
pub(crate) type Frames = BTreeMap<Coords, Bytes>;

/// A [`ChunkStore`] in memory, compressed: for tests, and the template for authors of others.
///
/// ```
/// use chunks::{Codec, DType, Grid, MemoryChunks, read_region, write_region};
///
/// # fn main() -> engine_api::Result<()> {
/// let store = MemoryChunks::new(Grid::new(&[100, 100], &[64, 64], DType::U8)?, Codec::default());
/// let region = "60:70,0:2".parse()?;
/// write_region(&store, &region, &[7; 20])?;
/// let mut row = [0; 3];
/// read_region(&store, &"69:70,0:3".parse()?, &mut row)?;
/// assert_eq!(row, [7, 7, 0]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct MemoryChunks {
    grid: Grid,
    codec: Codec,
    frames: RwLock<Frames>,
    exclusive: Mutex<()>,
}

impl MemoryChunks {
    /// An empty store: every element reads as the fill value.
    pub fn new(grid: Grid, codec: Codec) -> Self {
        Self { grid, codec, frames: RwLock::default(), exclusive: Mutex::default() }
    }

    pub(crate) fn frame(&self, chunk: &Coords) -> Option<Bytes> {
        self.frames.read().unwrap_or_else(PoisonError::into_inner).get(chunk).cloned()
    }

    pub(crate) fn frames_to_write(&self) -> RwLockWriteGuard<'_, Frames> {
        self.frames.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The bytes that the stored frames take.
    pub fn stored_bytes(&self) -> usize {
        self.frames.read().unwrap_or_else(PoisonError::into_inner).values().map(Bytes::len).sum()
    }
}

impl ChunkStore for MemoryChunks {
    fn grid(&self) -> &Grid {
        &self.grid
    }

    fn read_chunk(&self, chunk: &Coords, out: &mut [u8]) -> Result<bool> {
        self.grid.check_buffer(out.len())?;
        self.grid.chunk_region(chunk)?;
        let frame = self.frame(chunk);
        match &frame {
            Some(frame) => decode_chunk(&self.grid, chunk, frame, out)?,
            None => self.grid.fill().write(out),
        }
        Ok(frame.is_some())
    }

    fn write_chunks(&self, source: &dyn ChunkSource) -> Result<()> {
        let encoded = encode_chunks(&self.grid, self.codec, source)?;
        let mut frames = self.frames_to_write();
        for (chunk, frame) in encoded {
            match frame {
                Some(frame) => frames.insert(chunk, frame),
                None => frames.remove(&chunk),
            };
        }
        Ok(())
    }

    fn delete_chunks(&self, chunks: &[Coords]) -> Result<()> {
        for chunk in chunks {
            self.grid.chunk_region(chunk)?;
        }
        let mut frames = self.frames_to_write();
        for chunk in chunks {
            frames.remove(chunk);
        }
        Ok(())
    }

    fn list_chunks(&self, visit: &mut dyn FnMut(&Coords) -> Result<()>) -> Result<()> {
        let chunks: Vec<Coords> =
            self.frames.read().unwrap_or_else(PoisonError::into_inner).keys().copied().collect();
        chunks.iter().try_for_each(visit)
    }

    fn exclusively(&self, work: &mut dyn FnMut() -> Result<()>) -> Result<()> {
        let _guard = self.exclusive.lock().unwrap_or_else(PoisonError::into_inner);
        work()
    }
}
