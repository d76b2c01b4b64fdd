//! `kvdag branch`.

use std::fmt;

use engine_api::Result;
use engine_api::version::Version;
use serde::Serialize;

use super::output::{self, Output};
use super::store::{self, AnyStore};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The store.
    store: String,
    /// The branch to start; without it the branches are listed.
    name: Option<String>,
    /// The committed version to start from; the newest on the main branch unless given.
    #[arg(long, value_name = "VERSION", requires = "name")]
    from: Option<String>,
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
                let state = if head.committed { "committed" } else { "open" };
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
    let Some(name) = &args.name else {
        let dag = store::open_to_read(&args.store)?.dag()?;
        let mut heads = Vec::new();
        for repo in dag.repos() {
            for (branch, version) in dag.heads(repo.id) {
                heads.push(Head {
                    repo: repo.alias.clone(),
                    branch: branch.to_owned(),
                    version: version.uuid.simple().to_string(),
                    committed: version.committed.is_some(),
                    note: version.note.clone(),
                });
            }
        }
        return output.print(&Heads(heads));
    };
    let store = store::open_to_write(&args.store)?;
    output.print(&branch(&store, name, args.from.as_deref())?)
}

pub(crate) fn branch(store: &AnyStore, name: &str, from: Option<&str>) -> Result<Started> {
    let parent = store::version_id(store, from)?;
    store.new_version(parent, Some(name)).map(Started::from)
}
