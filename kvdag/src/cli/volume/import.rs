//! `kvdag volume import`.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use chunks::{ChunkStore, Codec, DType, stored_chunks};
use engine_api::{Error, ErrorKind, Result};
use serde::Serialize;
use volume::{
    ImageInfo, ImageReader, ImportOptions, RawSpec, RegionReader, Stage, Volume, import_image,
    import_regions, open_image, open_regions, split_dataset, write_image,
};

use super::scales::{ScaleOptions, stages};
#[cfg(feature = "blockfs")]
use crate::cli::blockfs::{BlockFsImage, is_blockfs};
#[cfg(all(feature = "cache", feature = "http"))]
use crate::cli::cache::{CacheUse, OpenCache, parse_size};
use crate::cli::interrupt::Careful;
use crate::cli::output::{self, Output};
use crate::cli::store::{self, AnyStore};
#[cfg(all(feature = "cache", feature = "http"))]
use volume::StoreImage;
#[cfg(feature = "http")]
use volume::{HttpOptions, PrecomputedSource, is_url};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The store; it is made when it isn't there.
    store: String,
    /// The image: .nii, .nii.gz, .tif, .ome.tif, .npy, .blockfs, .h5, .nc, .raw with --shape and --dtype, or a folder: .zarr, or a
    /// Neuroglancer precomputed one, which may also be at a URL, http or https.
    file: PathBuf,
    #[cfg(all(feature = "cache", feature = "http"))]
    #[command(flatten)]
    through: CacheArgs,
    #[command(flatten)]
    options: Options,
}

/// A cache in front of what is imported.
#[cfg(all(feature = "cache", feature = "http"))]
#[derive(Debug, clap::Args)]
struct CacheArgs {
    /// Read the chunks of a URL through a cache in this file, which is made when it isn't there.
    #[arg(long, value_name = "FILE", conflicts_with = "offset")]
    cache: Option<PathBuf>,
    /// The most bytes of a cache that is made, such as 256MiB; 1GiB unless given.
    #[arg(long, value_name = "BYTES", requires = "cache", value_parser = parse_size)]
    cache_size: Option<u64>,
}

#[derive(Debug, Default, clap::Args)]
pub(crate) struct Options {
    /// The volume's name; the file's unless given.
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// The version to import to; the newest on the main branch unless given.
    #[arg(long, value_name = "VERSION")]
    pub(crate) at: Option<String>,
    /// Write into a volume that is there, the image's first element at these coordinates, slowest axis first.
    #[arg(long, value_name = "Z,Y,X", value_delimiter = ',', allow_negative_numbers = true)]
    pub(crate) offset: Option<Vec<i64>>,
    /// The shape of chunks, slowest axis first.
    #[arg(long, value_name = "Z,Y,X", value_delimiter = ',', conflicts_with = "offset")]
    pub(crate) chunk: Option<Vec<u64>>,
    /// How chunks are compressed: none, lz4, zstd:1 to zstd:22, each with or without +shuffle.
    #[arg(long, conflicts_with = "offset")]
    pub(crate) codec: Option<String>,
    /// The coordinates of the image's first element in a new volume, slowest axis first; zeros unless given.
    #[arg(
        long,
        value_name = "Z,Y,X",
        value_delimiter = ',',
        allow_negative_numbers = true,
        conflicts_with = "offset"
    )]
    pub(crate) origin: Option<Vec<i64>>,
    #[command(flatten)]
    pub(crate) scales: ScaleOptions,
    /// The elements are labels: an index is kept of the chunks that hold each, and scales are made by votes.
    #[arg(long, conflicts_with = "offset")]
    pub(crate) labels: bool,
    /// The dataset of an HDF5 or NetCDF file that has several; `scan.h5:/entry/data` names one too.
    #[arg(long, value_name = "PATH", conflicts_with = "shape")]
    pub(crate) dataset: Option<String>,
    /// The shape of a raw file, slowest axis first.
    #[arg(long, value_name = "Z,Y,X", value_delimiter = ',', requires = "dtype")]
    pub(crate) shape: Option<Vec<u64>>,
    /// The type of a raw file's elements, little-endian: u8 to u64, i8 to i64, f32, f64, bool.
    #[arg(long, requires = "shape")]
    pub(crate) dtype: Option<String>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Imported {
    volume: String,
    version: String,
    shape: Vec<u64>,
    dtype: String,
    bytes: u64,
    chunks_stored: usize,
    /// Where a part was written, `z0:z1,y0:y1,x0:x1`; the whole volume otherwise.
    region: String,
    /// What a cache in front of the image was good for.
    #[cfg(all(feature = "cache", feature = "http"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    cache: Option<CacheUse>,
}

impl fmt::Display for Imported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "imported {} {} {} into {} at {} ({} chunks stored)",
            self.region,
            self.dtype,
            output::bytes(self.bytes),
            self.volume,
            &self.version[..12.min(self.version.len())],
            self.chunks_stored,
        )?;
        #[cfg(all(feature = "cache", feature = "http"))]
        if let Some(cache) = &self.cache {
            write!(f, "\n{cache}")?;
        }
        Ok(())
    }
}

pub(crate) fn run(args: &Args, output: Output) -> Result<()> {
    #[cfg(all(feature = "cache", feature = "http"))]
    if let Some(cache) = &args.through.cache {
        return import_through(cache, args, output);
    }
    let image = open(&args.file, &args.options)?;
    let name = volume_name(args)?;
    let store = store::open_or_create(&args.store)?;
    output.print(&import(&store, image, &name, &args.options, output)?)
}

/// Imports the volume at a URL through a cache.
#[cfg(all(feature = "cache", feature = "http"))]
fn import_through(cache: &Path, args: &Args, output: Output) -> Result<()> {
    let url = args.file.to_str().filter(|_| is_url(&args.file)).ok_or_else(|| {
        Error::new(
            ErrorKind::InvalidArgument,
            "what is read through a cache is a volume at a URL; leave --cache out",
        )
        .with("file", args.file.display())
    })?;
    let source = PrecomputedSource::open(url, &HttpOptions::default())?;
    let cache = OpenCache::open(cache, args.through.cache_size, url)?;
    let regions = StoreImage::new(source.image(0)?.clone(), cache.chunks_of_source(&source)?)?;
    let image = Image::Regions(Box::new(regions), source.state());
    let store = store::open_or_create(&args.store)?;
    let imported = import(&store, image, &volume_name(args)?, &args.options, output)?;
    output.print(&Imported { cache: Some(cache.used()?), ..imported })
}

/// The name that was given, or the image's.
fn volume_name(args: &Args) -> Result<String> {
    match &args.options.name {
        Some(name) => Ok(name.clone()),
        None => name_of(&split_dataset(&args.file).0),
    }
}

/// An image to be imported.
pub(crate) enum Image {
    /// Read from front to back.
    Slabs(Box<dyn ImageReader>),
    /// Read in any order; the text tells it from others.
    Regions(Box<dyn RegionReader>, String),
}

impl Image {
    pub(crate) fn info(&self) -> &ImageInfo {
        match self {
            Self::Slabs(reader) => reader.info(),
            Self::Regions(reader, _) => reader.info(),
        }
    }
}

/// Opens the image before anything else is touched, so that a bad file changes nothing.
pub(crate) fn open(file: &Path, options: &Options) -> Result<Image> {
    let file = &match &options.dataset {
        Some(dataset) => with_dataset(file, dataset),
        None => file.to_owned(),
    };
    let raw = match (&options.shape, &options.dtype) {
        (Some(shape), Some(dtype)) => Some(RawSpec { shape: shape.clone(), dtype: dtype.parse::<DType>()? }),
        _ => None,
    };
    #[cfg(feature = "blockfs")]
    if options.offset.is_none() && is_blockfs(file) {
        return Ok(Image::Regions(Box::new(BlockFsImage::open(file)?), identity_of(file)?));
    }
    if options.offset.is_none()
        && let Some(regions) = open_regions(file, raw.as_ref())?
    {
        return Ok(Image::Regions(regions, identity_of(file)?));
    }
    Ok(Image::Slabs(open_image(file, raw.as_ref())?))
}

/// The name by which a dataset of a file is opened.
fn with_dataset(file: &Path, dataset: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(":/");
    name.push(dataset.trim_start_matches('/'));
    name.into()
}

/// A file's place, length and time of change, or what a server says of the state of a volume: an import that was cut short goes on with the same file alone.
fn identity_of(file: &Path) -> Result<String> {
    #[cfg(feature = "http")]
    if is_url(file) {
        return Ok(PrecomputedSource::open(&file.to_string_lossy(), &HttpOptions::default())?.state());
    }
    let failed = |error| Error::from_io(error, "the image can't be looked at").with("file", file.display());
    let (file, dataset) = split_dataset(file);
    let place = file.canonicalize().map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    let changed = metadata.modified().map_err(failed)?;
    let since = changed.duration_since(UNIX_EPOCH).unwrap_or_default();
    let identity = format!("{} of {} bytes, changed {}", place.display(), metadata.len(), since.as_nanos());
    Ok(match dataset {
        Some(dataset) => format!("{dataset} in {identity}"),
        None => identity,
    })
}

pub(crate) fn import(
    store: &AnyStore,
    image: Image,
    name: &str,
    options: &Options,
    output: Output,
) -> Result<Imported> {
    let version = store::version(store, options.at.as_deref())?;
    let bytes = image.info().total_bytes();
    let (bar, show) = stages(output);
    let careful = match &image {
        Image::Slabs(_) => Careful::begin(),
        Image::Regions(..) => Careful::resumable(),
    };
    let mut watch = |progress: volume::Progress| {
        show(&bar, progress);
        careful.check()
    };
    let (volume, region) = match (&options.offset, image) {
        (Some(offset), Image::Slabs(mut reader)) => {
            let volume = Volume::open(store, name)?;
            let total = reader.info().slices();
            let region = write_image(&volume.at(version.id), &mut *reader, offset, &mut |done| {
                watch(volume::Progress { stage: Stage::Slices, done, total })
            })?;
            (volume, region)
        }
        (_, image) => {
            let codec = options.codec.as_deref().map(str::parse::<Codec>).transpose()?.unwrap_or_default();
            let how = ImportOptions {
                chunk_shape: options.chunk.clone(),
                origin: options.origin.clone(),
                codec,
                scales: options.scales.choice(),
                reducer: options.scales.reducer()?,
                labels: options.labels,
            };
            let target = (version.repo, version.id);
            let volume = match image {
                Image::Slabs(mut reader) => {
                    import_image(store, target, name, &mut *reader, &how, &mut watch)?
                }
                Image::Regions(regions, identity) => {
                    import_regions(store, target, name, (&*regions, &identity), &how, &mut watch)?
                }
            };
            let region = volume.properties().grid.bounds();
            (volume, region)
        }
    };
    bar.finish_and_clear();
    let at = volume.at(version.id);
    Ok(Imported {
        volume: name.to_owned(),
        version: version.uuid.simple().to_string(),
        shape: at.grid().shape().to_vec(),
        dtype: at.grid().dtype().to_string(),
        bytes,
        chunks_stored: stored_chunks(&at)?.len(),
        region: region.to_string(),
        #[cfg(all(feature = "cache", feature = "http"))]
        cache: None,
    })
}

/// `mni152.nii.gz` is called `mni152`.
pub(crate) fn name_of(file: &Path) -> Result<String> {
    #[cfg(feature = "http")]
    let url = file.to_str().filter(|_| is_url(file)).and_then(|url| url.split(['?', '#', '|']).next());
    #[cfg(feature = "http")]
    let file = url.map_or(file, Path::new);
    let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let stem = name.split('.').next().unwrap_or_default();
    if stem.is_empty() {
        return Err(Error::new(ErrorKind::InvalidArgument, "the file's name makes no volume's; give --name")
            .with("file", file.display()));
    }
    Ok(stem.replace(char::is_whitespace, "-"))
}
