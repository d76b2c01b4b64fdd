//! Elements and fill values as text and JSON.

use std::fmt::Write;

use array_file::{DType, FillValue, StatValue};
use engine_api::{Error, ErrorKind, Result};
use serde_json::Value;

/// An element of a fixed size as people read it, and JSON where JSON has such a value; lists are JSON. `None` for bytes
/// that no element has, and for elements of any length, which [`value_text`] tells.
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
            complex_text(&text_of(&part, re)?, &text_of(&part, im)?)
        }
        DType::TimestampNs => time(i64::from_le_bytes(cell.try_into().ok()?)),
        DType::FixedSizeList { child, .. } => {
            let size = child.element_size().filter(|size| *size > 0)?;
            list_text(cell.chunks_exact(size).map(|cell| text_of(child, cell)))?
        }
        _ => return None,
    })
}

/// The text of an element of any length, as [`text_of`] tells others. `None` for a value that isn't of the type.
pub(super) fn value_text(dtype: &DType, value: &FillValue) -> Option<String> {
    use FillValue as V;
    Some(match (dtype, value) {
        (DType::List { child } | DType::FixedSizeList { child, .. }, V::List(values)) => {
            list_text(values.iter().map(|value| value_text(child, value)))?
        }
        (DType::Complex64 | DType::Complex128, V::Complex(re, im)) => {
            let part = if *dtype == DType::Complex64 { DType::Float32 } else { DType::Float64 };
            complex_text(&float_text(&part, *re), &float_text(&part, *im))
        }
        (_, V::Float(value)) => float_text(dtype, *value),
        (_, V::Bool(value)) => value.to_string(),
        (_, V::Int(value)) => value.to_string(),
        (_, V::UInt(value)) => value.to_string(),
        (_, V::TimestampNs(value)) => time(*value),
        (_, V::String(value)) => Value::from(value.as_str()).to_string(),
        (_, V::Binary(value)) => Value::from(hex(value)).to_string(),
        _ => return None,
    })
}

/// A list's text from its children's, which may be no JSON by themselves.
fn list_text(children: impl Iterator<Item = Option<String>>) -> Option<String> {
    let children: Option<Vec<String>> = children.map(|child| Some(json_of(child?).to_string())).collect();
    Some(format!("[{}]", children?.join(", ")))
}

fn complex_text(re: &str, im: &str) -> String {
    let plus = if im.starts_with('-') { "" } else { "+" };
    format!("{re}{plus}{im}j")
}

/// A float with no more digits than its type has.
#[expect(clippy::cast_possible_truncation, reason = "it was one of the type")]
fn float_text(dtype: &DType, value: f64) -> String {
    match dtype {
        DType::Float16 => half::f16::from_f64(value).to_string(),
        DType::Float32 => (value as f32).to_string(),
        _ => value.to_string(),
    }
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

/// The fill value that a command line gives: as the text of an element, and a list as JSON.
pub(super) fn fill_of(dtype: &DType, text: &str) -> Result<FillValue> {
    let parsed = match dtype {
        DType::Bool => text.parse().ok().map(FillValue::Bool),
        DType::Complex64 | DType::Complex128 => match text.split_once(',') {
            None => complex(text),
            Some((re, im)) => match (re.trim().parse(), im.trim().parse()) {
                (Ok(re), Ok(im)) => Some(FillValue::Complex(re, im)),
                _ => None,
            },
        },
        DType::Float16
        | DType::Float32
        | DType::Float64
        | DType::TimestampNs
        | DType::String
        | DType::Binary => value_of(dtype, &Value::from(text)),
        DType::FixedSizeList { .. } | DType::List { .. } => {
            serde_json::from_str(text).ok().and_then(|list| value_of(dtype, &list))
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

/// The value of an element that JSON tells, as `read` tells it: numbers that JSON doesn't have, complex ones such as
/// `1-2j`, times (or nanoseconds since 1970) and the hexadecimal digits of bytes are texts. `None` for what is none of the type.
pub(super) fn value_of(dtype: &DType, json: &Value) -> Option<FillValue> {
    Some(match (dtype, json) {
        (DType::Bool, Value::Bool(value)) => FillValue::Bool(*value),
        (DType::Float16 | DType::Float32 | DType::Float64, Value::Number(number)) => {
            FillValue::Float(number.as_f64()?)
        }
        (DType::Float16 | DType::Float32 | DType::Float64, Value::String(text)) => {
            FillValue::Float(text.parse().ok()?)
        }
        (DType::Complex64 | DType::Complex128, Value::Number(number)) => {
            FillValue::Complex(number.as_f64()?, 0.0)
        }
        (DType::Complex64 | DType::Complex128, Value::String(text)) => complex(text)?,
        (DType::TimestampNs, Value::Number(number)) => FillValue::TimestampNs(number.as_i64()?),
        (DType::TimestampNs, Value::String(text)) => FillValue::TimestampNs(nanoseconds(text)?),
        (DType::String, Value::String(text)) => FillValue::String(text.clone()),
        (DType::Binary, Value::String(text)) => FillValue::Binary(from_hex(text)?),
        (DType::FixedSizeList { child, .. } | DType::List { child }, Value::Array(values)) => {
            FillValue::List(values.iter().map(|value| value_of(child, value)).collect::<Option<_>>()?)
        }
        (
            DType::Bool | DType::String | DType::Binary | DType::FixedSizeList { .. } | DType::List { .. },
            _,
        ) => return None,
        (_, Value::Number(number)) => match number.as_i64() {
            Some(value) => FillValue::Int(value),
            None => FillValue::UInt(number.as_u64()?),
        },
        _ => return None,
    })
}

/// A complex number as Python writes it: `1`, `2j`, `1-2j`.
fn complex(text: &str) -> Option<FillValue> {
    let Some(body) = text.strip_suffix(['j', 'J']) else {
        return text.parse().ok().map(|re| FillValue::Complex(re, 0.0));
    };
    // The sign of the imaginary part, and not that of an exponent.
    let sign = body.rfind(['+', '-']).and_then(|last| {
        let of_exponent = body[..last].ends_with(['e', 'E']);
        if of_exponent { body[..last - 1].rfind(['+', '-']) } else { Some(last) }
    });
    let (re, im) = body.split_at(sign.unwrap_or(0));
    let re = if re.is_empty() { 0.0 } else { re.parse().ok()? };
    Some(FillValue::Complex(re, im.parse().ok()?))
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

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string doesn't fail.
        write!(text, "{byte:02x}").ok();
        text
    })
}

pub(super) fn from_hex(text: &str) -> Option<Vec<u8>> {
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
        let cases: [(DType, Vec<u8>, &str); 7] = [
            (DType::Bool, vec![1], "true"),
            (DType::Int16, (-3i16).to_le_bytes().to_vec(), "-3"),
            (DType::Float16, half::f16::from_f32(0.5).to_le_bytes().to_vec(), "0.5"),
            (DType::Float32, 0.1f32.to_le_bytes().to_vec(), "0.1"),
            (DType::Complex64, [1.0f32.to_le_bytes(), (-2.5f32).to_le_bytes()].concat(), "1-2.5j"),
            (DType::TimestampNs, 1i64.to_le_bytes().to_vec(), "1970-01-01T00:00:00.000000001Z"),
            (DType::FixedSizeList { child: Box::new(DType::UInt8), size: 2 }, vec![1, 2], "[1, 2]"),
        ];
        for (dtype, cell, text) in cases {
            assert_eq!(text_of(&dtype, &cell).as_deref(), Some(text), "{dtype}");
        }
        let text = FillValue::String("a\"b".to_owned());
        assert_eq!(value_text(&DType::String, &text).as_deref(), Some("\"a\\\"b\""));
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
    fn what_is_told_is_understood() {
        let list = |text: &str| text.parse::<DType>().unwrap();
        let cases = [
            (DType::Float16, FillValue::Float(-0.5)),
            (DType::Float32, FillValue::Float(0.1f32.into())),
            (DType::Float64, FillValue::Float(f64::NEG_INFINITY)),
            (DType::Complex64, FillValue::Complex(1e-30f32.into(), -1e-30)),
            (DType::Complex128, FillValue::Complex(-1e300, f64::INFINITY)),
            (DType::Int8, FillValue::Int(-3)),
            (DType::UInt64, FillValue::UInt(u64::MAX)),
            (DType::TimestampNs, FillValue::TimestampNs(-1)),
            (DType::String, FillValue::String("NaN".to_owned())),
            (DType::Binary, FillValue::Binary(vec![0, 255])),
            (
                list("list<f32>"),
                FillValue::List(vec![FillValue::Float(0.1f32.into()), FillValue::Float(f64::INFINITY)]),
            ),
            (
                list("list<list<string>, 1>"),
                FillValue::List(vec![FillValue::List(vec![FillValue::String("[1]".to_owned())])]),
            ),
        ];
        for (dtype, value) in cases {
            let text = value_text(&dtype, &value).unwrap();
            let understood = value_of(&dtype, &json_of(text.clone())).unwrap();
            // A float's text may be another double that is the same number of the type.
            assert_eq!(value_text(&dtype, &understood).unwrap(), text, "{dtype}");
        }
        for (text, value) in [
            ("1", (1.0, 0.0)),
            ("-2j", (0.0, -2.0)),
            ("1e-3+2E+4j", (1e-3, 2e4)),
            ("2e-4j", (0.0, 2e-4)),
            ("-1-2e-4j", (-1.0, -2e-4)),
        ] {
            assert_eq!(complex(text), Some(FillValue::Complex(value.0, value.1)), "{text}");
        }
        for text in ["", "j", "1+j", "1+2", "1++2j", "x", "e-1j"] {
            assert_eq!(complex(text), None, "{text}");
        }
        for (dtype, json) in
            [("u8", "1.5"), ("u8", "\"1\""), ("bool", "1"), ("list<u8>", "1"), ("string", "1")]
        {
            assert_eq!(value_of(&list(dtype), &serde_json::from_str(json).unwrap()), None, "{dtype} {json}");
        }
    }
}
