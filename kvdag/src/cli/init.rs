//! `kvdag init`.

use std::fmt;

use engine_api::version::Repo;
use engine_api::{Result, Uuid};
use keyvalue::KeyValue;
use serde::Serialize;

use super::output::Output;
use super::store::{self, AnyStore};

/// The repo's name unless another is given.
pub(crate) const DEFAULT_REPO: &str = "repo";
/// The keyvalue collection that `get` and its like use unless another is named.
pub(crate) const DEFAULT_COLLECTION: &str = "default";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The store to make; it must not be there yet.
    store: String,
    /// What to call the repo.
    #[arg(long, default_value = DEFAULT_REPO)]
    repo: String,
    /// The repo's UUID; a random one unless given.
    #[arg(long)]
    uuid: Option<String>,
}

#[derive(Debug, Serialize)]
struct Made {
    store: String,
    repo: String,
    uuid: String,
    branch: String,
}

impl fmt::Display for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "made {} with the repo {} {}; branch {} is open",
            self.store, self.repo, self.uuid, self.branch
        )
    }
}

pub(crate) fn run(args: &Args, output: Output) -> Result<()> {
    let uuid = store::uuid(args.uuid.as_deref())?;
    let store = store::create(&args.store)?;
    let repo = set_up(&store, &args.repo, uuid)?;
    let branch = store.dag()?.version(repo.root)?.branch.clone();
    output.print(&Made {
        store: args.store.clone(),
        repo: repo.alias,
        uuid: repo.uuid.simple().to_string(),
        branch,
    })
}

/// Makes a repo with the collection that keys go to.
pub(crate) fn set_up(store: &AnyStore, alias: &str, uuid: Option<Uuid>) -> Result<Repo> {
    let repo = store.create_repo(alias, uuid)?;
    KeyValue::create(store, repo.id, DEFAULT_COLLECTION)?;
    Ok(repo)
}
