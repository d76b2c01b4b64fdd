//! Where a chunk is in its grid, and the key bytes that put chunks in that order.

use std::fmt;
use std::ops::Deref;

use engine_api::{Error, ErrorKind, Result};

use crate::axes::Axes;

/// The coordinates of a chunk, counted in chunks, slowest axis first.
///
/// They are signed and 32 bits wide: a grid may grow below zero, and keys stay short. Coordinates of one grid
/// are ordered as a C-order walk over its chunks meets them, and so are their [key bytes](encode_coords).
///
/// ```
/// use chunks::Coords;
///
/// # fn main() -> engine_api::Result<()> {
/// let coords = Coords::new(&[0, -1, 7])?;
/// assert_eq!(coords.to_string(), "(0,-1,7)");
/// assert_eq!(coords[2], 7);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Coords(Axes<i32>);

impl Coords {
    /// Coordinates of one to five axes, slowest first.
    pub fn new(axes: &[i32]) -> Result<Self> {
        Axes::new(axes).map(Self)
    }

    pub(crate) fn from_fn(rank: usize, value: impl FnMut(usize) -> i32) -> Self {
        Self(Axes::from_fn(rank, value))
    }

    pub(crate) fn axis_mut(&mut self, axis: usize) -> &mut i32 {
        &mut self.0[axis]
    }
}

impl Deref for Coords {
    type Target = [i32];

    fn deref(&self) -> &[i32] {
        &self.0
    }
}

impl fmt::Display for Coords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (axis, value) in self.iter().enumerate() {
            f.write_str(if axis == 0 { "(" } else { "," })?;
            value.fmt(f)?;
        }
        f.write_str(")")
    }
}

impl fmt::Debug for Coords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Appends the key bytes of a chunk: per axis, slowest first, four bytes big-endian with the sign bit flipped.
///
/// Bytewise order of the keys of a grid is the C order of its chunks, and negative coordinates come first.
pub fn encode_coords(coords: &Coords, key: &mut Vec<u8>) {
    const SIGN: u32 = 1 << 31;
    for axis in coords.iter() {
        key.extend_from_slice(&(axis.cast_unsigned() ^ SIGN).to_be_bytes());
    }
}

/// Reads back what [`encode_coords`] has written; the length gives the number of axes.
///
/// # Errors
/// `Corrupt` when the length isn't that of one to five axes.
pub fn decode_coords(key: &[u8]) -> Result<Coords> {
    const SIGN: u32 = 1 << 31;
    let corrupt = || Error::new(ErrorKind::Corrupt, "the key isn't that of a chunk").with_key("key", key);
    let (axes, rest) = key.as_chunks::<4>();
    if !rest.is_empty() {
        return Err(corrupt());
    }
    let mut values = [0; crate::MAX_RANK];
    let values = values.get_mut(..axes.len()).ok_or_else(corrupt)?;
    for (value, bytes) in values.iter_mut().zip(axes) {
        *value = (u32::from_be_bytes(*bytes) ^ SIGN).cast_signed();
    }
    Coords::new(values).map_err(|_| corrupt())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(axes: &[i32]) -> Vec<u8> {
        let mut key = Vec::new();
        encode_coords(&Coords::new(axes).unwrap(), &mut key);
        key
    }

    #[test]
    fn key_bytes_are_as_documented() {
        assert_eq!(key(&[0, 1]), [0x80, 0, 0, 0, 0x80, 0, 0, 1]);
        assert_eq!(key(&[-1]), [0x7f, 0xff, 0xff, 0xff]);
        assert_eq!(key(&[i32::MIN, i32::MAX]), [0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]);
    }

    #[test]
    fn keys_of_other_lengths_are_corrupt() {
        for length in [0, 1, 3, 5, 11, 21, 24] {
            let error = decode_coords(&vec![0; length]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{length} bytes");
        }
    }

    #[test]
    fn six_axes_are_refused() {
        assert_eq!(Coords::new(&[0; 6]).unwrap_err().kind(), ErrorKind::InvalidArgument);
        assert_eq!(Coords::new(&[]).unwrap_err().kind(), ErrorKind::InvalidArgument);
    }

    proptest! {
        #[test]
        fn order_of_keys_is_order_of_chunks(a in any::<[i32; 3]>(), b in any::<[i32; 3]>()) {
            prop_assert_eq!(a.cmp(&b), key(&a).cmp(&key(&b)));
            prop_assert_eq!(a.cmp(&b), Coords::new(&a).unwrap().cmp(&Coords::new(&b).unwrap()));
        }

        #[test]
        fn keys_round_trip(axes in prop::collection::vec(any::<i32>(), 1..=5)) {
            prop_assert_eq!(&*decode_coords(&key(&axes)).unwrap(), axes.as_slice());
        }
    }
}
