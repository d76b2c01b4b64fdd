//! The fields of a header that aren't shape, type or spacing, as metadata and back.

use serde_json::{Map, Value};

use super::header::{Header, at};

/// Fields of one number each.
const FLOATS: [(&str, usize); 5] = [
    ("scl_slope", at::SCL_SLOPE),
    ("scl_inter", at::SCL_INTER),
    ("cal_max", at::CAL_MAX),
    ("cal_min", at::CAL_MIN),
    ("toffset", at::TOFFSET),
];

/// Whole numbers, of two bytes each.
const CODES: [(&str, usize); 3] =
    [("intent_code", at::INTENT_CODE), ("qform_code", at::QFORM_CODE), ("sform_code", at::SFORM_CODE)];

/// Fields of several numbers: name, place, count. The quaternion is b, c, d and the offsets in x, y, z;
/// `pixdim[0]` is the sign that belongs to it.
const ROWS: [(&str, usize, usize); 5] = [
    ("qfac", at::PIXDIM, 1),
    ("quatern", at::QUATERN, 6),
    ("srow_x", at::SROW_X, 4),
    ("srow_y", at::SROW_Y, 4),
    ("srow_z", at::SROW_Z, 4),
];

const TEXTS: [(&str, usize, usize); 2] = [("descrip", at::DESCRIP, 80), ("intent_name", at::INTENT_NAME, 16)];

/// The fields by name; numbers that aren't finite, and empty texts, are left out.
pub(super) fn read(header: &Header) -> Map<String, Value> {
    let mut fields = Map::new();
    let number = |at| Some(f64::from(header.f32(at))).filter(|value| value.is_finite());
    for (name, at) in FLOATS {
        if let Some(value) = number(at) {
            fields.insert(name.to_owned(), value.into());
        }
    }
    for (name, at) in CODES {
        fields.insert(name.to_owned(), header.i16(at).into());
    }
    for (name, at, count) in ROWS {
        let row: Option<Vec<f64>> = (0..count).map(|index| number(at + 4 * index)).collect();
        if let Some(row) = row {
            fields.insert(name.to_owned(), row.into());
        }
    }
    for (name, at, length) in TEXTS {
        let text = header.text(at, length);
        if !text.is_empty() {
            fields.insert(name.to_owned(), text.into());
        }
    }
    fields
}

/// Puts back the fields that [`read`] has named; others, and values of other kinds, are left alone.
pub(super) fn write(fields: &Map<String, Value>, header: &mut Header) {
    for (name, at) in FLOATS {
        if let Some(value) = fields.get(name).and_then(Value::as_f64) {
            header.set(at, narrow(value).to_le_bytes());
        }
    }
    for (name, at) in CODES {
        let code = fields.get(name).and_then(Value::as_i64).and_then(|code| i16::try_from(code).ok());
        if let Some(code) = code {
            header.set(at, code.to_le_bytes());
        }
    }
    for (name, at, count) in ROWS {
        let row = fields.get(name).and_then(Value::as_array).filter(|row| row.len() == count);
        for (index, value) in row.into_iter().flatten().enumerate() {
            if let Some(value) = value.as_f64() {
                header.set(at + 4 * index, narrow(value).to_le_bytes());
            }
        }
    }
    for (name, at, length) in TEXTS {
        if let Some(text) = fields.get(name).and_then(Value::as_str) {
            header.set_text(at, length, text);
        }
    }
}

/// A number as the header can hold it.
pub(super) fn narrow(value: f64) -> f32 {
    #[allow(
        clippy::cast_possible_truncation,
        reason = "the header holds four-byte floats; what came from one is exact"
    )]
    let narrow = value as f32;
    narrow
}
