//! The types of elements.

use std::fmt;
use std::str::FromStr;

use engine_api::{Error, ErrorKind};
use serde::{Deserialize, Serialize};

/// The type of an element; in memory and in storage its bytes are little-endian.
///
/// A `bool` is one byte, 0 or 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DType {
    /// Unsigned, one byte.
    U8,
    /// Unsigned, two bytes.
    U16,
    /// Unsigned, four bytes.
    U32,
    /// Unsigned, eight bytes.
    U64,
    /// Signed, one byte.
    I8,
    /// Signed, two bytes.
    I16,
    /// Signed, four bytes.
    I32,
    /// Signed, eight bytes.
    I64,
    /// IEEE 754 binary32.
    F32,
    /// IEEE 754 binary64.
    F64,
    /// One byte, 0 or 1.
    Bool,
}

impl DType {
    /// Every type.
    pub const ALL: &'static [Self] = &[
        Self::U8,
        Self::U16,
        Self::U32,
        Self::U64,
        Self::I8,
        Self::I16,
        Self::I32,
        Self::I64,
        Self::F32,
        Self::F64,
        Self::Bool,
    ];

    /// The size of an element in bytes: 1, 2, 4 or 8.
    pub const fn size(self) -> usize {
        match self {
            Self::U8 | Self::I8 | Self::Bool => 1,
            Self::U16 | Self::I16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::U64 | Self::I64 | Self::F64 => 8,
        }
    }

    /// An element as a number, rounded where it has more digits than `f64`; `true` is one. Of an element that is too
    /// short, the missing bytes are zero.
    #[allow(clippy::cast_precision_loss, reason = "it is said to round")]
    pub fn to_f64(self, element: &[u8]) -> f64 {
        let mut bytes = [0; 8];
        for (byte, from) in bytes.iter_mut().zip(element) {
            *byte = *from;
        }
        let one = bytes[0];
        let two = [bytes[0], bytes[1]];
        let four = [bytes[0], bytes[1], bytes[2], bytes[3]];
        match self {
            Self::U8 | Self::Bool => one.into(),
            Self::U16 => u16::from_le_bytes(two).into(),
            Self::U32 => u32::from_le_bytes(four).into(),
            Self::U64 => u64::from_le_bytes(bytes) as f64,
            Self::I8 => one.cast_signed().into(),
            Self::I16 => i16::from_le_bytes(two).into(),
            Self::I32 => i32::from_le_bytes(four).into(),
            Self::I64 => i64::from_le_bytes(bytes) as f64,
            Self::F32 => f32::from_le_bytes(four).into(),
            Self::F64 => f64::from_le_bytes(bytes),
        }
    }

    /// The name, such as `u16`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::U8 => "u8",
            Self::U16 => "u16",
            Self::U32 => "u32",
            Self::U64 => "u64",
            Self::I8 => "i8",
            Self::I16 => "i16",
            Self::I32 => "i32",
            Self::I64 => "i64",
            Self::F32 => "f32",
            Self::F64 => "f64",
            Self::Bool => "bool",
        }
    }

    /// The name that NumPy gives it, such as `uint16`.
    pub const fn numpy_name(self) -> &'static str {
        match self {
            Self::U8 => "uint8",
            Self::U16 => "uint16",
            Self::U32 => "uint32",
            Self::U64 => "uint64",
            Self::I8 => "int8",
            Self::I16 => "int16",
            Self::I32 => "int32",
            Self::I64 => "int64",
            Self::F32 => "float32",
            Self::F64 => "float64",
            Self::Bool => "bool",
        }
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for DType {
    type Err = Error;

    /// Accepts the [name](DType::name) and the [NumPy name](DType::numpy_name).
    fn from_str(text: &str) -> Result<Self, Error> {
        Self::ALL.iter().copied().find(|dtype| dtype.name() == text || dtype.numpy_name() == text).ok_or_else(
            || {
                let known: Vec<_> = Self::ALL.iter().map(|dtype| dtype.name()).collect();
                Error::new(ErrorKind::InvalidArgument, "there is no such element type")
                    .with("type", text)
                    .with("known", known.join(" "))
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_parse_back() {
        for &dtype in DType::ALL {
            assert_eq!(dtype.name().parse::<DType>().unwrap(), dtype);
            assert_eq!(dtype.numpy_name().parse::<DType>().unwrap(), dtype);
            assert_eq!(serde_json::to_string(&dtype).unwrap(), format!("\"{dtype}\""));
        }
    }

    #[test]
    fn elements_are_numbers() {
        for (dtype, element, number) in [
            (DType::U8, [200].as_slice(), 200.0),
            (DType::I8, &[0xff], -1.0),
            (DType::Bool, &[1], 1.0),
            (DType::U16, &[1, 2], 513.0),
            (DType::I16, &[0, 0x80], -32_768.0),
            (DType::U32, &[0, 0, 0, 0x80], 2_147_483_648.0),
            (DType::I32, &[0xfe, 0xff, 0xff, 0xff], -2.0),
            (DType::U64, &[0xff; 8], 18_446_744_073_709_551_616.0),
            (DType::I64, &[0xff; 8], -1.0),
            (DType::F32, &1.5f32.to_le_bytes(), 1.5),
            (DType::F64, &(-0.25f64).to_le_bytes(), -0.25),
        ] {
            assert_eq!(dtype.to_f64(element).to_bits(), f64::to_bits(number), "{dtype}");
        }
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_known_ones() {
        let error = "u128".parse::<DType>().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        assert!(error.field("known").unwrap().contains("u64 i8"));
    }
}
