//! `kvdag show`.

use std::fmt;

use engine_api::key::{Context, DataContext, DataKey, Mark, VersionId};
use engine_api::version::Instance;
use engine_api::{Result, Step, Store, Value, View, ViewExt, visitor};
use indicatif::ProgressBar;
use serde::Serialize;

use super::output::{self, Output};
use super::store;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The store.
    store: String,
    /// The version; the newest on the main branch unless given.
    version: Option<String>,
}

#[derive(Debug, Serialize)]
struct Shown {
    version: String,
    repo: String,
    branch: String,
    /// Whether it is the branch's newest.
    head: bool,
    hidden: bool,
    parents: Vec<String>,
    children: Vec<String>,
    tags: Vec<String>,
    created: String,
    committed: Option<String>,
    /// When its data was cleaned away.
    #[serde(skip_serializing_if = "Option::is_none")]
    cleaned: Option<String>,
    note: String,
    log: Vec<Line>,
    changes: Vec<Changes>,
}

#[derive(Debug, Serialize)]
struct Line {
    at: String,
    text: String,
}

/// What was written at the version, of an instance.
#[derive(Debug, Serialize)]
struct Changes {
    name: String,
    datatype: String,
    puts: u64,
    deletes: u64,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "version {}", self.version)?;
        let short = |versions: &[String]| {
            versions
                .iter()
                .map(|version| version[..12.min(version.len())].to_owned())
                .collect::<Vec<_>>()
                .join(", ")
        };
        let marks: Vec<_> = [(self.head, "head"), (self.hidden, "hidden")]
            .into_iter()
            .filter_map(|(marked, mark)| marked.then_some(mark))
            .collect();
        let branch = match marks.as_slice() {
            [] => self.branch.clone(),
            marks => format!("{} ({})", self.branch, marks.join(", ")),
        };
        let mut rows = Vec::new();
        for (name, value) in [
            ("repo", self.repo.clone()),
            ("branch", branch),
            ("parents", short(&self.parents)),
            ("children", short(&self.children)),
            ("tags", self.tags.join(", ")),
            ("created", self.created.clone()),
            ("committed", self.committed.clone().unwrap_or_else(|| "no, it is open".to_owned())),
            ("cleaned", self.cleaned.clone().unwrap_or_default()),
            ("note", self.note.clone()),
        ] {
            if !value.is_empty() {
                rows.push(vec![name.to_owned(), value]);
            }
        }
        output::columns(f, &rows)?;
        for line in &self.log {
            writeln!(f, "{}  {}", line.at, line.text)?;
        }
        let changed: Vec<_> = self.changes.iter().filter(|of| of.puts + of.deletes > 0).collect();
        if changed.is_empty() {
            return writeln!(f, "nothing was written at it");
        }
        writeln!(f, "written at it:")?;
        let row = |of: &&Changes| {
            vec![
                format!("  {}", of.name),
                of.datatype.clone(),
                format!("puts: {}", of.puts),
                format!("deletes: {}", of.deletes),
            ]
        };
        output::columns(f, &changed.iter().map(row).collect::<Vec<_>>())
    }
}

pub(crate) fn run(args: &Args, output: Output) -> Result<()> {
    let store = store::open_to_read(&args.store)?;
    let dag = store.dag()?;
    let version = store::version(&store, args.version.as_deref())?;
    let uuids = |ids: &[VersionId]| -> Result<Vec<String>> {
        ids.iter().map(|id| Ok(dag.version(*id)?.uuid.simple().to_string())).collect()
    };
    let instances: Vec<_> =
        dag.instances().filter(|instance| instance.repo == version.repo && instance.versioned).collect();
    let view = store.store().view()?;
    let mut keys = 0;
    for instance in &instances {
        keys += view.count(&DataContext::unversioned(instance.id).key_range())?;
    }
    let bar = output.progress(keys, "counting");
    let changes = instances
        .iter()
        .map(|instance| written(&*view, instance, version.id, &bar))
        .collect::<Result<Vec<_>>>()?;
    bar.finish_and_clear();
    let log = store.log_of(version.id)?;
    output.print(&Shown {
        repo: dag.repo(version.repo)?.alias.clone(),
        head: dag.next_on_branch(&version).is_none(),
        hidden: dag.is_hidden(version.repo, &version.branch),
        parents: uuids(&version.parents)?,
        children: uuids(dag.children(version.id))?,
        tags: dag.tags().filter(|tag| tag.version == version.id).map(|tag| tag.name.clone()).collect(),
        created: output::time(version.created),
        committed: version.committed.map(output::time),
        cleaned: version.cleaned.map(output::time),
        log: log.into_iter().map(|line| Line { at: output::time(line.at), text: line.text }).collect(),
        changes,
        version: version.uuid.simple().to_string(),
        branch: version.branch,
        note: version.note,
    })
}

/// Counts the entries of a version, among those of all.
fn written(view: &dyn View, instance: &Instance, version: VersionId, bar: &ProgressBar) -> Result<Changes> {
    let mut changes =
        Changes { name: instance.name.clone(), datatype: instance.datatype.clone(), puts: 0, deletes: 0 };
    let mut count = visitor(|key: &[u8], _: Value<'_>| {
        bar.inc(1);
        let key = DataKey::parse(key)?;
        if key.version == version {
            match key.mark {
                Mark::Data => changes.puts += 1,
                Mark::Tombstone => changes.deletes += 1,
            }
        }
        Ok(Step::Next)
    });
    view.scan(DataContext::unversioned(instance.id).key_range().scan().keys_only(), &mut count)?;
    Ok(changes)
}
