//! What everything that keeps the chunks of an array has in common.

use std::fmt;

use engine_api::Result;

use crate::source::ChunkSource;
use crate::workers::for_each_parallel;
use crate::{Coords, Grid};

/// Receives the chunks of [`ChunkStore::read_chunks`]: the index in the list asked for, and the elements, or
/// `None` for a chunk that isn't stored.
pub type ChunkSink<'a> = dyn Fn(usize, Option<&[u8]>) -> Result<()> + Sync + 'a;

/// A store of the chunks of one array, at one scale.
///
/// A chunk's buffer is [`chunk_bytes`](Grid::chunk_bytes) long: C order, the slowest axis first, elements
/// little-endian. Chunks at the edge are as large as any other; elements beyond the array's shape hold the
/// fill value. A chunk that holds nothing but the fill value isn't stored.
///
/// An author writes the five methods without a body; [`read_region`](crate::read_region) and
/// [`write_region`](crate::write_region) work on all stores.
///
/// # Contract
/// - Coordinates outside of the array's bounds name chunks that aren't stored. They may be read; writing one
///   is `InvalidArgument`.
/// - All methods may be called from several threads at once.
pub trait ChunkStore: Send + Sync + fmt::Debug {
    /// The grid; the same for as long as the store is open.
    fn grid(&self) -> &Grid;

    /// Reads a chunk into `out`; answers whether it is stored. For one that isn't, `out` is set to the fill
    /// value.
    ///
    /// # Errors
    /// `InvalidArgument` when `out` isn't as long as a chunk or the number of axes is wrong; `Corrupt` and
    /// `Incompatible` name the chunk.
    fn read_chunk(&self, chunk: &Coords, out: &mut [u8]) -> Result<bool>;

    /// Writes chunks in one atomic batch: all of them or, after an error, none.
    ///
    /// A chunk that holds nothing but the fill value is removed instead. Chunks are pulled from the source
    /// without a lock held that [`read_chunk`](Self::read_chunk) needs, and from several threads;
    /// [`encode_chunks`](crate::encode_chunks) does it in parallel. The last one counts where the source names
    /// a chunk twice.
    ///
    /// # Errors
    /// `TooLarge` when the batch is over the store's limits; an error of the source.
    fn write_chunks(&self, source: &dyn ChunkSource) -> Result<()>;

    /// Removes chunks in one atomic batch, so that they read as the fill value; those that aren't stored may
    /// be among them.
    fn delete_chunks(&self, chunks: &[Coords]) -> Result<()>;

    /// Visits the stored chunks in key order, each once; an error of the visitor ends the walk and is returned.
    fn list_chunks(&self, visit: &mut dyn FnMut(&Coords) -> Result<()>) -> Result<()>;

    /// Reads chunks, and hands each to `sink` once, in any order and from several threads.
    ///
    /// A store that can read all of them from one snapshot, or decompress where they lie, overrides it. As
    /// provided, it reads each by [`read_chunk`](Self::read_chunk) on a bounded number of threads, and sees
    /// writes that happen in between.
    fn read_chunks(&self, chunks: &[Coords], sink: &ChunkSink<'_>) -> Result<()> {
        let grid = self.grid();
        for_each_parallel(
            chunks.len(),
            grid.chunk_bytes().saturating_mul(2),
            || vec![0; grid.chunk_bytes()],
            |buffer, index| {
                let stored = self.read_chunk(&chunks[index], buffer)?;
                sink(index, stored.then_some(buffer.as_slice()))
            },
        )
    }

    /// Runs a read and the write that depends on it, so that no other such pair comes between.
    ///
    /// [`write_region`](crate::write_region) calls it when a region cuts through chunks. A store with several
    /// writers overrides it, by a lock or by repeating `work` after a conflict; as provided, it only runs
    /// `work`, and of two writers that change the same chunk at the same time one may be lost.
    fn exclusively(&self, work: &mut dyn FnMut() -> Result<()>) -> Result<()> {
        work()
    }
}

macro_rules! forward_chunk_store {
    ($($pointer:ty),*) => {$(
        impl<S: ChunkStore + ?Sized> ChunkStore for $pointer {
            fn grid(&self) -> &Grid {
                (**self).grid()
            }
            fn read_chunk(&self, chunk: &Coords, out: &mut [u8]) -> Result<bool> {
                (**self).read_chunk(chunk, out)
            }
            fn write_chunks(&self, source: &dyn ChunkSource) -> Result<()> {
                (**self).write_chunks(source)
            }
            fn delete_chunks(&self, chunks: &[Coords]) -> Result<()> {
                (**self).delete_chunks(chunks)
            }
            fn list_chunks(&self, visit: &mut dyn FnMut(&Coords) -> Result<()>) -> Result<()> {
                (**self).list_chunks(visit)
            }
            fn read_chunks(&self, chunks: &[Coords], sink: &ChunkSink<'_>) -> Result<()> {
                (**self).read_chunks(chunks, sink)
            }
            fn exclusively(&self, work: &mut dyn FnMut() -> Result<()>) -> Result<()> {
                (**self).exclusively(work)
            }
        }
    )*};
}

forward_chunk_store!(&S, Box<S>, std::sync::Arc<S>);

/// The coordinates of the stored chunks, in key order.
pub fn stored_chunks(store: &dyn ChunkStore) -> Result<Vec<Coords>> {
    let mut chunks = Vec::new();
    store.list_chunks(&mut |chunk| {
        chunks.push(*chunk);
        Ok(())
    })?;
    Ok(chunks)
}
