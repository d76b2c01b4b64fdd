//! Reads TIFF stacks.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::Path;

use chunks::{DType, Region};
use engine_api::{Error, ErrorKind, Result};
use serde_json::{Map, Value};
use tiff::decoder::{Decoder, DecodingSampleType, Limits};
use tiff::tags::Tag;
use tiff::{ColorType, TiffError};

use super::directory;
use super::ome::Description;
use crate::formats::file::open_file;
use crate::formats::info::ImageInfo;
use crate::formats::io::{ImageReader, Progress};
use crate::formats::linear::{check_plausible, read_failed};

/// More than any of the compressions reaches: LZW's longest code stands for 3.8 KiB in 12 bits.
const MOST_RATIO: u64 = 4096;

/// The largest page.
const MOST_PAGE_BYTES: u64 = 4 << 30;

struct TiffReader {
    decoder: Decoder<BufReader<File>>,
    info: ImageInfo,
    progress: Progress,
    next_page: usize,
    /// A slice is several pages where an OME-TIFF has axes before z.
    page_bytes: usize,
}

/// Opens a stack. The directories of all pages are read, and must agree in size and type.
pub(in crate::formats) fn open(path: &Path) -> Result<Box<dyn ImageReader>> {
    let (mut file, length) = open_file(path)?;
    directory::check_first(&mut file, length)?;
    let mut decoder = Decoder::new(file).map_err(failed)?.with_limits(limits_for(length));

    let first = Page::of(&mut decoder)?;
    first.check_size(length)?;
    // A description that can't be read is no reason to refuse the image.
    let description = decoder.get_tag_ascii_string(Tag::ImageDescription).ok();
    let mut pages = 1;
    while decoder.more_images() {
        decoder.next_image().map_err(failed)?;
        let page = Page::of(&mut decoder)?;
        if page != first {
            return Err(Error::new(ErrorKind::Unsupported, "the pages differ in size or type")
                .with("page", pages)
                .with("first", first)
                .with("found", page));
        }
        pages += 1;
    }

    let described = description.as_deref().map(Description::parse).transpose()?.flatten();
    let mut info = match described {
        Some(described) => first.described(pages, described)?,
        None => ImageInfo::new(&[pages, first.height.into(), first.width.into()], first.dtype)?,
    };
    check_plausible(&info, length.saturating_mul(MOST_RATIO))?;
    if let Some(text) = description.filter(|text| !text.is_empty()) {
        let fields = Map::from_iter([("description".to_owned(), Value::from(text))]);
        info.metadata.insert("tiff".to_owned(), fields.into());
    }
    let progress = Progress::new(&info)?;
    let page_bytes = page_bytes(&info)?;
    Ok(Box::new(TiffReader { decoder, info, progress, next_page: 0, page_bytes }))
}

/// The length of a page, which is y and x.
pub(super) fn page_bytes(info: &ImageInfo) -> Result<usize> {
    let page = &info.shape()[info.shape().len().saturating_sub(2)..];
    Region::at_origin(page)?.bytes(info.dtype().size())
}

/// Limits that no honest file of this length comes near: pages go to the caller's buffer, so what the decoder
/// takes for itself are lists of values, 32 bytes for a value of one or more in the file, and one compressed
/// strip or tile at a time.
fn limits_for(length: u64) -> Limits {
    let mut limits = Limits::default();
    limits.decoding_buffer_size = usize::try_from(length.saturating_mul(32)).unwrap_or(usize::MAX);
    limits.intermediate_buffer_size = usize::try_from(length).unwrap_or(usize::MAX);
    limits
}

impl ImageReader for TiffReader {
    fn info(&self) -> &ImageInfo {
        &self.info
    }

    fn next_slab(&mut self, out: &mut [u8]) -> Result<u64> {
        let (bytes, slices) = self.progress.to_read(out.len())?;
        for page in out[..bytes].chunks_exact_mut(self.page_bytes) {
            let at = |error: Error| error.with("page", self.next_page);
            self.decoder.seek_to_image(self.next_page).map_err(failed).map_err(at)?;
            self.decoder.read_image_bytes(page).map_err(failed).map_err(at)?;
            if cfg!(target_endian = "big") {
                crate::formats::bytes::swap_elements(self.info.dtype().size(), page);
            }
            self.next_page += 1;
        }
        self.progress.advance(slices);
        Ok(slices)
    }
}

/// What all pages have in common.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Page {
    width: u32,
    height: u32,
    dtype: DType,
}

impl Page {
    fn of(decoder: &mut Decoder<BufReader<File>>) -> Result<Self> {
        let (width, height) = decoder.dimensions().map_err(failed)?;
        let color = decoder.colortype().map_err(failed)?;
        let layout = decoder.image_buffer_layout().map_err(failed)?;
        let unsupported = |message| {
            Error::new(ErrorKind::Unsupported, message)
                .with("color", format_args!("{color:?}"))
                .with("sample_format", format_args!("{:?}", layout.sample_format))
        };
        let ColorType::Gray(bits @ (8 | 16 | 32 | 64)) = color else {
            return Err(unsupported(
                "only gray pages of 8 to 64 bits can be read; convert colours to one gray file per channel",
            ));
        };
        let dtype = match layout.sample_type {
            Some(DecodingSampleType::U8) => DType::U8,
            Some(DecodingSampleType::U16) => DType::U16,
            Some(DecodingSampleType::U32) => DType::U32,
            Some(DecodingSampleType::U64) => DType::U64,
            Some(DecodingSampleType::I8) => DType::I8,
            Some(DecodingSampleType::I16) => DType::I16,
            Some(DecodingSampleType::I32) => DType::I32,
            Some(DecodingSampleType::I64) => DType::I64,
            Some(DecodingSampleType::F32) => DType::F32,
            Some(DecodingSampleType::F64) => DType::F64,
            _ => return Err(unsupported("the pages' numbers are of a type that can't be read")),
        };
        if dtype.size() * 8 != usize::from(bits) || width == 0 || height == 0 {
            return Err(Error::new(ErrorKind::Corrupt, "a page has no pixels, or of contradictory types"));
        }
        Ok(Self { width, height, dtype })
    }

    /// The image that an OME-TIFF of such pages says it is.
    fn described(&self, pages: u64, described: Description) -> Result<ImageInfo> {
        let page = [self.height.into(), self.width.into()];
        if described.planes() != Some(pages) || !described.shape.ends_with(&page) {
            return Err(Error::new(ErrorKind::Corrupt, "the OME-TIFF hasn't the pages that it describes")
                .with("described", format_args!("{:?}", described.shape))
                .with("pages", pages)
                .with("page", self));
        }
        ImageInfo::new(&described.shape, self.dtype)?.with_axes(described.axes)
    }

    fn check_size(&self, length: u64) -> Result<()> {
        let page = ImageInfo::new(&[1, self.height.into(), self.width.into()], self.dtype)?;
        if page.total_bytes() > MOST_PAGE_BYTES {
            return Err(Error::new(ErrorKind::TooLarge, "a page is too large")
                .with("page", self)
                .with("limit", MOST_PAGE_BYTES));
        }
        check_plausible(&page, length.saturating_mul(MOST_RATIO))
    }
}

impl std::fmt::Display for Page {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} x {} {}", self.width, self.height, self.dtype)
    }
}

fn failed(error: TiffError) -> Error {
    let kind = match &error {
        TiffError::UnsupportedError(_) => ErrorKind::Unsupported,
        TiffError::LimitsExceeded | TiffError::IntSizeError => ErrorKind::TooLarge,
        TiffError::IoError(io) if io.kind() != io::ErrorKind::Other => {
            let TiffError::IoError(io) = error else { return Error::new(ErrorKind::Internal, "not I/O") };
            return read_failed(io);
        }
        _ => ErrorKind::Corrupt,
    };
    Error::new(kind, "the TIFF can't be read").caused_by(error)
}
