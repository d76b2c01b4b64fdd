//! Writes NIfTI-1 files.

use std::path::Path;

use engine_api::{Error, ErrorKind, Result};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;

use super::header::{FIRST_VOXEL, Header, at, code_of_dtype};
use super::metadata::{self, narrow};
use crate::formats::info::{ImageAxis, ImageInfo};
use crate::formats::io::ImageWriter;
use crate::formats::linear::{LinearWriter, Output};
use crate::formats::partial_file::PartialFile;
use crate::formats::units::{nanometres_in, spacing_in};

/// Creates a little-endian file, with the fields that metadata of a NIfTI file has kept.
pub(in crate::formats) fn create(
    path: &Path,
    info: &ImageInfo,
    compress: bool,
) -> Result<Box<dyn ImageWriter>> {
    let header = header_of(info)?;
    let file = PartialFile::create(path)?;
    let output = if compress {
        Output::Gzip(Box::new(GzEncoder::new(file, Compression::default())))
    } else {
        Output::Plain(file)
    };
    let mut head = header.bytes().to_vec();
    // No extensions.
    head.resize(usize::try_from(FIRST_VOXEL).unwrap_or(head.len()), 0);
    Ok(Box::new(LinearWriter::new(output, info.clone(), &head)?))
}

fn header_of(info: &ImageInfo) -> Result<Header> {
    let mut header = Header::empty();
    let rank = info.shape().len();
    let short = |value: u64| {
        i16::try_from(value).map_err(|_| {
            Error::new(ErrorKind::TooLarge, "NIfTI-1 has no room for the extent; write .npy or .tif instead")
                .with("extent", value)
                .with("limit", i16::MAX)
        })
    };
    let mut dim = [1i16; 8];
    let mut pixdim = [1.0f32; 8];
    dim[0] = short(u64::try_from(rank).unwrap_or(u64::MAX))?;
    for (index, (extent, axis)) in info.shape().iter().zip(info.axes()).rev().enumerate() {
        dim[index + 1] = short(*extent)?;
        let spacing = if in_micrometres(index, axis) { spacing_in(axis, "um") } else { axis.spacing };
        pixdim[index + 1] = spacing.map_or(1.0, narrow);
    }
    for index in 0..8 {
        header.set(at::DIM + 2 * index, dim[index].to_le_bytes());
        header.set(at::PIXDIM + 4 * index, pixdim[index].to_le_bytes());
    }
    let bits = i16::try_from(info.dtype().size() * 8).unwrap_or(0);
    header.set(at::DATATYPE, code_of_dtype(info.dtype()).to_le_bytes());
    header.set(at::BITPIX, bits.to_le_bytes());
    header.set(at::VOX_OFFSET, 352f32.to_le_bytes());
    header.set(at::XYZT_UNITS, [units(info)]);
    if let Some(Value::Object(fields)) = info.metadata.get("nifti") {
        metadata::write(fields, &mut header);
    }
    Ok(header)
}

/// Whether the spacing of an axis of space, x being 0, has a unit of length that NIfTI has no name for.
fn in_micrometres(index: usize, axis: &ImageAxis) -> bool {
    let unit = axis.unit.as_deref().unwrap_or_default();
    index < 3 && !matches!(unit, "m" | "mm" | "um") && nanometres_in(unit).is_some()
}

fn units(info: &ImageInfo) -> u8 {
    let unit = |index: usize| {
        let axis = info.axes().len().checked_sub(index + 1)?;
        info.axes()[axis].unit.as_deref()
    };
    let space = match unit(0) {
        Some("m") => 1,
        Some("mm") => 2,
        Some("um") => 3,
        Some(other) if nanometres_in(other).is_some() => 3,
        _ => 0,
    };
    let time = match unit(3) {
        Some("s") => 8,
        Some("ms") => 16,
        Some("us") => 24,
        Some("Hz") => 32,
        Some("ppm") => 40,
        Some("rad/s") => 48,
        _ => 0,
    };
    space | time
}
