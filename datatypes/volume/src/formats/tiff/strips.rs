//! Pages whose strips are compressed before they are written, so that several threads can do it.

use std::io::{Seek, Write};

use chunks::DType;
use engine_api::{Error, ErrorKind, Result};
use flate2::write::ZlibEncoder;
use tiff::encoder::{TiffEncoder, TiffKind};
use tiff::tags::{CompressionMethod, PhotometricInterpretation, SampleFormat, Tag};

use crate::formats::create::DeflateLevel;

/// The length of a strip, about: readers that want a few rows read no more.
const STRIP_BYTES: usize = 1 << 20;

/// How a page is cut into strips.
#[derive(Clone, Copy, Debug)]
pub(super) struct Strips {
    width: u32,
    height: u32,
    rows: u32,
    row_bytes: usize,
    dtype: DType,
}

impl Strips {
    pub(super) fn new((width, height): (u32, u32), row_bytes: usize, dtype: DType) -> Self {
        let rows = u32::try_from(STRIP_BYTES.div_ceil(row_bytes.max(1))).unwrap_or(u32::MAX);
        Self { width, height, rows: rows.min(height).max(1), row_bytes, dtype }
    }

    /// The length of a strip in bytes; the last of a page may be shorter.
    pub(super) fn bytes(&self) -> usize {
        usize::try_from(self.rows).unwrap_or(usize::MAX).saturating_mul(self.row_bytes)
    }
}

/// A strip as zlib has it, which is TIFF's deflate.
pub(super) fn compress(strip: &[u8], level: DeflateLevel) -> Result<Vec<u8>> {
    let mut encoder = ZlibEncoder::new(Vec::new(), flate2::Compression::new(level.get().into()));
    encoder.write_all(strip).and_then(|()| encoder.finish()).map_err(|error| {
        Error::new(ErrorKind::Internal, "a strip of the image can't be compressed").caused_by(error)
    })
}

/// Writes a page of strips that are compressed.
pub(super) fn write_page<W: Write + Seek, K: TiffKind>(
    encoder: &mut TiffEncoder<W, K>,
    cut: Strips,
    strips: &[Vec<u8>],
    description: Option<&str>,
) -> tiff::TiffResult<()> {
    let mut page = encoder.image_directory()?;
    let (mut offsets, mut lengths) = (Vec::new(), Vec::new());
    for strip in strips {
        offsets.push(K::convert_offset(page.write_data(strip.as_slice())?)?);
        lengths.push(K::convert_offset(u64::try_from(strip.len())?)?);
    }
    let bits = u16::try_from(8 * cut.dtype.size())?;
    page.write_tag(Tag::ImageWidth, cut.width)?;
    page.write_tag(Tag::ImageLength, cut.height)?;
    page.write_tag(Tag::BitsPerSample, bits)?;
    page.write_tag(Tag::Compression, CompressionMethod::Deflate.to_u16())?;
    page.write_tag(Tag::PhotometricInterpretation, PhotometricInterpretation::BlackIsZero.to_u16())?;
    page.write_tag(Tag::SampleFormat, sample_format(cut.dtype).to_u16())?;
    page.write_tag(Tag::SamplesPerPixel, 1u16)?;
    page.write_tag(Tag::RowsPerStrip, cut.rows)?;
    page.write_tag(Tag::StripOffsets, K::convert_slice(&offsets))?;
    page.write_tag(Tag::StripByteCounts, K::convert_slice(&lengths))?;
    if let Some(text) = description {
        page.write_tag(Tag::ImageDescription, text)?;
    }
    page.finish()
}

fn sample_format(dtype: DType) -> SampleFormat {
    match dtype {
        DType::U8 | DType::U16 | DType::U32 | DType::U64 | DType::Bool => SampleFormat::Uint,
        DType::I8 | DType::I16 | DType::I32 | DType::I64 => SampleFormat::Int,
        DType::F32 | DType::F64 => SampleFormat::IEEEFP,
    }
}
