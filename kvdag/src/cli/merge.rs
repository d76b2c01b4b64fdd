//! `kvdag merge`.

use std::fmt;

use engine_api::key::VersionId;
use engine_api::version::{Instance, Version, VersionDag};
use engine_api::{Error, ErrorKind, KeyRange, Result};
use serde::Serialize;

use super::conflicts::each_conflict;
use super::output::{self, Output};
use super::store::{self, AnyStore};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The store.
    store: String,
    /// The committed versions to merge.
    #[arg(required = true, value_name = "OTHER")]
    others: Vec<String>,
    /// The branch to merge them into; the main branch unless given.
    #[arg(long, value_name = "BRANCH")]
    into: Option<String>,
    /// Start a new branch with the merge, in place of going on with the one that it is merged into.
    #[arg(long, value_name = "NEW")]
    branch: Option<String>,
    /// Resolve each conflict for the first of these versions that sees one side of it.
    #[arg(long, value_name = "VERSION", num_args = 1..)]
    prefer: Vec<String>,
    /// Commit the merge at once. Where it would leave a conflict, nothing is made.
    #[arg(long)]
    commit: bool,
    /// What to say of it.
    #[arg(
        short = 'm',
        long = "message",
        visible_alias = "note",
        value_name = "NOTE",
        default_value = "",
        requires = "commit"
    )]
    note: String,
}

/// How many keys of an instance are in conflict.
#[derive(Debug, Serialize)]
struct Count {
    name: String,
    keys: u64,
}

#[derive(Debug, Serialize)]
struct Merged {
    version: String,
    branch: String,
    parents: Vec<String>,
    committed: bool,
    /// Keys whose conflict was resolved for a preferred version.
    resolved: u64,
    /// Keys that are in conflict, by instance; instances without are left out.
    conflicts: Vec<Count>,
    #[serde(skip)]
    store: String,
    /// What each parent is called on the command line.
    #[serde(skip)]
    sides: Vec<String>,
}

impl fmt::Display for Merged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.committed { "committed" } else { "open" };
        let short = &self.version[..12.min(self.version.len())];
        writeln!(f, "{short} is {state} on {}, merged from {}", self.branch, self.sides.join(" and "))?;
        if self.resolved > 0 {
            writeln!(f, "resolved {}", output::keys(self.resolved))?;
        }
        let total = self.conflicts.iter().map(|count| count.keys).sum();
        let Self { store, branch, .. } = self;
        if total == 0 {
            return if self.committed {
                Ok(())
            } else {
                writeln!(f, "no conflicts; close it with: kvdag commit {store} {branch}")
            };
        }
        let counts: Vec<_> =
            self.conflicts.iter().map(|count| format!("{} in {}", count.keys, count.name)).collect();
        writeln!(f, "in conflict: {}, {}", output::keys(total), counts.join(", "))?;
        let sides: Vec<_> = self.parents.iter().map(|parent| &parent[..12.min(parent.len())]).collect();
        writeln!(f, "list them:         kvdag conflicts {store} {branch}")?;
        writeln!(f, "resolve one:       kvdag resolve {store} KEY --at {branch} --take {}", sides.join("|"))?;
        writeln!(f, "resolve the rest:  kvdag resolve {store} --all --at {branch} --take {}", sides.join(" "))
    }
}

pub(crate) fn run(args: &Args, output: Output) -> Result<()> {
    let store = store::open_to_write(&args.store)?;
    let dag = store.dag()?;
    let into = store::version(&store, args.into.as_deref())?;
    let mut parents = vec![into.clone()];
    for spec in &args.others {
        let other = store.find(spec)?;
        if dag.is_ancestor(other.id, into.id)? {
            return Err(Error::new(
                ErrorKind::AlreadyExists,
                "what is to be merged is in the branch already",
            )
            .with("version", spec)
            .with("branch", &into.branch));
        }
        parents.push(other);
    }
    parents.iter().try_for_each(|parent| check_committed(&args.store, parent))?;
    let ids: Vec<_> = parents.iter().map(|parent| parent.id).collect();
    let prefer: Vec<_> =
        args.prefer.iter().map(|spec| store.find(spec).map(|version| version.id)).collect::<Result<_>>()?;
    let instances = store::instances(&store, into.repo, None)?;
    let conflicts = counts(&store, &dag, &instances, &ids, &prefer)?;
    let left = conflicts.iter().map(|count| count.keys).sum::<u64>();
    if args.commit && left > 0 {
        return Err(Error::new(
            ErrorKind::Conflict,
            "the merge would leave keys in conflict, so none was made; merge without --commit, or --prefer a side",
        )
        .with("keys", left));
    }
    let mut merged = store.merge(&ids, args.branch.as_deref())?;
    let mut resolved = 0;
    for instance in instances.iter().filter(|_| !prefer.is_empty()) {
        resolved += store.resolve_conflicts(instance.id, merged.id, &prefer, &KeyRange::ALL)?.resolved;
    }
    if args.commit {
        merged = store.commit_version(merged.id, &args.note)?;
    }
    output.print(&Merged {
        version: merged.uuid.simple().to_string(),
        branch: merged.branch,
        parents: parents.iter().map(|parent| parent.uuid.simple().to_string()).collect(),
        committed: args.commit,
        resolved,
        conflicts,
        store: args.store.clone(),
        sides: parents.into_iter().map(|parent| parent.branch).collect(),
    })
}

/// A merge is of versions that are closed.
fn check_committed(store: &str, parent: &Version) -> Result<()> {
    if parent.committed.is_some() {
        return Ok(());
    }
    let short = store::short(&parent.uuid);
    Err(Error::new(ErrorKind::InvalidArgument, "a version must be committed before it is merged")
        .with("version", &short)
        .with("branch", &parent.branch)
        .with("commit it with", format!("kvdag commit {store} {short}")))
}

/// How many keys of each instance a merge would leave in conflict.
fn counts(
    store: &AnyStore,
    dag: &VersionDag,
    instances: &[Instance],
    versions: &[VersionId],
    prefer: &[VersionId],
) -> Result<Vec<Count>> {
    let mut counts = Vec::new();
    for instance in instances {
        let mut count = Count { name: instance.name.clone(), keys: 0 };
        each_conflict(store, instance, versions, &mut |conflict| {
            count.keys += u64::from(conflict.preferred(dag, prefer)?.is_none());
            Ok(())
        })?;
        if count.keys > 0 {
            counts.push(count);
        }
    }
    Ok(counts)
}
