//! `kvdag blockfs`: what is done with volumes in a few large files.

mod compact;
mod create;
mod downres;
mod export;
mod import;
mod info;
mod relocate;
mod scales;
#[cfg(feature = "serve")]
mod serve;
mod source;
mod target;
mod verify;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use engine_api::Result;
use indicatif::ProgressBar;

use super::interrupt::Careful;
use super::output::Output;

pub(crate) use source::BlockFsImage;
pub(crate) use target::{BlockFsImageWriter, TargetArgs};

const AFTER_HELP: &str = "\
A volume is its directory file; NAME.blockfs has its blocks in NAME.blockfs.0 and so on beside it. `kvdag volume import` and
`kvdag volume export` take such files too, for volumes with versions.

Under the names blockfs-mv, blockfs-cp, blockfs-rebase, blockfs2tif, blockfs2hdf5, blockfs2hdf and blockfs2jp2k, links to this
program are these commands.";

/// BlockFS: volumes of blocks in a few large files, as the Python package of that name has them.
#[derive(Debug, clap::Subcommand)]
#[command(after_help = AFTER_HELP)]
pub(crate) enum Command {
    /// Say what a volume is, and how many of its blocks are there.
    Info(info::Args),
    /// Read every block, and compare it with its checksum.
    Verify(verify::Args),
    /// Copy the blocks that count to new block files, and remove the old ones.
    Compact(compact::Args),
    /// Make an empty volume.
    Create(create::Args),
    /// Move a volume, all its files, to a folder.
    Mv(relocate::Args),
    /// Copy a volume, all its files, to a folder.
    Cp(relocate::Args),
    /// Mend the names of block files that were moved together with their directory file.
    Rebase(relocate::RebaseArgs),
    /// Write each plane to a TIFF.
    ToTif(export::TifArgs),
    /// Write the volume to a dataset of an HDF5 file.
    ToHdf5(export::Hdf5Args),
    /// Write each plane to a file of JPEG 2000.
    ToJp2k(export::Jp2kArgs),
    /// Write the volume to a folder of Zarr.
    ToZarr(export::ZarrArgs),
    /// Make a volume of a TIFF.
    FromTif(import::Args),
    /// Make a volume of a NumPy array.
    FromNpy(import::Args),
    /// Make coarser scales, volumes beside it, for viewers.
    Downres(downres::Args),
    /// Show a volume over HTTP, read-only: to browsers, Neuroglancer and other programs.
    #[cfg(feature = "serve")]
    Serve(serve::Args),
}

pub(crate) fn run(command: Command, output: Output) -> Result<ExitCode> {
    use blockfs::Relocation;
    match command {
        Command::Info(args) => info::run(&args, output),
        Command::Verify(args) => return verify::run(&args, output),
        Command::Compact(args) => compact::run(&args, output),
        Command::Create(args) => create::run(&args, output),
        Command::Mv(args) => relocate::run(&args, Relocation::Move, output),
        Command::Cp(args) => relocate::run(&args, Relocation::Copy, output),
        Command::Rebase(args) => relocate::rebase(&args, output),
        Command::ToTif(args) => export::tif(&args, output),
        Command::ToHdf5(args) => export::hdf5(&args, output),
        Command::ToJp2k(args) => export::jp2k(&args, output),
        Command::ToZarr(args) => export::zarr(&args, output),
        Command::FromTif(args) => import::run(&args, volume::Format::Tiff, output),
        Command::FromNpy(args) => import::run(&args, volume::Format::Npy, output),
        Command::Downres(args) => downres::run(&args, output),
        #[cfg(feature = "serve")]
        Command::Serve(args) => serve::run(&args, output),
    }?;
    Ok(ExitCode::SUCCESS)
}

/// Whether a path is that of a volume's directory file by its name.
pub(crate) fn is_blockfs(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "blockfs")
}

/// The arguments that a program means which was started under the name of one of BlockFS's tools.
pub(crate) fn arguments(given: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut given: Vec<OsString> = given.collect();
    let name = given.first().and_then(|program| Path::new(program).file_stem()?.to_str());
    let tool = match name {
        Some("blockfs-mv") => "mv",
        Some("blockfs-cp") => "cp",
        Some("blockfs-rebase") => "rebase",
        Some("blockfs2tif") => "to-tif",
        Some("blockfs2hdf5" | "blockfs2hdf") => "to-hdf5",
        Some("blockfs2jp2k") => "to-jp2k",
        _ => return given,
    };
    given.splice(1..1, ["blockfs".into(), tool.into()]);
    given
}

/// Shows how far work has come, and looks at Ctrl-C.
fn watching(bar: &ProgressBar, careful: &Careful) -> impl FnMut(blockfs::Progress) -> Result<()> {
    |progress| {
        bar.set_length(progress.total);
        bar.set_position(progress.done);
        careful.check()
    }
}
