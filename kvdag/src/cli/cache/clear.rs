//! `kvdag cache clear`.

use std::fmt;
use std::path::PathBuf;

use dataset_cache::DatasetCache;
use engine_api::Result;
use serde::Serialize;

use crate::cli::output::Output;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The cache; nobody else may have it open.
    file: PathBuf,
}

#[derive(Debug, Serialize)]
struct Cleared {
    file: String,
    entries: u64,
}

impl fmt::Display for Cleared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} entries dropped", self.file, self.entries)
    }
}

pub(crate) fn run(args: &Args, output: Output) -> Result<()> {
    let cache = DatasetCache::open(&args.file, false)?;
    let entries = cache.statistics()?.entries;
    cache.clear()?;
    cache.flush()?;
    output.print(&Cleared { file: args.file.display().to_string(), entries })
}
