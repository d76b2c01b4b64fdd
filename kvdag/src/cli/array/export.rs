//! `kvdag array export`.

use std::fmt;
use std::path::PathBuf;

use engine_api::Result;
use serde::Serialize;
use volume::CreateOptions;

use super::place::{Arrays, PastArgs, failed};
use super::save::{Part, save_image};
use crate::cli::output::Output;
use crate::cli::volume::export::{Kind, StoredArgs, parse_window};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    past: PastArgs,
    /// The array.
    array: String,
    /// The file to write: .nii, .nii.gz, .tif, .ome.tif, .npy, .h5 or .raw; one of that name is replaced. Or a folder:
    /// .zarr, .ome.zarr, .precomputed, or a file for each slice in one, slices/z%04d.tif, .jp2, .png or .jpg; nothing
    /// of that name may be there.
    image: PathBuf,
    /// Only a part, slowest axis first.
    #[arg(long, value_name = "Z0:Z1,Y0:Y1,X0:X1")]
    region: Option<String>,
    /// The format, where the name doesn't say it; tiff-slices, jp2, png and jpeg are folders of slices, the last two for
    /// a look.
    #[arg(long = "as", value_enum, value_name = "FORMAT")]
    kind: Option<Kind>,
    /// Compress the pages of a TIFF by deflate.
    #[arg(long)]
    deflate: bool,
    /// Store the labels of a precomputed folder, u32 or u64, as compressed segmentation.
    #[arg(long)]
    compressed_segmentation: bool,
    /// The values that become black and white in pictures of slices.
    #[arg(long, value_name = "LOW,HIGH", allow_hyphen_values = true)]
    window: Option<String>,
    #[command(flatten)]
    stored: StoredArgs,
}

/// What a command has written from an array.
#[derive(Debug, Serialize)]
pub(super) struct Exported {
    pub(super) file: String,
    pub(super) commit: u64,
    pub(super) array: String,
    pub(super) region: String,
    pub(super) dtype: String,
    pub(super) image: String,
}

impl fmt::Display for Exported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, commit, array, region, dtype, image } = self;
        write!(f, "exported {region} {dtype} of {array} in {file}, commit {commit}, to {image}")
    }
}

pub(crate) fn run(args: &Args, output: Output) -> Result<()> {
    let options = args.stored.options(CreateOptions {
        format: args.kind.map(Kind::format),
        tiff_deflate: args.deflate,
        compressed_segmentation: args.compressed_segmentation,
        window: args.window.as_deref().map(parse_window).transpose()?,
        ..CreateOptions::default()
    })?;
    let arrays = Arrays::to_read(&args.past)?;
    let meta = arrays.file.get_array(&args.array).map_err(failed)?;
    let part = Part::of(meta, args.region.as_deref())?;
    save_image(&arrays, meta, &part, (&args.image, options), output)?;
    output.print(&Exported {
        file: args.past.place.file.clone(),
        commit: arrays.file.commit(),
        array: args.array.clone(),
        region: part.to_string(),
        dtype: meta.dtype.to_string(),
        image: args.image.display().to_string(),
    })
}
