//! How a part of an array is cut into cells.

use std::ops::Range;

use engine_api::{Error, ErrorKind, Result};

/// One axis of a part, which isn't empty.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axis {
    /// The number of elements.
    length: usize,
    /// How many of them are in the first cell.
    first: usize,
    /// How many each further cell has, but perhaps the last; no cell has more.
    pub(super) most: usize,
    /// The number of cells.
    pub(super) cells: usize,
}

impl Axis {
    /// An axis of one element, which stands for one that isn't there.
    pub(super) const SINGLE: Self = Self { length: 1, first: 1, most: 1, cells: 1 };

    /// `cell` is the coordinate of the first cell.
    pub(super) fn new(start: i64, length: u64, factor: u64, cell: i64) -> Result<Self> {
        let next = (i128::from(cell) + 1) * i128::from(factor);
        // What is beyond `length` makes no difference.
        let first = u64::try_from(next - i128::from(start)).unwrap_or(u64::MAX).min(length);
        let cells = 1 + (length - first).div_ceil(factor);
        Ok(Self {
            length: to_usize(length)?,
            first: to_usize(first)?,
            most: to_usize(factor.min(length))?,
            cells: to_usize(cells)?,
        })
    }

    /// The elements of a cell, counted from the first of the part.
    pub(super) fn elements(&self, cell: usize) -> Range<usize> {
        match cell.checked_sub(1) {
            None => 0..self.first,
            Some(before) => {
                let start = self.first + before * self.most;
                start..(start + self.most).min(self.length)
            }
        }
    }

    /// The cells of exactly two elements, where all but perhaps the first and the last are.
    pub(super) fn pairs(&self) -> Range<usize> {
        if self.most != 2 {
            return 0..0;
        }
        let start = usize::from(self.first == 1);
        start..start + (self.length - start) / 2
    }
}

pub(super) fn to_usize(value: u64) -> Result<usize> {
    usize::try_from(value).map_err(|_| Error::new(ErrorKind::TooLarge, "the region doesn't fit memory"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use chunks::{Region, coarser_region};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_element_is_in_the_cell_that_its_coordinate_divided_down_names(
            start in prop_oneof![-20i64..20, Just(i64::MIN), Just(i64::MAX - 12)],
            length in 1u64..12,
            factor in prop_oneof![1u64..6, Just(u64::MAX), Just(1u64 << 63)],
        ) {
            let region = Region::new(&[start], &[length]).unwrap();
            let coarser = coarser_region(&region, &[factor]).unwrap();
            let axis = Axis::new(start, length, factor, coarser.offset()[0]).unwrap();
            prop_assert_eq!(u64::try_from(axis.cells).unwrap(), coarser.shape()[0]);
            let mut next = 0;
            for cell in 0..axis.cells {
                let elements = axis.elements(cell);
                prop_assert_eq!(elements.start, next);
                prop_assert!(!elements.is_empty());
                for element in elements.clone() {
                    let at = i128::from(start) + i128::try_from(element).unwrap();
                    let expected = i128::from(coarser.offset()[0]) + i128::try_from(cell).unwrap();
                    prop_assert_eq!(at.div_euclid(i128::from(factor)), expected);
                }
                prop_assert!(factor != 2 || axis.pairs().contains(&cell) == (elements.len() == 2));
                next = elements.end;
            }
            prop_assert_eq!(u64::try_from(next).unwrap(), length);
        }
    }
}
