//! `kvdag blockfs verify`.

use std::fmt;
use std::path::PathBuf;
use std::process::ExitCode;

use blockfs::BlockFs;
use engine_api::Result;
use serde::Serialize;

use super::info::Blocks;
use super::watching;
use crate::cli::interrupt::Careful;
use crate::cli::output::{self, Output};

/// The exit code where something is damaged: that of damaged files, as the help lists it.
const DAMAGED: u8 = 5;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The directory file.
    volume: PathBuf,
}

#[derive(Debug, Serialize)]
struct Findings {
    file: String,
    bytes: u64,
    blocks: Blocks,
    problems: Vec<Problem>,
}

#[derive(Debug, Serialize)]
struct Problem {
    /// Where the block is among the blocks, z, y, x.
    block: String,
    problem: String,
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Problem { block, problem } in &self.problems {
            writeln!(f, "block {block}: {problem}")?;
        }
        let found = if self.problems.is_empty() { "no damage found" } else { "damaged" };
        write!(f, "{}: {found} in {}; blocks: {}", self.file, output::bytes(self.bytes), self.blocks)
    }
}

pub(crate) fn run(args: &Args, output: Output) -> Result<ExitCode> {
    let volume = BlockFs::open(&args.volume)?;
    let bar = output.progress(volume.info()?.blocks, "verifying");
    let verified = volume.verify(&mut watching(&bar, &Careful::begin()))?;
    bar.finish_and_clear();
    let problems = verified.damage.iter();
    let findings = Findings {
        file: args.volume.display().to_string(),
        bytes: verified.counts.bytes,
        blocks: Blocks::from(&verified.counts),
        problems: problems
            .map(|damage| Problem { block: damage.block.to_string(), problem: damage.error.report() })
            .collect(),
    };
    let sound = findings.problems.is_empty() && findings.blocks.lost == 0;
    output.print(&findings)?;
    Ok(if sound { ExitCode::SUCCESS } else { ExitCode::from(DAMAGED) })
}
