//! Arrays that grow and shrink, and copies of arrays.

use std::sync::Arc;

use ndarray::{ArrayView, Dimension};

use super::ArrayFile;
use super::read::check_rank;
use crate::ArrayElement;
use crate::array::Array;
use crate::coord::Coord;
use crate::error::{Error, Result};
use crate::locate::locate_all;
use crate::pending::PendingChunk;
use crate::runs::{Placed, runs_within};
use crate::transfer::{Input, patch_chunk};
use crate::wire::to_usize;

impl ArrayFile {
    /// Gives an array another shape. Its elements stay at their places; new ones are the fill value, and those
    /// that are cut off are gone, also where the array grows again.
    ///
    /// # Errors
    /// `ArrayNotFound`; `WrongRank`, as the number of axes stays; `InvalidShape`.
    pub async fn resize(&mut self, name: &str, shape: &[u64]) -> Result<()> {
        self.check_writable()?;
        let before = Arc::clone(self.catalog.get(name)?);
        check_rank(&before, shape.len())?;
        let mut meta = before.meta.clone();
        meta.shape = shape.to_vec();
        let after = Array::new(meta)?;
        let shrinks = shape.iter().zip(&before.meta.shape).any(|(new, old)| new < old);
        if shrinks {
            let coords = self.all_chunks(&before).await?;
            for coord in coords {
                self.cut_chunk(&before, &after, coord).await?;
            }
        }
        self.catalog.put(after);
        self.pending.touched.insert(before.meta.id);
        self.pending.catalog = true;
        Ok(())
    }

    /// Adds a view at the end of an array along an axis; it is as long as the array along the others.
    ///
    /// # Errors
    /// As [`write_array`](Self::write_array); `WrongRank` when there is no such axis.
    pub async fn append<T: ArrayElement, D: Dimension>(
        &mut self,
        name: &str,
        axis: usize,
        view: ArrayView<'_, T, D>,
    ) -> Result<()> {
        let array = Arc::clone(self.catalog.get(name)?);
        super::read::check_dtype::<T>(&array)?;
        check_rank(&array, view.ndim())?;
        let mut shape = array.meta.shape.clone();
        let mut start = vec![0; array.rank()];
        let Some(length) = shape.get_mut(axis) else {
            return Err(Error::WrongRank { expected: array.rank(), actual: axis.saturating_add(1) });
        };
        start[axis] = *length;
        let more = u64::try_from(view.shape()[axis]).unwrap_or(u64::MAX);
        *length = length.checked_add(more).ok_or_else(|| Error::InvalidShape {
            shape: array.meta.shape.clone(),
            chunk_shape: array.meta.chunk_shape.clone(),
            reason: "the axis would be longer than 64 bits count",
        })?;
        for (other, length) in array.meta.shape.iter().enumerate() {
            let end = u64::try_from(view.shape()[other]).unwrap_or(u64::MAX);
            if other != axis && end != *length {
                return Err(Error::OutOfBounds { axis: other, start: 0, end, length: *length });
            }
        }
        self.resize(name, &shape).await?;
        self.write_array(name, &start, view).await
    }

    /// Copies an array of this file, or of another, with its attributes, chunk by chunk.
    ///
    /// # Errors
    /// `ArrayNotFound` and `ArrayAlreadyExists`; errors of reading.
    pub async fn copy_array(&mut self, from: &Self, name: &str, to: &str) -> Result<()> {
        let source = Arc::clone(from.catalog.get(name)?);
        let target = self.copy_definition(&source, to)?;
        for coord in from.all_chunks(&source).await? {
            if let Some(chunk) =
                from.load_chunks(&source, std::slice::from_ref(&coord)).await?.pop().flatten()
            {
                self.put_pending(&target, coord, PendingChunk::Raw(Arc::new(chunk))).await?;
            }
        }
        Ok(())
    }

    /// As [`copy_array`](Self::copy_array), within this file.
    ///
    /// # Errors
    /// As there.
    pub async fn duplicate_array(&mut self, name: &str, to: &str) -> Result<()> {
        let source = Arc::clone(self.catalog.get(name)?);
        let target = self.copy_definition(&source, to)?;
        for coord in self.all_chunks(&source).await? {
            if let Some(chunk) =
                self.load_chunks(&source, std::slice::from_ref(&coord)).await?.pop().flatten()
            {
                self.put_pending(&target, coord, PendingChunk::Raw(Arc::new(chunk))).await?;
            }
        }
        Ok(())
    }

    fn copy_definition(&mut self, source: &Array, to: &str) -> Result<Arc<Array>> {
        self.check_writable()?;
        if self.catalog.contains(to) {
            return Err(Error::ArrayAlreadyExists { name: to.to_owned() });
        }
        let mut meta = source.meta.clone();
        meta.id = self.next_array;
        to.clone_into(&mut meta.name);
        self.next_array = self.next_array.saturating_add(1);
        self.catalog.put(Array::new(meta)?);
        self.pending.catalog = true;
        Ok(Arc::clone(self.catalog.get(to)?))
    }

    /// The chunks of an array that are stored or pending, in C order.
    pub(crate) async fn all_chunks(&self, array: &Array) -> Result<Vec<Coord>> {
        let mut coords: std::collections::BTreeSet<Coord> =
            locate_all(&self.io, &self.layers(), array).await?.into_keys().collect();
        for (coord, chunk) in self.pending.of_array(array.meta.id) {
            match chunk {
                PendingChunk::Removed => coords.remove(coord),
                _ => coords.insert(coord.clone()),
            };
        }
        Ok(coords.into_iter().collect())
    }

    /// Brings a chunk to what it has in the array when that has another shape.
    async fn cut_chunk(&mut self, before: &Array, after: &Array, coord: Coord) -> Result<()> {
        if !after.is_in_bounds(&coord) {
            return self.put_pending(before, coord, PendingChunk::Removed).await;
        }
        let (_, now) = after.chunk_box(&coord);
        let (_, then) = before.chunk_box(&coord);
        if now.iter().zip(&then).all(|(now, then)| now >= then) {
            return Ok(());
        }
        let Some(old) = self.load_chunks(before, std::slice::from_ref(&coord)).await?.pop().flatten() else {
            return Ok(());
        };
        let mut chunk = after.blank_chunk()?;
        let kept: Vec<usize> =
            now.iter().map(|length| to_usize("a chunk", *length)).collect::<Result<_>>()?;
        let zeros = vec![0; kept.len()];
        let input = ChunkInput { array: before, chunk: &old };
        patch_chunk(after, &mut chunk, &zeros, &input, &zeros, &kept)?;
        self.put_pending(after, coord, PendingChunk::Raw(Arc::new(chunk))).await
    }
}

/// A chunk as what another is written from.
struct ChunkInput<'a> {
    array: &'a Array,
    chunk: &'a [u8],
}

impl Input for ChunkInput<'_> {
    fn numbers(&self, start: &[usize], extent: &[usize], out: &mut [u8]) -> Result<()> {
        let zeros = vec![0; extent.len()];
        let from = Placed { shape: &self.array.chunk_shape, start };
        let cell = self.array.cell_bytes.unwrap_or(1);
        crate::transfer::copy_box(
            self.chunk,
            &from,
            out,
            &Placed { shape: extent, start: &zeros },
            extent,
            cell,
        )
    }

    fn cells(&self, _: &[usize], extent: &[usize]) -> Result<Vec<Vec<u8>>> {
        let cells = crate::cells::VarCells::parse(self.chunk, self.array.chunk_cells)?;
        let extent: Vec<u64> = extent.iter().map(|length| crate::wire::wide(*length)).collect();
        let runs = runs_within(&self.array.chunk_shape, &extent)?;
        Ok(runs.flatten().map(|index| cells.get(index).to_vec()).collect())
    }
}
