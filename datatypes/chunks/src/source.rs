//! Chunks on their way into a store.

use std::sync::{Mutex, PoisonError};

use engine_api::{Bytes, Error, ErrorKind, Result};

use crate::codec::{Codec, encode_frame};
use crate::workers::for_each_parallel;
use crate::{Coords, Grid};

/// Chunks to be written, pulled one at a time, so that a batch needn't be in memory uncompressed.
pub trait ChunkSource: Sync {
    /// The number of chunks.
    fn len(&self) -> usize;

    /// Whether there is no chunk.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where chunk number `index` goes.
    fn coords(&self, index: usize) -> Coords;

    /// Puts the elements of chunk number `index` into `out`, a chunk's length, whose contents are
    /// unspecified. It may be called from several threads, and may read from the store that is written.
    fn read(&self, index: usize, out: &mut [u8]) -> Result<()>;
}

impl<B: AsRef<[u8]> + Sync> ChunkSource for [(Coords, B)] {
    fn len(&self) -> usize {
        <[_]>::len(self)
    }

    fn coords(&self, index: usize) -> Coords {
        self[index].0
    }

    fn read(&self, index: usize, out: &mut [u8]) -> Result<()> {
        let data = self[index].1.as_ref();
        if data.len() != out.len() {
            return Err(Error::new(ErrorKind::InvalidArgument, "the buffer isn't as long as a chunk")
                .with("chunk", self[index].0)
                .with("expected", out.len())
                .with("found", data.len()));
        }
        out.copy_from_slice(data);
        Ok(())
    }
}

impl<B: AsRef<[u8]> + Sync, const N: usize> ChunkSource for [(Coords, B); N] {
    fn len(&self) -> usize {
        N
    }

    fn coords(&self, index: usize) -> Coords {
        self.as_slice().coords(index)
    }

    fn read(&self, index: usize, out: &mut [u8]) -> Result<()> {
        self.as_slice().read(index, out)
    }
}

impl<B: AsRef<[u8]> + Sync> ChunkSource for Vec<(Coords, B)> {
    fn len(&self) -> usize {
        self.as_slice().len()
    }

    fn coords(&self, index: usize) -> Coords {
        self.as_slice().coords(index)
    }

    fn read(&self, index: usize, out: &mut [u8]) -> Result<()> {
        self.as_slice().read(index, out)
    }
}

/// A chunk as it is stored: its frame, or `None` where all elements are the fill value and nothing is stored.
pub type EncodedChunk = (Coords, Option<Bytes>);

/// Compresses the chunks of a source on a bounded number of threads, and answers them in the source's order.
///
/// # Errors
/// `InvalidArgument` for a chunk outside of the grid's bounds; an error of the source.
pub fn encode_chunks(grid: &Grid, codec: Codec, source: &dyn ChunkSource) -> Result<Vec<EncodedChunk>> {
    codec.check()?;
    let mut encoded = Vec::with_capacity(source.len());
    for index in 0..source.len() {
        let chunk = source.coords(index);
        if grid.clipped_region(&chunk)?.is_none() {
            return Err(Error::new(ErrorKind::InvalidArgument, "the chunk is out of bounds")
                .with("chunk", chunk)
                .with("bounds", grid.bounds()));
        }
        encoded.push((chunk, Mutex::new(None)));
    }
    for_each_parallel(
        encoded.len(),
        grid.chunk_bytes().saturating_mul(3),
        || vec![0; grid.chunk_bytes()],
        |buffer, index| {
            source.read(index, buffer)?;
            if !grid.fill().fills(buffer) {
                let frame = encode_frame(codec, grid.element_size(), buffer)?;
                *encoded[index].1.lock().unwrap_or_else(PoisonError::into_inner) = Some(frame.into());
            }
            Ok(())
        },
    )?;
    let unlock = |slot: Mutex<_>| slot.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(encoded.into_iter().map(|(chunk, slot)| (chunk, unlock(slot))).collect())
}
