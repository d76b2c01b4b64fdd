//! `kvdag new`.

use engine_api::Result;

use super::branch::Started;
use super::output::Output;
use super::store;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The store.
    store: String,
    /// The committed version to go on from; the newest on the main branch unless given.
    version: Option<String>,
}

pub(crate) fn run(args: &Args, output: Output) -> Result<()> {
    let store = store::open_to_write(&args.store)?;
    let parent = store::version_id(&store, args.version.as_deref())?;
    output.print(&Started::from(store.new_version(parent, None)?))
}
