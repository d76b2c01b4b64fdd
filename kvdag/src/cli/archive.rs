//! `kvdag archive`.

use std::fmt;

use engine_api::key::VersionId;
use engine_api::version::{Flow, Versioned};
use engine_api::{Config, Error, ErrorKind, OpenMode, Result};
use kvdag::tiers::{self, TIERS};
use serde::Serialize;

use super::interrupt::Careful;
use super::output::{self, Output};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The stores, by the file that names them: `tiers:FILE`.
    store: String,
    /// The committed version; the newest on the main branch unless given.
    version: Option<String>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Archived {
    archived: String,
    entries: u64,
    bytes: u64,
}

impl fmt::Display for Archived {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = &self.archived[..12.min(self.archived.len())];
        write!(f, "archived {} entries of {version}, {}", self.entries, output::bytes(self.bytes))
    }
}

pub(crate) fn run(args: &Args, output: Output) -> Result<()> {
    let config = config(&args.store)?;
    let store = Versioned::open(tiers::open(&config)?.0)?;
    let version = match &args.version {
        Some(spec) => store.find(spec)?,
        None => {
            let dag = store.dag()?;
            store.find(&dag.version(dag.only_repo()?.root)?.branch)?
        }
    };
    output.print(&archive(&store, version.id, output)?)
}

/// The configuration of a store that has an immutable tier.
pub(crate) fn config(url: &str) -> Result<Config> {
    let config = kvdag::stores()?.config(url)?.with_default_mode(OpenMode::Existing);
    if std::ptr::eq(config.engine(), engine_api::Engine::descriptor(&TIERS)) {
        return Ok(config);
    }
    Err(Error::new(
        ErrorKind::InvalidArgument,
        "one store alone has nowhere to archive to; name several in a file, and open that as tiers:FILE",
    )
    .with("store", url))
}

pub(crate) fn archive(
    store: &Versioned<engine_api::version::tiers::Tiered>,
    version: VersionId,
    output: Output,
) -> Result<Archived> {
    let uuid = store.dag()?.version(version)?.uuid;
    let careful = Careful::resumable();
    let bar = output.progress(0, "archiving");
    let moved = store.archive(version, &mut |moved| {
        bar.set_length(moved.entries);
        bar.set_position(moved.entries);
        if careful.check().is_ok() { Flow::Continue(()) } else { Flow::Break(()) }
    })?;
    bar.finish_and_clear();
    careful.check()?;
    Ok(Archived { archived: uuid.simple().to_string(), entries: moved.entries, bytes: moved.bytes })
}
