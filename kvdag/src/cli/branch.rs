//! `kvdag branch`.

use std::fmt;

use engine_api::Result;
use engine_api::version::{NewVersion, Version};
use serde::Serialize;

use super::branch_change::{self, Changes};
use super::output::{self, Output};
use super::store::{self, AnyStore};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The store.
    store: String,
    /// The branch to start; without it the branches are listed.
    #[arg(conflicts_with = "change")]
    name: Option<String>,
    /// The committed version to start from; the newest on the main branch unless given.
    #[arg(long, value_name = "VERSION", requires = "name", conflicts_with = "change")]
    from: Option<String>,
    /// The new branch's first version gets this UUID; a random one unless given.
    #[arg(long, requires = "name")]
    uuid: Option<String>,
    /// List hidden branches, too.
    #[arg(long, conflicts_with = "name")]
    all: bool,
    #[command(flatten)]
    changes: Changes,
    /// With --make-main: what to call the branch that was the main one.
    #[arg(long, value_name = "NAME", requires = "make_main", help_heading = "Changes")]
    former: Option<String>,
}

/// A version that was started.
#[derive(Debug, Serialize)]
pub(crate) struct Started {
    branch: String,
    version: String,
}

impl From<Version> for Started {
    fn from(version: Version) -> Self {
        Self { branch: version.branch, version: version.uuid.simple().to_string() }
    }
}

impl fmt::Display for Started {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is open on {}", &self.version[..12.min(self.version.len())], self.branch)
    }
}

#[derive(Debug, Serialize)]
struct Head {
    repo: String,
    branch: String,
    version: String,
    committed: bool,
    hidden: bool,
    note: String,
}

#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Heads(Vec<Head>);

impl fmt::Display for Heads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows: Vec<_> = self
            .0
            .iter()
            .map(|head| {
                let state = match (head.committed, head.hidden) {
                    (true, false) => "committed",
                    (false, false) => "open",
                    (true, true) => "committed, hidden",
                    (false, true) => "open, hidden",
                };
                vec![
                    head.branch.clone(),
                    head.version[..12.min(head.version.len())].to_owned(),
                    state.to_owned(),
                    head.note.clone(),
                ]
            })
            .collect();
        output::columns(f, &rows)
    }
}

pub(crate) fn run(args: &Args, output: Output) -> Result<()> {
    if args.changes.any() {
        return branch_change::run(&args.store, &args.changes, args.former.as_deref(), output);
    }
    let Some(name) = &args.name else {
        let dag = store::open_to_read(&args.store)?.dag()?;
        let mut heads = Vec::new();
        for repo in dag.repos() {
            for (branch, version) in dag.heads(repo.id) {
                let hidden = dag.is_hidden(repo.id, branch);
                if hidden && !args.all {
                    continue;
                }
                heads.push(Head {
                    repo: repo.alias.clone(),
                    branch: branch.to_owned(),
                    version: version.uuid.simple().to_string(),
                    committed: version.committed.is_some(),
                    hidden,
                    note: version.note.clone(),
                });
            }
        }
        return output.print(&Heads(heads));
    };
    let uuid = store::uuid(args.uuid.as_deref())?;
    let store = store::open_to_write(&args.store)?;
    let parent = store::version_id(&store, args.from.as_deref())?;
    let new = uuid.into_iter().fold(NewVersion::new().branch(name), NewVersion::uuid);
    output.print(&Started::from(store.new_version_with(parent, &new)?))
}

pub(crate) fn branch(store: &AnyStore, name: &str, from: Option<&str>) -> Result<Started> {
    let parent = store::version_id(store, from)?;
    store.new_version(parent, Some(name)).map(Started::from)
}
