//! Writes TIFF stacks.

use std::io::{self, Cursor, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use chunks::{DType, for_each_parallel};
use engine_api::{Error, ErrorKind, Result};
use tiff::TiffError;
use tiff::encoder::colortype::{
    ColorType, Gray8, Gray16, Gray32, Gray32Float, Gray64, Gray64Float, GrayI8, GrayI16, GrayI32, GrayI64,
};
use tiff::encoder::{TiffEncoder, TiffKind, TiffKindBig, TiffKindStandard, TiffValue};
use tiff::tags::Tag;

use super::ome;
use super::read::page_bytes;
use super::strips::{self, Strips};
use crate::formats::create::DeflateLevel;
use crate::formats::info::ImageInfo;
use crate::formats::io::{ImageWriter, Progress};
use crate::formats::partial_file::PartialFile;
use crate::formats::png::GraySlice;

/// Images over this size are written as `BigTIFF`: offsets of TIFF have 32 bits, and the directories of many
/// pages need room too.
const MOST_STANDARD_BYTES: u64 = 3 << 30;

enum Encoder {
    Standard(TiffEncoder<SharedFile, TiffKindStandard>),
    Big(TiffEncoder<SharedFile, TiffKindBig>),
}

struct TiffWriter {
    encoder: Encoder,
    file: Arc<Mutex<PartialFile>>,
    info: ImageInfo,
    progress: Progress,
    deflate: Option<DeflateLevel>,
    /// A slice is several pages where an OME-TIFF has axes before z.
    page_bytes: usize,
    width: u32,
    height: u32,
    /// Written to the first page.
    description: Option<String>,
}

/// Creates a stack of (z, y, x); a `bool` is written as `u8`.
pub(in crate::formats) fn create(
    path: &Path,
    info: &ImageInfo,
    deflate: Option<DeflateLevel>,
) -> Result<Box<dyn ImageWriter>> {
    if info.shape().len() != 3 {
        return Err(Error::new(ErrorKind::Unsupported, "a TIFF stack has three axes: z, y, x")
            .with("shape", format_args!("{:?}", info.shape())));
    }
    let description = info.metadata.get("tiff").and_then(|fields| fields.get("description")?.as_str());
    // The tag holds ASCII and nothing else.
    let description = description.filter(|text| text.is_ascii() && !text.contains('\0')).map(str::to_owned);
    create_kind(path, info, deflate, is_big(info), description)
}

/// Creates an OME-TIFF, whose axes its first page describes.
pub(in crate::formats) fn create_ome(
    path: &Path,
    info: &ImageInfo,
    deflate: Option<DeflateLevel>,
) -> Result<Box<dyn ImageWriter>> {
    let description = ome::describe(info)?;
    create_kind(path, info, deflate, is_big(info), Some(description))
}

fn is_big(info: &ImageInfo) -> bool {
    info.total_bytes() > MOST_STANDARD_BYTES
}

fn create_kind(
    path: &Path,
    info: &ImageInfo,
    deflate: Option<DeflateLevel>,
    big: bool,
    description: Option<String>,
) -> Result<Box<dyn ImageWriter>> {
    let &[.., height, width] = info.shape() else {
        return Err(Error::new(ErrorKind::Unsupported, "a TIFF page has two axes: y, x"));
    };
    let (Ok(width), Ok(height)) = (u32::try_from(width), u32::try_from(height)) else {
        return Err(Error::new(ErrorKind::TooLarge, "a TIFF page has no room for the image")
            .with("width", width)
            .with("height", height));
    };
    let progress = Progress::new(info)?;
    let page_bytes = page_bytes(info)?;
    let file = Arc::new(Mutex::new(PartialFile::create(path)?));
    let shared = SharedFile(Arc::clone(&file));
    let encoder = if big {
        Encoder::Big(TiffEncoder::new_big(shared).map_err(failed)?)
    } else {
        Encoder::Standard(TiffEncoder::new(shared).map_err(failed)?)
    };
    let info = info.clone();
    Ok(Box::new(TiffWriter {
        encoder,
        file,
        info,
        progress,
        deflate,
        page_bytes,
        width,
        height,
        description,
    }))
}

impl ImageWriter for TiffWriter {
    fn info(&self) -> &ImageInfo {
        &self.info
    }

    fn write_slab(&mut self, data: &[u8]) -> Result<()> {
        let slices = self.progress.to_write(data.len())?;
        let size = (self.width, self.height);
        let pages: Vec<&[u8]> = data.chunks_exact(self.page_bytes).collect();
        let mut packed = match self.deflate {
            Some(level) => compress_pages(&pages, size, self.info.dtype(), level)?,
            None => Vec::new(),
        }
        .into_iter();
        for page in pages {
            let page = match packed.next() {
                Some((cut, strips)) => Page::Strips(cut, strips),
                None => Page::Plain(size, self.info.dtype(), page),
            };
            let description = self.description.take();
            match &mut self.encoder {
                Encoder::Standard(encoder) => write_page(encoder, &page, description.as_deref()),
                Encoder::Big(encoder) => write_page(encoder, &page, description.as_deref()),
            }
            .map_err(failed)?;
        }
        self.progress.advance(slices);
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<()> {
        self.progress.check_complete()?;
        let Self { encoder, file, .. } = *self;
        // The encoder has the other handle of the file.
        drop(encoder);
        Arc::into_inner(file)
            .ok_or_else(|| Error::new(ErrorKind::Internal, "the file is still in use"))?
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
            .commit()
    }
}

/// What is to be written as a page.
enum Page<'a> {
    /// Elements as they are.
    Plain((u32, u32), DType, &'a [u8]),
    /// Strips that are compressed.
    Strips(Strips, Vec<Vec<u8>>),
}

/// The strips of pages, compressed on several threads.
fn compress_pages(
    pages: &[&[u8]],
    size: (u32, u32),
    dtype: DType,
    level: DeflateLevel,
) -> Result<Vec<(Strips, Vec<Vec<u8>>)>> {
    let row_bytes = usize::try_from(size.0).unwrap_or(usize::MAX).saturating_mul(dtype.size());
    let cut = Strips::new(size, row_bytes, dtype);
    let strips: Vec<&[u8]> = pages.iter().flat_map(|page| page.chunks(cut.bytes())).collect();
    let packed: Vec<OnceLock<Vec<u8>>> = strips.iter().map(|_| OnceLock::new()).collect();
    for_each_parallel(
        strips.len(),
        2 * cut.bytes(),
        || (),
        |(), index| {
            let strip = strips::compress(strips[index], level)?;
            packed[index].get_or_init(|| strip);
            Ok(())
        },
    )?;
    let mut packed = packed.into_iter().filter_map(OnceLock::into_inner);
    Ok(pages
        .iter()
        .map(|page| (cut, packed.by_ref().take(page.len().div_ceil(cut.bytes())).collect()))
        .collect())
}

/// A slice as a file of its own.
pub(in crate::formats) fn encode_slice(
    slice: &GraySlice<'_>,
    deflate: Option<DeflateLevel>,
) -> Result<Vec<u8>> {
    let (Ok(width), Ok(height)) = (u32::try_from(slice.width), u32::try_from(slice.height)) else {
        return Err(Error::new(ErrorKind::TooLarge, "a TIFF page has no room for the slice"));
    };
    let page = match deflate {
        None => Page::Plain((width, height), slice.dtype, slice.data),
        Some(level) => match compress_pages(&[slice.data], (width, height), slice.dtype, level)?.pop() {
            Some((cut, strips)) => Page::Strips(cut, strips),
            None => return Err(Error::new(ErrorKind::Internal, "the slice wasn't compressed")),
        },
    };
    let mut file = Cursor::new(Vec::new());
    if u64::try_from(slice.data.len()).unwrap_or(u64::MAX) > MOST_STANDARD_BYTES {
        write_page(&mut TiffEncoder::new_big(&mut file).map_err(failed)?, &page, None)
    } else {
        write_page(&mut TiffEncoder::new(&mut file).map_err(failed)?, &page, None)
    }
    .map_err(failed)?;
    Ok(file.into_inner())
}

fn write_page<W: Write + Seek, K: TiffKind>(
    encoder: &mut TiffEncoder<W, K>,
    page: &Page<'_>,
    description: Option<&str>,
) -> tiff::TiffResult<()> {
    let (size, dtype, page) = match page {
        Page::Plain(size, dtype, page) => (*size, *dtype, *page),
        Page::Strips(cut, strips) => return strips::write_page(encoder, *cut, strips, description),
    };
    macro_rules! typed {
        ($color:ty, $number:ty) => {{
            let (elements, _) = page.as_chunks();
            let numbers: Vec<_> = elements.iter().map(|bytes| <$number>::from_le_bytes(*bytes)).collect();
            write_numbers::<$color, W, K>(encoder, size, &numbers, description)
        }};
    }
    match dtype {
        DType::U8 | DType::Bool => write_numbers::<Gray8, W, K>(encoder, size, page, description),
        DType::U16 => typed!(Gray16, u16),
        DType::U32 => typed!(Gray32, u32),
        DType::U64 => typed!(Gray64, u64),
        DType::I8 => typed!(GrayI8, i8),
        DType::I16 => typed!(GrayI16, i16),
        DType::I32 => typed!(GrayI32, i32),
        DType::I64 => typed!(GrayI64, i64),
        DType::F32 => typed!(Gray32Float, f32),
        DType::F64 => typed!(Gray64Float, f64),
    }
}

fn write_numbers<C: ColorType, W: Write + Seek, K: TiffKind>(
    encoder: &mut TiffEncoder<W, K>,
    (width, height): (u32, u32),
    numbers: &[C::Inner],
    description: Option<&str>,
) -> tiff::TiffResult<()>
where
    [C::Inner]: TiffValue,
{
    let mut image = encoder.new_image::<C>(width, height)?;
    if let Some(text) = description {
        image.encoder().write_tag(Tag::ImageDescription, text)?;
    }
    image.write_data(numbers)
}

fn failed(error: TiffError) -> Error {
    match error {
        TiffError::IoError(io) => PartialFile::write_failed(io),
        TiffError::LimitsExceeded | TiffError::IntSizeError => {
            Error::new(ErrorKind::TooLarge, "the TIFF has no room for the image").caused_by(error)
        }
        _ => Error::new(ErrorKind::Internal, "the TIFF can't be written").caused_by(error),
    }
}

/// The encoder keeps its file to itself; this handle leaves the writer one to complete it with.
struct SharedFile(Arc<Mutex<PartialFile>>);

impl Write for SharedFile {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(data)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).flush()
    }
}

impl Seek for SharedFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).seek(to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_large_for_tiff_is_written_as_bigtiff() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.tif");
        let info = ImageInfo::new(&[3, 2, 2], DType::U32).unwrap();
        let data: Vec<u8> = (0..48).collect();
        let level = DeflateLevel::new(9).unwrap();
        for (big, deflate) in [(true, None), (true, Some(level)), (false, None), (false, Some(level))] {
            let mut writer = create_kind(&path, &info, deflate, big, None).unwrap();
            writer.write_slab(&data).unwrap();
            writer.finish().unwrap();
            assert_eq!(std::fs::read(&path).unwrap()[2], if big { 43 } else { 42 });
            let mut reader = crate::formats::tiff::open(&path).unwrap();
            let mut back = vec![0; 48];
            assert_eq!(reader.next_slab(&mut back).unwrap(), 3);
            assert_eq!(back, data);
        }
    }
}
