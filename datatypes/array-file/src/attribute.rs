//! Attributes of arrays.

use crate::error::{Error, Result};
use crate::wire::{Reader, Writer};

/// The value of an attribute. Floats are equal where their bits are.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum AttributeValue {
    /// True or false.
    Bool(bool),
    /// An integer.
    Int8(i8),
    /// An integer.
    Int16(i16),
    /// An integer.
    Int32(i32),
    /// An integer.
    Int64(i64),
    /// An integer.
    UInt8(u8),
    /// An integer.
    UInt16(u16),
    /// An integer.
    UInt32(u32),
    /// An integer.
    UInt64(u64),
    /// A number.
    Float32(f32),
    /// A number.
    Float64(f64),
    /// A text.
    String(String),
    /// Bytes.
    Binary(Vec<u8>),
    /// A list of values, of any kinds.
    List(Vec<AttributeValue>),
}

impl AttributeValue {
    pub(crate) fn encode(&self, out: &mut Writer) -> Result<()> {
        match self {
            Self::Bool(value) => out.raw(&[0, u8::from(*value)]),
            Self::Int8(value) => out.raw(&[1, value.cast_unsigned()]),
            Self::Int16(value) => {
                out.u8(2);
                out.u16(value.cast_unsigned());
            }
            Self::Int32(value) => {
                out.u8(3);
                out.u32(value.cast_unsigned());
            }
            Self::Int64(value) => {
                out.u8(4);
                out.u64(value.cast_unsigned());
            }
            Self::UInt8(value) => out.raw(&[5, *value]),
            Self::UInt16(value) => {
                out.u8(6);
                out.u16(*value);
            }
            Self::UInt32(value) => {
                out.u8(7);
                out.u32(*value);
            }
            Self::UInt64(value) => {
                out.u8(8);
                out.u64(*value);
            }
            Self::Float32(value) => {
                out.u8(9);
                out.u32(value.to_bits());
            }
            Self::Float64(value) => {
                out.u8(10);
                out.u64(value.to_bits());
            }
            Self::String(value) => {
                out.u8(11);
                out.blob(value.as_bytes())?;
            }
            Self::Binary(value) => {
                out.u8(12);
                out.blob(value)?;
            }
            Self::List(values) => {
                out.u8(13);
                out.count(values.len())?;
                values.iter().try_for_each(|value| value.encode(out))?;
            }
        }
        Ok(())
    }

    pub(crate) fn decode(bytes: &mut Reader<'_>) -> Result<Self> {
        Self::decode_nested(bytes, 8)
    }

    fn decode_nested(bytes: &mut Reader<'_>, depth: usize) -> Result<Self> {
        Ok(match bytes.u8()? {
            0 => Self::Bool(bytes.u8()? != 0),
            1 => Self::Int8(bytes.u8()?.cast_signed()),
            2 => Self::Int16(bytes.u16()?.cast_signed()),
            3 => Self::Int32(bytes.u32()?.cast_signed()),
            4 => Self::Int64(bytes.u64()?.cast_signed()),
            5 => Self::UInt8(bytes.u8()?),
            6 => Self::UInt16(bytes.u16()?),
            7 => Self::UInt32(bytes.u32()?),
            8 => Self::UInt64(bytes.u64()?),
            9 => Self::Float32(f32::from_bits(bytes.u32()?)),
            10 => Self::Float64(f64::from_bits(bytes.u64()?)),
            11 => Self::String(bytes.text()?),
            12 => Self::Binary(bytes.blob()?.to_vec()),
            13 => {
                let depth =
                    depth.checked_sub(1).ok_or_else(|| Error::corrupt("", "lists are nested too deep"))?;
                let count = bytes.count(2)?;
                let values = (0..count).map(|_| Self::decode_nested(bytes, depth));
                Self::List(values.collect::<Result<_>>()?)
            }
            _ => return Err(Error::corrupt("", "there is no such kind of attribute")),
        })
    }

    /// How deep lists are nested, itself included.
    pub(crate) fn depth(&self) -> usize {
        match self {
            Self::List(values) => values.iter().map(Self::depth).max().unwrap_or(0).saturating_add(1),
            _ => 0,
        }
    }
}

impl PartialEq for AttributeValue {
    fn eq(&self, other: &Self) -> bool {
        let bytes = |value: &Self| {
            let mut out = Writer::default();
            value.encode(&mut out).map(|()| out.bytes).ok()
        };
        bytes(self) == bytes(other)
    }
}

impl Eq for AttributeValue {}

macro_rules! attributes {
    ($($value:ty => $kind:ident),* $(,)?) => {$(
        impl From<$value> for AttributeValue {
            fn from(value: $value) -> Self {
                Self::$kind(value)
            }
        }
    )*};
}

attributes! {
    bool => Bool, i8 => Int8, i16 => Int16, i32 => Int32, i64 => Int64, u8 => UInt8, u16 => UInt16,
    u32 => UInt32, u64 => UInt64, f32 => Float32, f64 => Float64, String => String, Vec<u8> => Binary,
}

impl From<&str> for AttributeValue {
    fn from(value: &str) -> Self {
        Self::String(value.to_owned())
    }
}
