//! What a command line names to be written: an image, elements in NumPy's types, raw or in JSON.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};

use array_file::DType;
use chunks::Codec;
use engine_api::{Error, ErrorKind, Result};
use tempfile::NamedTempFile;
use volume::{Format, open_npy_parts, split_dataset};

use super::json_elements::JsonElements;
use super::load::fitting;
use super::numbers::{parts_of, type_of};
use super::place::failed;
use crate::cli::volume::import::{self, Image};

/// The image that a command line names, and how to read it.
#[derive(Debug, clap::Args)]
pub(super) struct ImageArgs {
    /// The image: .npy, .nii, .nii.gz, .tif, .ome.tif, .h5, .nc, .raw with --shape and --dtype, or a folder: .zarr,
    /// .ome.zarr, .precomputed. `-` reads one from standard input.
    pub(super) image: PathBuf,
    /// The shape of a raw file, slowest axis first.
    #[arg(long, value_name = "Z,Y,X", value_delimiter = ',', requires = "dtype")]
    shape: Option<Vec<u64>>,
    /// The type of a raw file's elements, little-endian, of a fixed size: u8 to u64, i8 to i64, f16 to f64, bool, complex64,
    /// complex128, timestamp[ns], list<u8, 3> and the like; and of elements in JSON, which `write` takes, any.
    #[arg(long)]
    dtype: Option<String>,
    /// How what is written is compressed: none, lz4, zstd:1 to zstd:22, each with or without +shuffle.
    #[arg(long, default_value = "zstd:1+shuffle")]
    codec: String,
}

/// An image that is open.
pub(super) struct Input {
    /// Of the elements, or of the numbers that they are made of.
    pub(super) image: Image,
    /// The type of the elements.
    pub(super) dtype: DType,
    /// What came from standard input, which is removed in the end.
    _spooled: Option<NamedTempFile>,
}

impl Input {
    /// The shape in elements.
    pub(super) fn shape(&self) -> &[u64] {
        let shape = self.image.info().shape();
        let parted = parts_of(&self.dtype).is_some_and(|(_, parts)| parts.is_some());
        if parted { shape.split_last().map_or(shape, |(_, shape)| shape) } else { shape }
    }

    /// The names of the axes; none where one has none, or two have the same.
    pub(super) fn axis_names(&self) -> Vec<String> {
        let axes = self.image.info().axes().iter().take(self.shape().len());
        let names: Vec<String> = axes.map(|axis| axis.name.clone()).collect();
        let distinct =
            (0..names.len()).all(|axis| !names[axis].is_empty() && !names[..axis].contains(&names[axis]));
        if distinct { names } else { Vec::new() }
    }
}

/// What elements are written from.
pub(super) enum Source {
    Image(Input),
    Json(JsonElements),
}

impl ImageArgs {
    /// Opens the image before anything else is touched, so that a bad file changes nothing.
    pub(super) fn open(&self) -> Result<Input> {
        let spooled = if self.is_piped() { Some(spool()?) } else { None };
        self.open_image(spooled)
    }

    /// The same of elements in JSON too, which are known by the name of their file, and by how they begin where they
    /// have none.
    pub(super) fn open_any(&self) -> Result<Source> {
        if !self.is_piped() {
            return if self.image.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json")) {
                JsonElements::read(&self.image).map(Source::Json)
            } else {
                self.open().map(Source::Image)
            };
        }
        let spooled = spool()?;
        if self.shape.is_none() && begins_as_json(spooled.path())? {
            return JsonElements::read(spooled.path()).map(Source::Json);
        }
        self.open_image(Some(spooled)).map(Source::Image)
    }

    fn open_image(&self, spooled: Option<NamedTempFile>) -> Result<Input> {
        if self.shape.is_none() && self.dtype.is_some() {
            return Err(Error::new(ErrorKind::InvalidArgument, "a raw file's type is said with its --shape"));
        }
        let path = spooled.as_ref().map_or(self.image.as_path(), NamedTempFile::path);
        let (shape, dtype) = (self.shape.clone(), self.dtype()?);
        let parted = dtype.as_ref().and_then(|dtype| Some((dtype.clone(), parts_of(dtype)?)));
        if let Some((dtype, (number, parts))) = parted {
            let shape = shape.map(|shape| shape.into_iter().chain(parts).collect());
            let options =
                import::Options { shape, dtype: Some(number.to_string()), ..import::Options::default() };
            return Ok(Input { image: import::open(path, &options)?, dtype, _spooled: spooled });
        }
        if shape.is_none()
            && Format::of(path).is_ok_and(|format| format == Format::Npy)
            && let Some((number, parts)) = open_npy_parts(path)?
        {
            let dtype = type_of(number)?;
            return Ok(Input { image: Image::Regions(parts, String::new()), dtype, _spooled: spooled });
        }
        let options = import::Options { shape, dtype: self.dtype.clone(), ..import::Options::default() };
        let image = import::open(path, &options)?;
        let dtype = DType::from(image.info().dtype());
        Ok(Input { image, dtype, _spooled: spooled })
    }

    fn is_piped(&self) -> bool {
        self.image.as_os_str() == "-"
    }

    /// The type that the command line says.
    pub(super) fn dtype(&self) -> Result<Option<DType>> {
        self.dtype.as_deref().map(|dtype| dtype.parse().map_err(failed)).transpose()
    }

    /// Whether it is a file of several arrays that have names.
    pub(super) fn holds_variables(&self) -> bool {
        !self.is_piped()
            && matches!(Format::of(&split_dataset(&self.image).0), Ok(Format::Hdf5 | Format::NetCdf))
    }

    pub(super) fn codec(&self) -> Result<Codec> {
        self.codec.parse()
    }

    /// The name of the image, for answers.
    pub(super) fn name(&self) -> String {
        self.image.display().to_string()
    }
}

/// Keeps what comes from standard input in a file: images are read at many places.
fn spool() -> Result<NamedTempFile> {
    let failed = |error| Error::from_io(error, "standard input can't be kept in a temporary file");
    let mut file = NamedTempFile::new().map_err(failed)?;
    io::copy(&mut io::stdin().lock(), file.as_file_mut()).map_err(failed)?;
    file.as_file_mut().rewind().map_err(failed)?;
    Ok(file)
}

/// Whether a file begins as a list or an object does, and no image.
fn begins_as_json(path: &Path) -> Result<bool> {
    let mut start = Vec::new();
    let file = File::open(path).and_then(|file| file.take(64).read_to_end(&mut start));
    file.map_err(|error| Error::from_io(error, "standard input can't be read again"))?;
    Ok(matches!(start.trim_ascii_start().first(), Some(b'[' | b'{')))
}

/// The chunk shape of an image that is stored in chunks, where ours may well have it too.
pub(super) fn chunks_of(image: &Image) -> Option<Vec<u64>> {
    let Image::Regions(reader, _) = image else { return None };
    fitting(reader.chunk_shape()?, reader.info().dtype())
}
