//! Writing regions.

use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use ndarray::{ArrayView, Dimension};

use super::ArrayFile;
use super::read::{Part, check_bounds, check_dtype, check_rank, fixed_cell, sizes};
use crate::ArrayElement;
use crate::array::Array;
use crate::cells::{check_chunk, lay_out};
use crate::coord::Coord;
use crate::encode::encode_chunk;
use crate::error::{Error, Result};
use crate::io::offload;
use crate::pending::PendingChunk;
use crate::transfer::{ByteInput, Input, ViewInput, patch_chunk};
use crate::wire::wide;

/// Chunks that a region cuts through are read, changed and put back so many bytes at a time.
const PATCHED_BYTES: usize = 64 << 20;

impl ArrayFile {
    /// Writes a region whose first element is `start`, slowest axis first; its shape is the view's, whose
    /// elements may lie in memory in any way. It is pending until [`flush`](Self::flush).
    ///
    /// Chunks that are written whole are compressed side by side. Those that the region cuts through are read
    /// first.
    ///
    /// # Errors
    /// `OutOfBounds`, `WrongRank`, `DTypeMismatch` and `ArrayNotFound`, and nothing is written; `Corrupt` when
    /// a chunk that is cut through can't be read. After an error of the store or of a codec, some chunks of
    /// the region may be pending and others not.
    pub async fn write_array<T: ArrayElement, D: Dimension>(
        &mut self,
        name: &str,
        start: &[u64],
        view: ArrayView<'_, T, D>,
    ) -> Result<()> {
        let array = Arc::clone(self.catalog.get(name)?);
        check_dtype::<T>(&array)?;
        check_rank(&array, view.ndim())?;
        let shape: Vec<u64> = view.shape().iter().map(|length| wide(*length)).collect();
        self.write_from(&array, start, &shape, &ViewInput(view)).await
    }

    /// Writes a region of elements of a fixed size from bytes as they are stored: little-endian, C order.
    ///
    /// # Errors
    /// As [`write_array`](Self::write_array); `InvalidValue` when the bytes aren't as many as the region has, or
    /// the elements have no fixed size.
    pub async fn write_bytes(
        &mut self,
        name: &str,
        start: &[u64],
        shape: &[u64],
        bytes: &[u8],
    ) -> Result<()> {
        let array = Arc::clone(self.catalog.get(name)?);
        check_bounds(&array, start, shape)?;
        let cell = fixed_cell(&array)?;
        let (sizes, elements) = sizes(shape, cell)?;
        if elements.checked_mul(cell) != Some(bytes.len()) {
            return Err(Error::invalid("the bytes aren't as many as the region's", bytes.len()));
        }
        self.write_from(&array, start, shape, &ByteInput { bytes, shape: &sizes, cell }).await
    }

    pub(super) async fn write_from(
        &mut self,
        array: &Arc<Array>,
        start: &[u64],
        shape: &[u64],
        input: &impl Input,
    ) -> Result<()> {
        self.check_writable()?;
        check_bounds(array, start, shape)?;
        let (whole, cut): (Vec<Coord>, Vec<Coord>) = array
            .list_chunks_in(start, shape)?
            .into_iter()
            .partition(|coord| is_covered(array, coord, start, shape));
        // What may fail to be read comes first.
        self.patch(array, &cut, start, shape, input).await?;
        if self.packs(array) {
            for coord in whole {
                let mut chunk = Vec::new();
                fill_chunk(array, &coord, start, shape, input, &mut chunk)?;
                self.put_pending(array, coord, PendingChunk::Raw(Arc::new(chunk))).await?;
            }
            return Ok(());
        }
        self.write_whole(array, whole, start, shape, input).await
    }

    /// Whether chunks of an array wait as they are, to share a block with others.
    pub(crate) fn packs(&self, array: &Array) -> bool {
        array.chunk_bytes().is_none_or(|bytes| bytes < self.config.block_target_size / 2)
    }

    /// Compresses chunks on other threads while the next are gathered on this one.
    async fn write_whole(
        &mut self,
        array: &Arc<Array>,
        coords: Vec<Coord>,
        start: &[u64],
        shape: &[u64],
        input: &impl Input,
    ) -> Result<()> {
        let bytes = array.chunk_bytes().unwrap_or(chunks::MAX_CHUNK_BYTES);
        let workers = chunks::worker_count(coords.len(), bytes.saturating_mul(3));
        let buffers = self.io.buffers.clone();
        let _end = buffers.shrink_at_end();
        let mut under_way = FuturesUnordered::new();
        for coord in coords {
            if under_way.len() > workers
                && let Some(done) = under_way.next().await
            {
                let (coord, chunk) = done?;
                self.put_pending(array, coord, chunk).await?;
            }
            let mut chunk = buffers.take(bytes)?;
            fill_chunk(array, &coord, start, shape, input, &mut chunk)?;
            let (array, codec, buffers) = (Arc::clone(array), self.config.codec.clone(), buffers.clone());
            under_way.push(offload(move || {
                let encoded = encode_chunk(&array, &coord, &codec, &chunk)?;
                buffers.give(chunk);
                Ok((coord, encoded))
            }));
        }
        while let Some(done) = under_way.next().await {
            let (coord, chunk) = done?;
            self.put_pending(array, coord, chunk).await?;
        }
        Ok(())
    }

    /// Writes over parts of chunks.
    async fn patch(
        &mut self,
        array: &Arc<Array>,
        coords: &[Coord],
        start: &[u64],
        shape: &[u64],
        input: &impl Input,
    ) -> Result<()> {
        let at_once = PATCHED_BYTES / array.chunk_bytes().unwrap_or(1 << 20).max(1);
        for group in coords.chunks(at_once.max(1)) {
            // Those that wait as they are are changed where they are.
            let id = array.meta.id;
            let waits = |coord: &Coord| matches!(self.pending.get(id, coord), Some(PendingChunk::Raw(_)));
            let (here, elsewhere): (Vec<Coord>, Vec<Coord>) = group.iter().cloned().partition(waits);
            let loaded = self.load_chunks(array, &elsewhere).await?;
            for (coord, chunk) in elsewhere.into_iter().zip(loaded) {
                let mut chunk = match chunk {
                    Some(chunk) => chunk,
                    None => array.blank_chunk()?,
                };
                patch_with(array, &mut chunk, &coord, start, shape, input)?;
                self.put_pending(array, coord, PendingChunk::Raw(Arc::new(chunk))).await?;
            }
            for coord in here {
                // Making room may have put it into a layer in the meantime.
                let mut chunk = match self.pending.take(&(id, coord.clone())) {
                    Some(PendingChunk::Raw(chunk)) => chunk,
                    _ => {
                        let loaded = self.load_chunks(array, std::slice::from_ref(&coord)).await?.pop();
                        Arc::new(loaded.flatten().map_or_else(|| array.blank_chunk(), Ok)?)
                    }
                };
                let patched = patch_with(array, Arc::make_mut(&mut chunk), &coord, start, shape, input);
                self.put_pending(array, coord, PendingChunk::Raw(chunk)).await?;
                patched?;
            }
        }
        Ok(())
    }

    /// Adds chunks to what is pending: all of them or, after an error, none.
    pub(crate) async fn put_batch(
        &mut self,
        array: &Array,
        chunks: Vec<(Coord, PendingChunk)>,
    ) -> Result<()> {
        self.check_writable()?;
        let now = &self.catalog.get(&array.meta.name)?.meta;
        if (now.id, &now.shape) != (array.meta.id, &array.meta.shape) {
            return Err(Error::invalid("the array was changed since it was opened", &array.meta.name));
        }
        // Room is made first, so that nothing can fail in between.
        if self.pending.bytes() > self.config.write_buffer_size {
            self.spill(None).await?;
        }
        for (coord, chunk) in chunks {
            self.pending.put((array.meta.id, coord), chunk);
        }
        Ok(())
    }

    /// Adds to what is pending, and puts it into a layer where it becomes too much.
    pub(super) async fn put_pending(
        &mut self,
        array: &Array,
        coord: Coord,
        chunk: PendingChunk,
    ) -> Result<()> {
        self.pending.put((array.meta.id, coord), chunk);
        if self.pending.bytes() > self.config.write_buffer_size {
            self.spill(None).await?;
        }
        Ok(())
    }
}

/// Whether a region has all that a chunk has in the array.
fn is_covered(array: &Array, coord: &[u32], start: &[u64], shape: &[u64]) -> bool {
    let (chunk_start, chunk_shape) = array.chunk_box(coord);
    (0..array.rank()).all(|axis| {
        start[axis] <= chunk_start[axis] && start[axis] + shape[axis] >= chunk_start[axis] + chunk_shape[axis]
    })
}

/// Makes a chunk that a region covers.
fn fill_chunk(
    array: &Array,
    coord: &[u32],
    start: &[u64],
    shape: &[u64],
    input: &impl Input,
    chunk: &mut Vec<u8>,
) -> Result<()> {
    let part = Part::new(array, coord, start, shape)?;
    if part.extent != array.chunk_shape {
        *chunk = array.blank_chunk()?;
        return patch_chunk(array, chunk, &part.in_chunk, input, &part.in_region, &part.extent);
    }
    match array.chunk_bytes() {
        Some(bytes) => {
            chunk.resize(bytes, 0);
            input.numbers(&part.in_region, &part.extent, chunk)
        }
        None => {
            let cells = input.cells(&part.in_region, &part.extent)?;
            *chunk = lay_out(cells.iter().map(Vec::as_slice))?;
            check_chunk(chunk.len())
        }
    }
}

fn patch_with(
    array: &Array,
    chunk: &mut Vec<u8>,
    coord: &[u32],
    start: &[u64],
    shape: &[u64],
    input: &impl Input,
) -> Result<()> {
    let part = Part::new(array, coord, start, shape)?;
    patch_chunk(array, chunk, &part.in_chunk, input, &part.in_region, &part.extent)
}
