//! `kvdag cache info`.

use std::fmt;
use std::path::PathBuf;

use dataset_cache::DatasetCache;
use engine_api::Result;
use serde::Serialize;

use super::entries::{Datasets, Entries, count};
use crate::cli::output::{self, Output};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The cache; nobody may be writing it.
    file: PathBuf,
}

#[derive(Debug, Serialize)]
struct Described {
    file: String,
    /// 0 where there is none.
    maximum_bytes: u64,
    file_bytes: u64,
    #[serde(flatten)]
    all: Entries,
    /// The entries of each dataset at each scale. An id is a hash of what it is of, and tells no name.
    datasets: Datasets,
}

impl fmt::Display for Described {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.file)?;
        let maximum =
            if self.maximum_bytes == 0 { "any number".to_owned() } else { output::bytes(self.maximum_bytes) };
        writeln!(f, "bytes    {} of {maximum}", output::bytes(self.file_bytes))?;
        writeln!(f, "entries  {}", line(&self.all))?;
        for (dataset, scales) in &self.datasets {
            for (scale, entries) in scales {
                writeln!(f, "dataset  {dataset}, scale {scale}: {}", line(entries))?;
            }
        }
        Ok(())
    }
}

/// Entries in words.
fn line(entries: &Entries) -> String {
    format!("{} of {}, {} of them absent", entries.entries, output::bytes(entries.bytes), entries.absent)
}

pub(crate) fn run(args: &Args, output: Output) -> Result<()> {
    let cache = DatasetCache::open(&args.file, true)?;
    let (all, datasets) = count(&cache)?;
    output.print(&Described {
        file: args.file.display().to_string(),
        maximum_bytes: cache.maximum_bytes(),
        file_bytes: cache.statistics()?.file_bytes,
        all,
        datasets,
    })
}
