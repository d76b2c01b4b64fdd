//! Walks over the chunks of a region.

use std::iter::FusedIterator;

use crate::Coords;

/// The chunks of a box, in C order, which is the order of their keys.
#[derive(Clone, Debug)]
pub struct ChunksIn {
    first: Coords,
    last: Coords,
    next: Option<Coords>,
}

impl ChunksIn {
    pub(crate) fn new(first: Coords, last: Coords) -> Self {
        Self { first, last, next: Some(first) }
    }

    pub(crate) fn none(rank: usize) -> Self {
        let zero = Coords::from_fn(rank, |_| 0);
        Self { first: zero, last: zero, next: None }
    }

    /// The corners of the box, both included; `None` when nothing is left to walk.
    pub fn corners(&self) -> Option<(Coords, Coords)> {
        self.next.map(|_| (self.first, self.last))
    }

    /// The number of chunks that are left.
    pub fn remaining(&self) -> u64 {
        let Some(next) = &self.next else { return 0 };
        let mut before = 0u64;
        let mut all = 1u64;
        for axis in 0..next.len() {
            let length = u64::from(self.last[axis].abs_diff(self.first[axis])).saturating_add(1);
            let passed = u64::from(next[axis].abs_diff(self.first[axis]));
            before = before.saturating_mul(length).saturating_add(passed);
            all = all.saturating_mul(length);
        }
        all.saturating_sub(before)
    }
}

impl Iterator for ChunksIn {
    type Item = Coords;

    fn next(&mut self) -> Option<Coords> {
        let current = self.next?;
        let mut following = current;
        self.next = None;
        for axis in (0..current.len()).rev() {
            if current[axis] < self.last[axis] {
                *following.axis_mut(axis) += 1;
                self.next = Some(following);
                break;
            }
            *following.axis_mut(axis) = self.first[axis];
        }
        Some(current)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let remaining = usize::try_from(self.remaining()).ok();
        (remaining.unwrap_or(usize::MAX), remaining)
    }
}

impl FusedIterator for ChunksIn {}
