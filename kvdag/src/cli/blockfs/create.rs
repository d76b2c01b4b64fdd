//! `kvdag blockfs create`.

use std::fmt;
use std::path::PathBuf;

use blockfs::BlockFs;
use chunks::DType;
use engine_api::Result;
use serde::Serialize;

use super::target::TargetArgs;
use crate::cli::output::Output;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The directory file; its block files are named after it.
    volume: PathBuf,
    /// The number of voxels, slowest axis first.
    #[arg(long, value_name = "Z,Y,X", value_delimiter = ',')]
    shape: Vec<u64>,
    /// The type of the voxels: u8 to u64, i8 to i64, f32, f64, bool.
    #[arg(long)]
    dtype: String,
    #[command(flatten)]
    target: TargetArgs,
}

#[derive(Debug, Serialize)]
struct Created {
    file: String,
    block_files: Vec<String>,
    blocks: u64,
}

impl fmt::Display for Created {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "created {}: {} blocks in {} block files", self.file, self.blocks, self.block_files.len())
    }
}

pub(crate) fn run(args: &Args, output: Output) -> Result<()> {
    let spec = args.target.spec(&args.shape, args.dtype.parse::<DType>()?)?;
    let info = BlockFs::create(&args.volume, &spec)?.info()?;
    output.print(&Created {
        file: args.volume.display().to_string(),
        block_files: info.files.iter().map(|file| file.display().to_string()).collect(),
        blocks: info.blocks,
    })
}
