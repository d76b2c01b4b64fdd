//! `kvdag tag`.

use std::fmt;

use engine_api::Result;
use engine_api::version::{Tag, VersionDag};
use serde::Serialize;

use super::output::{self, Output};
use super::store;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The store.
    store: String,
    /// The tag to put on a version; without it the tags are listed.
    name: Option<String>,
    /// The version; the newest on the main branch unless given.
    #[arg(long, value_name = "VERSION", requires = "name")]
    at: Option<String>,
    /// What to say of it.
    #[arg(long, default_value = "", requires = "name")]
    note: String,
    /// Take the tag away. Its version stays.
    #[arg(long, requires = "name", conflicts_with_all = ["at", "note"])]
    delete: bool,
}

#[derive(Debug, Serialize)]
struct Line {
    repo: String,
    tag: String,
    version: String,
    branch: String,
    note: String,
    created: String,
}

impl Line {
    fn new(dag: &VersionDag, tag: &Tag) -> Result<Self> {
        let version = dag.version(tag.version)?;
        Ok(Self {
            repo: dag.repo(tag.repo)?.alias.clone(),
            tag: tag.name.clone(),
            version: version.uuid.simple().to_string(),
            branch: version.branch.clone(),
            note: tag.note.clone(),
            created: output::time(tag.created),
        })
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is {} on {}", self.tag, &self.version[..12.min(self.version.len())], self.branch)
    }
}

#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Lines(Vec<Line>);

impl fmt::Display for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = |line: &Line| {
            vec![
                line.tag.clone(),
                line.version[..12.min(line.version.len())].to_owned(),
                line.branch.clone(),
                line.created.clone(),
                line.note.clone(),
            ]
        };
        output::columns(f, &self.0.iter().map(row).collect::<Vec<_>>())
    }
}

#[derive(Debug, Serialize)]
struct Removed {
    removed: Line,
}

impl fmt::Display for Removed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Line { tag, version, .. } = &self.removed;
        write!(f, "removed {tag} from {}", &version[..12.min(version.len())])
    }
}

pub(crate) fn run(args: &Args, output: Output) -> Result<()> {
    let Some(name) = &args.name else {
        let dag = store::open_to_read(&args.store)?.dag()?;
        return output.print(&Lines(dag.tags().map(|tag| Line::new(&dag, tag)).collect::<Result<_>>()?));
    };
    let store = store::open_to_write(&args.store)?;
    if args.delete {
        let dag = store.dag()?;
        let (repo, name) = dag.find_in_repo(name)?;
        let tag = store.untag(repo.id, name)?;
        return output.print(&Removed { removed: Line::new(&dag, &tag)? });
    }
    let version = store::version_id(&store, args.at.as_deref())?;
    let tag = store.tag(version, name, &args.note)?;
    output.print(&Line::new(&store.dag()?, &tag)?)
}
