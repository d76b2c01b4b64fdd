//! Reads and writes `.npy` files.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use engine_api::{Error, ErrorKind, Result};

use super::header::{Element, Header, format_header};
use super::number::NpyNumber;
use crate::formats::bytes::ByteOrder;
use crate::formats::file::open_file;
use crate::formats::info::{ImageAxis, ImageInfo};
use crate::formats::io::{ImageReader, ImageWriter};
use crate::formats::linear::{LinearReader, LinearWriter, Output, check_plausible, read_failed};
use crate::formats::partial_file::PartialFile;
use crate::formats::regions::{FileRegions, RegionReader};

const MAGIC: [u8; 6] = *b"\x93NUMPY";

/// The longest header that is read; that of an array of numbers is about 100 bytes long.
const MOST_HEADER_BYTES: u32 = 1 << 16;

pub(in crate::formats) fn open(path: &Path) -> Result<Box<dyn ImageReader>> {
    let Opened { file, info, order, .. } = open_image(path)?;
    Ok(Box::new(LinearReader::new(Box::new(file), info, order)?))
}

pub(in crate::formats) fn open_regions(path: &Path) -> Result<Box<dyn RegionReader>> {
    Ok(open_image(path)?.into_regions())
}

pub(super) fn open_parts(path: &Path) -> Result<Option<(NpyNumber, Box<dyn RegionReader>)>> {
    let opened = open_checked(path)?;
    match opened.element {
        Element::OfImages(_) => Ok(None),
        Element::Other(number) => Ok(Some((number, opened.into_regions()))),
    }
}

/// A file whose elements are those of images.
fn open_image(path: &Path) -> Result<Opened> {
    let opened = open_checked(path)?;
    match opened.element {
        Element::OfImages(_) => Ok(opened),
        Element::Other(number) => Err(Error::new(
            ErrorKind::Unsupported,
            "the array's elements aren't real numbers of 1 to 8 bytes",
        )
        .with("type", format_args!("{number:?}"))),
    }
}

/// A file that is at its first element.
struct Opened {
    element: Element,
    file: BufReader<File>,
    /// Of the elements, or of their parts.
    info: ImageInfo,
    order: ByteOrder,
    start: u64,
}

impl Opened {
    fn into_regions(self) -> Box<dyn RegionReader> {
        Box::new(FileRegions::new(self.file.into_inner(), self.start, self.info, self.order))
    }
}

fn open_checked(path: &Path) -> Result<Opened> {
    let (mut file, length) = open_file(path)?;
    let (header, header_end) = read_header(&mut file)?;
    let mut shape = header.shape;
    if header.fortran {
        shape.reverse();
    }
    if shape.is_empty() || shape.len() > chunks::MAX_RANK || shape.contains(&0) {
        return Err(Error::new(ErrorKind::Unsupported, "the array has no elements, or not one to five axes")
            .with("shape", format_args!("{shape:?}")));
    }
    let mut info = match header.element {
        Element::OfImages(dtype) => ImageInfo::new(&shape, dtype)?,
        Element::Other(number) => info_of_parts(number, &shape)?,
    };
    check_plausible(&info, length.saturating_sub(header_end))?;
    if info.total_bytes() != length.saturating_sub(header_end) {
        return Err(Error::new(ErrorKind::Corrupt, "the file is longer than its array").with("bytes", length));
    }
    if shape.len() < 3 && matches!(header.element, Element::OfImages(_)) {
        // Nothing says that these are an image's y and x.
        info = info.with_axes(vec![ImageAxis::default(); shape.len()])?;
    }
    Ok(Opened { element: header.element, file, info, order: header.order, start: header_end })
}

/// The header, and where it ends.
fn read_header(file: &mut impl Read) -> Result<(Header, u64)> {
    let mut start = [0; 8];
    file.read_exact(&mut start).map_err(read_failed)?;
    let [magic @ .., major, minor] = start;
    if magic != MAGIC {
        return Err(Error::new(ErrorKind::Corrupt, "the file isn't a NumPy array"));
    }
    let (length, start_bytes) = match (major, minor) {
        (1, 0) => {
            let mut length = [0; 2];
            file.read_exact(&mut length).map_err(read_failed)?;
            (u32::from(u16::from_le_bytes(length)), 10)
        }
        (2 | 3, 0) => {
            let mut length = [0; 4];
            file.read_exact(&mut length).map_err(read_failed)?;
            (u32::from_le_bytes(length), 12)
        }
        _ => {
            return Err(Error::new(ErrorKind::Incompatible, "the array's format version isn't known")
                .with("version", format_args!("{major}.{minor}")));
        }
    };
    if length > MOST_HEADER_BYTES {
        return Err(Error::new(ErrorKind::TooLarge, "the array's header is too long")
            .with("bytes", length)
            .with("limit", MOST_HEADER_BYTES));
    }
    let mut text = Vec::new();
    file.take(length.into()).read_to_end(&mut text).map_err(read_failed)?;
    if u32::try_from(text.len()) != Ok(length) {
        return Err(Error::new(ErrorKind::Corrupt, "the file ends inside its header"));
    }
    let text = String::from_utf8(text)
        .map_err(|error| Error::new(ErrorKind::Corrupt, "the array's header isn't text").caused_by(error))?;
    Ok((Header::parse(&text)?, u64::from(length) + start_bytes))
}

pub(in crate::formats) fn create(path: &Path, info: &ImageInfo) -> Result<Box<dyn ImageWriter>> {
    create_as(path, info.shape(), Element::OfImages(info.dtype()), info)
}

pub(super) fn create_parts(path: &Path, number: NpyNumber, shape: &[u64]) -> Result<Box<dyn ImageWriter>> {
    create_as(path, shape, Element::Other(number), &info_of_parts(number, shape)?)
}

/// What the image of an array's parts says of itself: nothing of its axes.
fn info_of_parts(number: NpyNumber, shape: &[u64]) -> Result<ImageInfo> {
    let shape = number.shape_of_parts(shape);
    ImageInfo::new(&shape, number.parts().0)?.with_axes(vec![ImageAxis::default(); shape.len()])
}

fn create_as(path: &Path, shape: &[u64], element: Element, info: &ImageInfo) -> Result<Box<dyn ImageWriter>> {
    let mut header = format_header(shape, element);
    // The elements begin at a multiple of 64, behind a line break.
    let unpadded = MAGIC.len() + 4 + header.len() + 1;
    header.extend(std::iter::repeat_n(' ', unpadded.next_multiple_of(64) - unpadded));
    header.push('\n');
    let length = u16::try_from(header.len())
        .map_err(|_| Error::new(ErrorKind::TooLarge, "the array's header is too long"))?;
    let head = [&MAGIC[..], &[1, 0], &length.to_le_bytes(), header.as_bytes()].concat();
    let output = Output::Plain(PartialFile::create(path)?);
    Ok(Box::new(LinearWriter::new(output, info.clone(), &head)?))
}
