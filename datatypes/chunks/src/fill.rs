//! The value of elements that nobody has written.

use std::fmt;

use engine_api::{Error, ErrorKind, Result};

use crate::DType;

/// The value of the elements that were never written; a chunk that holds nothing else isn't stored.
///
/// Its text is a number as Rust writes it, `true` or `false`, `NaN`, or for any bit pattern `0x` and all the
/// hexadecimal digits of the element, most significant first.
///
/// ```
/// use chunks::{DType, Fill};
///
/// # fn main() -> engine_api::Result<()> {
/// let fill = Fill::parse(DType::I16, "-1")?;
/// assert_eq!(fill.bytes(), [0xff, 0xff]);
/// assert_eq!(Fill::zero(DType::F32).to_string(), "0");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fill {
    dtype: DType,
    bytes: [u8; 8],
}

impl Fill {
    /// Zero, or `false`.
    pub const fn zero(dtype: DType) -> Self {
        Self { dtype, bytes: [0; 8] }
    }

    /// The element with these little-endian bytes.
    ///
    /// # Errors
    /// `InvalidArgument` when there aren't as many as an element has.
    pub fn from_bytes(dtype: DType, bytes: &[u8]) -> Result<Self> {
        let mut fill = Self::zero(dtype);
        if bytes.len() != dtype.size() {
            return Err(Error::new(ErrorKind::InvalidArgument, "the fill value has the wrong size")
                .with("type", dtype)
                .with("bytes", bytes.len()));
        }
        fill.bytes[..bytes.len()].copy_from_slice(bytes);
        Ok(fill)
    }

    /// The element that a text describes.
    ///
    /// # Errors
    /// `InvalidArgument` when the text isn't a value of the type.
    pub fn parse(dtype: DType, text: &str) -> Result<Self> {
        let bytes = if let Some(digits) = text.strip_prefix("0x") {
            hex_bytes(dtype, digits)
        } else {
            number_bytes(dtype, text)
        };
        let bytes = bytes.ok_or_else(|| {
            Error::new(ErrorKind::InvalidArgument, "the fill value isn't one of its type")
                .with("type", dtype)
                .with("value", text)
        })?;
        Self::from_bytes(dtype, &bytes)
    }

    /// The type of the element.
    pub const fn dtype(&self) -> DType {
        self.dtype
    }

    /// The element's little-endian bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.dtype.size()]
    }

    /// Writes the element over all of `out`, whose length is a multiple of the element's.
    pub fn write(&self, out: &mut [u8]) {
        let element = self.bytes();
        if let [first, rest @ ..] = element
            && rest.iter().all(|byte| byte == first)
        {
            out.fill(*first);
            return;
        }
        for slot in out.chunks_exact_mut(element.len()) {
            slot.copy_from_slice(element);
        }
    }

    /// Whether `data` holds this element and nothing else, bit by bit: `-0.0` isn't `0.0`.
    pub fn fills(&self, data: &[u8]) -> bool {
        let size = self.dtype.size();
        if !data.len().is_multiple_of(size) {
            return false;
        }
        // Sixteen bytes of repeated elements: a comparison per block is one vector instruction.
        let mut pattern = [0; 16];
        self.write(&mut pattern);
        let (blocks, rest) = data.as_chunks::<16>();
        blocks.iter().all(|block| *block == pattern) && rest == &pattern[..rest.len()]
    }
}

fn number_bytes(dtype: DType, text: &str) -> Option<Vec<u8>> {
    macro_rules! parse {
        ($number:ty) => {
            text.parse::<$number>().ok()?.to_le_bytes().to_vec()
        };
    }
    Some(match dtype {
        DType::U8 => parse!(u8),
        DType::U16 => parse!(u16),
        DType::U32 => parse!(u32),
        DType::U64 => parse!(u64),
        DType::I8 => parse!(i8),
        DType::I16 => parse!(i16),
        DType::I32 => parse!(i32),
        DType::I64 => parse!(i64),
        DType::F32 => parse!(f32),
        DType::F64 => parse!(f64),
        DType::Bool => match text {
            "false" | "0" => vec![0],
            "true" | "1" => vec![1],
            _ => return None,
        },
    })
}

fn hex_bytes(dtype: DType, digits: &str) -> Option<Vec<u8>> {
    if digits.len() != dtype.size() * 2 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let value = u64::from_str_radix(digits, 16).ok()?;
    Some(value.to_le_bytes()[..dtype.size()].to_vec())
}

impl fmt::Display for Fill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let one = self.bytes[0];
        let two = [self.bytes[0], self.bytes[1]];
        let four = [self.bytes[0], self.bytes[1], self.bytes[2], self.bytes[3]];
        match self.dtype {
            DType::U8 => one.fmt(f),
            DType::U16 => u16::from_le_bytes(two).fmt(f),
            DType::U32 => u32::from_le_bytes(four).fmt(f),
            DType::U64 => u64::from_le_bytes(self.bytes).fmt(f),
            DType::I8 => one.cast_signed().fmt(f),
            DType::I16 => i16::from_le_bytes(two).fmt(f),
            DType::I32 => i32::from_le_bytes(four).fmt(f),
            DType::I64 => i64::from_le_bytes(self.bytes).fmt(f),
            DType::F32 => {
                let value = f32::from_le_bytes(four);
                if value.is_nan() && value.to_bits() != f32::NAN.to_bits() {
                    return write!(f, "0x{:08x}", value.to_bits());
                }
                value.fmt(f)
            }
            DType::F64 => {
                let value = f64::from_le_bytes(self.bytes);
                if value.is_nan() && value.to_bits() != f64::NAN.to_bits() {
                    return write!(f, "0x{:016x}", value.to_bits());
                }
                value.fmt(f)
            }
            DType::Bool => match one {
                0 => f.write_str("false"),
                1 => f.write_str("true"),
                other => write!(f, "0x{other:02x}"),
            },
        }
    }
}

impl fmt::Debug for Fill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({self})", self.dtype)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn texts_out_of_range_are_refused() {
        for (dtype, text) in [
            (DType::U8, "256"),
            (DType::U8, "-1"),
            (DType::I8, "128"),
            (DType::U16, "1.5"),
            (DType::Bool, "2"),
            (DType::U16, "0x1"),
            (DType::U16, "0x+001"),
            (DType::F32, ""),
        ] {
            let error = Fill::parse(dtype, text).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{dtype} {text}");
        }
    }

    #[test]
    fn one_different_byte_anywhere_is_seen() {
        let fill = Fill::parse(DType::U16, "513").unwrap();
        let mut data = vec![0; 70];
        fill.write(&mut data);
        assert!(fill.fills(&data));
        for at in 0..data.len() {
            data[at] ^= 0x40;
            assert!(!fill.fills(&data), "byte {at}");
            data[at] ^= 0x40;
        }
        assert!(!fill.fills(&data[..69]));
    }

    #[test]
    fn negative_zero_is_not_the_fill_value_zero() {
        assert!(!Fill::zero(DType::F64).fills(&(-0.0f64).to_le_bytes()));
        assert_eq!(Fill::parse(DType::F64, "-0").unwrap().to_string(), "-0");
    }

    proptest! {
        #[test]
        fn every_bit_pattern_survives_its_text(bits in any::<u64>(), dtype in prop::sample::select(DType::ALL)) {
            let fill = Fill::from_bytes(dtype, &bits.to_le_bytes()[..dtype.size()]).unwrap();
            prop_assert_eq!(Fill::parse(dtype, &fill.to_string()).unwrap(), fill);
        }
    }
}
