//! Where a chunk is in its array.

use smallvec::SmallVec;

/// A chunk's coordinates, counted in chunks, slowest axis first; none for an array without axes. Their order
/// is that of a C-order walk.
pub(crate) type Coord = SmallVec<[u32; 4]>;

/// The coordinates from `first` to `last`, both included, in C order.
#[derive(Debug)]
pub(crate) struct CoordBox {
    first: Coord,
    last: Coord,
    next: Option<Coord>,
}

impl CoordBox {
    pub(crate) fn new(first: Coord, last: Coord) -> Self {
        let empty = first.iter().zip(&last).any(|(first, last)| first > last);
        let next = (!empty).then(|| first.clone());
        Self { first, last, next }
    }
}

impl Iterator for CoordBox {
    type Item = Coord;

    fn next(&mut self) -> Option<Coord> {
        let at = self.next.take()?;
        let mut following = at.clone();
        for axis in (0..at.len()).rev() {
            if following[axis] < self.last[axis] {
                following[axis] += 1;
                self.next = Some(following);
                break;
            }
            following[axis] = self.first[axis];
        }
        Some(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use smallvec::smallvec;

    #[test]
    fn a_walk_is_in_c_order_and_ends() {
        let walked: Vec<Coord> = CoordBox::new(smallvec![1, 5], smallvec![2, 6]).collect();
        let expected: [Coord; 4] = [smallvec![1, 5], smallvec![1, 6], smallvec![2, 5], smallvec![2, 6]];
        assert_eq!(walked, expected);
        assert_eq!(CoordBox::new(smallvec![], smallvec![]).count(), 1);
        assert_eq!(CoordBox::new(smallvec![1], smallvec![0]).count(), 0);
    }
}
