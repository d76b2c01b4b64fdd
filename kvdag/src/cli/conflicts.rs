//! `kvdag conflicts`.

use std::fmt;
use std::ops::ControlFlow;

use engine_api::key::{TKey, VersionId};
use engine_api::version::{Conflict, Instance, Side, VersionDag};
use engine_api::{Bytes, KeyRange, Result};
use serde::Serialize;

use super::diff::key_text;
use super::keys::text;
use super::output::{self, Output};
use super::store::{self, AnyStore};

/// Characters of a value that are shown to people.
const SHOWN: usize = 60;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The store.
    store: String,
    /// One version, for the conflicts that it has; several, for those that a merge of them would have.
    #[arg(required = true, value_name = "VERSION")]
    versions: Vec<String>,
    /// Only this collection or volume.
    #[arg(long = "in", value_name = "NAME")]
    name: Option<String>,
}

#[derive(Debug, Serialize)]
struct SideLine {
    version: String,
    branch: String,
    deleted: bool,
    bytes: u64,
    /// The value of a key of a collection, or of a part of a graph.
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
}

impl SideLine {
    fn new(dag: &VersionDag, instance: &Instance, tkey: &TKey, side: &Side) -> Result<Self> {
        let version = dag.version(side.version)?;
        let value = match &side.value {
            Some(value) => shown(instance, tkey, value)?,
            None => None,
        };
        Ok(Self {
            version: version.uuid.simple().to_string(),
            branch: version.branch.clone(),
            deleted: side.value.is_none(),
            bytes: side.value.as_ref().map_or(0, |value| value.len() as u64),
            value: value.map(|value| text(&value).0),
        })
    }

    fn row(&self) -> Vec<String> {
        let what = match &self.value {
            Some(value) => {
                let mut shown: String =
                    value.chars().take(SHOWN).collect::<String>().escape_debug().collect();
                if value.chars().nth(SHOWN).is_some() {
                    shown.push('…');
                }
                shown
            }
            None if self.deleted => "deleted".to_owned(),
            None => output::bytes(self.bytes),
        };
        let short = &self.version[..12.min(self.version.len())];
        vec![String::new(), self.branch.clone(), short.to_owned(), what]
    }
}

/// A value that people can read.
#[cfg_attr(
    not(feature = "graph"),
    allow(unused_variables, clippy::unnecessary_wraps, reason = "only graphs need more")
)]
fn shown(instance: &Instance, tkey: &TKey, value: &Bytes) -> Result<Option<Bytes>> {
    #[cfg(feature = "graph")]
    if instance.datatype == graph::DATATYPE {
        return super::graph::show_value(tkey, value);
    }
    Ok((instance.datatype == keyvalue::DATATYPE).then(|| value.clone()))
}

#[derive(Debug, Serialize)]
struct Line {
    name: String,
    key: String,
    sides: Vec<SideLine>,
}

#[derive(Debug, Serialize)]
struct Conflicts {
    versions: Vec<String>,
    conflicts: Vec<Line>,
}

impl fmt::Display for Conflicts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.conflicts {
            writeln!(f, "{} {}", line.name, line.key)?;
            let rows: Vec<_> = line.sides.iter().map(SideLine::row).collect();
            output::columns(f, &rows)?;
        }
        writeln!(f, "in conflict: {}", output::keys(self.conflicts.len() as u64))
    }
}

pub(crate) fn run(args: &Args, output: Output) -> Result<()> {
    let store = store::open_to_read(&args.store)?;
    let dag = store.dag()?;
    let versions: Vec<_> = args.versions.iter().map(|spec| store.find(spec)).collect::<Result<_>>()?;
    let ids: Vec<_> = versions.iter().map(|version| version.id).collect();
    let repo = versions.first().map(|version| version.repo).unwrap_or_default();
    let mut conflicts = Vec::new();
    for instance in store::instances(&store, repo, args.name.as_deref())? {
        each_conflict(&store, &instance, &ids, &mut |conflict| {
            let Some(key) = key_text(&instance, &conflict.tkey)? else { return Ok(()) };
            let sides =
                conflict.sides.iter().map(|side| SideLine::new(&dag, &instance, &conflict.tkey, side));
            conflicts.push(Line { name: instance.name.clone(), key, sides: sides.collect::<Result<_>>()? });
            Ok(())
        })?;
    }
    let versions = versions.iter().map(|version| version.uuid.simple().to_string()).collect();
    output.print(&Conflicts { versions, conflicts })
}

/// Visits the conflicts that one version has, or a merge of several would have.
pub(crate) fn each_conflict(
    store: &AnyStore,
    instance: &Instance,
    versions: &[VersionId],
    visit: &mut dyn FnMut(Conflict) -> Result<()>,
) -> Result<()> {
    store.conflicts(instance.id, versions, &KeyRange::ALL, &mut |conflict| {
        visit(conflict)?;
        Ok(ControlFlow::Continue(()))
    })
}
