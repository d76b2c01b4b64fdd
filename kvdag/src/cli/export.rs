//! `kvdag export`.

use std::fmt;
use std::path::{Path, PathBuf};

use chunks::{ChunkStore, Region};
use engine_api::Result;
use serde::Serialize;
use volume::{CreateOptions, Volume, create_image_with, export_region};

use super::interrupt::Careful;
use super::output::Output;
use super::store::{self, AnyStore};

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
    /// Compress the pages of a TIFF by deflate.
    #[arg(long)]
    deflate: bool,
}

#[derive(Debug, Serialize)]
pub(crate) struct Exported {
    volume: String,
    version: String,
    file: String,
    region: String,
    dtype: String,
}

impl fmt::Display for Exported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = &self.version[..12.min(self.version.len())];
        write!(f, "exported {} {} of {} at {version} to {}", self.region, self.dtype, self.volume, self.file)
    }
}

pub(crate) fn run(args: &Args, output: Output) -> Result<()> {
    let store = store::open_to_read(&args.store)?;
    let region = args.region.as_deref().map(str::parse::<Region>).transpose()?;
    let options = CreateOptions { tiff_deflate: args.deflate, ..CreateOptions::default() };
    output.print(&export(&store, &args.volume, &args.file, args.at.as_deref(), region, options, output)?)
}

pub(crate) fn export(
    store: &AnyStore,
    name: &str,
    file: &Path,
    at: Option<&str>,
    region: Option<Region>,
    options: CreateOptions,
    output: Output,
) -> Result<Exported> {
    let version = store::version(store, at)?;
    let volume = Volume::open(store, name)?.at(version.id);
    let region = region.unwrap_or_else(|| volume.grid().bounds());
    let bar = output.progress(region.shape().first().copied().unwrap_or(0), "exporting");
    let careful = Careful::begin();
    let create = |info: &volume::ImageInfo| create_image_with(file, info, options);
    export_region(&volume, &region, create, &mut |slices| {
        bar.set_position(slices);
        careful.check()
    })?;
    bar.finish_and_clear();
    Ok(Exported {
        volume: name.to_owned(),
        version: version.uuid.simple().to_string(),
        file: file.display().to_string(),
        region: region.to_string(),
        dtype: volume.grid().dtype().to_string(),
    })
}
