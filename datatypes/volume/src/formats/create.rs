//! Creating images of any format.

use std::path::Path;
use std::str::FromStr;

use engine_api::{Error, ErrorKind, Result};

use super::detect::{Format, unknown_format};
#[cfg(feature = "hdf5")]
use super::hdf5::create as create_hdf5;
use super::info::ImageInfo;
use super::io::ImageWriter;
use super::named::Named;
use super::slice_names::SliceNames;
use super::{nifti, npy, pictures, precomputed, raw, tiff, zarr};

/// How hard deflate tries: 0, which only stores, to 9.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeflateLevel(u8);

impl DeflateLevel {
    /// A level.
    ///
    /// # Errors
    /// `InvalidArgument` above 9.
    pub fn new(level: u8) -> Result<Self> {
        if level > 9 {
            return Err(
                Error::new(ErrorKind::InvalidArgument, "levels of deflate are 0 to 9").with("level", level)
            );
        }
        Ok(Self(level))
    }

    /// The level.
    pub const fn get(self) -> u8 {
        self.0
    }
}

/// How the elements of formats that leave a choice are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Compression {
    /// Not at all.
    None,
    /// By deflate, as gzip and zlib do.
    Deflate(DeflateLevel),
}

impl Compression {
    /// Deflate as it is used most: level 6.
    pub const BALANCED: Self = Self::Deflate(DeflateLevel(6));
}

/// `none`, `gzip` for level 6, `gzip:0` to `gzip:9`.
impl FromStr for Compression {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let invalid = || {
            Error::new(ErrorKind::InvalidArgument, "a compression is none, gzip, or gzip:0 to gzip:9")
                .with("compression", text)
        };
        match text.split_once(':') {
            None if text == "none" => Ok(Self::None),
            None if text == "gzip" => Ok(Self::BALANCED),
            Some(("gzip", level)) => {
                let level = level.parse().map_err(|_| invalid())?;
                DeflateLevel::new(level).map(Self::Deflate).map_err(|_| invalid())
            }
            _ => Err(invalid()),
        }
    }
}

/// How an image is written.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct CreateOptions {
    /// The format, where the name doesn't say it.
    pub format: Option<Format>,
    /// Compress the pages of a TIFF by deflate.
    pub tiff_deflate: bool,
    /// The shape of the chunks of a format that has them, slowest axis first; by default 64 along each axis of
    /// a volume, less where the image is smaller.
    pub chunk_shape: Option<Vec<u64>>,
    /// Store the labels of a precomputed volume, `u32` or `u64`, as compressed segmentation.
    pub compressed_segmentation: bool,
    /// The values that become black and white in pictures of slices; what lies outside is clipped. `u8` is taken
    /// as it is without it, and other types need it.
    pub window: Option<(f64, f64)>,
    /// How an HDF5 dataset is compressed, whose elements of several bytes are shuffled first, and the pages of a TIFF; not
    /// at all unless it is said.
    pub compression: Option<Compression>,
    /// The path of an HDF5 dataset in its file; `/volume` unless it is said.
    pub dataset: Option<String>,
    /// The names of the files of a folder of slices, `img_%04d.tif`; the axes' names and numbers unless it is said.
    pub slice_names: Option<String>,
    /// The signal to noise ratio that JPEG 2000 has at least, in decibels; every pixel is as it was unless it is said.
    pub psnr: Option<f64>,
}

impl CreateOptions {
    /// How the pages of a TIFF are compressed; none is no compression at all.
    pub(super) fn page_compression(&self) -> Option<DeflateLevel> {
        match (self.compression, self.tiff_deflate) {
            (Some(Compression::Deflate(level)), _) => Some(level),
            (None, true) => Some(DeflateLevel(6)),
            (Some(Compression::None), _) | (None, false) => None,
        }
    }

    /// The shape of an image's chunks.
    pub(super) fn chunk_shape_for(&self, image: &ImageInfo) -> Vec<u64> {
        match &self.chunk_shape {
            Some(shape) => shape.clone(),
            None => image.default_chunk_shape(),
        }
    }
}

/// Creates an image in the format that its name says; it replaces a file of that name when it is finished. A
/// folder is never replaced.
///
/// # Errors
/// `InvalidArgument` when the name says no format; `Unsupported` and `TooLarge` when the format can't hold
/// the image; `AlreadyExists` when it is to be a folder and there is something of that name.
pub fn create_image(path: &Path, info: &ImageInfo) -> Result<Box<dyn ImageWriter>> {
    create_image_with(path, info, CreateOptions::default())
}

/// Creates an image as [`create_image`] does, with options.
#[allow(clippy::needless_pass_by_value, reason = "the options are said at the call")]
pub fn create_image_with(
    path: &Path,
    info: &ImageInfo,
    options: CreateOptions,
) -> Result<Box<dyn ImageWriter>> {
    let mut writers = create_scales(path, std::slice::from_ref(info), &options)?;
    writers.pop().ok_or_else(|| Error::new(ErrorKind::Internal, "no writer was made"))
}

/// Creates an image of several scales, the finest first; answers a writer for each. They may be written in any
/// order or at once, and the image gets its name when the last of them is finished.
///
/// # Errors
/// `Unsupported` for several scales in a format that has none; `InvalidArgument` for no scale; otherwise those
/// of [`create_image`].
pub fn create_scales(
    path: &Path,
    scales: &[ImageInfo],
    options: &CreateOptions,
) -> Result<Vec<Box<dyn ImageWriter>>> {
    let writers = create_any(path, scales, options).map_err(|error| error.with("path", path.display()))?;
    Ok(writers.into_iter().map(|inner| Box::new(Named::new(path, inner)) as Box<dyn ImageWriter>).collect())
}

fn create_any(
    path: &Path,
    scales: &[ImageInfo],
    options: &CreateOptions,
) -> Result<Vec<Box<dyn ImageWriter>>> {
    if options.slice_names.is_none()
        && let Some((folder, pattern)) = SliceNames::split(path)
        && let Some(format) =
            options.format.and_then(Format::of_slices).or_else(|| Format::from_slice_name(path))
    {
        if folder.as_os_str().is_empty() {
            return Err(Error::new(
                ErrorKind::InvalidArgument,
                "slices go to a folder of their own, as in slices/z%04d.tif",
            ));
        }
        let options = CreateOptions { format: Some(format), slice_names: Some(pattern), ..options.clone() };
        return create_any(&folder, scales, &options);
    }
    let Some(format) = options.format.or_else(|| Format::from_name(path)) else {
        return Err(unknown_format());
    };
    let Some(first) = scales.first() else {
        return Err(Error::new(ErrorKind::InvalidArgument, "an image has one scale at least"));
    };
    let single = match format {
        Format::Precomputed => return precomputed::create_scales(path, scales, options),
        Format::OmeZarr => return zarr::create_ome(path, scales, options),
        _ if scales.len() > 1 => {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "the format has no scales; write a file for each",
            )
            .with("format", format_args!("{format:?}")));
        }
        Format::Nifti => nifti::create(path, first, false),
        Format::NiftiGz => nifti::create(path, first, true),
        Format::Tiff => tiff::create(path, first, options.page_compression()),
        Format::OmeTiff => tiff::create_ome(path, first, options.page_compression()),
        Format::PngSlices => pictures::create(path, first, options, pictures::Kind::Png),
        Format::JpegSlices => pictures::create(path, first, options, pictures::Kind::Jpeg),
        Format::Jpeg2000Slices => pictures::create(path, first, options, pictures::Kind::Jpeg2000),
        Format::TiffSlices => pictures::create(path, first, options, pictures::Kind::Tiff),
        Format::Npy => npy::create(path, first),
        Format::Raw => raw::create(path, first),
        Format::Hdf5 => create_hdf5(path, first, options),
        Format::NetCdf => Err(Error::new(ErrorKind::Unsupported, "NetCDF is read and not written")),
        Format::Zarr => zarr::create_array(path, first, options),
    };
    Ok(vec![single?])
}

#[cfg(not(feature = "hdf5"))]
fn create_hdf5(_: &Path, _: &ImageInfo, _: &CreateOptions) -> Result<Box<dyn ImageWriter>> {
    Err(super::absent::needs("hdf5"))
}
