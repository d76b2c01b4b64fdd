//! Reads NIfTI-1 files.

use std::io::{self, BufRead, Read};
use std::path::Path;

use engine_api::{Error, ErrorKind, Result};
use flate2::bufread::MultiGzDecoder;

use super::header::{FIRST_VOXEL, HEADER_BYTES, Header, at, dtype_of_code};
use super::metadata;
use crate::formats::file::open_file;
use crate::formats::info::{ImageAxis, ImageInfo};
use crate::formats::io::ImageReader;
use crate::formats::linear::{DEFLATE_RATIO, LinearReader, check_plausible, read_failed};
use crate::formats::regions::{FileRegions, RegionReader};

/// Opens a NIfTI-1 file; whether it is compressed is seen in its first bytes, not in its name.
pub(in crate::formats) fn open(path: &Path) -> Result<Box<dyn ImageReader>> {
    let (mut file, length) = open_file(path)?;
    let compressed = file.fill_buf().map_err(read_failed)?.starts_with(&[0x1f, 0x8b]);
    let mut input: Box<dyn Read + Send> =
        if compressed { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };

    let mut bytes = [0; HEADER_BYTES];
    input.read_exact(&mut bytes).map_err(read_failed)?;
    let header = Header::parse(&bytes)?;
    let info = describe(&header)?;
    let offset = voxel_offset(&header)?;
    let most = if compressed { length.saturating_mul(DEFLATE_RATIO) } else { length };
    check_plausible(&info, most.saturating_sub(offset))?;

    let between = offset - u64::try_from(HEADER_BYTES).unwrap_or(offset);
    let skipped = io::copy(&mut input.by_ref().take(between), &mut io::sink()).map_err(read_failed)?;
    if skipped != between {
        return Err(Error::new(ErrorKind::Corrupt, "the file ends before its image does"));
    }
    Ok(Box::new(LinearReader::new(input, info, header.order())?))
}

/// Opens a NIfTI-1 file to read any part of it; `None` when it is compressed.
pub(in crate::formats) fn open_regions(path: &Path) -> Result<Option<Box<dyn RegionReader>>> {
    let (mut file, length) = open_file(path)?;
    if file.fill_buf().map_err(read_failed)?.starts_with(&[0x1f, 0x8b]) {
        return Ok(None);
    }
    let mut bytes = [0; HEADER_BYTES];
    file.read_exact(&mut bytes).map_err(read_failed)?;
    let header = Header::parse(&bytes)?;
    let info = describe(&header)?;
    let offset = voxel_offset(&header)?;
    check_plausible(&info, length.saturating_sub(offset))?;
    Ok(Some(Box::new(FileRegions::new(file.into_inner(), offset, info, header.order()))))
}

/// The image that a header describes: axes reversed, as x is the fastest in the file, and three at least.
fn describe(header: &Header) -> Result<ImageInfo> {
    let dtype = dtype_of_code(header.i16(at::DATATYPE))?;
    let bits = header.i16(at::BITPIX);
    if usize::try_from(bits).ok() != Some(dtype.size() * 8) {
        return Err(Error::new(ErrorKind::Corrupt, "the header's bitpix doesn't fit its datatype")
            .with("bitpix", bits)
            .with("type", dtype));
    }
    let extents = extents(header)?;
    let mut info = ImageInfo::new(&extents, dtype)?;
    let rank = extents.len();
    let axes = (0..rank).map(|axis| axis_of(header, rank - 1 - axis)).collect();
    info = info.with_axes(axes)?;
    info.metadata.insert("nifti".to_owned(), metadata::read(header).into());
    Ok(info)
}

/// The extents, slowest first, without the axes of one element behind z.
fn extents(header: &Header) -> Result<Vec<u64>> {
    let dim = |axis: usize| header.i16(at::DIM + 2 * axis);
    let Some(rank) = usize::try_from(dim(0)).ok().filter(|rank| (1..=7).contains(rank)) else {
        return Err(Error::new(ErrorKind::Corrupt, "the header's number of dimensions isn't 1 to 7")
            .with("dim[0]", dim(0)));
    };
    let mut extents = vec![1; 3.max(rank)];
    for (axis, slot) in extents.iter_mut().enumerate().take(rank) {
        let extent = dim(axis + 1);
        *slot = u64::try_from(extent).ok().filter(|extent| *extent > 0).ok_or_else(|| {
            Error::new(ErrorKind::Corrupt, "an extent in the header isn't positive")
                .with("axis", axis)
                .with("extent", extent)
        })?;
    }
    while extents.len() > 3 && extents.last() == Some(&1) {
        extents.pop();
    }
    if extents.len() > chunks::MAX_RANK {
        return Err(Error::new(ErrorKind::Unsupported, "the image has more than five dimensions")
            .with("extents_xyz", format_args!("{extents:?}")));
    }
    extents.reverse();
    Ok(extents)
}

/// Axis `index` of the file: 0 is x.
fn axis_of(header: &Header, index: usize) -> ImageAxis {
    let name = ["x", "y", "z", "t", "u"].get(index).copied().unwrap_or_default();
    let spacing = f64::from(header.f32(at::PIXDIM + 4 * (index + 1))).abs();
    let units = header.u8(at::XYZT_UNITS);
    let unit = match (index, units & 0x07, units & 0x38) {
        (0..=2, 1, _) => Some("m"),
        (0..=2, 2, _) => Some("mm"),
        (0..=2, 3, _) => Some("um"),
        (3, _, 8) => Some("s"),
        (3, _, 16) => Some("ms"),
        (3, _, 24) => Some("us"),
        (3, _, 32) => Some("Hz"),
        (3, _, 40) => Some("ppm"),
        (3, _, 48) => Some("rad/s"),
        _ => None,
    };
    ImageAxis {
        name: name.to_owned(),
        spacing: (spacing.is_finite() && spacing > 0.0).then_some(spacing),
        unit: unit.map(str::to_owned),
    }
}

/// Where the elements begin; files that leave the field zero mean the earliest place.
fn voxel_offset(header: &Header) -> Result<u64> {
    let offset = header.f32(at::VOX_OFFSET);
    if offset == 0.0 {
        return Ok(FIRST_VOXEL);
    }
    // A larger offset isn't exact in the field's own type.
    let in_range = (352.0..=16_777_216.0).contains(&offset) && offset.fract() == 0.0;
    if !in_range {
        return Err(Error::new(ErrorKind::Corrupt, "the header's vox_offset is impossible")
            .with("vox_offset", offset));
    }
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a whole number between 352 and 2^24, as just checked"
    )]
    let whole = offset as u64;
    Ok(whole)
}
