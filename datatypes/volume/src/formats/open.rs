//! Opening images of any format.

use std::path::{Path, PathBuf};

use engine_api::{Error, ErrorKind, Result};

use super::chunked::ChunkedReader;
use super::dataset_name::split_dataset;
use super::detect::Format;
use super::info::ImageInfo;
use super::io::ImageReader;
use super::named::Named;
#[cfg(feature = "http")]
use super::precomputed::{open_url, scales_of_url};
use super::raw::{self, RawSpec};
use super::regions::RegionReader;
use super::url::{is_url, shown};
#[cfg(feature = "hdf5")]
use super::variables::{open as open_dataset, open_regions as dataset_regions};
use super::{nifti, npy, precomputed, tiff, zarr};

/// Opens an image: as raw when `raw` is given, otherwise a file in the format that its name says, or where the
/// name says none, its first bytes, and a folder by what is in it. Of several scales it is the first.
///
/// The URL of a precomputed volume, `https://host/path` or `precomputed://https://host/path`, is opened as its folder
/// would be; that needs the feature `http`.
///
/// Only headers are read, and what they claim is compared with the file's length before anything is
/// allocated.
///
/// # Errors
/// `NotFound`; `InvalidArgument` when the format can't be told, or a raw file hasn't the length that its
/// description gives it; `Corrupt` and `TooLarge` for headers that can't be true; `Incompatible` for
/// versions and `Unsupported` for kinds of elements, such as colours, that can't be read.
pub fn open_image(path: &Path, raw: Option<&RawSpec>) -> Result<Box<dyn ImageReader>> {
    let reader = match raw {
        Some(spec) => raw::open(path, spec),
        None => open_any(path, 0),
    };
    Ok(Box::new(Named::new(&shown(path), reader.map_err(|error| error.with("path", shown(path).display()))?)))
}

/// Opens one scale of an image; the first is the finest. An image without scales has one.
///
/// # Errors
/// `NotFound` also when there is no such scale; otherwise those of [`open_image`].
pub fn open_scale(path: &Path, scale: usize) -> Result<Box<dyn ImageReader>> {
    let reader = open_any(path, scale).map_err(|error| error.with("path", shown(path).display()))?;
    Ok(Box::new(Named::new(&shown(path), reader)))
}

/// What the scales of an image are, the finest first; one, where its format has no scales.
///
/// # Errors
/// Those of [`open_image`].
pub fn scales_of(path: &Path) -> Result<Vec<ImageInfo>> {
    if is_url(path) {
        return scales_of_url(path);
    }
    let scales = || match located(path)?.2 {
        Format::Precomputed => precomputed::scales_of(path),
        Format::Zarr | Format::OmeZarr => zarr::scales_of(path),
        _ => Ok(vec![open_any(path, 0)?.info().clone()]),
    };
    scales().map_err(|error| error.with("path", path.display()))
}

/// Opens an image, or the first of its scales, to read any part of it; `None` for formats that are read from
/// front to back: TIFF, and what is compressed as a whole.
///
/// # Errors
/// Those of [`open_image`].
pub fn open_regions(path: &Path, raw: Option<&RawSpec>) -> Result<Option<Box<dyn RegionReader>>> {
    let regions = match raw {
        Some(spec) => raw::open_regions(path, spec).map(Some),
        None => regions_of_any(path, 0),
    };
    named(path, regions)
}

/// Opens a scale of an image as [`open_regions`] does.
///
/// # Errors
/// Those of [`open_scale`].
pub fn open_scale_regions(path: &Path, scale: usize) -> Result<Option<Box<dyn RegionReader>>> {
    named(path, regions_of_any(path, scale))
}

fn named(
    path: &Path,
    regions: Result<Option<Box<dyn RegionReader>>>,
) -> Result<Option<Box<dyn RegionReader>>> {
    let regions = regions.map_err(|error| error.with("path", shown(path).display()))?;
    Ok(regions.map(|inner| Box::new(Named::new(&shown(path), inner)) as Box<dyn RegionReader>))
}

/// What an image's name says: its file or folder, the dataset in it where one is named, and the format.
fn located(path: &Path) -> Result<(PathBuf, Option<String>, Format)> {
    let (file, dataset) = split_dataset(path);
    let format = Format::of(&file)?;
    if dataset.is_some() && !matches!(format, Format::Hdf5 | Format::NetCdf) {
        return Err(Error::new(ErrorKind::InvalidArgument, "a file of this format holds no datasets"));
    }
    Ok((file, dataset, format))
}

fn open_any(path: &Path, scale: usize) -> Result<Box<dyn ImageReader>> {
    if is_url(path) {
        return Ok(Box::new(ChunkedReader::new(open_url(path, scale)?)?));
    }
    let (path, dataset, format) = located(path)?;
    let path = path.as_path();
    if !has_scales(format) && scale != 0 {
        return Err(no_such_scale(scale, 1));
    }
    match format {
        Format::Nifti | Format::NiftiGz => nifti::open(path),
        Format::Tiff | Format::OmeTiff => tiff::open(path),
        Format::Npy => npy::open(path),
        Format::Raw => Err(raw_needs_spec()),
        Format::Hdf5 | Format::NetCdf => open_dataset(path, dataset.as_deref()),
        Format::PngSlices | Format::JpegSlices | Format::Jpeg2000Slices | Format::TiffSlices => {
            Err(only_written())
        }
        Format::Precomputed => Ok(Box::new(ChunkedReader::new(precomputed::open_regions(path, scale)?)?)),
        Format::Zarr | Format::OmeZarr => Ok(Box::new(ChunkedReader::new(zarr::open_regions(path, scale)?)?)),
    }
}

fn regions_of_any(path: &Path, scale: usize) -> Result<Option<Box<dyn RegionReader>>> {
    if is_url(path) {
        return open_url(path, scale).map(Some);
    }
    let (path, dataset, format) = located(path)?;
    let path = path.as_path();
    if !has_scales(format) && scale != 0 {
        return Err(no_such_scale(scale, 1));
    }
    match format {
        Format::Nifti | Format::NiftiGz => nifti::open_regions(path),
        Format::Tiff | Format::OmeTiff => Ok(None),
        Format::Npy => npy::open_regions(path).map(Some),
        Format::Raw => Err(raw_needs_spec()),
        Format::Hdf5 | Format::NetCdf => dataset_regions(path, dataset.as_deref()).map(Some),
        Format::PngSlices | Format::JpegSlices | Format::Jpeg2000Slices | Format::TiffSlices => {
            Err(only_written())
        }
        Format::Precomputed => precomputed::open_regions(path, scale).map(Some),
        Format::Zarr | Format::OmeZarr => zarr::open_regions(path, scale).map(Some),
    }
}

#[cfg(not(feature = "hdf5"))]
fn open_dataset(_: &Path, _: Option<&str>) -> Result<Box<dyn ImageReader>> {
    Err(super::absent::needs("hdf5"))
}

#[cfg(not(feature = "hdf5"))]
fn dataset_regions(_: &Path, _: Option<&str>) -> Result<Box<dyn RegionReader>> {
    Err(super::absent::needs("hdf5"))
}

#[cfg(not(feature = "http"))]
fn open_url(_: &Path, _: usize) -> Result<Box<dyn RegionReader>> {
    Err(super::absent::needs("http"))
}

#[cfg(not(feature = "http"))]
fn scales_of_url(_: &Path) -> Result<Vec<ImageInfo>> {
    Err(super::absent::needs("http"))
}

const fn has_scales(format: Format) -> bool {
    format.is_folder() && !format.is_slices()
}

fn raw_needs_spec() -> Error {
    Error::new(ErrorKind::InvalidArgument, "a raw file doesn't say its shape and type; give them")
}

fn only_written() -> Error {
    Error::new(ErrorKind::Unsupported, "folders of slices are written and not read")
}

pub(super) fn no_such_scale(scale: usize, scales: usize) -> Error {
    Error::new(ErrorKind::NotFound, "the image has no such scale").with("scale", scale).with("scales", scales)
}
