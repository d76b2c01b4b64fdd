//! `kvdag cache stats`.

use std::fmt;
use std::path::PathBuf;

use dataset_cache::DatasetCache;
use engine_api::Result;
use serde::Serialize;

use super::entries::{Entries, count, storage, time};
use crate::cli::output::{self, Output};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The cache; nobody may be writing it.
    file: PathBuf,
}

#[derive(Debug, Serialize)]
struct Figures {
    file: String,
    /// 0 where there is none.
    maximum_bytes: u64,
    file_bytes: u64,
    #[serde(flatten)]
    all: Entries,
    /// Blocks of bytes, of entries and of the index.
    blocks: u64,
    free_bytes: u64,
    longest_free: u64,
    /// How much of the free bytes isn't in the longest free chunk: 0 for none, up to 1.
    fragmentation: f64,
    /// When the entry was used that goes next, and the one that goes last.
    least_recent: Option<String>,
    most_recent: Option<String>,
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.file)?;
        let maximum =
            if self.maximum_bytes == 0 { "any number".to_owned() } else { output::bytes(self.maximum_bytes) };
        writeln!(f, "bytes          {} of {maximum}", output::bytes(self.file_bytes))?;
        writeln!(
            f,
            "entries        {} of {}, {} of them absent",
            self.all.entries,
            output::bytes(self.all.bytes),
            self.all.absent
        )?;
        writeln!(f, "blocks         {}", self.blocks)?;
        writeln!(
            f,
            "free           {}, the longest of them {}",
            output::bytes(self.free_bytes),
            output::bytes(self.longest_free)
        )?;
        writeln!(f, "fragmentation  {:.3}", self.fragmentation)?;
        if let (Some(least), Some(most)) = (&self.least_recent, &self.most_recent) {
            writeln!(f, "used           from {least} to {most}")?;
        }
        Ok(())
    }
}

pub(crate) fn run(args: &Args, output: Output) -> Result<()> {
    let cache = DatasetCache::open(&args.file, true)?;
    let (all, _) = count(&cache)?;
    let mut statistics = cache.statistics()?;
    storage(&args.file)?.blocks(&mut |block| {
        if block.free {
            statistics.free_bytes += block.size;
            statistics.longest_free = statistics.longest_free.max(block.size);
        } else {
            statistics.blocks += 1;
        }
        Ok(())
    })?;
    output.print(&Figures {
        file: args.file.display().to_string(),
        maximum_bytes: statistics.maximum_bytes,
        file_bytes: statistics.file_bytes,
        all,
        blocks: statistics.blocks,
        free_bytes: statistics.free_bytes,
        longest_free: statistics.longest_free,
        fragmentation: statistics.fragmentation(),
        least_recent: all.used.map(|(least, _)| time(least)),
        most_recent: all.used.map(|(_, most)| time(most)),
    })
}
