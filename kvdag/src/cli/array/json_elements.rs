//! Elements that JSON tells: of any type, and few enough to be in memory at once.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use array_file::{DType, FillValue};
use engine_api::{Error, ErrorKind, Result};
use ndarray::{ArrayD, IxDyn};
use serde::Deserialize;
use serde_json::Value;

use super::place::failed;
use super::values::value_of;

/// JSON is kept in memory as a whole, with up to some forty bytes for each of its own.
const MOST_BYTES: u64 = 1 << 26;

/// The elements of a file.
#[derive(Debug)]
pub(super) struct JsonElements {
    elements: Elements,
    bytes: u64,
}

/// Nested lists, slowest axis first; or as `read` writes them, an object with the `shape`, and in `values` the elements in
/// C order.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Elements {
    Listed { shape: Vec<u64>, dtype: Option<String>, values: Vec<Value> },
    Nested(Value),
}

impl JsonElements {
    /// # Errors
    /// `InvalidArgument` for what isn't JSON, `TooLarge`, and those of the file.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let unreadable =
            |error| Error::from_io(error, "the elements can't be read").with("file", path.display());
        let file = File::open(path).map_err(unreadable)?;
        let bytes = file.metadata().map_err(unreadable)?.len();
        if bytes > MOST_BYTES {
            return Err(Error::new(ErrorKind::TooLarge, "this is too much JSON at once; write it in parts")
                .with("bytes", bytes)
                .with("limit", MOST_BYTES));
        }
        let elements = serde_json::from_reader(BufReader::new(file.take(MOST_BYTES))).map_err(|error| {
            Error::new(ErrorKind::InvalidArgument, "the file isn't JSON")
                .with("file", path.display())
                .caused_by(error)
        })?;
        Ok(Self { elements, bytes })
    }

    /// How long the file is.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The type that the elements say they have.
    pub(super) fn said_dtype(&self) -> Result<Option<DType>> {
        match &self.elements {
            Elements::Listed { dtype: Some(dtype), .. } => dtype.parse().map(Some).map_err(failed),
            _ => Ok(None),
        }
    }

    /// The type that the elements look like: `bool`, `int64`, `uint64` where they are larger, `float64` or `string`.
    pub(super) fn seen_dtype(&self) -> Result<DType> {
        let mut seen = None;
        let mut look = |leaf: &Value| {
            let looks = match leaf {
                Value::Bool(_) => DType::Bool,
                Value::String(_) => DType::String,
                Value::Number(number) if number.is_i64() => DType::Int64,
                Value::Number(number) if number.is_u64() => DType::UInt64,
                Value::Number(_) => DType::Float64,
                _ => return false,
            };
            seen = match seen.take() {
                None => Some(looks),
                Some(seen) if seen == looks => Some(seen),
                Some(DType::Int64 | DType::Float64) if looks == DType::Float64 => Some(looks),
                Some(DType::Float64) if looks == DType::Int64 => Some(DType::Float64),
                _ => return false,
            };
            true
        };
        let alike = match &self.elements {
            Elements::Listed { values, .. } => values.iter().all(&mut look),
            Elements::Nested(value) => each_leaf(value, &mut look),
        };
        seen.filter(|_| alike).ok_or_else(|| {
            Error::new(ErrorKind::InvalidArgument, "the elements' type can't be seen; say it by --dtype")
        })
    }

    /// The elements as values of a type. `axes` is their number, where it is known.
    ///
    /// # Errors
    /// `InvalidArgument` where the lists are no array of such values.
    pub(super) fn values(&self, dtype: &DType, axes: Option<usize>) -> Result<ArrayD<FillValue>> {
        let (mut shape, mut leaves) = (Vec::new(), Vec::new());
        match &self.elements {
            Elements::Listed { shape: listed, values, .. } => {
                for length in listed {
                    shape.push(usize::try_from(*length).unwrap_or(usize::MAX));
                }
                leaves.extend(values);
            }
            Elements::Nested(value) => {
                let axes = axes.unwrap_or_else(|| depth(value).saturating_sub(lists_of(dtype)));
                flatten(value, axes, &mut shape, &mut leaves)?;
            }
        }
        let values = leaves.into_iter().map(|leaf| {
            value_of(dtype, leaf).ok_or_else(|| {
                Error::new(ErrorKind::InvalidArgument, "an element isn't a value of the type")
                    .with("element", leaf)
                    .with("dtype", dtype)
            })
        });
        let values = values.collect::<Result<Vec<_>>>()?;
        let count = values.len();
        ArrayD::from_shape_vec(IxDyn(&shape), values).map_err(|_| {
            Error::new(ErrorKind::InvalidArgument, "the elements aren't as many as the shape says")
                .with("shape", format_args!("{shape:?}"))
                .with("elements", count)
        })
    }
}

/// How many lists there are around the element that has most of them: the first may be an empty list.
fn depth(value: &Value) -> usize {
    match value {
        Value::Array(values) => 1 + values.iter().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// How many lists there are in an element's JSON.
fn lists_of(dtype: &DType) -> usize {
    match dtype {
        DType::List { child } | DType::FixedSizeList { child, .. } => 1 + lists_of(child),
        _ => 0,
    }
}

/// Hands each element that isn't a list to `look`, until that says no.
fn each_leaf(value: &Value, look: &mut impl FnMut(&Value) -> bool) -> bool {
    match value {
        Value::Array(values) => values.iter().all(|value| each_leaf(value, look)),
        leaf => look(leaf),
    }
}

/// The elements of lists that are nested as deep as there are axes, each as long as those beside it.
fn flatten<'a>(
    value: &'a Value,
    axes: usize,
    shape: &mut Vec<usize>,
    leaves: &mut Vec<&'a Value>,
) -> Result<()> {
    let ragged = || {
        Error::new(
            ErrorKind::InvalidArgument,
            "the elements are lists in lists, one for each axis and of one length",
        )
    };
    let mut level = vec![value];
    for _ in 0..axes {
        let mut next = Vec::new();
        let mut length = None;
        for value in level {
            let Value::Array(values) = value else { return Err(ragged()) };
            if *length.get_or_insert(values.len()) != values.len() {
                return Err(ragged());
            }
            next.extend(values);
        }
        shape.push(length.unwrap_or(0));
        level = next;
    }
    *leaves = level;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

    use super::*;

    fn elements(json: &str) -> JsonElements {
        JsonElements { elements: serde_json::from_str(json).unwrap(), bytes: 0 }
    }

    #[test]
    fn types_are_seen() {
        for (json, dtype) in [
            ("[true, false]", DType::Bool),
            ("[[1], [-2]]", DType::Int64),
            ("[18446744073709551615]", DType::UInt64),
            ("[1, 0.5]", DType::Float64),
            ("[0.5, 1]", DType::Float64),
            ("\"a\"", DType::String),
            (r#"{"shape": [1], "values": [1]}"#, DType::Int64),
        ] {
            assert_eq!(elements(json).seen_dtype().unwrap(), dtype, "{json}");
        }
        let said = elements(r#"{"shape": [1], "dtype": "u8", "values": [1]}"#).said_dtype();
        assert_eq!(said.unwrap(), Some(DType::UInt8));
        assert!(elements(r#"{"shape": [1], "dtype": "u9", "values": [1]}"#).said_dtype().is_err());
        for json in ["[]", "[1, \"a\"]", "[null]", "[true, 1]", "[-1, 18446744073709551615]", "{}"] {
            assert_eq!(elements(json).seen_dtype().unwrap_err().kind(), ErrorKind::InvalidArgument, "{json}");
        }
    }

    #[test]
    fn lists_are_axes_and_then_elements() {
        let list: DType = "list<u8>".parse().unwrap();
        for (json, dtype, axes, shape) in [
            ("[[1, 2, 3], [4, 5, 6]]", DType::UInt8, None, &[2, 3][..]),
            ("[[1, 2], [], [3]]", list.clone(), None, &[3]),
            ("[[], [1]]", list.clone(), Some(1), &[2]),
            ("[[], [1]]", list.clone(), None, &[2]),
            ("[[[1]], [[2, 3]]]", list, None, &[2, 1]),
            ("7", DType::UInt8, None, &[]),
            ("[]", DType::UInt8, Some(2), &[0, 0]),
            (r#"{"shape": [2, 1], "values": [1, 2], "file": "a.af"}"#, DType::UInt8, None, &[2, 1]),
        ] {
            assert_eq!(elements(json).values(&dtype, axes).unwrap().shape(), shape, "{json}");
        }
        for (json, axes) in [
            ("[[1], [2, 3]]", None),
            ("[1, [2]]", None),
            ("[1]", Some(2)),
            ("[[1]]", Some(1)),
            ("[300]", Some(2)),
            (r#"{"shape": [3], "values": [1, 2]}"#, None),
            (r#"{"shape": [18446744073709551615, 2], "values": []}"#, None),
        ] {
            let error = elements(json).values(&DType::UInt8, axes).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{json}");
        }
    }
}
