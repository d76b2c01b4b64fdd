//! `kvdag repair`.

use std::fmt;

use engine_api::{OpenMode, Repaired, Result};
use serde::Serialize;

use super::output::Output;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The store; nothing else may have it open.
    store: String,
}

#[derive(Debug, Serialize)]
struct Outcome {
    store: String,
    mended: bool,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = if self.mended { "was damaged, and is mended" } else { "is sound" };
        write!(f, "{} {what}", self.store)
    }
}

pub(crate) fn run(args: &Args, output: Output) -> Result<()> {
    let registry = kvdag::stores()?;
    let config = registry.config(&args.store)?.with_default_mode(OpenMode::Existing);
    let repaired = registry.repair_config(&config)?;
    output.print(&Outcome { store: args.store.clone(), mended: repaired == Repaired::Mended })
}
