//! Attributes of HDF5 datasets.

use std::collections::HashMap;

use chunks::DType;
use rust_hdf5::{DatatypeMessage, H5Attribute, H5Dataset};

use super::VariableAttribute;
use super::hdf5::dtype_of;

/// The longest attribute that is kept.
const MOST_ATTRIBUTE_BYTES: usize = 1 << 20;

/// Attributes by which HDF5 and NetCDF keep dimensions and fill values.
const INTERNAL: [&str; 9] = [
    "CLASS",
    "NAME",
    "REFERENCE_LIST",
    "DIMENSION_LIST",
    "DIMENSION_LABELS",
    "_FillValue",
    "_NCProperties",
    DIMENSION_ID,
    DIMENSION_IDS,
];

/// The number of a dimension, and those of the dimensions that a dataset has.
pub(super) const DIMENSION_ID: &str = "_Netcdf4Dimid";
pub(super) const DIMENSION_IDS: &str = "_Netcdf4Coordinates";

/// The kept attributes; what can't be read is not what an array is read for.
pub(super) fn attributes(dataset: &H5Dataset) -> Vec<(String, VariableAttribute)> {
    let names = dataset.attr_names().unwrap_or_default();
    let kept = names.into_iter().filter(|name| !INTERNAL.contains(&name.as_str()));
    kept.filter_map(|name| attribute(dataset, &name).map(|value| (name, value))).collect()
}

pub(super) fn attribute(dataset: &H5Dataset, name: &str) -> Option<VariableAttribute> {
    let attribute = dataset.attr(name).ok()?;
    let datatype = attribute.datatype().ok()?;
    let raw = attribute.read_raw().ok().filter(|raw| raw.len() <= MOST_ATTRIBUTE_BYTES)?;
    match datatype {
        DatatypeMessage::FixedString { size, padding, .. } => {
            let size = usize::try_from(size).ok().filter(|size| *size > 0)?;
            let mut texts: Vec<String> =
                raw.chunks_exact(size).map(|text| fixed_text(text, padding)).collect();
            if texts.len() == 1 {
                texts.pop().map(VariableAttribute::Text)
            } else {
                Some(VariableAttribute::Texts(texts))
            }
        }
        // A length, an address and an index; of several the library reads the first.
        DatatypeMessage::VarLenString { .. } if raw.len() <= 16 => {
            attribute.read_string().ok().map(VariableAttribute::Text)
        }
        DatatypeMessage::FixedPoint { signed: false, .. } => {
            attribute.read_numeric_as().ok().map(VariableAttribute::Unsigned)
        }
        DatatypeMessage::FixedPoint { .. } => attribute.read_numeric_as().ok().map(VariableAttribute::Signed),
        DatatypeMessage::FloatingPoint { .. } => {
            attribute.read_numeric_as().ok().map(VariableAttribute::Floats)
        }
        DatatypeMessage::Enum { .. } => enum_attribute(&attribute),
        _ => None,
    }
}

/// A `bool` of h5py.
fn enum_attribute(attribute: &H5Attribute) -> Option<VariableAttribute> {
    let bytes = attribute.read_raw().ok()?;
    (dtype_of(&attribute.datatype().ok()?)? == DType::Bool)
        .then(|| VariableAttribute::Unsigned(bytes.into_iter().map(u64::from).collect()))
}

fn fixed_text(bytes: &[u8], padding: u8) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    let text = String::from_utf8_lossy(&bytes[..end]);
    if padding == 2 { text.trim_end_matches(' ').to_owned() } else { text.into_owned() }
}

pub(super) fn text(dataset: &H5Dataset, name: &str) -> Option<String> {
    match attribute(dataset, name)? {
        VariableAttribute::Text(text) => Some(text),
        _ => None,
    }
}

pub(super) fn first_integer(value: &VariableAttribute) -> Option<i64> {
    match value {
        VariableAttribute::Signed(values) => values.first().copied(),
        VariableAttribute::Unsigned(values) => i64::try_from(*values.first()?).ok(),
        _ => None,
    }
}

pub(super) fn names_of(ids: &VariableAttribute, dimensions: &HashMap<i64, String>) -> Option<Vec<String>> {
    let VariableAttribute::Signed(ids) = ids else { return None };
    ids.iter().map(|id| dimensions.get(id).cloned()).collect()
}
