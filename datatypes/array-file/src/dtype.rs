//! The types of elements.

use std::fmt;

use crate::error::{Error, Result};
use crate::wire::{Reader, Writer};

/// How deep lists may be nested.
pub(crate) const MAX_DEPTH: usize = 8;

/// How many children of any length an element of a fixed-size list may have, over all depths.
const MAX_CHILDREN: u64 = 1 << 16;

/// The type of an array's elements, little-endian in storage.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DType {
    /// One byte, 0 or 1.
    Bool,
    /// Two's complement.
    Int8,
    /// Two's complement.
    Int16,
    /// Two's complement.
    Int32,
    /// Two's complement.
    Int64,
    /// Unsigned.
    UInt8,
    /// Unsigned.
    UInt16,
    /// Unsigned.
    UInt32,
    /// Unsigned.
    UInt64,
    /// IEEE 754 binary16.
    Float16,
    /// IEEE 754 binary32.
    Float32,
    /// IEEE 754 binary64.
    Float64,
    /// Two `Float32`: the real part, and the imaginary.
    Complex64,
    /// Two `Float64`: the real part, and the imaginary.
    Complex128,
    /// Nanoseconds since 1970-01-01 00:00:00 UTC, as `Int64`.
    TimestampNs,
    /// UTF-8 of any length.
    String,
    /// Bytes of any length.
    Binary,
    /// As many children in each element.
    FixedSizeList {
        /// The children's type.
        child: Box<DType>,
        /// How many there are.
        size: u32,
    },
    /// Any number of children in each element.
    List {
        /// The children's type.
        child: Box<DType>,
    },
}

impl DType {
    /// The bytes of an element, or `None` where they vary.
    pub fn element_size(&self) -> Option<usize> {
        Some(match self {
            Self::Bool | Self::Int8 | Self::UInt8 => 1,
            Self::Int16 | Self::UInt16 | Self::Float16 => 2,
            Self::Int32 | Self::UInt32 | Self::Float32 => 4,
            Self::Int64 | Self::UInt64 | Self::Float64 | Self::Complex64 | Self::TimestampNs => 8,
            Self::Complex128 => 16,
            Self::String | Self::Binary | Self::List { .. } => return None,
            Self::FixedSizeList { child, size } => {
                child.element_size()?.checked_mul(usize::try_from(*size).ok()?)?
            }
        })
    }

    /// Whether elements differ in length.
    pub fn is_variable_length(&self) -> bool {
        match self {
            Self::String | Self::Binary | Self::List { .. } => true,
            Self::FixedSizeList { child, .. } => child.is_variable_length(),
            _ => false,
        }
    }

    /// The bytes of a number that are regrouped together before compression: 1, 2, 4 or 8.
    pub(crate) fn shuffle_size(&self) -> usize {
        match self {
            Self::Complex64 => 4,
            Self::Complex128 => 8,
            Self::FixedSizeList { child, .. } if !child.is_variable_length() => child.shuffle_size(),
            Self::FixedSizeList { .. } => 1,
            other => other.element_size().unwrap_or(1),
        }
    }

    /// The type in `chunks`, where it has one.
    pub fn as_chunks(&self) -> Option<chunks::DType> {
        Some(match self {
            Self::Bool => chunks::DType::Bool,
            Self::Int8 => chunks::DType::I8,
            Self::Int16 => chunks::DType::I16,
            Self::Int32 => chunks::DType::I32,
            Self::Int64 | Self::TimestampNs => chunks::DType::I64,
            Self::UInt8 => chunks::DType::U8,
            Self::UInt16 => chunks::DType::U16,
            Self::UInt32 => chunks::DType::U32,
            Self::UInt64 => chunks::DType::U64,
            Self::Float32 => chunks::DType::F32,
            Self::Float64 => chunks::DType::F64,
            _ => return None,
        })
    }

    pub(crate) fn encode(&self, out: &mut Writer) {
        let code = match self {
            Self::Bool => 0,
            Self::Int8 => 1,
            Self::Int16 => 2,
            Self::Int32 => 3,
            Self::Int64 => 4,
            Self::UInt8 => 5,
            Self::UInt16 => 6,
            Self::UInt32 => 7,
            Self::UInt64 => 8,
            Self::Float16 => 9,
            Self::Float32 => 10,
            Self::Float64 => 11,
            Self::Complex64 => 12,
            Self::Complex128 => 13,
            Self::TimestampNs => 14,
            Self::String => 15,
            Self::Binary => 16,
            Self::FixedSizeList { child, size } => {
                out.u8(17);
                out.u32(*size);
                return child.encode(out);
            }
            Self::List { child } => {
                out.u8(18);
                return child.encode(out);
            }
        };
        out.u8(code);
    }

    pub(crate) fn decode(bytes: &mut Reader<'_>) -> Result<Self> {
        Self::decode_nested(bytes, MAX_DEPTH)
    }

    fn decode_nested(bytes: &mut Reader<'_>, depth: usize) -> Result<Self> {
        Ok(match bytes.u8()? {
            0 => Self::Bool,
            1 => Self::Int8,
            2 => Self::Int16,
            3 => Self::Int32,
            4 => Self::Int64,
            5 => Self::UInt8,
            6 => Self::UInt16,
            7 => Self::UInt32,
            8 => Self::UInt64,
            9 => Self::Float16,
            10 => Self::Float32,
            11 => Self::Float64,
            12 => Self::Complex64,
            13 => Self::Complex128,
            14 => Self::TimestampNs,
            15 => Self::String,
            16 => Self::Binary,
            code @ (17 | 18) => {
                let depth =
                    depth.checked_sub(1).ok_or_else(|| Error::corrupt("", "lists are nested too deep"))?;
                if code == 17 {
                    let size = bytes.u32()?;
                    Self::FixedSizeList { size, child: Box::new(Self::decode_nested(bytes, depth)?) }
                } else {
                    Self::List { child: Box::new(Self::decode_nested(bytes, depth)?) }
                }
            }
            _ => return Err(Error::corrupt("", "there is no such element type")),
        })
    }

    /// # Errors
    /// `InvalidValue` for lists that are nested too deep, of nothing, or longer than an element may be.
    pub(crate) fn check(&self) -> Result<()> {
        let mut depth = 0;
        let mut children = 1u64;
        let mut at = self;
        while let Self::FixedSizeList { child, .. } | Self::List { child } = at {
            depth += 1;
            if depth > MAX_DEPTH {
                return Err(Error::invalid("lists are nested too deep", self));
            }
            if matches!(at, Self::FixedSizeList { size: 0, .. }) || child.element_size() == Some(0) {
                return Err(Error::invalid("a fixed-size list has at least one element", self));
            }
            if !at.is_variable_length() && at.element_size().is_none_or(|size| size > chunks::MAX_CHUNK_BYTES)
            {
                return Err(Error::invalid("an element is larger than a chunk can be", self));
            }
            if let Self::FixedSizeList { size, .. } = at
                && at.is_variable_length()
            {
                // Each child has a length of its own, even where nothing was ever written.
                children = children.saturating_mul(u64::from(*size));
                if children > MAX_CHILDREN {
                    return Err(Error::invalid(
                        "a fixed-size list has too many children of any length",
                        self,
                    ));
                }
            }
            at = child;
        }
        Ok(())
    }
}

impl From<chunks::DType> for DType {
    fn from(dtype: chunks::DType) -> Self {
        match dtype {
            chunks::DType::U8 => Self::UInt8,
            chunks::DType::U16 => Self::UInt16,
            chunks::DType::U32 => Self::UInt32,
            chunks::DType::U64 => Self::UInt64,
            chunks::DType::I8 => Self::Int8,
            chunks::DType::I16 => Self::Int16,
            chunks::DType::I32 => Self::Int32,
            chunks::DType::I64 => Self::Int64,
            chunks::DType::F32 => Self::Float32,
            chunks::DType::F64 => Self::Float64,
            chunks::DType::Bool => Self::Bool,
        }
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bool => "bool",
            Self::Int8 => "int8",
            Self::Int16 => "int16",
            Self::Int32 => "int32",
            Self::Int64 => "int64",
            Self::UInt8 => "uint8",
            Self::UInt16 => "uint16",
            Self::UInt32 => "uint32",
            Self::UInt64 => "uint64",
            Self::Float16 => "float16",
            Self::Float32 => "float32",
            Self::Float64 => "float64",
            Self::Complex64 => "complex64",
            Self::Complex128 => "complex128",
            Self::TimestampNs => "timestamp[ns]",
            Self::String => "string",
            Self::Binary => "binary",
            Self::FixedSizeList { child, size } => return write!(f, "list<{child}, {size}>"),
            Self::List { child } => return write!(f, "list<{child}>"),
        })
    }
}
