//! `kvdag resolve`.

use std::fmt;
use std::path::PathBuf;

use chunks::Coords;
use engine_api::key::{DataContext, TKey, VersionId};
use engine_api::version::{Choice, Instance, Settled, Version, VersionDag};
use engine_api::{Error, ErrorKind, KeyRange, Result};
use serde::Serialize;

use super::diff::key_text;
use super::init::DEFAULT_COLLECTION;
use super::keys::read_file;
use super::output::{self, Output};
use super::store::{self, AnyStore};

#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("choice").required(true).args(["take", "value", "file", "delete"])))]
pub(crate) struct Args {
    /// The store.
    store: String,
    /// The key that is in conflict; of a volume, the coordinates of a chunk, and of a graph
    /// the vertex, edge or property, as `kvdag conflicts` shows them.
    #[arg(required_unless_present = "all")]
    key: Option<String>,
    /// Take the side that this version sees. A branch that the merge went on with means what it was before. With
    /// --all several can be given: each key takes the side of the first of them that sees one.
    #[arg(long, value_name = "VERSION", num_args = 1..)]
    take: Vec<String>,
    /// Store this value.
    #[arg(long, value_name = "TEXT")]
    value: Option<String>,
    /// Store the content of a file.
    #[arg(long)]
    file: Option<PathBuf>,
    /// Delete the key.
    #[arg(long)]
    delete: bool,
    /// Every key that is in conflict.
    #[arg(long, conflicts_with_all = ["key", "value", "file", "delete"])]
    all: bool,
    /// The open version, a merge or below one; the newest on the main branch unless given.
    #[arg(long, value_name = "VERSION")]
    at: Option<String>,
    /// The collection or volume; for a key the collection `default`, and with --all each, unless given.
    #[arg(long = "in", value_name = "NAME")]
    name: Option<String>,
}

#[derive(Debug, Serialize)]
struct Answer {
    version: String,
    resolved: u64,
    left: u64,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = &self.version[..12.min(self.version.len())];
        write!(f, "resolved {} at {version}; {} left in conflict", output::keys(self.resolved), self.left)
    }
}

pub(crate) fn run(args: &Args, output: Output) -> Result<()> {
    let store = store::open_to_write(&args.store)?;
    let dag = store.dag()?;
    let at = store::version(&store, args.at.as_deref())?;
    let prefer: Vec<_> = args.take.iter().map(|spec| side(&store, &dag, &at, spec)).collect::<Result<_>>()?;
    let mut settled = Settled::default();
    if let Some(key) = &args.key {
        let name = args.name.as_deref().unwrap_or(DEFAULT_COLLECTION);
        let instance = store.instance(name)?;
        resolve_one(&store, &instance, at.id, key, choice(args, &prefer)?)?;
        settled.resolved = 1;
    }
    for instance in store::instances(&store, at.repo, args.name.as_deref())? {
        if args.all {
            let done = store.resolve_conflicts(instance.id, at.id, &prefer, &KeyRange::ALL)?;
            settled.resolved += done.resolved;
            settled.left += done.left;
        } else {
            super::conflicts::each_conflict(&store, &instance, &[at.id], &mut |conflict| {
                settled.left += u64::from(key_text(&instance, &conflict.tkey)?.is_some());
                Ok(())
            })?;
        }
    }
    let version = at.uuid.simple().to_string();
    output.print(&Answer { version, resolved: settled.resolved, left: settled.left })
}

fn resolve_one(
    store: &AnyStore,
    instance: &Instance,
    at: VersionId,
    key: &str,
    choice: Choice,
) -> Result<()> {
    #[cfg(feature = "graph")]
    if instance.datatype == graph::DATATYPE {
        return super::graph::resolve(store, instance, at, key, choice);
    }
    let tkey = parse_key(instance, key)?;
    store.resolve_conflict(&DataContext::versioned(instance.id, at), &tkey, choice)
}

fn choice(args: &Args, prefer: &[VersionId]) -> Result<Choice> {
    match (prefer, &args.value, &args.file) {
        ([version], ..) => Ok(Choice::Version(*version)),
        ([], Some(value), _) => Ok(Choice::Value(value.clone().into())),
        ([], None, Some(file)) => read_file(file).map(Choice::Value),
        ([], None, None) => Ok(Choice::Delete),
        _ => Err(Error::new(ErrorKind::InvalidArgument, "one key takes the side of one version")),
    }
}

/// The version whose side is meant. A branch that the merge went on with names a version that sees every side by
/// now, and means the version that it was before the merge: the merge's first parent.
pub(crate) fn side(store: &AnyStore, dag: &VersionDag, at: &Version, spec: &str) -> Result<VersionId> {
    let named = store.find(spec)?;
    let mut merge = at;
    let mut merged = named.id == at.id;
    while let [parent] = merge.parents.as_slice() {
        merge = dag.version(*parent)?;
        merged |= named.id == merge.id;
    }
    match merge.parents.first() {
        Some(first) if merged && dag.version(*first)?.branch == named.branch => Ok(*first),
        _ => Ok(named.id),
    }
}

/// A key as `kvdag conflicts` shows it.
fn parse_key(instance: &Instance, key: &str) -> Result<TKey> {
    if instance.datatype == keyvalue::DATATYPE {
        return Ok(keyvalue::tkey(key.as_bytes()));
    }
    let malformed = || {
        Error::new(
            ErrorKind::InvalidArgument,
            "a chunk is named by its coordinates, such as 0,3,1, and `at scale 1` for a coarser one",
        )
        .with("key", key)
    };
    let (chunk, scale) = match key.split_once(" at scale ") {
        Some((chunk, scale)) => (chunk, scale.trim().parse().map_err(|_| malformed())?),
        None => (key, 0),
    };
    let inner = chunk.trim_start_matches("chunk").trim().trim_start_matches('(').trim_end_matches(')');
    let axes: Vec<i32> =
        inner.split(',').map(|axis| axis.trim().parse().map_err(|_| malformed())).collect::<Result<_>>()?;
    Ok(volume::chunk_key(scale, &Coords::new(&axes)?))
}
