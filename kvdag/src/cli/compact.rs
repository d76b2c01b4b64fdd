//! `kvdag compact`.

use std::fmt;

use engine_api::{Result, Store};
use serde::Serialize;

use super::output::Output;
use super::store;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The store; nothing else may have it open.
    store: String,
}

#[derive(Debug, Serialize)]
struct Outcome {
    store: String,
    compacted: bool,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is compacted", self.store)
    }
}

pub(crate) fn run(args: &Args, output: Output) -> Result<()> {
    store::open_to_write(&args.store)?.store().compact()?;
    output.print(&Outcome { store: args.store.clone(), compacted: true })
}
