//! `kvdag cache verify`.

use std::fmt;
use std::path::PathBuf;
use std::process::ExitCode;

use dataset_cache::DatasetCache;
use engine_api::{ErrorKind, Result};
use serde::Serialize;

use super::entries::storage;
use crate::cli::check::DAMAGED;
use crate::cli::interrupt::Careful;
use crate::cli::output::{self, Output};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The cache; nobody may be writing it.
    file: PathBuf,
}

#[derive(Debug, Serialize)]
struct Findings {
    file: String,
    /// Entries whose bytes are what was put in.
    sound: u64,
    damaged: u64,
    bytes: u64,
    problems: Vec<String>,
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.problems {
            writeln!(f, "{problem}")?;
        }
        write!(f, "{}: {} sound entries of {}", self.file, self.sound, output::bytes(self.bytes))?;
        if self.problems.is_empty() {
            return f.write_str(", no damage found");
        }
        write!(
            f,
            ", {} damaged; a damaged entry is never answered, and the next to write drops it",
            self.damaged
        )
    }
}

pub(crate) fn run(args: &Args, output: Output) -> Result<ExitCode> {
    let cache = DatasetCache::open(&args.file, true)?;
    let mut findings = Findings {
        file: args.file.display().to_string(),
        sound: 0,
        damaged: 0,
        bytes: 0,
        problems: Vec::new(),
    };
    let (bar, careful) = (output.progress(0, "verifying"), Careful::begin());
    // What isn't found is damaged, since nobody writes.
    let mut walk = || {
        let verified = cache.verify_with(&mut |progress| {
            bar.set_length(progress.total);
            bar.set_position(progress.done);
            careful.check()
        })?;
        (findings.sound, findings.damaged, findings.bytes) =
            (verified.sound, verified.damaged, verified.bytes);
        if verified.damaged > 0 {
            cache.entries(&mut |entry| {
                careful.check()?;
                if cache.get(&entry.key)?.is_none() {
                    findings.problems.push(format!(
                        "chunk {} at scale {} of dataset {}: its checksum differs",
                        entry.key.block, entry.key.lod, entry.key.dataset
                    ));
                }
                Ok(())
            })?;
        }
        Ok(())
    };
    let outcomes = [walk(), storage(&args.file).map(drop)];
    for outcome in outcomes {
        match outcome {
            Err(error) if error.kind() == ErrorKind::Corrupt => findings.problems.push(error.report()),
            outcome => outcome?,
        }
    }
    bar.finish_and_clear();
    let sound = findings.problems.is_empty();
    output.print(&findings)?;
    Ok(if sound { ExitCode::SUCCESS } else { ExitCode::from(DAMAGED) })
}
