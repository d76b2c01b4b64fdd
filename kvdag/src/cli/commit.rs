//! `kvdag commit`.

use std::fmt;

use engine_api::Result;
use serde::Serialize;

use super::output::Output;
use super::store::{self, AnyStore};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The store.
    store: String,
    /// The version to commit; the newest on the main branch unless given.
    version: Option<String>,
    /// What to say of it.
    #[arg(short = 'm', long = "message", value_name = "NOTE", default_value = "")]
    note: String,
    /// Start the branch's next version at once.
    #[arg(long)]
    next: bool,
    /// Move what the version holds to the store of its immutable tier.
    #[cfg(feature = "tiers")]
    #[arg(long)]
    archive: bool,
}

#[derive(Debug, Serialize)]
pub(crate) struct Committed {
    committed: String,
    branch: String,
    note: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

impl fmt::Display for Committed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "committed {} on {}", &self.committed[..12.min(self.committed.len())], self.branch)?;
        match &self.next {
            Some(next) => write!(f, "; {} is open", &next[..12.min(next.len())]),
            None => Ok(()),
        }
    }
}

pub(crate) fn run(args: &Args, output: Output) -> Result<()> {
    #[cfg(feature = "tiers")]
    if args.archive {
        return commit_and_archive(args, output);
    }
    let store = store::open_to_write(&args.store)?;
    output.print(&commit(&store, args.version.as_deref(), &args.note, args.next)?)
}

#[cfg(feature = "tiers")]
fn commit_and_archive(args: &Args, output: Output) -> Result<()> {
    use super::archive;

    let (tiered, _) = kvdag::tiers::open(&archive::config(&args.store)?)?;
    let boxed: Box<dyn engine_api::Store> = Box::new(tiered.clone());
    let store: AnyStore = engine_api::version::Versioned::open(boxed)?;
    let committed = commit(&store, args.version.as_deref(), &args.note, args.next)?;
    let version = store.find(&committed.committed)?.id;
    let archived = archive::archive(&engine_api::version::Versioned::open(tiered)?, version, output)?;
    output.print(&CommittedAndArchived { committed, archived })
}

#[cfg(feature = "tiers")]
#[derive(Debug, Serialize)]
struct CommittedAndArchived {
    #[serde(flatten)]
    committed: Committed,
    #[serde(flatten)]
    archived: super::archive::Archived,
}

#[cfg(feature = "tiers")]
impl fmt::Display for CommittedAndArchived {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}", self.committed, self.archived)
    }
}

pub(crate) fn commit(store: &AnyStore, spec: Option<&str>, note: &str, next: bool) -> Result<Committed> {
    let version = store.commit_version(store::version_id(store, spec)?, note)?;
    let next = if next { Some(store.new_version(version.id, None)?) } else { None };
    Ok(Committed {
        committed: version.uuid.simple().to_string(),
        branch: version.branch,
        note: version.note,
        next: next.map(|next| next.uuid.simple().to_string()),
    })
}
