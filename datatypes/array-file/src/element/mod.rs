//! Rust types as elements of arrays.

mod lists;
mod numbers;

pub use lists::List;
pub use numbers::TimestampNs;

use crate::DType;

/// A Rust type whose values are elements of arrays.
///
/// The bytes of one element are its *cell*. Cells of numbers are little-endian and all equally long; those of
/// strings, binary and lists have any length.
pub trait ArrayElement: Clone + Send + Sync + 'static {
    /// The type of element that it is stored as.
    fn dtype() -> DType;

    /// The value of elements that were never written, where an array has no fill value: zero, or empty.
    fn zero() -> Self;

    /// Appends the cell.
    fn write_cell(&self, out: &mut Vec<u8>);

    /// The value of a cell; `None` for bytes that no value has.
    fn read_cell(cell: &[u8]) -> Option<Self>;

    /// Writes cells of one length side by side. `out` is as long as they are; only elements of a
    /// [fixed size](DType::element_size) are written so.
    fn store(values: &[Self], out: &mut [u8]) {
        let Some(size) = out.len().checked_div(values.len()).filter(|size| *size > 0) else { return };
        let mut cell = Vec::with_capacity(size);
        for (value, slot) in values.iter().zip(out.chunks_exact_mut(size)) {
            cell.clear();
            value.write_cell(&mut cell);
            slot.copy_from_slice(&cell);
        }
    }

    /// Reads what [`store`](Self::store) wrote; `false` for bytes that no value has.
    fn load(cells: &[u8], out: &mut [Self]) -> bool {
        let Some(size) = cells.len().checked_div(out.len()).filter(|size| *size > 0) else {
            return out.is_empty();
        };
        cells.chunks_exact(size).zip(out).all(|(cell, slot)| match Self::read_cell(cell) {
            Some(value) => {
                *slot = value;
                true
            }
            None => false,
        })
    }
}
