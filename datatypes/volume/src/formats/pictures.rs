//! Slices as pictures to look at, a file each: PNG or JPEG, 8 bits of gray.

use std::path::Path;

use chunks::DType;
use engine_api::{Error, ErrorKind, Result};

use super::create::CreateOptions;
use super::info::ImageInfo;
use super::io::{ImageWriter, Progress};
use super::partial_dir::PartialDir;
use super::png::{GraySlice, gray_picture, write_picture};

/// The quality of a JPEG, of 100.
const QUALITY: u8 = 90;

/// How pictures are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Png,
    Jpeg,
}

struct PictureWriter {
    dir: PartialDir,
    info: ImageInfo,
    progress: Progress,
    kind: Kind,
    window: Option<(f64, f64)>,
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
    let window = match (options.window, info.dtype()) {
        (Some((low, high)), _) if low < high => Some((low, high)),
        (Some((low, high)), _) => {
            return Err(Error::new(ErrorKind::InvalidArgument, "the window has no width")
                .with("low", low)
                .with("high", high));
        }
        (None, DType::U8) => None,
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
    let progress = Progress::new(info)?;
    let dir = PartialDir::create(path, 1)?;
    let info = info.clone();
    Ok(Box::new(PictureWriter {
        dir,
        info,
        progress,
        kind,
        window,
        width: columns,
        height: rows,
        pictures: 0,
    }))
}

impl PictureWriter {
    /// `z0003.png`, with a number for each axis before y and x; as they are sorted they follow each other.
    fn next_name(&self) -> String {
        let mut rest = self.pictures;
        let before = self.info.shape().len() - 2;
        let mut parts = Vec::new();
        for (extent, axis) in self.info.shape().iter().zip(self.info.axes()).take(before).rev() {
            let digits = extent.saturating_sub(1).to_string().len().max(4);
            // The name of an axis may be anything.
            let name: String = axis.name.chars().filter(char::is_ascii_alphanumeric).take(8).collect();
            let name = if name.is_empty() { "i" } else { &name };
            parts.push(format!("{name}{:0digits$}", rest % extent));
            rest /= extent;
        }
        parts.reverse();
        format!("{}.{}", parts.join("_"), if self.kind == Kind::Png { "png" } else { "jpg" })
    }

    fn encode(&self, slice: &[u8]) -> Result<Vec<u8>> {
        let slice =
            GraySlice { width: self.width, height: self.height, dtype: self.info.dtype(), data: slice };
        let (width, height, pixels) = gray_picture(&[slice], self.window)?;
        let mut file = Vec::new();
        match (self.kind, u16::try_from(width), u16::try_from(height)) {
            (Kind::Jpeg, Ok(columns), Ok(rows)) => jpeg_encoder::Encoder::new(&mut file, QUALITY)
                .encode(&pixels, columns, rows, jpeg_encoder::ColorType::Luma)
                .map_err(|error| {
                    Error::new(ErrorKind::Internal, "the picture can't be written").caused_by(error)
                })?,
            (Kind::Jpeg, ..) => return Err(too_large(&self.info)),
            (Kind::Png, ..) => write_picture(width, height, &pixels, &mut file)?,
        }
        Ok(file)
    }
}

impl ImageWriter for PictureWriter {
    fn info(&self) -> &ImageInfo {
        &self.info
    }

    fn write_slab(&mut self, data: &[u8]) -> Result<()> {
        let slices = self.progress.to_write(data.len())?;
        for slice in data.chunks_exact(self.width * self.height * self.info.dtype().size()) {
            self.dir.write(Path::new(&self.next_name()), &self.encode(slice)?)?;
            self.pictures += 1;
        }
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
