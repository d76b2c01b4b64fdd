//! `kvdag squash`.

use std::fmt;

use engine_api::Result;
use serde::Serialize;

use super::gc::entries;
use super::interrupt::Careful;
use super::output::{self, Output};
use super::store::{self, short};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The store.
    store: String,
    /// The first version of the run.
    first: String,
    /// The last: it stays, with all that it has; those before it are gone.
    last: String,
}

#[derive(Debug, Serialize)]
struct Outcome {
    version: String,
    branch: String,
    /// Versions that are gone.
    versions: u64,
    /// Entries that there are fewer.
    entries: u64,
    bytes: u64,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} on {} has taken in {} versions; {} entries fewer, {}",
            &self.version[..12.min(self.version.len())],
            self.branch,
            self.versions,
            self.entries,
            output::bytes(self.bytes)
        )
    }
}

pub(crate) fn run(args: &Args, output: Output) -> Result<()> {
    let store = store::open_to_write(&args.store)?;
    let (first, last) = (store.find(&args.first)?, store.find(&args.last)?);
    let before = store.dag()?.versions().count();
    let careful = Careful::begin();
    let bar = output.progress(entries(&store)?, "squashing");
    bar.set_message(format!("squashing into {}", short(&last.uuid)));
    let swept = store.squash(first.id, last.id, &mut |swept| {
        bar.set_position(swept.seen);
        careful.check()
    })?;
    bar.finish_and_clear();
    let gone = before.saturating_sub(store.dag()?.versions().count());
    output.print(&Outcome {
        version: last.uuid.simple().to_string(),
        branch: last.branch,
        versions: u64::try_from(gone).unwrap_or(u64::MAX),
        entries: swept.entries,
        bytes: swept.bytes,
    })
}
