//! Elements of a fixed size.

use half::f16;
use num_complex::Complex;

use super::ArrayElement;
use crate::DType;

/// Nanoseconds since 1970-01-01 00:00:00 UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TimestampNs(pub i64);

macro_rules! numbers {
    ($($number:ty => $dtype:ident),* $(,)?) => {$(
        impl ArrayElement for $number {
            fn dtype() -> DType {
                DType::$dtype
            }

            fn zero() -> Self {
                Self::default()
            }

            fn write_cell(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_le_bytes());
            }

            fn read_cell(cell: &[u8]) -> Option<Self> {
                cell.try_into().ok().map(Self::from_le_bytes)
            }

            fn store(values: &[Self], out: &mut [u8]) {
                let (slots, _) = out.as_chunks_mut::<{ size_of::<$number>() }>();
                for (slot, value) in slots.iter_mut().zip(values) {
                    *slot = value.to_le_bytes();
                }
            }

            fn load(cells: &[u8], out: &mut [Self]) -> bool {
                let (cells, _) = cells.as_chunks::<{ size_of::<$number>() }>();
                for (cell, slot) in cells.iter().zip(out) {
                    *slot = Self::from_le_bytes(*cell);
                }
                true
            }
        }
    )*};
}

numbers! {
    u8 => UInt8, u16 => UInt16, u32 => UInt32, u64 => UInt64,
    i8 => Int8, i16 => Int16, i32 => Int32, i64 => Int64,
    f16 => Float16, f32 => Float32, f64 => Float64,
}

impl ArrayElement for bool {
    fn dtype() -> DType {
        DType::Bool
    }

    fn zero() -> Self {
        false
    }

    fn write_cell(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }

    fn read_cell(cell: &[u8]) -> Option<Self> {
        match cell {
            [0] => Some(false),
            [1] => Some(true),
            _ => None,
        }
    }
}

impl ArrayElement for TimestampNs {
    fn dtype() -> DType {
        DType::TimestampNs
    }

    fn zero() -> Self {
        Self(0)
    }

    fn write_cell(&self, out: &mut Vec<u8>) {
        self.0.write_cell(out);
    }

    fn read_cell(cell: &[u8]) -> Option<Self> {
        i64::read_cell(cell).map(Self)
    }
}

macro_rules! complex {
    ($($part:ty => $dtype:ident),*) => {$(
        impl ArrayElement for Complex<$part> {
            fn dtype() -> DType {
                DType::$dtype
            }

            fn zero() -> Self {
                Self::default()
            }

            fn write_cell(&self, out: &mut Vec<u8>) {
                self.re.write_cell(out);
                self.im.write_cell(out);
            }

            fn read_cell(cell: &[u8]) -> Option<Self> {
                let (re, im) = cell.split_at_checked(size_of::<$part>())?;
                Some(Self::new(ArrayElement::read_cell(re)?, ArrayElement::read_cell(im)?))
            }
        }
    )*};
}

complex!(f32 => Complex64, f64 => Complex128);
