//! Datasets of HDF5 files.

use std::collections::HashMap;
use std::io;
use std::path::Path;

use chunks::DType;
use engine_api::embedded::contain;
use engine_api::{Error, ErrorKind, Result};
use rust_hdf5::{ByteOrder, DatatypeMessage, FillValue, H5Dataset, H5File, Hdf5Error, StorageLayout};

use super::attributes::{DIMENSION_ID, DIMENSION_IDS, attribute, attributes, first_integer, names_of, text};
use super::superblock::check_length;
use super::{Found, MOST_VARIABLES, Variable, copy_elements};
use crate::formats::bytes::swap_elements;

/// The longest chunk that is read: the library makes room for what a file says a chunk to be.
const MOST_CHUNK_BYTES: u64 = 1 << 30;

/// The name of a dimension that has no coordinates begins so.
const NO_VARIABLE: &str = "This is a netCDF dimension but not a netCDF variable";

/// The datasets of a file, as they are listed.
pub(super) struct Datasets(Vec<H5Dataset>);

impl std::fmt::Debug for Datasets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Datasets").field("number", &self.0.len()).finish()
    }
}

/// A file of the library; other programs may be reading it.
fn open_library(path: &Path) -> Result<H5File> {
    contain(|| H5File::options().best_effort_locking().open(path).map_err(read_failed))
}

pub(super) fn open(path: &Path) -> Result<Found<Datasets>> {
    check_length(path)?;
    let file = open_library(path)?;
    contain(|| {
        let names = file.dataset_names();
        if names.len() > MOST_VARIABLES {
            return Err(Error::new(ErrorKind::TooLarge, "the file has too many datasets")
                .with("datasets", names.len())
                .with("limit", MOST_VARIABLES));
        }
        let mut found = Found { source: Datasets(Vec::new()), list: Vec::new(), left_out: Vec::new() };
        let mut dimensions = HashMap::new();
        let mut ids = Vec::new();
        for name in names {
            let described = file.dataset(&name).map_err(read_failed).and_then(|dataset| {
                let id = attribute(&dataset, DIMENSION_ID).and_then(|value| first_integer(&value));
                if let Some(id) = id {
                    dimensions.insert(id, last_name(&name).to_owned());
                }
                Ok((describe(&name, &dataset)?, dataset))
            });
            match described {
                Ok((Some(variable), dataset)) => {
                    ids.push(attribute(&dataset, DIMENSION_IDS));
                    found.list.push(variable);
                    found.source.0.push(dataset);
                }
                Ok((None, _)) => {}
                Err(error) => found.left_out.push((name, error.to_string())),
            }
        }
        for (variable, ids) in found.list.iter_mut().zip(ids) {
            if let Some(names) = ids.and_then(|ids| names_of(&ids, &dimensions))
                && names.len() == variable.shape.len()
            {
                variable.dimensions = names;
            }
        }
        Ok(found)
    })
}

/// What a dataset is; none, where it is there for its name alone.
fn describe(name: &str, dataset: &H5Dataset) -> Result<Option<Variable>> {
    let is_scale = text(dataset, "CLASS").is_some_and(|class| class == "DIMENSION_SCALE");
    if is_scale && text(dataset, "NAME").is_some_and(|name| name.starts_with(NO_VARIABLE)) {
        return Ok(None);
    }
    if dataset.is_null() {
        return Err(unsupported("it has no elements"));
    }
    let elsewhere = dataset.storage_layout().map_err(read_failed)? == StorageLayout::Virtual
        || !dataset.external_files().map_err(read_failed)?.is_empty();
    if elsewhere {
        return Err(unsupported("its elements are in other files"));
    }
    let datatype = dataset.datatype().map_err(read_failed)?;
    let dtype = dtype_of(&datatype)
        .ok_or_else(|| unsupported("its elements aren't numbers of a size that is known"))?;
    let lengths = |dims: Vec<usize>| dims.into_iter().map(|length| u64::try_from(length).unwrap_or(u64::MAX));
    let shape: Vec<u64> = lengths(dataset.shape()).collect();
    let chunk_shape: Option<Vec<u64>> = dataset.chunk_dims().map(|dims| lengths(dims).collect());
    if let Some(chunk) = &chunk_shape {
        let size = u64::try_from(dtype.size()).unwrap_or(8);
        let bytes = chunk.iter().fold(size, |bytes, length| bytes.saturating_mul(*length));
        if bytes > MOST_CHUNK_BYTES {
            return Err(Error::new(ErrorKind::TooLarge, "its chunks are too large").with("bytes", bytes));
        }
        if chunk.len() != shape.len() || chunk.contains(&0) {
            return Err(Error::new(ErrorKind::Corrupt, "its chunks don't fit its shape"));
        }
    }
    let fill = match dataset.fill_value() {
        Ok(FillValue::UserDefined(mut bytes)) if bytes.len() == dtype.size() => {
            if order_of(&datatype) == Some(ByteOrder::BigEndian) {
                swap_elements(dtype.size(), &mut bytes);
            }
            Some(bytes)
        }
        _ => None,
    };
    let dimensions = if is_scale && shape.len() == 1 { vec![last_name(name).to_owned()] } else { Vec::new() };
    let attributes = attributes(dataset);
    let name = name.to_owned();
    Ok(Some(Variable { name, shape, dtype, chunk_shape, dimensions, fill, attributes, is_scale }))
}

fn last_name(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

/// The elements' type here.
pub(super) fn dtype_of(datatype: &DatatypeMessage) -> Option<DType> {
    match datatype {
        DatatypeMessage::FixedPoint { size, signed, bit_offset: 0, bit_precision, .. }
            if u32::from(*bit_precision) == size * 8 =>
        {
            Some(match (size, signed) {
                (1, false) => DType::U8,
                (2, false) => DType::U16,
                (4, false) => DType::U32,
                (8, false) => DType::U64,
                (1, true) => DType::I8,
                (2, true) => DType::I16,
                (4, true) => DType::I32,
                (8, true) => DType::I64,
                _ => return None,
            })
        }
        DatatypeMessage::FloatingPoint {
            size,
            bit_offset: 0,
            bit_precision,
            exponent_size,
            mantissa_size,
            exponent_bias,
            ..
        } => match (size, bit_precision, exponent_size, mantissa_size, exponent_bias) {
            (4, 32, 8, 23, 127) => Some(DType::F32),
            (8, 64, 11, 52, 1023) => Some(DType::F64),
            _ => None,
        },
        DatatypeMessage::Enum { base, members } => {
            let is_byte = matches!(dtype_of(base)?, DType::U8 | DType::I8);
            let values: Vec<&[u8]> = members.iter().map(|member| member.value.as_slice()).collect();
            (is_byte && values == [&[0], &[1]]).then_some(DType::Bool)
        }
        _ => None,
    }
}

fn order_of(datatype: &DatatypeMessage) -> Option<ByteOrder> {
    match datatype {
        DatatypeMessage::FixedPoint { byte_order, .. }
        | DatatypeMessage::FloatingPoint { byte_order, .. } => Some(*byte_order),
        _ => None,
    }
}

impl Datasets {
    pub(super) fn read(
        &self,
        index: usize,
        variable: &Variable,
        start: &[u64],
        shape: &[u64],
        out: &mut [u8],
    ) -> Result<()> {
        let dataset =
            self.0.get(index).ok_or_else(|| Error::new(ErrorKind::Internal, "the dataset isn't open"))?;
        let narrow = |lengths: &[u64]| -> Result<Vec<usize>> {
            let narrowed: Option<Vec<usize>> =
                lengths.iter().map(|length| usize::try_from(*length).ok()).collect();
            narrowed
                .ok_or_else(|| Error::new(ErrorKind::TooLarge, "the dataset is too large for this machine"))
        };
        let (start, shape) = (narrow(start)?, narrow(shape)?);
        macro_rules! typed {
            ($number:ty) => {{
                let numbers = if shape.is_empty() {
                    let mut number = [0];
                    dataset.read_raw_into::<$number>(&mut number).map(|()| number.to_vec())
                } else {
                    dataset.read_slice::<$number>(&start, &shape)
                };
                copy_elements!(numbers.map_err(read_failed)?, out, $number);
                Ok(())
            }};
        }
        contain(|| match variable.dtype.size() {
            1 if !shape.is_empty() => dataset.read_slice_into(out, &start, &shape).map_err(read_failed),
            1 => dataset.read_raw_into(out).map_err(read_failed),
            2 => typed!(u16),
            4 => typed!(u32),
            _ => typed!(u64),
        })
    }
}

fn unsupported(message: &'static str) -> Error {
    Error::new(ErrorKind::Unsupported, message)
}

/// A failure of the operating system that a library's error tells of. Most of its errors have nothing below them but
/// what they say, which ends with the system's number.
pub(in crate::formats) fn os_error(error: &Hdf5Error) -> Option<io::Error> {
    if let Hdf5Error::Io(error) = error
        && error.raw_os_error().is_none()
    {
        return Some(error.kind().into());
    }
    let text = error.to_string();
    let (_, number) = text.rsplit_once("(os error ")?;
    number.trim_end_matches(')').parse().ok().map(io::Error::from_raw_os_error)
}

/// What the library can't read is damage, unless it says otherwise.
fn read_failed(error: Hdf5Error) -> Error {
    const MESSAGE: &str = "the HDF5 file can't be read";
    match os_error(&error) {
        Some(io) if io.kind() != io::ErrorKind::UnexpectedEof => return Error::from_io(io, MESSAGE),
        _ => {}
    }
    let kind = match &error {
        Hdf5Error::Unsupported(_) | Hdf5Error::ExternalFileNotFound { .. } => ErrorKind::Unsupported,
        Hdf5Error::NotFound(_) | Hdf5Error::DanglingLink { .. } => ErrorKind::NotFound,
        _ if error.to_string().contains("unsupported") => ErrorKind::Unsupported,
        _ => ErrorKind::Corrupt,
    };
    Error::new(kind, MESSAGE).caused_by(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_the_system_are_told_from_damage() {
        // ENOSPC.
        let full = io::Error::from_raw_os_error(28);
        let told = os_error(&Hdf5Error::InvalidState(format!("hdf5-io error: I/O error: {full}"))).unwrap();
        assert_eq!(told.kind(), io::ErrorKind::StorageFull);
        assert!(os_error(&Hdf5Error::InvalidState("a chunk (of 3) is missing".into())).is_none());
        let early = Hdf5Error::Io(io::ErrorKind::UnexpectedEof.into());
        assert_eq!(read_failed(early).kind(), ErrorKind::Corrupt);
        assert_eq!(read_failed(Hdf5Error::Unsupported("a filter".into())).kind(), ErrorKind::Unsupported);
    }
}
