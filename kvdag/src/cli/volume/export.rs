//! `kvdag volume export`.

use std::fmt;
use std::path::{Path, PathBuf};

use chunks::{ChunkStore, MultiscaleStore, Region};
use engine_api::{Error, ErrorKind, Result, Store};
use serde::Serialize;
use volume::{CreateOptions, Volume, VolumeAt, create_image_with, export_region};

use crate::cli::interrupt::Careful;
use crate::cli::output::Output;
use crate::cli::store::{self, AnyStore};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The store.
    store: String,
    /// The volume.
    volume: String,
    /// The file to write: .nii, .nii.gz, .tif, .npy or .raw. One of that name is replaced.
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
    /// Compress the pages of a TIFF by deflate.
    #[arg(long)]
    deflate: bool,
}

#[derive(Debug, Serialize)]
pub(crate) struct Exported {
    volume: String,
    version: String,
    file: String,
    scale: usize,
    region: String,
    dtype: String,
}

impl fmt::Display for Exported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = &self.version[..12.min(self.version.len())];
        write!(f, "exported {} {} of {}", self.region, self.dtype, self.volume)?;
        if self.scale > 0 {
            write!(f, ", scale {},", self.scale)?;
        }
        write!(f, " at {version} to {}", self.file)
    }
}

pub(crate) fn run(args: &Args, output: Output) -> Result<()> {
    let store = store::open_to_read(&args.store)?;
    let region = args.region.as_deref().map(str::parse::<Region>).transpose()?;
    let options = CreateOptions { tiff_deflate: args.deflate, ..CreateOptions::default() };
    let at = args.at.as_deref();
    let part = (args.scale, region);
    output.print(&export(&store, &args.volume, &args.file, at, part, options, output)?)
}

pub(crate) fn export(
    store: &AnyStore,
    name: &str,
    file: &Path,
    at: Option<&str>,
    (scale, region): (usize, Option<Region>),
    options: CreateOptions,
    output: Output,
) -> Result<Exported> {
    let version = store::version(store, at)?;
    let volume = Volume::open(store, name)?.at(version.id);
    made(&volume, scale)?;
    let region = match region {
        Some(region) => region,
        None => volume.scale(scale)?.grid().bounds(),
    };
    let bar = output.progress(region.shape().first().copied().unwrap_or(0), "exporting");
    let careful = Careful::begin();
    let create = |info: &volume::ImageInfo| create_image_with(file, info, options);
    export_region(&volume, (scale, &region), create, &mut |slices| {
        bar.set_position(slices);
        careful.check()
    })?;
    bar.finish_and_clear();
    Ok(Exported {
        volume: name.to_owned(),
        version: version.uuid.simple().to_string(),
        file: file.display().to_string(),
        scale,
        region: region.to_string(),
        dtype: volume.grid().dtype().to_string(),
    })
}

/// Whether a scale is made at the version: one that isn't reads as fill value, which nobody wants to look at.
pub(super) fn made<S: Store>(volume: &VolumeAt<'_, S>, scale: usize) -> Result<()> {
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
