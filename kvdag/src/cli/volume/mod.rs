//! `kvdag volume`: what is done with volumes.

#[cfg(feature = "blockfs")]
mod archive;
mod cat;
mod downres;
pub(crate) mod export;
pub(crate) mod fill;
pub(crate) mod import;
mod info;
mod labels;
mod scales;
mod verify;

use std::process::ExitCode;

use engine_api::Result;

use super::output::Output;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Import an image as a volume, or into one.
    Import(import::Args),
    /// Export a volume, or a part of one, at any version and scale.
    Export(export::Args),
    /// Say what a volume is, and what is stored of each of its scales.
    Info(info::Args),
    /// Set a region of a volume to one value, at all scales.
    Fill(fill::Args),
    /// Make coarser scales: those that a volume has anew, or others for it.
    Downres(downres::Args),
    /// Check a volume: every checksum, and every coarser chunk against what it is made from.
    Verify(verify::Args),
    /// Bring the chunks of a committed version to a folder of BlockFS volumes; the store keeps references to them.
    #[cfg(feature = "blockfs")]
    Archive(archive::ArchiveArgs),
    /// Bring the chunks of an archive back into the store.
    #[cfg(feature = "blockfs")]
    Restore(archive::RestoreArgs),
    /// Write the elements of a region to standard output.
    Cat(cat::Args),
    /// List the labels of a volume, or the chunks that hold one.
    Labels(labels::Args),
}

pub(crate) fn run(command: Command, output: Output) -> Result<ExitCode> {
    match command {
        Command::Import(args) => import::run(&args, output),
        Command::Export(args) => export::run(&args, output),
        Command::Info(args) => info::run(&args, output),
        Command::Fill(args) => fill::run(&args, output),
        Command::Downres(args) => downres::run(&args, output),
        Command::Verify(args) => return verify::run(&args, output),
        #[cfg(feature = "blockfs")]
        Command::Archive(args) => archive::archive(&args, output),
        #[cfg(feature = "blockfs")]
        Command::Restore(args) => archive::restore(&args, output),
        Command::Cat(args) => cat::run(&args),
        Command::Labels(args) => labels::run(&args, output),
    }?;
    Ok(ExitCode::SUCCESS)
}
