//! Which format a file has.

use std::io::Read;
use std::path::{Path, PathBuf};

use engine_api::{Error, ErrorKind, Result};

use super::file::open_file;
use super::info::ImageInfo;
use super::io::{ImageReader, ImageWriter};
use super::linear::read_failed;
use super::raw::{self, RawSpec};
use super::{nifti, npy, tiff};

/// A format of image files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// NIfTI-1 in one file: `.nii`.
    Nifti,
    /// NIfTI-1, compressed by gzip: `.nii.gz`.
    NiftiGz,
    /// A TIFF with one page per slice: `.tif`, `.tiff`, `.btf`.
    Tiff,
    /// A NumPy array: `.npy`.
    Npy,
    /// Elements and nothing else: `.raw`, `.bin`.
    Raw,
}

impl Format {
    /// The format that a file's name says, whatever the case of its letters.
    pub fn from_name(path: &Path) -> Option<Self> {
        const ENDINGS: [(&str, Format); 8] = [
            (".nii.gz", Format::NiftiGz),
            (".nii", Format::Nifti),
            (".tif", Format::Tiff),
            (".tiff", Format::Tiff),
            (".btf", Format::Tiff),
            (".npy", Format::Npy),
            (".raw", Format::Raw),
            (".bin", Format::Raw),
        ];
        let name = path.file_name()?.to_string_lossy().to_ascii_lowercase();
        ENDINGS.iter().find(|(ending, _)| name.ends_with(ending)).map(|(_, format)| *format)
    }

    /// The format that a file's first bytes say; 348 of them decide.
    pub fn from_magic(head: &[u8]) -> Option<Self> {
        match head {
            [0x1f, 0x8b, ..] => Some(Self::NiftiGz),
            [0x93, b'N', b'U', b'M', b'P', b'Y', ..] => Some(Self::Npy),
            [b'I', b'I', 42 | 43, 0, ..] | [b'M', b'M', 0, 42 | 43, ..] => Some(Self::Tiff),
            _ if nifti::looks_like_header(head) => Some(Self::Nifti),
            _ => None,
        }
    }
}

/// How an image is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct CreateOptions {
    /// The format, where the name doesn't say it.
    pub format: Option<Format>,
    /// Compress the pages of a TIFF by deflate.
    pub tiff_deflate: bool,
}

/// Opens an image: as raw when `raw` is given, otherwise in the format that its name says, or where the name
/// says none, its first bytes.
///
/// Only headers are read, and what they claim is compared with the file's length before anything is
/// allocated.
///
/// # Errors
/// `NotFound`; `InvalidArgument` when the format can't be told, or a raw file hasn't the length that its
/// description gives it; `Corrupt` and `TooLarge` for headers that can't be true; `Incompatible` for
/// versions and `Unsupported` for kinds of elements, such as colours, that can't be read.
pub fn open_image(path: &Path, raw: Option<&RawSpec>) -> Result<Box<dyn ImageReader>> {
    let reader = open_any(path, raw).map_err(|error| error.with("path", path.display()))?;
    Ok(Box::new(Named { inner: reader, path: path.to_owned() }))
}

fn open_any(path: &Path, raw: Option<&RawSpec>) -> Result<Box<dyn ImageReader>> {
    if let Some(spec) = raw {
        return raw::open(path, spec);
    }
    let format = match Format::from_name(path) {
        Some(format) => format,
        None => format_of_bytes(path)?,
    };
    match format {
        Format::Nifti | Format::NiftiGz => nifti::open(path),
        Format::Tiff => tiff::open(path),
        Format::Npy => npy::open(path),
        Format::Raw => Err(Error::new(
            ErrorKind::InvalidArgument,
            "a raw file doesn't say its shape and type; give them",
        )),
    }
}

/// Creates an image in the format that its name says; it replaces a file of that name when it is finished.
///
/// # Errors
/// `InvalidArgument` when the name says no format; `Unsupported` and `TooLarge` when the format can't hold
/// the image.
pub fn create_image(path: &Path, info: &ImageInfo) -> Result<Box<dyn ImageWriter>> {
    create_image_with(path, info, CreateOptions::default())
}

/// Creates an image as [`create_image`] does, with options.
pub fn create_image_with(
    path: &Path,
    info: &ImageInfo,
    options: CreateOptions,
) -> Result<Box<dyn ImageWriter>> {
    let Some(format) = options.format.or_else(|| Format::from_name(path)) else {
        return Err(unknown_format().with("path", path.display()));
    };
    let writer = match format {
        Format::Nifti => nifti::create(path, info, false),
        Format::NiftiGz => nifti::create(path, info, true),
        Format::Tiff => tiff::create(path, info, options.tiff_deflate),
        Format::Npy => npy::create(path, info),
        Format::Raw => raw::create(path, info),
    }
    .map_err(|error| error.with("path", path.display()))?;
    Ok(Box::new(Named { inner: writer, path: path.to_owned() }))
}

/// A reader or a writer whose errors name its file.
struct Named<T: ?Sized> {
    path: PathBuf,
    inner: Box<T>,
}

impl ImageReader for Named<dyn ImageReader> {
    fn info(&self) -> &ImageInfo {
        self.inner.info()
    }

    fn next_slab(&mut self, out: &mut [u8]) -> Result<u64> {
        self.inner.next_slab(out).map_err(|error| error.with("path", self.path.display()))
    }
}

impl ImageWriter for Named<dyn ImageWriter> {
    fn info(&self) -> &ImageInfo {
        self.inner.info()
    }

    fn write_slab(&mut self, data: &[u8]) -> Result<()> {
        self.inner.write_slab(data).map_err(|error| error.with("path", self.path.display()))
    }

    fn finish(self: Box<Self>) -> Result<()> {
        let Self { inner, path } = *self;
        inner.finish().map_err(|error| error.with("path", path.display()))
    }
}

fn format_of_bytes(path: &Path) -> Result<Format> {
    let (file, _) = open_file(path)?;
    let mut head = Vec::new();
    file.take(348).read_to_end(&mut head).map_err(read_failed)?;
    Format::from_magic(&head).ok_or_else(unknown_format)
}

fn unknown_format() -> Error {
    Error::new(ErrorKind::InvalidArgument, "the image's format can't be told")
        .with("known", ".nii .nii.gz .tif .tiff .npy .raw")
}
