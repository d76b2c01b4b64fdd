//! `kvdag blockfs to-tif`, `to-hdf5`, `to-jp2k` and `to-zarr`.

use std::fmt;
use std::path::{Path, PathBuf};

use chunks::{Region, limit_workers};
use engine_api::{Error, ErrorKind, Result};
use serde::Serialize;
use volume::{CreateOptions, Format, ImageInfo, RegionReader, create_image_with, export_image};

use super::source::BlockFsImage;
use crate::cli::interrupt::Careful;
use crate::cli::output::Output;

#[derive(Debug, clap::Args)]
pub(crate) struct TifArgs {
    /// The directory file.
    #[arg(long, value_name = "FILE")]
    input: PathBuf,
    /// The files to write, with a place for the plane's number; their folder is made, and may not be there.
    #[arg(long, value_name = "PATTERN", default_value = "tif/img_%04d.tiff")]
    output_pattern: PathBuf,
    /// How many threads there are; one per processor unless given.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..))]
    n_workers: Option<u16>,
    /// How hard deflate tries; 0 is no compression.
    #[arg(long, value_name = "LEVEL", default_value_t = 3, value_parser = clap::value_parser!(u8).range(0..=9))]
    compression: u8,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Jp2kArgs {
    /// The directory file.
    #[arg(long, value_name = "FILE")]
    input: PathBuf,
    /// The files to write, with a place for the plane's number; their folder is made, and may not be there.
    #[arg(long, value_name = "PATTERN", default_value = "jp2/img_%04d.jp2")]
    output_pattern: PathBuf,
    /// How many threads there are; one per processor unless given.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..))]
    n_workers: Option<u16>,
    /// The signal to noise ratio in decibels; 0 loses nothing.
    #[arg(long, value_name = "DECIBELS", default_value_t = 0.0)]
    psnr: f64,
    /// The most memory for planes that are read at once; a row of blocks takes less, mostly.
    #[arg(long, value_name = "GIGABYTES", default_value_t = 512.0)]
    memory: f64,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Hdf5Args {
    /// The directory file.
    src: PathBuf,
    /// The HDF5 file to write; one of that name is replaced.
    dest: PathBuf,
    /// The path of the dataset in it.
    name: String,
    /// How chunks are compressed: gzip or none.
    #[arg(long, value_name = "NAME", default_value = "gzip")]
    compression: String,
    /// The level of gzip, 0 to 9.
    #[arg(long, value_name = "LEVEL")]
    compression_opts: Option<u8>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ZarrArgs {
    /// The directory file.
    volume: PathBuf,
    /// The folder to write, .zarr or .ome.zarr; nothing of that name may be there.
    dest: PathBuf,
}

#[derive(Debug, Serialize)]
struct Exported {
    volume: String,
    file: String,
    shape: Vec<u64>,
    dtype: String,
}

impl fmt::Display for Exported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shape: Vec<String> = self.shape.iter().map(ToString::to_string).collect();
        write!(f, "exported {} of {} {} to {}", self.volume, shape.join(" x "), self.dtype, self.file)
    }
}

pub(crate) fn tif(args: &TifArgs, output: Output) -> Result<()> {
    limit(args.n_workers);
    let compression =
        if args.compression == 0 { "none".to_owned() } else { format!("gzip:{}", args.compression) };
    let options = CreateOptions {
        format: Some(Format::TiffSlices),
        compression: Some(compression.parse()?),
        ..CreateOptions::default()
    };
    export(&args.input, &args.output_pattern, u64::MAX, options, output)
}

pub(crate) fn jp2k(args: &Jp2kArgs, output: Output) -> Result<()> {
    limit(args.n_workers);
    if args.memory.is_nan() || args.memory <= 0.0 {
        return Err(
            Error::new(ErrorKind::InvalidArgument, "some memory is needed").with("memory", args.memory)
        );
    }
    let options = CreateOptions {
        format: Some(Format::Jpeg2000Slices),
        psnr: (args.psnr != 0.0).then_some(args.psnr),
        ..CreateOptions::default()
    };
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`as` saturates")]
    let memory = (args.memory * 1e9) as u64;
    export(&args.input, &args.output_pattern, memory, options, output)
}

pub(crate) fn hdf5(args: &Hdf5Args, output: Output) -> Result<()> {
    let compression = match args.compression_opts {
        Some(level) => format!("{}:{level}", args.compression),
        None => args.compression.clone(),
    };
    let options = CreateOptions {
        format: Some(Format::Hdf5),
        dataset: Some(args.name.clone()),
        compression: Some(compression.parse()?),
        ..CreateOptions::default()
    };
    export(&args.src, &args.dest, u64::MAX, options, output)
}

pub(crate) fn zarr(args: &ZarrArgs, output: Output) -> Result<()> {
    let format =
        Format::from_name(&args.dest).filter(|format| matches!(format, Format::Zarr | Format::OmeZarr));
    let options = CreateOptions { format: Some(format.unwrap_or(Format::Zarr)), ..CreateOptions::default() };
    export(&args.volume, &args.dest, u64::MAX, options, output)
}

fn limit(workers: Option<u16>) {
    if let Some(workers) = workers {
        limit_workers(workers.into());
    }
}

/// Writes a volume to an image, of which `memory` bytes are read at once, or one slice.
fn export(source: &Path, target: &Path, memory: u64, options: CreateOptions, output: Output) -> Result<()> {
    let image = BlockFsImage::open(source)?;
    let info = image.info().clone();
    let options = CreateOptions { chunk_shape: image.chunk_shape().map(<[u64]>::to_vec), ..options };
    let bar = output.progress(info.slices(), "exporting");
    let careful = Careful::begin();
    let bounds = Region::at_origin(info.shape())?;
    let create = |info: &ImageInfo| create_image_with(target, info, options);
    export_image(&image.reading_at_once(memory)?, &bounds, create, &mut |slices| {
        bar.set_position(slices);
        careful.check()
    })?;
    bar.finish_and_clear();
    output.print(&Exported {
        volume: source.display().to_string(),
        file: target.display().to_string(),
        shape: info.shape().to_vec(),
        dtype: info.dtype().to_string(),
    })
}
