//! How a part of an array is cut into cells.

use std::ops::Range;

use chunks::{MAX_RANK, Region};
use engine_api::{Error, ErrorKind, Result};

/// The elements of a coarser scale that a region of the finer one has elements in: along each axis, from the
/// first element's coordinate divided by the factor, rounded down, to the last's.
///
/// ```
/// use chunks::Region;
/// use downres::coarser_region;
///
/// # fn main() -> engine_api::Result<()> {
/// let fine: Region = "-3:5,7:8".parse()?;
/// assert_eq!(coarser_region(&fine, &[2, 4])?.to_string(), "-2:3,1:2");
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// `InvalidArgument` when there isn't one factor per axis, or one is zero.
pub fn coarser_region(region: &Region, factors: &[u64]) -> Result<Region> {
    if factors.len() != region.rank() {
        return Err(Error::new(ErrorKind::InvalidArgument, "there isn't one factor per axis")
            .with("factors", factors.len())
            .with("axes", region.rank()));
    }
    if factors.contains(&0) {
        return Err(Error::new(ErrorKind::InvalidArgument, "a factor is zero")
            .with("factors", format_args!("{factors:?}")));
    }
    let (mut offset, mut shape) = ([0; MAX_RANK], [0; MAX_RANK]);
    for (axis, &factor) in factors.iter().enumerate() {
        let start = divide_down(region.offset()[axis], factor);
        offset[axis] = start;
        if region.shape()[axis] > 0 {
            shape[axis] = start.abs_diff(divide_down(region.end(axis) - 1, factor)) + 1;
        }
    }
    Region::new(&offset[..factors.len()], &shape[..factors.len()])
}

/// The quotient rounded down. It is no farther from zero than what is divided, or -1.
fn divide_down(at: i64, factor: u64) -> i64 {
    match i64::try_from(factor) {
        Ok(factor) => at.div_euclid(factor),
        // A factor beyond the coordinates leaves one cell on either side of zero.
        Err(_) => -i64::from(at < 0),
    }
}

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
    use proptest::prelude::*;

    #[test]
    fn extremes_are_divided_down() {
        for (at, factor, cell) in [
            (i64::MIN, 1, i64::MIN),
            (i64::MIN, 2, i64::MIN / 2),
            (i64::MIN, 1 << 63, -1),
            (i64::MIN, u64::MAX, -1),
            (-1, u64::MAX, -1),
            (0, u64::MAX, 0),
            (i64::MAX, u64::MAX, 0),
            (i64::MAX, 1, i64::MAX),
            (-1, 2, -1),
            (-2, 2, -1),
            (-3, 2, -2),
        ] {
            assert_eq!(divide_down(at, factor), cell, "{at} / {factor}");
        }
    }

    #[test]
    fn wrong_factors_are_refused() {
        let region: Region = "0:4,0:4".parse().unwrap();
        for factors in [[2].as_slice(), &[2, 2, 2], &[2, 0], &[]] {
            assert_eq!(coarser_region(&region, factors).unwrap_err().kind(), ErrorKind::InvalidArgument);
        }
    }

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
