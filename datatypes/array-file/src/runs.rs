//! Boxes inside row-major arrays, as runs of elements that lie side by side.

use std::ops::Range;

use smallvec::SmallVec;

use crate::error::Result;
use crate::wire::to_usize;

type Axes = SmallVec<[usize; 6]>;

/// Elements from one to the next along each axis of a row-major array.
pub(crate) fn strides(shape: &[usize]) -> Axes {
    let mut strides = Axes::from_elem(1, shape.len());
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis].saturating_mul(shape[axis]);
    }
    strides
}

/// The runs of a box in two row-major arrays at once.
#[derive(Debug)]
pub(crate) struct PairedRuns {
    counts: Axes,
    index: Axes,
    steps: [Axes; 2],
    at: [usize; 2],
    length: usize,
    done: bool,
}

/// Where a box begins in an array of this shape.
pub(crate) struct Placed<'a> {
    pub(crate) shape: &'a [usize],
    pub(crate) start: &'a [usize],
}

impl PairedRuns {
    /// The box has the shape `extent`; it must be inside both arrays.
    pub(crate) fn new(extent: &[usize], first: &Placed<'_>, second: &Placed<'_>) -> Self {
        let both = [first, second];
        let all_steps = both.map(|placed| strides(placed.shape));
        let at = [0, 1].map(|side| {
            both[side].start.iter().zip(&all_steps[side]).map(|(start, step)| start * step).sum::<usize>()
        });
        let mut length = 1;
        let mut outer = extent.len();
        while outer > 0 {
            outer -= 1;
            length *= extent[outer];
            if both.iter().any(|placed| placed.shape[outer] != extent[outer]) {
                break;
            }
        }
        let cut = |steps: &Axes| steps.iter().take(outer).copied().collect();
        Self {
            counts: extent.iter().take(outer).copied().collect(),
            index: Axes::from_elem(0, outer),
            steps: [cut(&all_steps[0]), cut(&all_steps[1])],
            at,
            length,
            done: extent.contains(&0),
        }
    }

    /// The elements of every run.
    pub(crate) fn length(&self) -> usize {
        self.length
    }

    /// Hands each run to `visit`, where it begins in the first array and in the second; faster than one after
    /// another.
    pub(crate) fn visit(mut self, mut visit: impl FnMut(usize, usize) -> Result<()>) -> Result<()> {
        // The innermost axis is a loop without a look at the others.
        let (inner, steps) = match self.counts.pop() {
            None => (1, [0, 0]),
            Some(count) => (count, [0, 1].map(|side| self.steps[side].pop().unwrap_or_default())),
        };
        self.index.truncate(self.counts.len());
        for (first, second) in self {
            for step in 0..inner {
                visit(first + step * steps[0], second + step * steps[1])?;
            }
        }
        Ok(())
    }
}

impl Iterator for PairedRuns {
    /// Where a run begins in the first array, and in the second.
    type Item = (usize, usize);

    fn next(&mut self) -> Option<(usize, usize)> {
        if self.done {
            return None;
        }
        let found = (self.at[0], self.at[1]);
        self.done = true;
        for axis in (0..self.counts.len()).rev() {
            self.index[axis] += 1;
            if self.index[axis] < self.counts[axis] {
                self.at[0] += self.steps[0][axis];
                self.at[1] += self.steps[1][axis];
                self.done = false;
                break;
            }
            self.index[axis] = 0;
            for side in 0..2 {
                self.at[side] -= self.steps[side][axis] * (self.counts[axis] - 1);
            }
        }
        Some(found)
    }
}

/// The runs of the box of shape `extent` at the beginning of a row-major array.
pub(crate) fn runs_within(shape: &[usize], extent: &[u64]) -> Result<impl Iterator<Item = Range<usize>>> {
    let extent: Axes = extent.iter().map(|length| to_usize("a box", *length)).collect::<Result<_>>()?;
    let zeros = Axes::from_elem(0, shape.len());
    let placed = Placed { shape, start: &zeros };
    let runs = PairedRuns::new(&extent, &placed, &placed);
    let length = runs.length();
    Ok(runs.map(move |(at, _)| at..at + length))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use ndarray::{ArrayD, Dimension, IxDyn, SliceInfoElem};
    use proptest::prelude::*;

    /// Per axis: the lengths of the two arrays, the starts, and the extent.
    fn axes() -> impl Strategy<Value = Vec<[usize; 5]>> {
        let axis = (0usize..3, 0usize..3, 0usize..4, 0usize..3, 0usize..3)
            .prop_map(|(a, b, extent, more, less)| [a + extent + more, b + extent + less, a, b, extent]);
        prop::collection::vec(axis, 0..5)
    }

    proptest! {
        #[test]
        fn runs_cover_the_box_in_both_arrays(axes in axes()) {
            let part = |n: usize| axes.iter().map(|axis| axis[n]).collect::<Vec<_>>();
            let (shapes, starts, extent) = ([part(0), part(1)], [part(2), part(3)], part(4));
            let runs = PairedRuns::new(
                &extent,
                &Placed { shape: &shapes[0], start: &starts[0] },
                &Placed { shape: &shapes[1], start: &starts[1] },
            );
            let length = runs.length();
            let mut found = Vec::new();
            runs.visit(|a, b| {
                found.extend((0..length).map(|step| (a + step, b + step)));
                Ok(())
            })
            .unwrap();
            let positions = |side: usize| {
                let shape = &shapes[side];
                let all = ArrayD::from_shape_fn(IxDyn(shape), |at| {
                    at.as_array_view().iter().zip(strides(shape)).map(|(at, step)| at * step).sum::<usize>()
                });
                let slices: Vec<SliceInfoElem> = (0..extent.len())
                    .map(|axis| (starts[side][axis]..starts[side][axis] + extent[axis]).into())
                    .collect();
                all.slice(slices.as_slice()).iter().copied().collect::<Vec<usize>>()
            };
            let expected: Vec<(usize, usize)> = positions(0).into_iter().zip(positions(1)).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
