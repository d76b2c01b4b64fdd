//! Elements, fill values and attributes as text.

use std::fmt::Write;

use array_file::{AttributeValue, DType, FillValue, StatValue};
use engine_api::{Error, ErrorKind, Result};
use serde_json::Value;

/// An element as people read it, and JSON where JSON has such a value. `None` for bytes that no element has, and for
/// elements of types that have no text here.
pub(super) fn text_of(dtype: &DType, cell: &[u8]) -> Option<String> {
    macro_rules! number {
        ($type:ty) => {
            <$type>::from_le_bytes(cell.try_into().ok()?).to_string()
        };
    }
    Some(match dtype {
        DType::Bool => match cell {
            [0] => "false".to_owned(),
            [1] => "true".to_owned(),
            _ => return None,
        },
        DType::Int8 => number!(i8),
        DType::Int16 => number!(i16),
        DType::Int32 => number!(i32),
        DType::Int64 => number!(i64),
        DType::UInt8 => number!(u8),
        DType::UInt16 => number!(u16),
        DType::UInt32 => number!(u32),
        DType::UInt64 => number!(u64),
        DType::Float16 => number!(half::f16),
        DType::Float32 => number!(f32),
        DType::Float64 => number!(f64),
        DType::Complex64 | DType::Complex128 => {
            let (re, im) = cell.split_at_checked(cell.len() / 2)?;
            let part = if *dtype == DType::Complex64 { DType::Float32 } else { DType::Float64 };
            let (re, im) = (text_of(&part, re)?, text_of(&part, im)?);
            if im.starts_with('-') { format!("{re}{im}j") } else { format!("{re}+{im}j") }
        }
        DType::TimestampNs => time(i64::from_le_bytes(cell.try_into().ok()?)),
        DType::String => Value::from(std::str::from_utf8(cell).ok()?).to_string(),
        DType::Binary => Value::from(hex(cell)).to_string(),
        DType::FixedSizeList { child, .. } => {
            let size = child.element_size().filter(|size| *size > 0)?;
            let children: Option<Vec<String>> =
                cell.chunks_exact(size).map(|cell| text_of(child, cell)).collect();
            format!("[{}]", children?.join(", "))
        }
        _ => return None,
    })
}

/// An element's text as JSON: as a text, where JSON has no such number.
pub(super) fn json_of(text: String) -> Value {
    serde_json::from_str(&text).unwrap_or(Value::String(text))
}

/// A bound of statistics as text.
pub(super) fn bound_of(value: &StatValue) -> String {
    match value {
        StatValue::Int(value) => value.to_string(),
        StatValue::UInt(value) => value.to_string(),
        StatValue::Float(value) => value.to_string(),
        StatValue::TimestampNs(value) => time(*value),
        StatValue::Bytes(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => Value::from(text).to_string(),
            Err(_) => Value::from(hex(bytes)).to_string(),
        },
        other => format!("{other:?}"),
    }
}

/// The fill value that a command line gives.
pub(super) fn fill_of(dtype: &DType, text: &str) -> Result<FillValue> {
    let parsed = match dtype {
        DType::Bool => text.parse().ok().map(FillValue::Bool),
        DType::Float16 | DType::Float32 | DType::Float64 => text.parse().ok().map(FillValue::Float),
        DType::Complex64 | DType::Complex128 => match text.split_once(',') {
            None => text.parse().ok().map(|re| FillValue::Complex(re, 0.0)),
            Some((re, im)) => match (re.trim().parse(), im.trim().parse()) {
                (Ok(re), Ok(im)) => Some(FillValue::Complex(re, im)),
                _ => None,
            },
        },
        DType::TimestampNs => nanoseconds(text).map(FillValue::TimestampNs),
        DType::String => Some(FillValue::String(text.to_owned())),
        DType::Binary => from_hex(text).map(FillValue::Binary),
        DType::FixedSizeList { .. } | DType::List { .. } => {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "a list's fill value can't be given here; without one its elements are zero or empty",
            )
            .with("dtype", dtype));
        }
        _ => match text.parse() {
            Ok(value) => Some(FillValue::Int(value)),
            Err(_) => text.parse().ok().map(FillValue::UInt),
        },
    };
    parsed.ok_or_else(|| {
        Error::new(ErrorKind::InvalidArgument, "the fill value isn't one of the type")
            .with("fill", text)
            .with("dtype", dtype)
    })
}

/// A fill value as text, `0` and the like where an array has none.
pub(super) fn fill_text(fill: Option<&FillValue>) -> Option<String> {
    Some(match fill? {
        FillValue::Bool(value) => value.to_string(),
        FillValue::Int(value) => value.to_string(),
        FillValue::UInt(value) => value.to_string(),
        FillValue::Float(value) => value.to_string(),
        FillValue::Complex(re, im) => format!("{re},{im}"),
        FillValue::TimestampNs(value) => time(*value),
        FillValue::String(value) => Value::from(value.as_str()).to_string(),
        FillValue::Binary(value) => hex(value),
        other => format!("{other:?}"),
    })
}

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

/// Nanoseconds since 1970 as RFC 3339.
fn time(nanoseconds: i64) -> String {
    jiff::Timestamp::from_nanosecond(nanoseconds.into())
        .map_or_else(|_| nanoseconds.to_string(), |at| at.to_string())
}

fn nanoseconds(text: &str) -> Option<i64> {
    match text.parse() {
        Ok(nanoseconds) => Some(nanoseconds),
        Err(_) => i64::try_from(text.parse::<jiff::Timestamp>().ok()?.as_nanosecond()).ok(),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string doesn't fail.
        write!(text, "{byte:02x}").ok();
        text
    })
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    let byte = |pair: &[u8]| {
        let pair =
            std::str::from_utf8(pair).ok().filter(|pair| pair.bytes().all(|c| c.is_ascii_hexdigit()))?;
        u8::from_str_radix(pair, 16).ok()
    };
    digits.len().is_multiple_of(2).then(|| digits.chunks(2).map(byte).collect())?
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

    use super::*;

    #[test]
    fn elements_are_as_numpy_prints_them() {
        let cases: [(DType, Vec<u8>, &str); 8] = [
            (DType::Bool, vec![1], "true"),
            (DType::Int16, (-3i16).to_le_bytes().to_vec(), "-3"),
            (DType::Float16, half::f16::from_f32(0.5).to_le_bytes().to_vec(), "0.5"),
            (DType::Float32, 0.1f32.to_le_bytes().to_vec(), "0.1"),
            (DType::Complex64, [1.0f32.to_le_bytes(), (-2.5f32).to_le_bytes()].concat(), "1-2.5j"),
            (DType::TimestampNs, 1i64.to_le_bytes().to_vec(), "1970-01-01T00:00:00.000000001Z"),
            (DType::String, b"a\"b".to_vec(), "\"a\\\"b\""),
            (DType::FixedSizeList { child: Box::new(DType::UInt8), size: 2 }, vec![1, 2], "[1, 2]"),
        ];
        for (dtype, cell, text) in cases {
            assert_eq!(text_of(&dtype, &cell).as_deref(), Some(text), "{dtype}");
        }
        assert_eq!(text_of(&DType::Bool, &[2]), None);
        assert_eq!(text_of(&DType::UInt16, &[2]), None);
        assert_eq!(json_of("NaN".to_owned()), Value::from("NaN"));
    }

    #[test]
    fn fill_values_are_of_the_type() {
        assert_eq!(fill_of(&DType::UInt64, "18446744073709551615").unwrap(), FillValue::UInt(u64::MAX));
        assert_eq!(fill_of(&DType::Int8, "-1").unwrap(), FillValue::Int(-1));
        assert_eq!(fill_of(&DType::Complex64, "1,-2").unwrap(), FillValue::Complex(1.0, -2.0));
        assert_eq!(fill_of(&DType::Binary, "00ff").unwrap(), FillValue::Binary(vec![0, 255]));
        assert_eq!(
            fill_of(&DType::TimestampNs, "1970-01-01T00:00:01Z").unwrap(),
            FillValue::TimestampNs(1_000_000_000)
        );
        for (dtype, text) in
            [(DType::Bool, "1"), (DType::Int8, "x"), (DType::Binary, "0"), (DType::Binary, "+1")]
        {
            assert_eq!(fill_of(&dtype, text).unwrap_err().kind(), ErrorKind::InvalidArgument, "{text}");
        }
    }

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
