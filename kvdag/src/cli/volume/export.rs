//! `kvdag volume export`.

use std::fmt;
use std::path::{Path, PathBuf};

use chunks::{ChunkStore, Grid, MultiscaleStore, Region};
use engine_api::version::Version;
use engine_api::{Error, ErrorKind, Result, Store};
use serde::Serialize;
use volume::{
    CreateOptions, Format, ImageInfo, ImageWriter, Volume, VolumeAt, create_image_with, create_scales,
    export_region_through, export_scales_through,
};

#[cfg(feature = "blockfs")]
use crate::cli::blockfs::{BlockFsImageWriter, TargetArgs, is_blockfs};
use crate::cli::interrupt::Careful;
use crate::cli::output::Output;
use crate::cli::store::{self, AnyStore};
use crate::cli::through::{Through, ThroughArgs};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The store.
    store: String,
    /// The volume.
    volume: String,
    /// The file to write: .nii, .nii.gz, .tif, .ome.tif, .npy, .h5 or .raw; one of that name is replaced. Or .blockfs, or
    /// a folder:
    /// .zarr, .ome.zarr, .precomputed, or a file for each slice in one, slices/z%04d.tif, .jp2, .png or .jpg; nothing
    /// of that name may be there.
    file: PathBuf,
    /// The version; the newest on the main branch unless given.
    #[arg(long, value_name = "VERSION")]
    at: Option<String>,
    /// Only a part, slowest axis first.
    #[arg(long, value_name = "Z0:Z1,Y0:Y1,X0:X1")]
    region: Option<String>,
    /// The scale; 0 is full resolution.
    #[arg(long, default_value_t = 0)]
    scale: usize,
    /// All scales, each whole, into a folder that has scales: .ome.zarr, or a Neuroglancer precomputed one.
    #[arg(long, conflicts_with_all = ["scale", "region"])]
    scales: bool,
    /// Compress the pages of a TIFF by deflate.
    #[arg(long)]
    deflate: bool,
    /// The format, where the name doesn't say it; tiff-slices, jp2, png and jpeg are folders of slices, the last two for
    /// a look.
    #[arg(long = "as", value_enum, value_name = "FORMAT")]
    kind: Option<Kind>,
    /// Store the labels of a precomputed folder, u32 or u64, as compressed segmentation.
    #[arg(long)]
    compressed_segmentation: bool,
    /// The values that become black and white in pictures of slices.
    #[arg(long, value_name = "LOW,HIGH", allow_hyphen_values = true)]
    window: Option<String>,
    #[command(flatten)]
    stored: StoredArgs,
    #[command(flatten)]
    through: ThroughArgs,
}

/// How formats that leave a choice store elements.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct StoredArgs {
    /// The path of the dataset in an HDF5 file; /volume unless given.
    #[arg(long, value_name = "PATH")]
    dataset: Option<String>,
    /// How HDF5 and TIFF are compressed: none, gzip, or gzip:0 to gzip:9.
    #[arg(long, value_name = "HOW", conflicts_with = "deflate")]
    compression: Option<String>,
    /// The shape of the chunks of HDF5, Zarr and precomputed volumes, slowest axis first.
    #[arg(long, value_name = "Z,Y,X", value_delimiter = ',')]
    chunk: Option<Vec<u64>>,
    /// Let JPEG 2000 lose what leaves a signal to noise ratio of so many decibels; it loses nothing unless given.
    #[arg(long, value_name = "DECIBELS")]
    psnr: Option<f64>,
}

impl StoredArgs {
    /// Options, with these among them.
    pub(crate) fn options(&self, others: CreateOptions) -> Result<CreateOptions> {
        Ok(CreateOptions {
            dataset: self.dataset.clone(),
            compression: self.compression.as_deref().map(str::parse).transpose()?,
            chunk_shape: self.chunk.clone(),
            psnr: self.psnr,
            ..others
        })
    }
}

/// The formats by name.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum Kind {
    Nifti,
    Tiff,
    OmeTiff,
    Npy,
    Raw,
    Hdf5,
    Zarr,
    OmeZarr,
    Precomputed,
    TiffSlices,
    Jp2,
    Png,
    Jpeg,
}

impl Kind {
    pub(crate) fn format(self) -> Format {
        match self {
            Self::Nifti => Format::Nifti,
            Self::Tiff => Format::Tiff,
            Self::OmeTiff => Format::OmeTiff,
            Self::Npy => Format::Npy,
            Self::Raw => Format::Raw,
            Self::Hdf5 => Format::Hdf5,
            Self::Zarr => Format::Zarr,
            Self::OmeZarr => Format::OmeZarr,
            Self::Precomputed => Format::Precomputed,
            Self::TiffSlices => Format::TiffSlices,
            Self::Jp2 => Format::Jpeg2000Slices,
            Self::Png => Format::PngSlices,
            Self::Jpeg => Format::JpegSlices,
        }
    }
}

#[derive(Debug, Serialize)]
pub(crate) struct Exported {
    volume: String,
    version: String,
    file: String,
    scale: usize,
    region: String,
    dtype: String,
    /// What a cache was good for.
    #[cfg(feature = "cache")]
    #[serde(skip_serializing_if = "Option::is_none")]
    cache: Option<crate::cli::cache::CacheUse>,
}

impl Exported {
    #[cfg_attr(
        not(feature = "cache"),
        allow(clippy::unnecessary_wraps, reason = "without caches there is none to ask")
    )]
    fn new(
        (volume, version): (&str, &Version),
        file: &Path,
        grid: &Grid,
        (scale, region): (usize, &Region),
        through: &Through,
    ) -> Result<Self> {
        #[cfg(not(feature = "cache"))]
        let _ = through;
        Ok(Self {
            volume: volume.to_owned(),
            version: version.uuid.simple().to_string(),
            file: file.display().to_string(),
            scale,
            region: region.to_string(),
            dtype: grid.dtype().to_string(),
            #[cfg(feature = "cache")]
            cache: through.used()?,
        })
    }
}

impl fmt::Display for Exported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = &self.version[..12.min(self.version.len())];
        write!(f, "exported {} {} of {}", self.region, self.dtype, self.volume)?;
        if self.scale > 0 {
            write!(f, ", scale {},", self.scale)?;
        }
        write!(f, " at {version} to {}", self.file)?;
        #[cfg(feature = "cache")]
        if let Some(cache) = &self.cache {
            write!(f, "\n{cache}")?;
        }
        Ok(())
    }
}

pub(crate) fn run(args: &Args, output: Output) -> Result<()> {
    let store = store::open_to_read(&args.store)?;
    let region = args.region.as_deref().map(str::parse::<Region>).transpose()?;
    let format = args.kind.map(Kind::format);
    let window = args.window.as_deref().map(parse_window).transpose()?;
    let options = args.stored.options(CreateOptions {
        format,
        tiff_deflate: args.deflate,
        compressed_segmentation: args.compressed_segmentation,
        window,
        ..CreateOptions::default()
    })?;
    let at = args.at.as_deref();
    let from = (&store, &args.through.open(&args.store)?);
    if args.scales {
        return output.print(&export_all(from, &args.volume, &args.file, at, &options, output)?);
    }
    let part = (args.scale, region);
    output.print(&export(from, &args.volume, &args.file, at, part, options, output)?)
}

pub(crate) fn export(
    (store, through): (&AnyStore, &Through),
    name: &str,
    file: &Path,
    at: Option<&str>,
    (scale, region): (usize, Option<Region>),
    options: CreateOptions,
    output: Output,
) -> Result<Exported> {
    let version = store::version(store, at)?;
    let opened = Volume::open(store, name)?;
    let volume = opened.at(version.id);
    made(&volume, scale)?;
    let chunks = through.chunks(&volume, (opened.instance(), &version))?;
    let region = match region {
        Some(region) => region,
        None => volume.scale(scale)?.grid().bounds(),
    };
    let bar = output.progress(region.shape().first().copied().unwrap_or(0), "exporting");
    let careful = Careful::begin();
    let create = |info: &ImageInfo| create(file, info, options);
    export_region_through(&volume, &*chunks, (scale, &region), create, &mut |slices| {
        bar.set_position(slices);
        careful.check()
    })?;
    bar.finish_and_clear();
    Exported::new((name, &version), file, volume.grid(), (scale, &region), through)
}

/// Creates an image, or a volume of BlockFS.
fn create(file: &Path, info: &ImageInfo, options: CreateOptions) -> Result<Box<dyn ImageWriter>> {
    #[cfg(feature = "blockfs")]
    if options.format.is_none() && is_blockfs(file) {
        return Ok(Box::new(BlockFsImageWriter::create(file, info, &TargetArgs::of(&options))?));
    }
    create_image_with(file, info, options)
}

fn export_all(
    (store, through): (&AnyStore, &Through),
    name: &str,
    file: &Path,
    at: Option<&str>,
    options: &CreateOptions,
    output: Output,
) -> Result<Exported> {
    let version = store::version(store, at)?;
    let opened = Volume::open(store, name)?;
    let volume = opened.at(version.id).made_alone()?;
    let chunks = through.chunks(&volume, (opened.instance(), &version))?;
    let grids = volume.scales().grids();
    let slices = grids.iter().map(|grid| grid.shape().first().copied().unwrap_or(0)).sum();
    let bar = output.progress(slices, "exporting");
    let careful = Careful::begin();
    let chunk_shape = options.chunk_shape.clone().unwrap_or_else(|| volume.grid().chunk_shape().to_vec());
    let options = CreateOptions { chunk_shape: Some(chunk_shape), ..options.clone() };
    export_scales_through(&volume, &*chunks, |infos| create_scales(file, infos, &options), &mut |done| {
        bar.set_position(done);
        careful.check()
    })?;
    bar.finish_and_clear();
    Exported::new((name, &version), file, volume.grid(), (0, &volume.grid().bounds()), through)
}

/// `LOW,HIGH`.
pub(crate) fn parse_window(text: &str) -> Result<(f64, f64)> {
    let bounds = text.split_once(',').and_then(|(low, high)| Some((low.parse().ok()?, high.parse().ok()?)));
    bounds.ok_or_else(|| {
        Error::new(ErrorKind::InvalidArgument, "a window is two numbers, such as 0,4095").with("window", text)
    })
}

/// Whether a scale is made at the version: one that isn't reads as fill value, which nobody wants to look at.
pub(crate) fn made<S: Store>(volume: &VolumeAt<'_, S>, scale: usize) -> Result<()> {
    volume.scale(scale)?;
    let made = volume.scales_made()?;
    if scale < made {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::NotFound,
        "the scale isn't made at this version; `kvdag volume downres` makes it",
    )
    .with("scale", scale)
    .with("made", made))
}
