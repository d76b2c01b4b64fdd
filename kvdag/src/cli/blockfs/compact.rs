//! `kvdag blockfs compact`.

use std::fmt;
use std::path::PathBuf;

use blockfs::{BlockFs, compact};
use engine_api::Result;
use serde::Serialize;

use super::watching;
use crate::cli::interrupt::Careful;
use crate::cli::output::{self, Output};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The directory file; nobody may be writing.
    volume: PathBuf,
}

#[derive(Debug, Serialize)]
struct Compacted {
    file: String,
    blocks: u64,
    bytes_before: u64,
    bytes_after: u64,
    files_left: Vec<String>,
}

impl fmt::Display for Compacted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (before, after) = (output::bytes(self.bytes_before), output::bytes(self.bytes_after));
        write!(f, "{}: {} blocks, {before} before, {after} now", self.file, self.blocks)?;
        for file in &self.files_left {
            write!(f, "\n{file} may be left of a compaction that was killed")?;
        }
        Ok(())
    }
}

pub(crate) fn run(args: &Args, output: Output) -> Result<()> {
    let bar = output.progress(BlockFs::open(&args.volume)?.info()?.blocks, "compacting");
    let compacted = compact(&args.volume, &mut watching(&bar, &Careful::begin()))?;
    bar.finish_and_clear();
    output.print(&Compacted {
        file: args.volume.display().to_string(),
        blocks: compacted.blocks,
        bytes_before: compacted.before,
        bytes_after: compacted.after,
        files_left: compacted.left.iter().map(|file| file.display().to_string()).collect(),
    })
}
