//! Slices in a file each: PNG or JPEG to look at, 8 bits of gray; JPEG 2000 and TIFF with the elements as they are.

use std::path::Path;

use chunks::{DType, for_each_parallel};
use engine_api::{Error, ErrorKind, Result};

use super::create::{CreateOptions, DeflateLevel};
use super::info::ImageInfo;
use super::io::{ImageWriter, Progress};
use super::partial_dir::PartialDir;
use super::png::{GraySlice, gray_picture, write_picture};
use super::slice_names::SliceNames;
use super::tiff;

/// The quality of a JPEG, of 100.
const QUALITY: u8 = 90;

/// How pictures are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Png,
    Jpeg,
    Jpeg2000,
    Tiff,
}

impl Kind {
    const fn ending(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Jpeg => "jpg",
            Self::Jpeg2000 => "jp2",
            Self::Tiff => "tif",
        }
    }
}

struct PictureWriter {
    dir: PartialDir,
    info: ImageInfo,
    progress: Progress,
    kind: Kind,
    window: Option<(f64, f64)>,
    #[cfg_attr(not(feature = "jpeg2000"), allow(dead_code, reason = "only JPEG 2000 has it"))]
    psnr: Option<f64>,
    compression: Option<DeflateLevel>,
    names: SliceNames,
    width: usize,
    height: usize,
    /// The number of pictures that are written.
    pictures: u64,
}

/// Creates a folder of pictures of y and x, one for each position on the other axes.
pub(super) fn create(
    path: &Path,
    info: &ImageInfo,
    options: &CreateOptions,
    kind: Kind,
) -> Result<Box<dyn ImageWriter>> {
    let &[_, .., height, width] = info.shape() else {
        return Err(Error::new(
            ErrorKind::Unsupported,
            "pictures are of slices: y, x, and an axis before them",
        ));
    };
    let most = if kind == Kind::Jpeg { u64::from(u16::MAX) } else { u64::from(u32::MAX) };
    let (Ok(columns), Ok(rows)) = (usize::try_from(width), usize::try_from(height)) else {
        return Err(too_large(info));
    };
    if width > most || height > most {
        return Err(too_large(info));
    }
    #[cfg(not(feature = "jpeg2000"))]
    if kind == Kind::Jpeg2000 {
        return Err(super::absent::needs("jpeg2000"));
    }
    if let Some(psnr) = options.psnr
        && !(kind == Kind::Jpeg2000 && psnr > 0.0 && psnr < 200.0)
    {
        return Err(Error::new(
            ErrorKind::InvalidArgument,
            "a signal to noise ratio is in decibels, of JPEG 2000: 30 is poor, 60 very good",
        )
        .with("psnr", psnr));
    }
    let window = match (options.window, info.dtype()) {
        (Some((low, high)), _) if low < high => Some((low, high)),
        (Some((low, high)), _) => {
            return Err(Error::new(ErrorKind::InvalidArgument, "the window has no width")
                .with("low", low)
                .with("high", high));
        }
        (None, _) if kind == Kind::Tiff => None,
        (None, DType::U8) => None,
        (None, DType::U16 | DType::Bool) if kind == Kind::Jpeg2000 => None,
        (None, DType::Bool) => Some((0.0, 1.0)),
        (None, dtype) => {
            // Each slice by itself would have a range of its own.
            return Err(Error::new(
                ErrorKind::InvalidArgument,
                "pictures need a window: the values that become black and white",
            )
            .with("type", dtype));
        }
    };
    let names = match &options.slice_names {
        Some(pattern) => SliceNames::pattern(pattern)?,
        None => SliceNames::Axes { ending: kind.ending() },
    };
    let progress = Progress::new(info)?;
    let dir = PartialDir::create(path, 1)?;
    let info = info.clone();
    Ok(Box::new(PictureWriter {
        dir,
        info,
        progress,
        kind,
        window,
        psnr: options.psnr,
        compression: options.page_compression(),
        names,
        width: columns,
        height: rows,
        pictures: 0,
    }))
}

impl PictureWriter {
    /// Writes the slice of a number.
    fn write(&self, number: u64, slice: &[u8]) -> Result<()> {
        let name = self.names.name(&self.info, number);
        let slice =
            GraySlice { width: self.width, height: self.height, dtype: self.info.dtype(), data: slice };
        let pixels;
        let slice = if self.window.is_some() {
            pixels = gray_picture(&[slice], self.window)?.2;
            GraySlice { dtype: DType::U8, data: &pixels, ..slice }
        } else {
            slice
        };
        let file = match self.kind {
            Kind::Png => {
                let mut file = Vec::new();
                write_picture(slice.width, slice.height, slice.data, &mut file)?;
                file
            }
            Kind::Jpeg => self.encode_jpeg(slice.data)?,
            Kind::Tiff => tiff::encode_slice(&slice, self.compression)?,
            #[cfg(feature = "jpeg2000")]
            Kind::Jpeg2000 => {
                return super::jpeg2000::write_file(&self.dir.path().join(name), &slice, self.psnr);
            }
            #[cfg(not(feature = "jpeg2000"))]
            Kind::Jpeg2000 => return Err(super::absent::needs("jpeg2000")),
        };
        self.dir.write(Path::new(&name), &file)
    }

    fn encode_jpeg(&self, pixels: &[u8]) -> Result<Vec<u8>> {
        let (Ok(columns), Ok(rows)) = (u16::try_from(self.width), u16::try_from(self.height)) else {
            return Err(too_large(&self.info));
        };
        let mut file = Vec::new();
        jpeg_encoder::Encoder::new(&mut file, QUALITY)
            .encode(pixels, columns, rows, jpeg_encoder::ColorType::Luma)
            .map_err(|error| {
                Error::new(ErrorKind::Internal, "the picture can't be written").caused_by(error)
            })?;
        Ok(file)
    }
}

impl ImageWriter for PictureWriter {
    fn info(&self) -> &ImageInfo {
        &self.info
    }

    fn write_slab(&mut self, data: &[u8]) -> Result<()> {
        let slices = self.progress.to_write(data.len())?;
        let bytes = self.width * self.height * self.info.dtype().size();
        let pictures: Vec<&[u8]> = data.chunks_exact(bytes).collect();
        // An encoder has its pixels as numbers of four bytes, and as much again besides.
        let memory = (self.width * self.height).saturating_mul(16);
        for_each_parallel(
            pictures.len(),
            memory,
            || (),
            |(), index| {
                let number = self.pictures + u64::try_from(index).unwrap_or(u64::MAX);
                self.write(number, pictures[index])
            },
        )?;
        self.pictures += u64::try_from(pictures.len()).unwrap_or(0);
        self.progress.advance(slices);
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<()> {
        self.progress.check_complete()?;
        self.dir.finish_one()
    }
}

fn too_large(info: &ImageInfo) -> Error {
    Error::new(ErrorKind::TooLarge, "a slice is too large for a picture")
        .with("shape", format_args!("{:?}", info.shape()))
}
