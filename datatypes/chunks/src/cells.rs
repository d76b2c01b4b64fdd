//! The elements that become one.

use engine_api::{Error, ErrorKind, Result};

use crate::Region;
use crate::axes::MAX_RANK;

/// The elements of a coarser scale that a region of the finer one has elements in: along each axis, from the
/// first element's coordinate divided by the factor, rounded down, to the last's.
///
/// ```
/// use chunks::{Region, coarser_region};
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
