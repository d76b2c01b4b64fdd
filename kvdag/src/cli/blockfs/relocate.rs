//! `kvdag blockfs mv`, `cp` and `rebase`.

use std::fmt;
use std::path::PathBuf;

use blockfs::Relocation;
use engine_api::Result;
use serde::Serialize;

use super::watching;
use crate::cli::interrupt::Careful;
use crate::cli::output::Output;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The directory file.
    source: PathBuf,
    /// The folder to bring it to; it is made when it isn't there.
    dest_directory: PathBuf,
}

#[derive(Debug, clap::Args)]
pub(crate) struct RebaseArgs {
    /// The directory file; its block files are beside it.
    index_file: PathBuf,
    /// The Python tool copies the table in blocks of so many bytes; here it is taken, and changes nothing.
    #[arg(long, value_name = "BYTES")]
    block_size: Option<u64>,
}

#[derive(Debug, Serialize)]
struct Relocated {
    from: String,
    to: String,
    moved: bool,
}

impl fmt::Display for Relocated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} to {}", if self.moved { "moved" } else { "copied" }, self.from, self.to)
    }
}

#[derive(Debug, Serialize)]
struct Rebased {
    file: String,
}

impl fmt::Display for Rebased {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} names the block files beside it", self.file)
    }
}

pub(crate) fn run(args: &Args, how: Relocation, output: Output) -> Result<()> {
    let moved = how == Relocation::Move;
    let bar = output.progress(0, if moved { "moving" } else { "copying" });
    let to =
        blockfs::relocate(&args.source, &args.dest_directory, how, &mut watching(&bar, &Careful::begin()))?;
    bar.finish_and_clear();
    let from = args.source.display().to_string();
    output.print(&Relocated { from, to: to.display().to_string(), moved })
}

pub(crate) fn rebase(args: &RebaseArgs, output: Output) -> Result<()> {
    blockfs::rebase(&args.index_file)?;
    output.print(&Rebased { file: args.index_file.display().to_string() })
}
