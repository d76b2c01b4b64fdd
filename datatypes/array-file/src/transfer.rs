//! Elements between a caller's arrays and chunks.

use ndarray::{ArrayView, Dimension, Slice};

use crate::ArrayElement;
use crate::array::Array;
use crate::cells::{VarCells, lay_out};
use crate::error::{Error, Result};
use crate::runs::{PairedRuns, Placed};

/// What a region is written from.
pub(crate) trait Input {
    /// Writes the elements of a box into `out`, row-major; they are of a fixed size.
    fn numbers(&self, start: &[usize], extent: &[usize], out: &mut [u8]) -> Result<()>;

    /// The cells of a box, row-major.
    fn cells(&self, start: &[usize], extent: &[usize]) -> Result<Vec<Vec<u8>>>;
}

/// A view, however its elements lie in memory.
pub(crate) struct ViewInput<'a, T, D>(pub(crate) ArrayView<'a, T, D>);

impl<T: ArrayElement, D: Dimension> ViewInput<'_, T, D> {
    fn part(&self, start: &[usize], extent: &[usize]) -> ArrayView<'_, T, D> {
        let mut part = self.0.view();
        part.slice_each_axis_inplace(|axis| {
            let from = start[axis.axis.index()];
            Slice::from(from..from + extent[axis.axis.index()])
        });
        part
    }
}

impl<T: ArrayElement, D: Dimension> Input for ViewInput<'_, T, D> {
    fn numbers(&self, start: &[usize], extent: &[usize], out: &mut [u8]) -> Result<()> {
        let part = self.part(start, extent);
        if let Some(all) = part.as_slice() {
            T::store(all, out);
            return Ok(());
        }
        let cell = out.len() / part.len().max(1);
        let row_bytes = extent.last().map_or(cell, |length| length * cell);
        for (row, slot) in part.rows().into_iter().zip(out.chunks_exact_mut(row_bytes.max(1))) {
            match row.as_slice() {
                Some(row) => T::store(row, slot),
                None => {
                    for (value, slot) in row.iter().zip(slot.chunks_exact_mut(cell.max(1))) {
                        T::store(std::slice::from_ref(value), slot);
                    }
                }
            }
        }
        Ok(())
    }

    fn cells(&self, start: &[usize], extent: &[usize]) -> Result<Vec<Vec<u8>>> {
        let cell = |value: &T| {
            let mut cell = Vec::new();
            value.write_cell(&mut cell);
            cell
        };
        Ok(self.part(start, extent).iter().map(cell).collect())
    }
}

/// Elements of a fixed size as they are stored, row-major.
pub(crate) struct ByteInput<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) shape: &'a [usize],
    pub(crate) cell: usize,
}

impl Input for ByteInput<'_> {
    fn numbers(&self, start: &[usize], extent: &[usize], out: &mut [u8]) -> Result<()> {
        let zeros = vec![0; extent.len()];
        let from = Placed { shape: self.shape, start };
        copy_box(self.bytes, &from, out, &Placed { shape: extent, start: &zeros }, extent, self.cell)
    }

    fn cells(&self, _: &[usize], _: &[usize]) -> Result<Vec<Vec<u8>>> {
        Err(out_of_range())
    }
}

/// What a region is read into; positions count elements from its first.
pub(crate) trait Output {
    /// Whether it holds zeros before anything is written.
    const BLANK: bool;

    /// Elements of a fixed size that lie side by side.
    fn numbers(&mut self, at: usize, cells: &[u8]) -> Result<()>;

    /// An element of any length.
    fn cell(&mut self, at: usize, cell: &[u8]) -> Result<()>;

    /// The same element over and over.
    fn fill(&mut self, at: usize, count: usize, cell: &[u8]) -> Result<()>;
}

pub(crate) fn no_value() -> Error {
    Error::corrupt("", "an element's bytes are no value of its type")
}

fn out_of_range() -> Error {
    Error::invalid("the region's elements aren't where they should be", "")
}

/// Elements of a Rust type.
pub(crate) struct ValueOutput<T> {
    pub(crate) values: Vec<T>,
    pub(crate) cell: Option<usize>,
}

impl<T: ArrayElement> Output for ValueOutput<T> {
    const BLANK: bool = true;

    fn numbers(&mut self, at: usize, cells: &[u8]) -> Result<()> {
        let count = cells.len() / self.cell.unwrap_or(1).max(1);
        let slots = self.values.get_mut(at..at + count).ok_or_else(out_of_range)?;
        if T::load(cells, slots) { Ok(()) } else { Err(no_value()) }
    }

    fn cell(&mut self, at: usize, cell: &[u8]) -> Result<()> {
        *self.values.get_mut(at).ok_or_else(out_of_range)? = T::read_cell(cell).ok_or_else(no_value)?;
        Ok(())
    }

    fn fill(&mut self, at: usize, count: usize, cell: &[u8]) -> Result<()> {
        let value = T::read_cell(cell).ok_or_else(no_value)?;
        self.values.get_mut(at..at + count).ok_or_else(out_of_range)?.fill(value);
        Ok(())
    }
}

/// Elements of a fixed size as they are stored.
pub(crate) struct ByteOutput<'a> {
    pub(crate) bytes: &'a mut [u8],
    pub(crate) cell: usize,
}

impl Output for ByteOutput<'_> {
    // The bytes are the caller's, who may have read something else into them.
    const BLANK: bool = false;

    fn numbers(&mut self, at: usize, cells: &[u8]) -> Result<()> {
        let from = at * self.cell;
        self.bytes.get_mut(from..from + cells.len()).ok_or_else(out_of_range)?.copy_from_slice(cells);
        Ok(())
    }

    fn cell(&mut self, _: usize, _: &[u8]) -> Result<()> {
        Err(out_of_range())
    }

    fn fill(&mut self, at: usize, count: usize, cell: &[u8]) -> Result<()> {
        let slots = self.bytes.get_mut(at * self.cell..(at + count) * self.cell).ok_or_else(out_of_range)?;
        slots.chunks_exact_mut(self.cell).for_each(|slot| slot.copy_from_slice(cell));
        Ok(())
    }
}

/// Copies a box between row-major arrays of elements of one size.
pub(crate) fn copy_box(
    from: &[u8],
    from_at: &Placed<'_>,
    to: &mut [u8],
    to_at: &Placed<'_>,
    extent: &[usize],
    cell: usize,
) -> Result<()> {
    let runs = PairedRuns::new(extent, from_at, to_at);
    let bytes = runs.length() * cell;
    runs.visit(|read, write| {
        let (read, write) = (read * cell, write * cell);
        let source = from.get(read..read + bytes).ok_or_else(out_of_range)?;
        to.get_mut(write..write + bytes).ok_or_else(out_of_range)?.copy_from_slice(source);
        Ok(())
    })
}

/// Writes a box of the input over a box of a chunk.
pub(crate) fn patch_chunk(
    array: &Array,
    chunk: &mut Vec<u8>,
    at: &[usize],
    input: &impl Input,
    from: &[usize],
    extent: &[usize],
) -> Result<()> {
    let zeros = vec![0; extent.len()];
    let (source, target) =
        (Placed { shape: extent, start: &zeros }, Placed { shape: &array.chunk_shape, start: at });
    if let Some(cell) = array.cell_bytes {
        let mut part = vec![0; extent.iter().product::<usize>() * cell];
        input.numbers(from, extent, &mut part)?;
        return copy_box(&part, &source, chunk, &target, extent, cell);
    }
    let new = input.cells(from, extent)?;
    let old = VarCells::parse(chunk, array.chunk_cells)?;
    let mut cells: Vec<&[u8]> = (0..array.chunk_cells).map(|index| old.get(index)).collect();
    let runs = PairedRuns::new(extent, &source, &target);
    let length = runs.length();
    runs.visit(|read, write| {
        for step in 0..length {
            let slot = cells.get_mut(write + step).ok_or_else(out_of_range)?;
            *slot = new.get(read + step).ok_or_else(out_of_range)?;
        }
        Ok(())
    })?;
    *chunk = lay_out(cells.into_iter())?;
    Ok(())
}

/// Reads a box of a chunk, or of one that isn't stored, into a box of the output.
pub(crate) fn scatter_chunk(
    array: &Array,
    chunk: Option<&[u8]>,
    at: &[usize],
    output: &mut impl Output,
    output_at: &Placed<'_>,
    extent: &[usize],
) -> Result<()> {
    let runs = PairedRuns::new(extent, &Placed { shape: &array.chunk_shape, start: at }, output_at);
    let length = runs.length();
    match (chunk, array.cell_bytes) {
        (None, _) => runs.visit(|_, write| output.fill(write, length, &array.fill)),
        (Some(chunk), Some(cell)) => runs.visit(|read, write| {
            let cells = chunk.get(read * cell..(read + length) * cell);
            output.numbers(write, cells.ok_or_else(out_of_range)?)
        }),
        (Some(chunk), None) => {
            let cells = VarCells::parse(chunk, array.chunk_cells)?;
            runs.visit(|read, write| {
                (0..length).try_for_each(|step| output.cell(write + step, cells.get(read + step)))
            })
        }
    }
}
