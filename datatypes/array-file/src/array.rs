//! What is known of an array: its type, its shape, and how it is cut into chunks.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::cells::lay_out;
use crate::coord::{Coord, CoordBox};
use crate::error::{Error, Result};
use crate::value::zero_cell;
use crate::wire::{Reader, Writer, to_usize, wide};
use crate::{AttributeValue, DType, FillValue};

/// The largest number of axes.
pub const MAX_RANK: usize = 32;

/// The most elements in a chunk whose elements have any length: 2^26.
const MAX_VARIABLE_CELLS: usize = 1 << 26;

/// The most chunks that one read or write may touch: 2^24.
const MAX_CHUNKS_AT_ONCE: u64 = 1 << 24;

/// What is known of an array.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ArrayMeta {
    /// Given out once in the life of a file: an array that is deleted and defined again has another.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// The type of its elements.
    pub dtype: DType,
    /// Its length along each axis, slowest first.
    pub shape: Vec<u64>,
    /// A chunk's length along each axis.
    pub chunk_shape: Vec<u64>,
    /// The names of the axes.
    pub dimension_names: Vec<String>,
    /// The value of elements that were never written.
    pub fill_value: Option<FillValue>,
    /// Its attributes, by name.
    pub attributes: BTreeMap<String, AttributeValue>,
}

impl ArrayMeta {
    /// The number of elements.
    pub fn elements(&self) -> u64 {
        self.shape.iter().fold(1, |product, length| product.saturating_mul(*length))
    }

    pub(crate) fn encode(&self, out: &mut Writer) -> Result<()> {
        out.u64(self.id);
        out.blob(self.name.as_bytes())?;
        self.dtype.encode(out);
        out.u8(u8::try_from(self.shape.len()).unwrap_or(u8::MAX));
        out.lengths(&self.shape);
        out.lengths(&self.chunk_shape);
        for name in &self.dimension_names {
            out.blob(name.as_bytes())?;
        }
        match &self.fill_value {
            None => out.u8(0),
            Some(fill) => {
                out.u8(1);
                fill.encode(out)?;
            }
        }
        out.count(self.attributes.len())?;
        for (name, value) in &self.attributes {
            out.blob(name.as_bytes())?;
            value.encode(out)?;
        }
        Ok(())
    }

    pub(crate) fn decode(bytes: &mut Reader<'_>) -> Result<Self> {
        let id = bytes.u64()?;
        let name = bytes.text()?;
        let dtype = DType::decode(bytes)?;
        let rank = usize::from(bytes.u8()?);
        let shape = bytes.lengths(rank)?;
        let chunk_shape = bytes.lengths(rank)?;
        let dimension_names = (0..rank).map(|_| bytes.text()).collect::<Result<_>>()?;
        let fill_value = match bytes.u8()? {
            0 => None,
            _ => Some(FillValue::decode(bytes)?),
        };
        let mut attributes = BTreeMap::new();
        for _ in 0..bytes.count(6)? {
            let name = bytes.text()?;
            attributes.insert(name, AttributeValue::decode(bytes)?);
        }
        Ok(Self { id, name, dtype, shape, chunk_shape, dimension_names, fill_value, attributes })
    }
}

/// An array that was checked, with what follows from its metadata.
#[derive(Clone, Debug)]
pub(crate) struct Array {
    pub(crate) meta: ArrayMeta,
    /// The chunks' shape as sizes in memory.
    pub(crate) chunk_shape: Vec<usize>,
    /// The number of elements of a chunk.
    pub(crate) chunk_cells: usize,
    /// The bytes of an element, where they are fixed.
    pub(crate) cell_bytes: Option<usize>,
    /// The cell of elements that were never written.
    pub(crate) fill: Arc<[u8]>,
    pub(crate) shuffle_size: usize,
}

impl Array {
    /// # Errors
    /// `InvalidShape`, `InvalidValue` and `WrongRank` for what no array can be.
    pub(crate) fn new(meta: ArrayMeta) -> Result<Self> {
        let rank = meta.shape.len();
        let invalid = |reason| Error::InvalidShape {
            shape: meta.shape.clone(),
            chunk_shape: meta.chunk_shape.clone(),
            reason,
        };
        if meta.chunk_shape.len() != rank {
            return Err(Error::WrongRank { expected: rank, actual: meta.chunk_shape.len() });
        }
        if rank > MAX_RANK {
            return Err(invalid("there are more than 32 axes"));
        }
        meta.dtype.check()?;
        if meta.attributes.values().any(|value| value.depth() > 8) {
            return Err(Error::invalid("an attribute's lists are nested too deep", &meta.name));
        }
        if meta.chunk_shape.contains(&0) {
            return Err(invalid("a chunk has no elements"));
        }
        let product = |lengths: &[u64]| lengths.iter().try_fold(1u64, |all, length| all.checked_mul(*length));
        let covering: Vec<u64> = meta.shape.iter().map(|length| (*length).max(1)).collect();
        if product(&covering).is_none_or(|elements| i64::try_from(elements).is_err()) {
            return Err(invalid("the elements are too many to count in 63 bits"));
        }
        let counts = meta.shape.iter().zip(&meta.chunk_shape).map(|(length, chunk)| length.div_ceil(*chunk));
        if counts.into_iter().any(|count| count > 1 << 32) {
            return Err(invalid("there are more than 2^32 chunks along an axis"));
        }
        let cell_bytes = meta.dtype.element_size();
        let chunk_cells = product(&meta.chunk_shape).and_then(|cells| usize::try_from(cells).ok());
        let chunk_cells = chunk_cells
            .filter(|cells| match cell_bytes {
                Some(bytes) => cells.checked_mul(bytes).is_some_and(|all| all <= chunks::MAX_CHUNK_BYTES),
                None => *cells <= MAX_VARIABLE_CELLS,
            })
            .ok_or_else(|| invalid("a chunk is larger than 256 MiB, or than 2^26 elements of any length"))?;
        let chunk_shape =
            meta.chunk_shape.iter().map(|length| to_usize("a chunk", *length)).collect::<Result<_>>()?;
        let fill = match &meta.fill_value {
            Some(fill) => fill.cell(&meta.dtype)?,
            None => zero_cell(&meta.dtype),
        };
        let shuffle_size = meta.dtype.shuffle_size();
        Ok(Self { chunk_shape, chunk_cells, cell_bytes, fill: fill.into(), shuffle_size, meta })
    }

    pub(crate) fn rank(&self) -> usize {
        self.meta.shape.len()
    }

    /// The bytes of a chunk; `None` where they vary.
    pub(crate) fn chunk_bytes(&self) -> Option<usize> {
        self.cell_bytes.map(|cell| cell.saturating_mul(self.chunk_cells))
    }

    /// The chunks that a region in bounds touches, in C order.
    fn chunks_in(&self, start: &[u64], shape: &[u64]) -> CoordBox {
        let along = |position: u64, axis: usize| u32::try_from(position / self.meta.chunk_shape[axis]);
        let mut first = Coord::new();
        let mut last = Coord::new();
        for axis in 0..self.rank() {
            let end = start[axis].saturating_add(shape[axis]);
            if shape[axis] == 0 {
                return CoordBox::new(Coord::from_slice(&[1]), Coord::from_slice(&[0]));
            }
            // There are at most 2^32 chunks along an axis.
            first.push(along(start[axis], axis).unwrap_or(u32::MAX));
            last.push(along(end - 1, axis).unwrap_or(u32::MAX));
        }
        CoordBox::new(first, last)
    }

    /// The chunks that a region in bounds touches, in C order, as a list.
    ///
    /// # Errors
    /// `TooLarge` for more than a list should have.
    pub(crate) fn list_chunks_in(&self, start: &[u64], shape: &[u64]) -> Result<Vec<Coord>> {
        let axes = start.iter().zip(shape).zip(&self.meta.chunk_shape);
        let counts = axes.map(|((start, length), chunk)| match length.checked_sub(1) {
            None => 0,
            Some(more) => start.saturating_add(more) / chunk - start / chunk + 1,
        });
        check_count(counts)?;
        Ok(self.chunks_in(start, shape).collect())
    }

    /// Where a chunk starts, and the shape of what is of it in the array.
    pub(crate) fn chunk_box(&self, coord: &[u32]) -> (Vec<u64>, Vec<u64>) {
        let start = |axis: usize| u64::from(coord[axis]).saturating_mul(self.meta.chunk_shape[axis]);
        (0..self.rank())
            .map(|axis| {
                let length = self.meta.shape[axis].saturating_sub(start(axis));
                (start(axis), length.min(self.meta.chunk_shape[axis]))
            })
            .unzip()
    }

    /// Whether a chunk has elements in the array.
    pub(crate) fn is_in_bounds(&self, coord: &[u32]) -> bool {
        coord.len() == self.rank() && self.chunk_box(coord).1.iter().all(|length| *length > 0)
    }

    /// A chunk in which nothing was written.
    pub(crate) fn blank_chunk(&self) -> Result<Vec<u8>> {
        match self.chunk_bytes() {
            Some(bytes) => {
                let mut chunk = chunks::zeroed(bytes).map_err(|_| Error::TooLarge {
                    what: "a chunk",
                    size: wide(bytes),
                    limit: wide(chunks::MAX_CHUNK_BYTES),
                })?;
                if self.fill.iter().any(|byte| *byte != 0) {
                    chunk.chunks_exact_mut(self.fill.len()).for_each(|cell| cell.copy_from_slice(&self.fill));
                }
                Ok(chunk)
            }
            None => lay_out(std::iter::repeat_n(&*self.fill, self.chunk_cells)),
        }
    }

    /// Whether a chunk holds the fill value and nothing else.
    pub(crate) fn is_blank(&self, chunk: &[u8]) -> bool {
        match self.cell_bytes {
            Some(_) => is_repeated(chunk, &self.fill),
            None => self.blank_chunk().is_ok_and(|blank| blank == chunk),
        }
    }
}

/// That a region hasn't too many chunks, which are as many along each axis.
///
/// # Errors
/// `TooLarge`.
pub(crate) fn check_count(along: impl Iterator<Item = u64>) -> Result<()> {
    let size = along.fold(1u64, u64::saturating_mul);
    if size > MAX_CHUNKS_AT_ONCE {
        return Err(Error::TooLarge {
            what: "the number of a region's chunks",
            size,
            limit: MAX_CHUNKS_AT_ONCE,
        });
    }
    Ok(())
}

/// Whether `bytes` is `cell` over and over.
fn is_repeated(bytes: &[u8], cell: &[u8]) -> bool {
    // What equals itself one cell further on is periodic; comparing slices is a fast call.
    bytes.get(..cell.len()) == Some(cell) && bytes.get(cell.len()..) == bytes.get(..bytes.len() - cell.len())
}
