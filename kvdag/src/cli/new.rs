//! `kvdag new`.

use engine_api::Result;
use engine_api::version::NewVersion;

use super::branch::Started;
use super::output::Output;
use super::store;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The store.
    store: String,
    /// The committed version to go on from; the newest on the main branch unless given.
    version: Option<String>,
    /// The new version's UUID; a random one unless given.
    #[arg(long)]
    uuid: Option<String>,
}

pub(crate) fn run(args: &Args, output: Output) -> Result<()> {
    let uuid = store::uuid(args.uuid.as_deref())?;
    let store = store::open_to_write(&args.store)?;
    let parent = store::version_id(&store, args.version.as_deref())?;
    let new = uuid.into_iter().fold(NewVersion::new(), NewVersion::uuid);
    output.print(&Started::from(store.new_version_with(parent, &new)?))
}
