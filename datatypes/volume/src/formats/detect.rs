//! Which format an image has.

use std::io::Read;
use std::path::Path;

use engine_api::{Error, ErrorKind, Result};

use super::file::open_file;
use super::linear::read_failed;
use super::{nifti, precomputed, zarr};

/// A format of images.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// NIfTI-1 in one file: `.nii`.
    Nifti,
    /// NIfTI-1, compressed by gzip: `.nii.gz`.
    NiftiGz,
    /// A TIFF with one page per slice: `.tif`, `.tiff`, `.btf`.
    Tiff,
    /// A TIFF that describes its axes: `.ome.tif`, `.ome.tiff`, `.ome.btf`. Read, a TIFF is either kind.
    OmeTiff,
    /// A NumPy array: `.npy`.
    Npy,
    /// Elements and nothing else: `.raw`, `.bin`.
    Raw,
    /// Neuroglancer's precomputed volume: a folder, `.precomputed`.
    Precomputed,
    /// A dataset of an HDF5 file: `.h5`, `.hdf5`; which one may stand behind the name, `scan.h5:/entry/data`. Needs the
    /// feature `hdf5`.
    Hdf5,
    /// A variable of a classic NetCDF file, named by its first bytes; read and not written. Needs the feature `hdf5`.
    NetCdf,
    /// An array of Zarr, version 3: a folder, `.zarr`. Read, it is either kind.
    Zarr,
    /// An OME-Zarr 0.5 image, which may have several scales: a folder, `.ome.zarr`.
    OmeZarr,
    /// A folder of pictures, a PNG for each slice, to look at: written and not read, and no name says it.
    PngSlices,
    /// As [`PngSlices`](Self::PngSlices), in JPEG.
    JpegSlices,
    /// A folder of slices in JPEG 2000, their elements as they are or nearly: written and not read. Needs the feature
    /// `jpeg2000`.
    Jpeg2000Slices,
    /// A folder of slices, a TIFF for each: written and not read as one.
    TiffSlices,
}

impl Format {
    /// The format that a name says, whatever the case of its letters.
    pub fn from_name(path: &Path) -> Option<Self> {
        const ENDINGS: [(&str, Format); 16] = [
            (".nii.gz", Format::NiftiGz),
            (".nii", Format::Nifti),
            (".ome.tif", Format::OmeTiff),
            (".ome.tiff", Format::OmeTiff),
            (".ome.btf", Format::OmeTiff),
            (".tif", Format::Tiff),
            (".tiff", Format::Tiff),
            (".btf", Format::Tiff),
            (".npy", Format::Npy),
            (".raw", Format::Raw),
            (".bin", Format::Raw),
            (".h5", Format::Hdf5),
            (".hdf5", Format::Hdf5),
            (".precomputed", Format::Precomputed),
            (".ome.zarr", Format::OmeZarr),
            (".zarr", Format::Zarr),
        ];
        let name = path.file_name()?.to_string_lossy().to_ascii_lowercase();
        ENDINGS.iter().find(|(ending, _)| name.ends_with(ending)).map(|(_, format)| *format)
    }

    /// The format that a file's first bytes say; 348 of them decide.
    pub fn from_magic(head: &[u8]) -> Option<Self> {
        match head {
            [0x1f, 0x8b, ..] => Some(Self::NiftiGz),
            [0x89, b'H', b'D', b'F', b'\r', b'\n', 0x1a, b'\n', ..] => Some(Self::Hdf5),
            [b'C', b'D', b'F', 1 | 2 | 5, ..] => Some(Self::NetCdf),
            [0x93, b'N', b'U', b'M', b'P', b'Y', ..] => Some(Self::Npy),
            [b'I', b'I', 42 | 43, 0, ..] | [b'M', b'M', 0, 42 | 43, ..] => Some(Self::Tiff),
            _ if nifti::looks_like_header(head) => Some(Self::Nifti),
            _ => None,
        }
    }

    /// Whether an image of this format is a folder.
    pub const fn is_folder(self) -> bool {
        matches!(self, Self::Precomputed | Self::Zarr | Self::OmeZarr) || self.is_slices()
    }

    /// Whether an image of this format is a folder with a file for each slice.
    pub(super) const fn is_slices(self) -> bool {
        matches!(self, Self::PngSlices | Self::JpegSlices | Self::Jpeg2000Slices | Self::TiffSlices)
    }

    /// The format of slices that are like an image of this one.
    pub(super) fn of_slices(self) -> Option<Self> {
        match self {
            Self::Tiff => Some(Self::TiffSlices),
            other => Some(other).filter(|format| format.is_slices()),
        }
    }

    /// The format of slices that the name of one says.
    pub(super) fn from_slice_name(path: &Path) -> Option<Self> {
        let ending = path.extension()?.to_str()?.to_ascii_lowercase();
        match ending.as_str() {
            "png" => Some(Self::PngSlices),
            "jpg" | "jpeg" => Some(Self::JpegSlices),
            "jp2" => Some(Self::Jpeg2000Slices),
            "tif" | "tiff" => Some(Self::TiffSlices),
            _ => None,
        }
    }

    /// The format of what is there: a folder's by what is in it, and a file's by its name, or where that says
    /// none, by its first bytes.
    ///
    /// # Errors
    /// `NotFound`; `InvalidArgument` when the format can't be told; `Incompatible` for versions that can't be read.
    pub fn of(path: &Path) -> Result<Self> {
        if path.is_dir() {
            return Self::of_folder(path);
        }
        match Self::from_name(path).filter(|format| !format.is_folder()) {
            Some(format) => Ok(format),
            None => Self::of_bytes(path),
        }
    }

    fn of_folder(path: &Path) -> Result<Self> {
        if path.join(precomputed::INFO).is_file() {
            return Ok(Self::Precomputed);
        }
        if path.join(zarr::METADATA).is_file() {
            return Ok(Self::Zarr);
        }
        if zarr::OLD_METADATA.iter().any(|name| path.join(name).is_file()) {
            return Err(Error::new(ErrorKind::Incompatible, "only version 3 of Zarr can be read"));
        }
        Err(Error::new(ErrorKind::InvalidArgument, "the folder isn't that of an image")
            .with("known", "Zarr (with a file zarr.json) and precomputed (with a file info)"))
    }

    pub(super) fn of_bytes(path: &Path) -> Result<Self> {
        let (file, _) = open_file(path)?;
        let mut head = Vec::new();
        file.take(348).read_to_end(&mut head).map_err(read_failed)?;
        Self::from_magic(&head).ok_or_else(unknown_format)
    }
}

pub(super) fn unknown_format() -> Error {
    Error::new(ErrorKind::InvalidArgument, "the image's format can't be told")
        .with("known", ".nii .nii.gz .tif .tiff .npy .raw .h5 .zarr .ome.zarr .precomputed slices/z%04d.tif")
}
