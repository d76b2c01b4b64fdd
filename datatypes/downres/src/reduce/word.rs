//! Unsigned integers of the four widths that elements have.

#![allow(
    clippy::inline_always,
    reason = "the kernels' instruction sets reach only what is inlined into them"
)]

use std::fmt::Debug;
use std::ops::{Add, AddAssign, BitAnd, BitOr, BitXor, Not, Shr};

/// The bits of an element.
///
/// The methods are inlined into the kernels by force: only there do they get the instructions that the kernel is
/// compiled for.
pub(super) trait Word:
    Copy
    + Debug
    + Ord
    + Send
    + Sync
    + From<bool>
    + Into<u64>
    + Add<Output = Self>
    + AddAssign
    + BitAnd<Output = Self>
    + BitOr<Output = Self>
    + BitXor<Output = Self>
    + Not<Output = Self>
    + Shr<u32, Output = Self>
{
    const BYTES: usize;
    const ZERO: Self;
    const ONE: Self;
    const MAX: Self;
    /// The highest bit.
    const TOP: Self;

    /// The low bits.
    fn truncate(value: u64) -> Self;
    fn plus(self, other: Self) -> Self;
    fn minus(self, other: Self) -> Self;

    /// The value of the IEEE 754 number of these bits, where the width has one among the element types; else of
    /// the integer.
    fn float(self) -> f64;
    /// The inverse of [`float`](Self::float), rounded to the width.
    fn from_float(value: f64) -> Self;

    /// Appends the elements of a row.
    fn read(row: &[u8], to: &mut Vec<Self>);
    /// Writes one element to a slice of its length.
    fn write(self, to: &mut [u8]);
    /// Parts a row of pairs into first and second elements; as many as there is room for and bytes are.
    fn read_pairs(row: &[u8], first: &mut [Self], second: &mut [Self]);
    /// The two elements that begin at a byte of a row.
    fn read_pair(row: &[u8], at: usize) -> [Self; 2];
    /// The bits in which elements of each cell of some rows of pairs differ; nothing if a row is of fewer cells.
    fn differences<const R: usize, const L: usize>(rows: [&[u8]; R]) -> Option<[Self; L]>;
    /// Copies the first of each two elements.
    fn copy_first(row: &[u8], to: &mut [u8]);
    /// Writes as many elements as there is room for.
    fn write_all(words: &[Self], to: &mut [u8]);
}

macro_rules! word {
    ($word:ident, $bytes:literal, $float:expr, $from_float:expr) => {
        impl Word for $word {
            const BYTES: usize = $bytes;
            const ZERO: Self = 0;
            const ONE: Self = 1;
            const MAX: Self = $word::MAX;
            const TOP: Self = 1 << ($word::BITS - 1);

            #[inline(always)]
            #[allow(
                clippy::cast_possible_truncation,
                clippy::allow_attributes,
                reason = "it is what is asked for"
            )]
            fn truncate(value: u64) -> Self {
                value as $word
            }

            #[inline(always)]
            fn plus(self, other: Self) -> Self {
                self.wrapping_add(other)
            }

            #[inline(always)]
            fn minus(self, other: Self) -> Self {
                self.wrapping_sub(other)
            }

            #[inline(always)]
            fn float(self) -> f64 {
                $float(self)
            }

            #[inline(always)]
            fn from_float(value: f64) -> Self {
                $from_float(value)
            }

            fn read(row: &[u8], to: &mut Vec<Self>) {
                to.extend(row.as_chunks::<$bytes>().0.iter().map(|bytes| Self::from_le_bytes(*bytes)));
            }

            #[inline(always)]
            fn write(self, to: &mut [u8]) {
                to.copy_from_slice(&self.to_le_bytes());
            }

            #[inline(always)]
            fn read_pairs(row: &[u8], first: &mut [Self], second: &mut [Self]) {
                let pairs = row.as_chunks::<$bytes>().0.as_chunks::<2>().0;
                for ((pair, first), second) in pairs.iter().zip(first).zip(second) {
                    *first = Self::from_le_bytes(pair[0]);
                    *second = Self::from_le_bytes(pair[1]);
                }
            }

            #[inline(always)]
            fn read_pair(row: &[u8], at: usize) -> [Self; 2] {
                let pair = row[at..at + 2 * $bytes].as_chunks::<$bytes>().0;
                [Self::from_le_bytes(pair[0]), Self::from_le_bytes(pair[1])]
            }

            #[inline(always)]
            fn differences<const R: usize, const L: usize>(rows: [&[u8]; R]) -> Option<[Self; L]> {
                let mut differences = [0; L];
                let mut cells = [&[[[0; $bytes]; 2]; L]; R];
                for (cells, row) in cells.iter_mut().zip(rows) {
                    *cells = row.as_chunks::<$bytes>().0.as_chunks::<2>().0.first_chunk()?;
                }
                for lane in 0..L {
                    let first = Self::from_le_bytes(cells[0][lane][0]);
                    for row in cells {
                        differences[lane] |= (Self::from_le_bytes(row[lane][0]) ^ first)
                            | (Self::from_le_bytes(row[lane][1]) ^ first);
                    }
                }
                Some(differences)
            }

            #[inline(always)]
            fn copy_first(row: &[u8], to: &mut [u8]) {
                let pairs = row.as_chunks::<$bytes>().0.as_chunks::<2>().0;
                for (pair, to) in pairs.iter().zip(to.as_chunks_mut::<$bytes>().0) {
                    *to = pair[0];
                }
            }

            #[inline(always)]
            fn write_all(words: &[Self], to: &mut [u8]) {
                for (word, to) in words.iter().zip(to.as_chunks_mut::<$bytes>().0) {
                    *to = word.to_le_bytes();
                }
            }
        }
    };
}

// There are no floats of one and two bytes among the element types.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`as` rounds, as it should")]
mod words {
    use super::Word;

    word!(u8, 1, f64::from, |value: f64| value as u8);
    word!(u16, 2, f64::from, |value: f64| value as u16);
    word!(u32, 4, |bits| f64::from(f32::from_bits(bits)), |value: f64| (value as f32).to_bits());
    word!(u64, 8, f64::from_bits, f64::to_bits);
}
