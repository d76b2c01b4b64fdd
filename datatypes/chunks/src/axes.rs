//! A value per axis, kept inline: grids and regions are copied per chunk, and shouldn't allocate for it.

use std::fmt;
use std::ops::{Deref, DerefMut};

use engine_api::{Error, ErrorKind, Result};

/// The largest number of axes.
pub const MAX_RANK: usize = 5;

/// One to [`MAX_RANK`] values, slowest axis first; what lies behind `rank` is always the default, so that
/// the derived comparisons are those of the slices.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Axes<T> {
    rank: usize,
    values: [T; MAX_RANK],
}

impl<T: Copy + Default> Axes<T> {
    pub(crate) fn new(values: &[T]) -> Result<Self> {
        if values.is_empty() || values.len() > MAX_RANK {
            return Err(Error::new(ErrorKind::InvalidArgument, "the number of axes isn't supported")
                .with("axes", values.len())
                .with("least", 1)
                .with("most", MAX_RANK));
        }
        Ok(Self::from_fn(values.len(), |axis| values[axis]))
    }

    /// `rank` comes from an `Axes` that exists, so it is in range.
    pub(crate) fn from_fn(rank: usize, mut value: impl FnMut(usize) -> T) -> Self {
        let mut values = [T::default(); MAX_RANK];
        for (axis, slot) in values.iter_mut().enumerate().take(rank) {
            *slot = value(axis);
        }
        Self { rank, values }
    }
}

impl<T> Deref for Axes<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.values[..self.rank]
    }
}

impl<T> DerefMut for Axes<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.values[..self.rank]
    }
}

impl<T: fmt::Debug> fmt::Debug for Axes<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

pub(crate) fn rank_mismatch(expected: usize, found: usize) -> Error {
    Error::new(ErrorKind::InvalidArgument, "the numbers of axes differ")
        .with("expected", expected)
        .with("found", found)
}
