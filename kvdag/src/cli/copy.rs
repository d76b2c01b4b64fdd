//! `kvdag copy`.

use std::fmt;

use engine_api::version::{Copied, compare_stores, copy_store};
use engine_api::{KeyRange, OpenMode, Result, ViewExt};
use serde::Serialize;

use super::interrupt::Careful;
use super::output::{self, Output};
use super::store;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The store to copy.
    #[arg(long, value_name = "STORE")]
    from: String,
    /// The store to make. One that a copy was cut short of is gone on with.
    #[arg(long, value_name = "STORE")]
    to: String,
    /// Compare every entry of both when the copy is done.
    #[arg(long)]
    verify: bool,
}

#[derive(Debug, Serialize)]
struct Outcome {
    from: String,
    to: String,
    entries: u64,
    bytes: u64,
    ranges: u64,
    resumed: u64,
    verified: bool,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "copied {} entries, {}, from {} to {}",
            self.entries,
            output::bytes(self.bytes),
            self.from,
            self.to
        )?;
        if self.resumed > 0 {
            write!(f, "; {} of {} ranges were there already", self.resumed, self.ranges)?;
        }
        write!(f, "{}", if self.verified { "; compared, and the same" } else { "" })
    }
}

pub(crate) fn run(args: &Args, output: Output) -> Result<()> {
    let source = store::open_engine(&args.from)?;
    let registry = kvdag::registry()?;
    let config = registry.config(&args.to)?.with_default_mode(OpenMode::Create);
    let target = registry.open_config(&config)?.store;
    let entries = source.view()?.count(&KeyRange::ALL)?;
    let careful = Careful::resumable();
    let copied = {
        let bar = output.progress(entries, "copying");
        let copied = copy_store(&*source, &*target, &mut |done: &Copied| {
            bar.set_position(done.entries);
            careful.check()
        })?;
        bar.finish_and_clear();
        copied
    };
    if args.verify {
        let bar = output.progress(entries, "comparing");
        compare_stores(&*source, &*target, &mut |done| {
            bar.set_position(done.entries);
            careful.check()
        })?;
        bar.finish_and_clear();
    }
    output.print(&Outcome {
        from: args.from.clone(),
        to: args.to.clone(),
        entries: copied.entries,
        bytes: copied.bytes,
        ranges: copied.ranges,
        resumed: copied.resumed,
        verified: args.verify,
    })
}
