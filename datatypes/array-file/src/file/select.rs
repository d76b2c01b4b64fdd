//! Reading elements that aren't a box.

use std::collections::BTreeMap;
use std::sync::Arc;

use ndarray::{ArrayD, ArrayView, Dimension, IxDyn};

use super::ArrayFile;
use super::read::{blank, check_bounds, check_dtype, sizes};
use crate::ArrayElement;
use crate::array::{Array, check_count};
use crate::cells::VarCells;
use crate::coord::Coord;
use crate::error::{Error, Result};
use crate::fetch::Portion;
use crate::runs::strides;
use crate::transfer::{Output, ValueOutput};
use crate::wire::{to_usize, wide};

impl ArrayFile {
    /// Reads every `step`-th element of a region along each axis, the first of it first. Chunks without any
    /// of them aren't read.
    ///
    /// # Errors
    /// As [`read_array`](Self::read_array); `OutOfBounds` when the region reaches beyond the array, and
    /// `InvalidValue` for a step of zero.
    pub async fn read_strided<T: ArrayElement>(
        &self,
        name: &str,
        start: &[u64],
        shape: &[u64],
        step: &[u64],
    ) -> Result<ArrayD<T>> {
        let array = Arc::clone(self.catalog.get(name)?);
        check_dtype::<T>(&array)?;
        check_bounds(&array, start, shape)?;
        super::read::check_rank(&array, step.len())?;
        if step.contains(&0) {
            return Err(Error::invalid("a step is at least one", 0));
        }
        let taken: Vec<u64> = shape.iter().zip(step).map(|(length, step)| length.div_ceil(*step)).collect();
        let (out_shape, elements) = sizes(&taken, size_of::<T>())?;
        let mut output = ValueOutput { values: blank::<T>(elements)?, cell: array.cell_bytes };
        let axes: Vec<Picks> = (0..array.rank())
            .map(|axis| Picks::new(start[axis], taken[axis], step[axis], array.meta.chunk_shape[axis]))
            .collect();
        if elements > 0 {
            check_count(axes.iter().map(Picks::most_chunks))?;
            let coords = crossed(&axes);
            let (in_steps, out_steps) = (strides(&array.chunk_shape), strides(&out_shape));
            self.visit_chunks(&array, &coords, Portion::Part, |number, chunk| {
                let coord = &coords[number];
                let mut points = vec![(0, 0)];
                for (axis, picks) in axes.iter().enumerate() {
                    let along = picks.in_chunk(coord[axis])?;
                    points = points
                        .iter()
                        .flat_map(|(read, write)| {
                            let steps = (in_steps[axis], out_steps[axis]);
                            along.iter().map(move |(from, to)| (read + from * steps.0, write + to * steps.1))
                        })
                        .collect();
                }
                pick(&array, chunk, &points, &mut output)
            })
            .await?;
        }
        ArrayD::from_shape_vec(IxDyn(&out_shape), output.values)
            .map_err(|error| Error::invalid("the region isn't possible", error))
    }

    /// Reads the elements where `mask`, whose first element lies at `start`, is true, in C order. Chunks without
    /// any of them aren't read.
    ///
    /// # Errors
    /// As [`read_strided`](Self::read_strided).
    pub async fn read_masked<T: ArrayElement, D: Dimension>(
        &self,
        name: &str,
        start: &[u64],
        mask: ArrayView<'_, bool, D>,
    ) -> Result<Vec<T>> {
        let array = Arc::clone(self.catalog.get(name)?);
        check_dtype::<T>(&array)?;
        let shape: Vec<u64> = mask.shape().iter().map(|length| wide(*length)).collect();
        check_bounds(&array, start, &shape)?;
        let steps = strides(&array.chunk_shape);
        let mut by_chunk: BTreeMap<Coord, Vec<(usize, usize)>> = BTreeMap::new();
        let mut count = 0;
        for (position, wanted) in mask.into_dyn().indexed_iter() {
            if !*wanted {
                continue;
            }
            let mut coord = Coord::new();
            let mut inside = 0;
            for axis in 0..array.rank() {
                let at = start[axis] + wide(position[axis]);
                coord.push(u32::try_from(at / array.meta.chunk_shape[axis]).unwrap_or(u32::MAX));
                inside += to_usize("a chunk", at % array.meta.chunk_shape[axis])? * steps[axis];
            }
            by_chunk.entry(coord).or_default().push((inside, count));
            count += 1;
        }
        let mut output = ValueOutput { values: blank::<T>(count)?, cell: array.cell_bytes };
        let (coords, points): (Vec<Coord>, Vec<_>) = by_chunk.into_iter().unzip();
        self.visit_chunks(&array, &coords, Portion::Part, |number, chunk| {
            pick(&array, chunk, &points[number], &mut output)
        })
        .await?;
        Ok(output.values)
    }
}

/// The elements that are taken along one axis.
struct Picks {
    start: u64,
    count: u64,
    step: u64,
    chunk: u64,
}

impl Picks {
    fn new(start: u64, count: u64, step: u64, chunk: u64) -> Self {
        Self { start, count, step, chunk }
    }

    /// How many chunks have any, at most.
    fn most_chunks(&self) -> u64 {
        let last = self.start + self.count.saturating_sub(1) * self.step;
        self.count.min(last / self.chunk - self.start / self.chunk + 1)
    }

    /// The chunks that have any.
    fn chunks(&self) -> Vec<u32> {
        let mut chunks = Vec::new();
        let mut taken = 0;
        while taken < self.count {
            let at = self.start + taken * self.step;
            chunks.push(u32::try_from(at / self.chunk).unwrap_or(u32::MAX));
            // On to the first that lies behind this chunk.
            let behind = (at / self.chunk + 1).saturating_mul(self.chunk) - self.start;
            taken = behind.div_ceil(self.step);
        }
        chunks
    }

    /// Those in a chunk: where in it they are, and which they are of those taken.
    fn in_chunk(&self, coord: u32) -> Result<Vec<(usize, usize)>> {
        let begin = u64::from(coord).saturating_mul(self.chunk);
        let first = begin.saturating_sub(self.start).div_ceil(self.step);
        let mut picks = Vec::new();
        for taken in first..self.count {
            let inside = self.start + taken * self.step - begin;
            if inside >= self.chunk {
                break;
            }
            picks.push((to_usize("a chunk", inside)?, to_usize("a region", taken)?));
        }
        Ok(picks)
    }
}

/// The chunks that all axes have, in C order.
fn crossed(axes: &[Picks]) -> Vec<Coord> {
    axes.iter().fold(vec![Coord::new()], |coords, axis| {
        let along = axis.chunks();
        coords
            .iter()
            .flat_map(|coord| {
                along.iter().map(|at| {
                    let mut coord = coord.clone();
                    coord.push(*at);
                    coord
                })
            })
            .collect()
    })
}

/// Takes elements out of a chunk, or the fill value where it isn't stored.
fn pick(
    array: &Array,
    chunk: Option<&[u8]>,
    points: &[(usize, usize)],
    output: &mut impl Output,
) -> Result<()> {
    let missing = || Error::corrupt("", "a chunk is too short");
    match (chunk, array.cell_bytes) {
        (None, _) => points.iter().try_for_each(|(_, write)| output.fill(*write, 1, &array.fill)),
        (Some(chunk), Some(cell)) => points.iter().try_for_each(|(read, write)| {
            let cell = chunk.get(read * cell..(read + 1) * cell);
            output.numbers(*write, cell.ok_or_else(missing)?)
        }),
        (Some(chunk), None) => {
            let cells = VarCells::parse(chunk, array.chunk_cells)?;
            points.iter().try_for_each(|(read, write)| output.cell(*write, cells.get(*read)))
        }
    }
}
