//! Boxes of elements.

use std::fmt;
use std::str::FromStr;

use engine_api::{Error, ErrorKind, Result};

use crate::axes::{Axes, rank_mismatch};

/// An axis-aligned box of elements: a signed offset and a shape, slowest axis first.
///
/// Its text is `start:end` per axis with the end left out of the box, such as `0:64,-8:8,5:6` (z, y, x). A
/// region may be empty; it always has an end that fits `i64` and fewer than 2^63 elements.
///
/// ```
/// use chunks::Region;
///
/// # fn main() -> engine_api::Result<()> {
/// let region: Region = "0:10,5:20".parse()?;
/// assert_eq!((region.offset(), region.shape()), ([0, 5].as_slice(), [10, 15].as_slice()));
/// let other = Region::new(&[-3, 18], &[5, 100])?;
/// assert_eq!(region.intersection(&other).unwrap().to_string(), "0:2,18:20");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Region {
    offset: Axes<i64>,
    shape: Axes<u64>,
}

impl Region {
    /// The region that begins at `offset` and is `shape` elements long.
    ///
    /// # Errors
    /// `InvalidArgument` when the numbers of axes differ or aren't one to five; `TooLarge` when the end or the
    /// number of elements doesn't fit `i64`.
    pub fn new(offset: &[i64], shape: &[u64]) -> Result<Self> {
        if offset.len() != shape.len() {
            return Err(rank_mismatch(offset.len(), shape.len()));
        }
        let region = Self { offset: Axes::new(offset)?, shape: Axes::new(shape)? };
        let ends_fit =
            offset.iter().zip(shape).all(|(start, length)| start.checked_add_unsigned(*length).is_some());
        if !ends_fit || element_count(shape).is_none() {
            return Err(Error::new(ErrorKind::TooLarge, "the region has too many elements")
                .with("offset", format_args!("{offset:?}"))
                .with("shape", format_args!("{shape:?}")));
        }
        Ok(region)
    }

    /// For callers that have checked what [`new`](Self::new) checks.
    pub(crate) fn from_parts(offset: Axes<i64>, shape: Axes<u64>) -> Self {
        Self { offset, shape }
    }

    /// The region of this shape at the origin.
    pub fn at_origin(shape: &[u64]) -> Result<Self> {
        Self::new(&[0; crate::MAX_RANK][..shape.len().min(crate::MAX_RANK)], shape)
    }

    /// The number of axes.
    pub fn rank(&self) -> usize {
        self.offset.len()
    }

    /// The first element, per axis.
    pub fn offset(&self) -> &[i64] {
        &self.offset
    }

    /// The number of elements, per axis.
    pub fn shape(&self) -> &[u64] {
        &self.shape
    }

    /// One past the last element of an axis; zero for an axis that there isn't.
    pub fn end(&self, axis: usize) -> i64 {
        match (self.offset.get(axis), self.shape.get(axis)) {
            (Some(start), Some(length)) => start.saturating_add_unsigned(*length),
            _ => 0,
        }
    }

    /// The number of elements.
    pub fn elements(&self) -> u64 {
        // It was checked to fit when the region was made.
        element_count(&self.shape).unwrap_or(u64::MAX)
    }

    /// Whether there is no element in it.
    pub fn is_empty(&self) -> bool {
        self.shape.contains(&0)
    }

    /// What both regions hold, or `None` when no element is in both; regions with different numbers of axes
    /// have nothing in common.
    pub fn intersection(&self, other: &Self) -> Option<Self> {
        if self.rank() != other.rank() {
            return None;
        }
        let mut offset = self.offset;
        let mut shape = self.shape;
        for axis in 0..self.rank() {
            let start = self.offset[axis].max(other.offset[axis]);
            let end = self.end(axis).min(other.end(axis));
            offset[axis] = start;
            shape[axis] = u64::try_from(end.checked_sub(start)?).ok().filter(|length| *length > 0)?;
        }
        Some(Self { offset, shape })
    }

    /// The part whose elements lie in `start..end` along an axis; it may be empty.
    #[must_use]
    pub fn slice(&self, axis: usize, start: i64, end: i64) -> Self {
        let mut part = *self;
        if axis < self.rank() {
            let start = start.clamp(self.offset[axis], self.end(axis));
            let end = end.clamp(start, self.end(axis));
            part.offset[axis] = start;
            part.shape[axis] = start.abs_diff(end);
        }
        part
    }

    /// Whether every element of `other` is in this region and the numbers of axes agree.
    pub fn contains(&self, other: &Self) -> bool {
        self.rank() == other.rank()
            && (other.is_empty()
                || (0..self.rank())
                    .all(|axis| self.offset[axis] <= other.offset[axis] && other.end(axis) <= self.end(axis)))
    }

    /// The length in bytes of a buffer for this region.
    ///
    /// # Errors
    /// `TooLarge` when no buffer can be that long.
    pub fn bytes(&self, element_size: usize) -> Result<usize> {
        usize::try_from(self.elements())
            .ok()
            .and_then(|elements| elements.checked_mul(element_size))
            .filter(|bytes| isize::try_from(*bytes).is_ok())
            .ok_or_else(|| {
                Error::new(ErrorKind::TooLarge, "the region doesn't fit memory").with("region", self)
            })
    }
}

/// The product of a shape, where it fits `i64`.
pub(crate) fn element_count(shape: &[u64]) -> Option<u64> {
    if shape.contains(&0) {
        return Some(0);
    }
    let count = shape.iter().try_fold(1u64, |product, length| product.checked_mul(*length))?;
    i64::try_from(count).is_ok().then_some(count)
}

impl FromStr for Region {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let invalid = || {
            Error::new(ErrorKind::InvalidArgument, "a region is start:end per axis, such as 0:64,0:64,5:6")
                .with("region", text)
        };
        let mut offset = Vec::new();
        let mut shape = Vec::new();
        for axis in text.split(',') {
            let (start, end) = axis.split_once(':').ok_or_else(invalid)?;
            let start: i64 = start.trim().parse().map_err(|_| invalid())?;
            let end: i64 = end.trim().parse().map_err(|_| invalid())?;
            offset.push(start);
            shape.push(end.checked_sub(start).and_then(|n| u64::try_from(n).ok()).ok_or_else(invalid)?);
        }
        Self::new(&offset, &shape)
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (axis, start) in self.offset.iter().enumerate() {
            let separator = if axis == 0 { "" } else { "," };
            write!(f, "{separator}{start}:{}", self.end(axis))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn texts_that_make_no_sense_are_refused() {
        for text in
            ["", "5", "1:2,", "2:1", "a:b", "0:1:2", "0:1,0:1,0:1,0:1,0:1,0:1", "0:9223372036854775808"]
        {
            let error = text.parse::<Region>().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{text}");
        }
    }

    #[test]
    fn regions_beyond_64_bits_are_too_large() {
        for (offset, shape) in
            [([0, 0], [u64::MAX, 1]), ([i64::MAX, 0], [1, 1]), ([0, 0], [1 << 32, 1 << 31])]
        {
            assert_eq!(Region::new(&offset, &shape).unwrap_err().kind(), ErrorKind::TooLarge);
        }
        assert!(Region::new(&[i64::MIN], &[i64::MAX.cast_unsigned()]).is_ok());
    }

    #[test]
    fn ranks_must_agree() {
        assert_eq!(Region::new(&[0], &[1, 1]).unwrap_err().kind(), ErrorKind::InvalidArgument);
        let (flat, deep) = (Region::at_origin(&[4]).unwrap(), Region::at_origin(&[4, 4]).unwrap());
        assert_eq!(flat.intersection(&deep), None);
        assert!(!deep.contains(&flat));
        assert_eq!(Region::at_origin(&[1; 6]).unwrap_err().kind(), ErrorKind::InvalidArgument);
    }

    fn region() -> impl Strategy<Value = Region> {
        prop::array::uniform2((-6i64..6, 0u64..6))
            .prop_map(|axes| Region::new(&axes.map(|a| a.0), &axes.map(|a| a.1)).unwrap())
    }

    proptest! {
        #[test]
        fn intersection_holds_exactly_the_common_points(a in region(), b in region()) {
            let inside = |region: &Region, point: [i64; 2]| {
                (0..2).all(|axis| (region.offset()[axis]..region.end(axis)).contains(&point[axis]))
            };
            let common = a.intersection(&b);
            for y in -12..12 {
                for x in -12..12 {
                    let expected = inside(&a, [y, x]) && inside(&b, [y, x]);
                    prop_assert_eq!(common.is_some_and(|region| inside(&region, [y, x])), expected);
                }
            }
            prop_assert!(common.is_none_or(|region| !region.is_empty() && a.contains(&region) && b.contains(&region)));
        }

        #[test]
        fn texts_parse_back(a in region()) {
            prop_assert_eq!(a.to_string().parse::<Region>().unwrap(), a);
        }
    }
}
