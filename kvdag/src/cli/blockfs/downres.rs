//! `kvdag blockfs downres`.

use std::fmt;
use std::path::{Path, PathBuf};

use blockfs::blosc::Compression;
use blockfs::{BlockFs, BlockFsSpec, BlockWriter, Relocation, relocate};
use chunks::{ChunkStore, Coords, Derived, DerivedChunks, Grid, MultiscaleStore, ScaleReader, Scales};
use downres::{NoJournal, Reducer, ingest};
use engine_api::{Error, ErrorKind, Result};
use serde::Serialize;

use super::scales::{all_scales, scale_path};
use super::source::BlockFsImage;
use super::target::folder_of;
use crate::cli::interrupt::Careful;
use crate::cli::output::Output;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The directory file; nobody may be writing. The first scale of head.blockfs is head.1.blockfs, and so on: each half
    /// the one before along axes longer than a block, down to one block.
    volume: PathBuf,
    /// How a voxel of a coarser scale is made: mean, mean-truncated, median, min, max, stride, mode, mode-nonzero,
    /// mode-first, and with -sparse where zeros don't count. Labels want mode-nonzero.
    #[arg(long, default_value = "mean")]
    method: String,
}

#[derive(Debug, Serialize)]
struct Made {
    file: String,
    method: String,
    scales: Vec<MadeScale>,
}

#[derive(Debug, Serialize)]
struct MadeScale {
    file: String,
    shape: Vec<u64>,
}

impl fmt::Display for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "made the scales of {}, by {}", self.file, self.method)?;
        for scale in &self.scales {
            let shape: Vec<String> = scale.shape.iter().map(ToString::to_string).collect();
            write!(f, "\n  {}: {}", scale.file, shape.join(" × "))?;
        }
        Ok(())
    }
}

/// A volume that is read, and coarser ones that nobody else has yet.
#[derive(Debug)]
struct Making {
    scales: Scales,
    base: BlockFs,
    coarse: Vec<BlockWriter>,
}

impl MultiscaleStore for Making {
    fn scales(&self) -> &Scales {
        &self.scales
    }

    fn scale(&self, scale: usize) -> Result<&dyn ChunkStore> {
        self.scales.grid(scale)?;
        match scale.checked_sub(1) {
            None => Ok(&self.base),
            Some(coarse) => Ok(&self.coarse[coarse]),
        }
    }

    fn derive(&self, scale: usize, source: &dyn DerivedChunks) -> Result<()> {
        self.scale(scale)?.write_chunks(&Derived::new(source, self))
    }
}

impl ScaleReader for Making {
    fn read_chunk(&self, scale: usize, chunk: &Coords, out: &mut [u8]) -> Result<bool> {
        self.scale(scale)?.read_chunk(chunk, out)
    }
}

pub(crate) fn run(args: &Args, output: Output) -> Result<()> {
    let reducer = args.method.parse::<Reducer>()?;
    let base = BlockFsImage::open(&args.volume)?.volume;
    let scales = all_scales(base.grid())?;
    for path in (1..scales.len()).map(|scale| scale_path(&args.volume, scale)) {
        if path.exists() {
            return Err(Error::new(
                ErrorKind::AlreadyExists,
                "the volume has a coarser scale; one that is to be made anew must be removed before",
            )
            .with("path", path.display()));
        }
    }
    make(&args.volume, base, &scales, reducer, output)?;
    let made = scales.grids().iter().enumerate().skip(1).map(|(scale, grid)| MadeScale {
        file: scale_path(&args.volume, scale).display().to_string(),
        shape: grid.shape().to_vec(),
    });
    output.print(&Made {
        file: args.volume.display().to_string(),
        method: reducer.to_string(),
        scales: made.collect(),
    })
}

/// Makes all coarser scales in a folder beside the volume, and moves each to its place when all are whole.
fn make(volume: &Path, base: BlockFs, scales: &Scales, reducer: Reducer, output: Output) -> Result<()> {
    let careful = Careful::begin();
    let beside = folder_of(volume);
    let failed =
        |error| Error::from_io(error, "no folder can be made beside it").with("path", beside.display());
    let folder = tempfile::Builder::new().prefix(".blockfs-").tempdir_in(beside).map_err(failed)?;
    let name = volume.file_name().unwrap_or_default();
    let made = |scale| scale_path(&folder.path().join(name), scale);
    let like = base.info()?;
    let compression = format!("{}:{}", like.compressor, like.level).parse::<Compression>()?;
    let mut coarse = Vec::new();
    for (scale, grid) in scales.grids().iter().enumerate().skip(1) {
        let spec = BlockFsSpec::new(three(grid)?, like.block, grid.dtype()).compression(compression);
        let path = made(scale);
        BlockFs::create(&path, &spec.files(like.files.len()))?;
        coarse.push(BlockWriter::open(&path)?);
    }
    let bar = output.progress(0, "reading");
    let making = Making { scales: scales.clone(), base, coarse };
    ingest(&making, None, reducer, &NoJournal, &|progress| {
        bar.set_length(progress.chunks);
        bar.set_position(progress.done);
        if progress.scale > 0 {
            bar.set_message(format!("making scale {}", progress.scale));
        }
        careful.check()
    })?;
    bar.finish_and_clear();
    for writer in making.coarse {
        writer.close()?;
    }
    // The finest last: who finds it finds all.
    for scale in (1..scales.len()).rev() {
        relocate(made(scale), beside, Relocation::Move, &mut |_| Ok(()))?;
    }
    Ok(())
}

fn three(grid: &Grid) -> Result<[u64; 3]> {
    <[u64; 3]>::try_from(grid.shape())
        .map_err(|_| Error::new(ErrorKind::Internal, "a volume of BlockFS has three axes"))
}
