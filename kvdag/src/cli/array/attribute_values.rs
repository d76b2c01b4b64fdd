//! Attributes as text and JSON.

use array_file::AttributeValue;
use engine_api::{Error, ErrorKind, Result};
use serde_json::Value;

use super::values::{from_hex, hex, json_of};

/// The types that an attribute can be said to have.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(super) enum AttributeType {
    Bool,
    I8,
    I16,
    I32,
    I64,
    U8,
    U16,
    U32,
    U64,
    F32,
    F64,
    String,
    /// Bytes, in hexadecimal digits.
    Binary,
    /// A list, in JSON.
    List,
}

/// The attribute that a command line gives: of the type that it says, or of the one that the value looks like.
pub(super) fn attribute_of(kind: Option<AttributeType>, text: &str) -> Result<AttributeValue> {
    let Some(kind) = kind else {
        return Ok(match serde_json::from_str(text) {
            Ok(Value::Object(_) | Value::Null) | Err(_) => text.into(),
            Ok(value) => from_json(value)?,
        });
    };
    macro_rules! parsed {
        ($type:ty) => {
            text.parse::<$type>().ok().map(AttributeValue::from)
        };
    }
    let value = match kind {
        AttributeType::Bool => parsed!(bool),
        AttributeType::I8 => parsed!(i8),
        AttributeType::I16 => parsed!(i16),
        AttributeType::I32 => parsed!(i32),
        AttributeType::I64 => parsed!(i64),
        AttributeType::U8 => parsed!(u8),
        AttributeType::U16 => parsed!(u16),
        AttributeType::U32 => parsed!(u32),
        AttributeType::U64 => parsed!(u64),
        AttributeType::F32 => parsed!(f32),
        AttributeType::F64 => parsed!(f64),
        AttributeType::String => Some(text.into()),
        AttributeType::Binary => from_hex(text).map(AttributeValue::Binary),
        AttributeType::List => match serde_json::from_str(text) {
            Ok(list @ Value::Array(_)) => Some(from_json(list)?),
            _ => None,
        },
    };
    value.ok_or_else(|| {
        Error::new(ErrorKind::InvalidArgument, "the value isn't one of the attribute's type")
            .with("value", text)
            .with("type", format!("{kind:?}").to_lowercase())
    })
}

/// Integers are `int64`, or `uint64` where they are too large for it; other numbers are `float64`.
fn from_json(value: Value) -> Result<AttributeValue> {
    let refused =
        || Error::new(ErrorKind::InvalidArgument, "a list has numbers, texts, true, false and lists");
    Ok(match value {
        Value::Bool(value) => value.into(),
        Value::String(text) => AttributeValue::String(text),
        Value::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(value), ..) => value.into(),
            (_, Some(value), _) => value.into(),
            (_, _, Some(value)) => value.into(),
            _ => return Err(refused()),
        },
        Value::Array(values) => {
            AttributeValue::List(values.into_iter().map(from_json).collect::<Result<_>>()?)
        }
        Value::Null | Value::Object(_) => return Err(refused()),
    })
}

/// An attribute as JSON, and the name of its type.
pub(super) fn attribute_json(value: &AttributeValue) -> (Value, &'static str) {
    use AttributeValue as A;
    // A number that JSON doesn't have, and one that would get more digits than were given, are told by their text.
    let float = |text: String| json_of(text);
    match value {
        A::Bool(value) => ((*value).into(), "bool"),
        A::Int8(value) => ((*value).into(), "int8"),
        A::Int16(value) => ((*value).into(), "int16"),
        A::Int32(value) => ((*value).into(), "int32"),
        A::Int64(value) => ((*value).into(), "int64"),
        A::UInt8(value) => ((*value).into(), "uint8"),
        A::UInt16(value) => ((*value).into(), "uint16"),
        A::UInt32(value) => ((*value).into(), "uint32"),
        A::UInt64(value) => ((*value).into(), "uint64"),
        A::Float32(value) => (float(format!("{value:?}")), "float32"),
        A::Float64(value) => (float(format!("{value:?}")), "float64"),
        A::String(value) => (value.as_str().into(), "string"),
        A::Binary(value) => (hex(value).into(), "binary"),
        A::List(values) => (values.iter().map(|value| attribute_json(value).0).collect(), "list"),
        other => (format!("{other:?}").into(), "unknown"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

    use super::*;

    #[test]
    fn attributes_have_the_type_that_is_said_or_seen() {
        assert_eq!(attribute_of(None, "3").unwrap(), 3i64.into());
        assert_eq!(attribute_of(None, "18446744073709551615").unwrap(), u64::MAX.into());
        assert_eq!(attribute_of(None, "0.5").unwrap(), 0.5f64.into());
        assert_eq!(attribute_of(None, "true").unwrap(), true.into());
        assert_eq!(attribute_of(None, "nm").unwrap(), "nm".into());
        assert_eq!(
            attribute_of(None, "[1,\"a\"]").unwrap(),
            AttributeValue::List(vec![1i64.into(), "a".into()])
        );
        assert_eq!(attribute_of(Some(AttributeType::String), "3").unwrap(), "3".into());
        assert_eq!(attribute_of(Some(AttributeType::U8), "3").unwrap(), 3u8.into());
        assert!(attribute_of(Some(AttributeType::U8), "300").is_err());
        assert!(attribute_of(None, "[null]").is_err());
    }
}
