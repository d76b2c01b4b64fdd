//! The statistics of one chunk.

use half::f16;

use super::scan::{
    scan_f16, scan_f32, scan_f64, scan_i8, scan_i16, scan_i32, scan_i64, scan_u8, scan_u16, scan_u32,
    scan_u64,
};
use crate::DType;
use crate::array::Array;
use crate::cells::VarCells;
use crate::error::Result;
use crate::runs::runs_within;

/// Texts and bytes longer than this aren't kept whole.
const LONGEST_BOUND: usize = 256;

/// The least or the greatest of a chunk, as the index keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Slot {
    /// An integer widened to 64 bits, or the bits of a float widened to `f64`.
    Number(u64),
    Bytes(Vec<u8>),
}

/// What the index keeps of a chunk's elements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ChunkStats {
    /// How many elements aren't null.
    pub(crate) valid: u32,
    pub(crate) bounds: Option<(Slot, Slot)>,
    pub(crate) min_is_exact: bool,
    pub(crate) max_is_exact: bool,
}

impl ChunkStats {
    /// Of what a chunk has in the array.
    pub(crate) fn of(array: &Array, coord: &[u32], chunk: &[u8]) -> Result<Self> {
        let skip = array.meta.fill_value.as_ref().map(|_| &*array.fill);
        let (_, within) = array.chunk_box(coord);
        // Beyond the array's edge there is only the fill value, which doesn't count where there is one.
        let cut = skip.is_none() && within != array.meta.chunk_shape;
        match array.cell_bytes {
            Some(cell) if cut => {
                let mut inside = Vec::new();
                for run in runs_within(&array.chunk_shape, &within)? {
                    inside.extend_from_slice(chunk.get(run.start * cell..run.end * cell).unwrap_or_default());
                }
                Ok(Self::of_numbers(&array.meta.dtype, &inside, cell, skip))
            }
            Some(cell) => Ok(Self::of_numbers(&array.meta.dtype, chunk, cell, skip)),
            None => {
                let cells = VarCells::parse(chunk, array.chunk_cells)?;
                let mut indices = Vec::new();
                if cut {
                    runs_within(&array.chunk_shape, &within)?.for_each(|run| indices.extend(run));
                } else {
                    indices.extend(0..array.chunk_cells);
                }
                let inside = indices.into_iter().map(|index| cells.get(index));
                Ok(Self::of_cells(&array.meta.dtype, inside, skip))
            }
        }
    }

    fn of_numbers(dtype: &DType, cells: &[u8], cell_bytes: usize, skip: Option<&[u8]>) -> Self {
        macro_rules! scan {
            ($scan:ident, $number:ty, $widen:expr) => {{
                let skip = skip.and_then(|cell| cell.try_into().ok()).map(<$number>::from_le_bytes);
                let (valid, bounds) = $scan(cells.as_chunks().0, skip);
                let bounds = bounds.map(|(min, max)| (Slot::Number($widen(min)), Slot::Number($widen(max))));
                Self { valid, bounds, min_is_exact: true, max_is_exact: true }
            }};
        }
        match dtype {
            DType::Bool | DType::UInt8 => scan!(scan_u8, u8, u64::from),
            DType::UInt16 => scan!(scan_u16, u16, u64::from),
            DType::UInt32 => scan!(scan_u32, u32, u64::from),
            DType::UInt64 => scan!(scan_u64, u64, |value: u64| value),
            DType::Int8 => scan!(scan_i8, i8, |value| i64::from(value).cast_unsigned()),
            DType::Int16 => scan!(scan_i16, i16, |value| i64::from(value).cast_unsigned()),
            DType::Int32 => scan!(scan_i32, i32, |value| i64::from(value).cast_unsigned()),
            DType::Int64 | DType::TimestampNs => scan!(scan_i64, i64, i64::cast_unsigned),
            DType::Float16 => {
                scan!(scan_f16, i16, |bits: i16| f16::from_bits(bits.cast_unsigned()).to_f64().to_bits())
            }
            DType::Float32 => {
                scan!(scan_f32, i32, |bits: i32| f64::from(f32::from_bits(bits.cast_unsigned())).to_bits())
            }
            DType::Float64 => scan!(scan_f64, i64, i64::cast_unsigned),
            _ => {
                let valid = cells.chunks_exact(cell_bytes.max(1)).filter(|cell| Some(*cell) != skip).count();
                Self::counted(valid)
            }
        }
    }

    fn of_cells<'a>(dtype: &DType, cells: impl Iterator<Item = &'a [u8]>, skip: Option<&[u8]>) -> Self {
        let mut valid = 0;
        let mut bounds: Option<(&[u8], &[u8])> = None;
        for cell in cells.filter(|cell| Some(*cell) != skip) {
            valid += 1;
            bounds = Some(bounds.map_or((cell, cell), |(min, max)| (min.min(cell), max.max(cell))));
        }
        let Some((min, max)) = bounds.filter(|_| matches!(dtype, DType::String | DType::Binary)) else {
            return Self::counted(valid);
        };
        let (least, greatest) = (min.get(..LONGEST_BOUND).unwrap_or(min).to_vec(), cut_above(max));
        Self {
            min_is_exact: least == min,
            max_is_exact: greatest == max,
            bounds: Some((Slot::Bytes(least), Slot::Bytes(greatest))),
            ..Self::counted(valid)
        }
    }

    fn counted(valid: usize) -> Self {
        let valid = u32::try_from(valid).unwrap_or(u32::MAX);
        Self { valid, bounds: None, min_is_exact: true, max_is_exact: true }
    }
}

/// The bytes, or where they are long fewer that are greater.
fn cut_above(bytes: &[u8]) -> Vec<u8> {
    let Some(head) = bytes.get(..LONGEST_BOUND).filter(|head| head.len() < bytes.len()) else {
        return bytes.to_vec();
    };
    match head.iter().rposition(|byte| *byte != u8::MAX) {
        None => bytes.to_vec(),
        Some(last) => {
            let mut above = head.get(..=last).unwrap_or(head).to_vec();
            if let Some(byte) = above.last_mut() {
                *byte += 1;
            }
            above
        }
    }
}
