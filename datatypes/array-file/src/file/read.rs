//! Reading regions.

use std::sync::Arc;

use ndarray::{ArrayD, IxDyn};

use super::ArrayFile;
use crate::ArrayElement;
use crate::array::Array;
use crate::coord::Coord;
use crate::error::{Error, Result};
use crate::fetch::{Portion, Wanted, fetch};
use crate::locate::locate;
use crate::pending::PendingChunk;
use crate::runs::Placed;
use crate::transfer::{ByteOutput, Output, ValueOutput, scatter_chunk};
use crate::wire::{to_usize, wide};

impl ArrayFile {
    /// Reads a region: `shape` elements from `start`, slowest axis first, in C order. With both empty it is
    /// the whole array. Where the region reaches beyond the array, less is answered; elements that were never
    /// written are the fill value.
    ///
    /// Chunks are read and restored side by side, with a bounded number under way.
    ///
    /// # Errors
    /// `ArrayNotFound`; `DTypeMismatch` when the array holds something else than `T`; `WrongRank`; `TooLarge`
    /// when there is no memory for the region; `Corrupt` names the layer; `LayerGone` when the commit that is
    /// open was swept.
    pub async fn read_array<T: ArrayElement>(
        &self,
        name: &str,
        start: &[u64],
        shape: &[u64],
    ) -> Result<ArrayD<T>> {
        let array = Arc::clone(self.catalog.get(name)?);
        check_dtype::<T>(&array)?;
        let (start, shape) = clamp(&array, start, shape)?;
        let (shape, elements) = sizes(&shape, size_of::<T>())?;
        let mut output = ValueOutput { values: blank::<T>(elements)?, cell: array.cell_bytes };
        self.read_into(&array, &start, &shape, &mut output).await?;
        ArrayD::from_shape_vec(IxDyn(&shape), output.values)
            .map_err(|error| Error::invalid("the region isn't possible", error))
    }

    /// Reads a region of elements of a fixed size into `out` as they are stored: little-endian, C order.
    ///
    /// # Errors
    /// As [`read_array`](Self::read_array); `OutOfBounds` when the region reaches beyond the array, and
    /// `InvalidValue` when `out` isn't as long as it or the elements have no fixed size.
    pub async fn read_bytes(&self, name: &str, start: &[u64], shape: &[u64], out: &mut [u8]) -> Result<()> {
        let array = Arc::clone(self.catalog.get(name)?);
        check_bounds(&array, start, shape)?;
        let cell = fixed_cell(&array)?;
        let (shape, elements) = sizes(shape, cell)?;
        if elements.checked_mul(cell) != Some(out.len()) {
            return Err(Error::invalid("the buffer isn't as long as the region", out.len()));
        }
        self.read_into(&array, start, &shape, &mut ByteOutput { bytes: out, cell }).await
    }

    /// Reads a region in bounds.
    pub(super) async fn read_into<O: Output>(
        &self,
        array: &Array,
        start: &[u64],
        shape: &[usize],
        output: &mut O,
    ) -> Result<()> {
        let extent: Vec<u64> = shape.iter().map(|length| wide(*length)).collect();
        let coords: Vec<Coord> = array.list_chunks_in(start, &extent)?;
        // Where an output begins as zeros, a fill value of zero needn't be written over it.
        let filled = O::BLANK && array.cell_bytes.is_some() && array.fill.iter().all(|byte| *byte == 0);
        let elements = |shape: &[usize]| shape.iter().fold(1usize, |all, length| all.saturating_mul(*length));
        let half = elements(shape) >= elements(&array.chunk_shape).saturating_mul(coords.len()) / 2;
        let portion = if half { Portion::Whole } else { Portion::Part };
        self.visit_chunks(array, &coords, portion, |index, chunk| {
            if chunk.is_none() && filled {
                return Ok(());
            }
            let part = Part::new(array, &coords[index], start, &extent)?;
            let placed = Placed { shape, start: &part.in_region };
            scatter_chunk(array, chunk, &part.in_chunk, output, &placed, &part.extent)
        })
        .await
    }

    /// Hands each chunk to `sink` once, in any order, with its number in `coords`, which are sorted; `None` for
    /// one that isn't stored.
    pub(crate) async fn visit_chunks(
        &self,
        array: &Array,
        coords: &[Coord],
        portion: Portion,
        mut sink: impl FnMut(usize, Option<&[u8]>) -> Result<()>,
    ) -> Result<()> {
        let mut wanted = Vec::new();
        let mut elsewhere = Vec::new();
        for (number, coord) in coords.iter().enumerate() {
            match self.pending.get(array.meta.id, coord) {
                None => elsewhere.push(number),
                Some(PendingChunk::Raw(chunk)) => sink(number, Some(chunk))?,
                Some(PendingChunk::Removed) => sink(number, None)?,
                Some(PendingChunk::Block { stored, raw, .. }) => {
                    wanted.push(Wanted::Pending { number, stored: stored.clone(), raw: *raw });
                }
            }
        }
        let layers = self.layers();
        let found = if elsewhere.len() == coords.len() {
            locate(&self.io, &layers, array, coords).await?
        } else {
            let sought: Vec<Coord> = elsewhere.iter().map(|number| coords[*number].clone()).collect();
            locate(&self.io, &layers, array, &sought).await?
        };
        for (number, found) in elsewhere.into_iter().zip(found) {
            match found {
                None => sink(number, None)?,
                Some(found) => wanted.push(Wanted::InLayer(number, found)),
            }
        }
        fetch(&self.io, &layers, array, wanted, portion, |number, chunk| sink(number, Some(chunk))).await
    }

    /// Chunks by themselves, in the order asked for; `None` for those that aren't stored. `coords` are sorted.
    pub(super) async fn load_chunks(&self, array: &Array, coords: &[Coord]) -> Result<Vec<Option<Vec<u8>>>> {
        let mut chunks: Vec<Option<Vec<u8>>> = vec![None; coords.len()];
        self.visit_chunks(array, coords, Portion::Whole, |number, chunk| {
            chunks[number] = chunk.map(<[u8]>::to_vec);
            Ok(())
        })
        .await?;
        Ok(chunks)
    }
}

/// What a region and a chunk have in common.
pub(super) struct Part {
    /// Where it begins in the chunk.
    pub(super) in_chunk: Vec<usize>,
    /// Where it begins in the region.
    pub(super) in_region: Vec<usize>,
    pub(super) extent: Vec<usize>,
}

impl Part {
    pub(super) fn new(array: &Array, coord: &[u32], start: &[u64], shape: &[u64]) -> Result<Self> {
        let (chunk_start, chunk_shape) = array.chunk_box(coord);
        let mut part = Self { in_chunk: Vec::new(), in_region: Vec::new(), extent: Vec::new() };
        for axis in 0..array.rank() {
            let from = start[axis].max(chunk_start[axis]);
            let to = (start[axis] + shape[axis]).min(chunk_start[axis] + chunk_shape[axis]);
            part.in_chunk.push(to_usize("a chunk", from.saturating_sub(chunk_start[axis]))?);
            part.in_region.push(to_usize("a region", from.saturating_sub(start[axis]))?);
            part.extent.push(to_usize("a region", to.saturating_sub(from))?);
        }
        Ok(part)
    }
}

pub(super) fn check_dtype<T: ArrayElement>(array: &Array) -> Result<()> {
    let actual = T::dtype();
    if array.meta.dtype == actual {
        return Ok(());
    }
    Err(Error::DTypeMismatch { expected: array.meta.dtype.clone(), actual })
}

pub(super) fn fixed_cell(array: &Array) -> Result<usize> {
    array.cell_bytes.ok_or_else(|| Error::invalid("the elements have no fixed size", &array.meta.dtype))
}

pub(super) fn check_rank(array: &Array, actual: usize) -> Result<()> {
    let expected = array.rank();
    if expected == actual { Ok(()) } else { Err(Error::WrongRank { expected, actual }) }
}

pub(super) fn check_bounds(array: &Array, start: &[u64], shape: &[u64]) -> Result<()> {
    check_rank(array, start.len())?;
    check_rank(array, shape.len())?;
    for (axis, length) in array.meta.shape.iter().enumerate() {
        let end = start[axis].checked_add(shape[axis]);
        if end.is_none_or(|end| end > *length) {
            let (start, end) = (start[axis], end.unwrap_or(u64::MAX));
            return Err(Error::OutOfBounds { axis, start, end, length: *length });
        }
    }
    Ok(())
}

/// The part of a region that is in the array.
pub(super) fn clamp(array: &Array, start: &[u64], shape: &[u64]) -> Result<(Vec<u64>, Vec<u64>)> {
    if start.is_empty() && shape.is_empty() {
        return Ok((vec![0; array.rank()], array.meta.shape.clone()));
    }
    check_rank(array, start.len())?;
    check_rank(array, shape.len())?;
    let axes = array.meta.shape.iter().zip(start).zip(shape);
    Ok(axes
        .map(|((length, start), shape)| (*start.min(length), *shape.min(&length.saturating_sub(*start))))
        .unzip())
}

/// A shape in memory, and its number of elements.
pub(super) fn sizes(shape: &[u64], bytes: usize) -> Result<(Vec<usize>, usize)> {
    let sizes: Vec<usize> =
        shape.iter().map(|length| to_usize("a region", *length)).collect::<Result<_>>()?;
    let elements = if sizes.contains(&0) {
        Some(0)
    } else {
        sizes.iter().try_fold(1usize, |all, length| all.checked_mul(*length))
    };
    let fits = |elements: &usize| {
        elements.checked_mul(bytes.max(1)).is_some_and(|bytes| isize::try_from(bytes).is_ok())
    };
    let elements = elements.filter(fits).ok_or_else(|| too_large(shape))?;
    Ok((sizes, elements))
}

fn too_large(shape: &[u64]) -> Error {
    let size = shape.iter().fold(1u64, |all, length| all.saturating_mul(*length));
    Error::TooLarge { what: "the region", size, limit: wide(usize::MAX >> 1) }
}

/// As many zeros, or the error that says that there is no memory for them.
pub(super) fn blank<T: ArrayElement>(elements: usize) -> Result<Vec<T>> {
    // Zeros come from the system without being written; asking first makes it an error, and no abort.
    let mut probe: Vec<T> = Vec::new();
    probe.try_reserve_exact(elements).map_err(|_| too_large(&[wide(elements)]))?;
    drop(probe);
    let mut blank = vec![T::zero(); elements];
    chunks::lay_on_large_pages(&mut blank);
    Ok(blank)
}
