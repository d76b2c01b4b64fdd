//! What `kvdag branch` changes of branches that are there.

use std::fmt;

use engine_api::Result;
use engine_api::key::RepoId;
use serde::Serialize;

use super::output::Output;
use super::store::{self, AnyStore};

/// One of these at a time.
#[derive(Debug, Default, clap::Args)]
#[group(id = "change", multiple = false)]
pub(crate) struct Changes {
    /// Delete a branch: its versions, committed ones too, and all that was written at them. Refused while
    /// tags, merges or other branches stand on it.
    #[arg(long, value_name = "BRANCH", help_heading = "Changes")]
    delete: Option<String>,
    /// Give a branch another name.
    #[arg(long, num_args = 2, value_names = ["OLD", "NEW"], help_heading = "Changes")]
    rename: Option<Vec<String>>,
    /// List a branch no more; it is found as before.
    #[arg(long, value_name = "BRANCH", help_heading = "Changes")]
    hide: Option<String>,
    /// List a hidden branch again.
    #[arg(long, value_name = "BRANCH", help_heading = "Changes")]
    show: Option<String>,
    /// Call a branch `main`; what was called that gets its former name.
    #[arg(long, value_name = "BRANCH", help_heading = "Changes")]
    make_main: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "lowercase")]
enum Deed {
    Deleted,
    Renamed,
    Hidden,
    Shown,
    Main,
}

#[derive(Debug, Serialize)]
struct Changed {
    repo: String,
    branch: String,
    #[serde(rename = "change")]
    deed: Deed,
    /// The branch's new name, or that of what was the main branch.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// The versions that are gone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    versions: Vec<String>,
}

impl fmt::Display for Changed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (branch, name) = (&self.branch, self.name.as_deref().unwrap_or_default());
        match self.deed {
            Deed::Deleted => write!(f, "deleted {branch}: {} versions", self.versions.len()),
            Deed::Renamed => write!(f, "{branch} is called {name}"),
            Deed::Hidden => write!(f, "{branch} is hidden"),
            Deed::Shown => write!(f, "{branch} is listed"),
            Deed::Main if name.is_empty() => write!(f, "{branch} is called main"),
            Deed::Main => write!(f, "{branch} is called main, and what was main is called {name}"),
        }
    }
}

impl Changes {
    pub(crate) fn any(&self) -> bool {
        let Self { delete, rename, hide, show, make_main } = self;
        rename.is_some() || [delete, hide, show, make_main].iter().any(|change| change.is_some())
    }
}

pub(crate) fn run(url: &str, changes: &Changes, former: Option<&str>, output: Output) -> Result<()> {
    let store = store::open_to_write(url)?;
    let Changes { delete, rename, hide, show, make_main } = changes;
    if let Some(spec) = delete {
        let (mut changed, repo) = named(&store, spec, Deed::Deleted)?;
        let versions = store.delete_branch(repo, &changed.branch)?;
        changed.versions = versions.iter().map(|version| version.uuid.simple().to_string()).collect();
        output.print(&changed)?;
    }
    if let Some([old, new]) = rename.as_deref() {
        let (mut changed, repo) = named(&store, old, Deed::Renamed)?;
        store.rename_branch(repo, &changed.branch, new)?;
        changed.name = Some(new.clone());
        output.print(&changed)?;
    }
    if let Some(spec) = hide {
        let (changed, repo) = named(&store, spec, Deed::Hidden)?;
        store.hide_branch(repo, &changed.branch)?;
        output.print(&changed)?;
    }
    if let Some(spec) = show {
        let (changed, repo) = named(&store, spec, Deed::Shown)?;
        store.show_branch(repo, &changed.branch)?;
        output.print(&changed)?;
    }
    if let Some(spec) = make_main {
        let (mut changed, repo) = named(&store, spec, Deed::Main)?;
        let was = store.dag()?.branch(repo, "main").is_ok();
        store.make_main(repo, &changed.branch, former)?;
        changed.name = was.then(|| former.unwrap_or(&changed.branch).to_owned());
        output.print(&changed)?;
    }
    Ok(())
}

/// The branch that `[REPO:]NAME` means.
fn named(store: &AnyStore, spec: &str, deed: Deed) -> Result<(Changed, RepoId)> {
    let dag = store.dag()?;
    let (repo, name) = dag.find_in_repo(spec)?;
    let changed =
        Changed { repo: repo.alias.clone(), branch: name.to_owned(), deed, name: None, versions: Vec::new() };
    Ok((changed, repo.id))
}
