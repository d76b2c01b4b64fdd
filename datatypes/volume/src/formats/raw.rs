//! Files of elements and nothing else.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use chunks::DType;
use engine_api::{Error, ErrorKind, Result};

use super::bytes::ByteOrder;
use super::file::open_file;
use super::info::ImageInfo;
use super::io::{ImageReader, ImageWriter};
use super::linear::{LinearReader, LinearWriter, Output};
use super::partial_file::PartialFile;
use super::regions::{FileRegions, RegionReader};

/// What a raw file doesn't say: its shape, slowest axis first, and the type of its elements, which are C
/// order and little-endian.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawSpec {
    /// The shape, such as z, y, x.
    pub shape: Vec<u64>,
    /// The type of the elements.
    pub dtype: DType,
}

pub(super) fn open(path: &Path, spec: &RawSpec) -> Result<Box<dyn ImageReader>> {
    let (file, info) = open_checked(path, spec)?;
    Ok(Box::new(LinearReader::new(Box::new(file), info, ByteOrder::Little)?))
}

pub(super) fn open_regions(path: &Path, spec: &RawSpec) -> Result<Box<dyn RegionReader>> {
    let (file, info) = open_checked(path, spec)?;
    Ok(Box::new(FileRegions::new(file.into_inner(), 0, info, ByteOrder::Little)))
}

fn open_checked(path: &Path, spec: &RawSpec) -> Result<(BufReader<File>, ImageInfo)> {
    let info = ImageInfo::new(&spec.shape, spec.dtype)?;
    let (file, length) = open_file(path)?;
    if info.total_bytes() != length {
        return Err(Error::new(
            ErrorKind::InvalidArgument,
            "the file isn't as long as its shape and type say",
        )
        .with("shape", format_args!("{:?}", spec.shape))
        .with("type", spec.dtype)
        .with("expected", info.total_bytes())
        .with("found", length));
    }
    Ok((file, info))
}

pub(super) fn create(path: &Path, info: &ImageInfo) -> Result<Box<dyn ImageWriter>> {
    let output = Output::Plain(PartialFile::create(path)?);
    Ok(Box::new(LinearWriter::new(output, info.clone(), &[])?))
}
