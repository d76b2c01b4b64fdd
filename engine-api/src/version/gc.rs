//! Cleaning: versions that nobody reads any more give back what only they need.
//!
//! One change of the DAG marks versions as cleaned. They stay in it, for ancestry needs them, and can neither
//! be read nor be made versions from. From then on, entries that no readable version needs are removed, in
//! one pass over each instance. No batch of it changes an answer:
//!
//! - An entry that a readable version sees and doesn't need is hidden there by one that it needs, and that stays.
//! - A version that is made later, by a merge too, sees the entries that its readable parents need, and its own.
//! - Tombstones that hide nothing any more, since no value of their key is left, are removed after the values.
//!   `resolve` then says [`Absent`](super::Resolved::Absent) where it said
//!   [`Deleted`](super::Resolved::Deleted); nothing else tells the two apart. As long as a value is left they stay, for
//!   [`Strict`](super::MergePolicy::Strict) makes a conflict of a value beside a delete.
//!
//! What is needed, and why few versions have to be asked, is in the module `needs`.

use std::collections::BTreeSet;

use super::change::now;
use super::dag::{Instance, Version, VersionDag};
use super::needs::Needs;
use super::record;
use super::sweep::{Piece, Sweep, Swept, Watch, entry_key};
use super::versioned::Versioned;
use super::work::{Task, Work};
use crate::key::{InstanceId, Mark, RepoId, Suffix, VersionId};
use crate::spi::{Error, ErrorKind, Result, Store, Value};

/// Which versions stay readable besides the newest of each branch that isn't hidden, those that have a tag, and
/// open ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Horizon {
    /// All that those descend from.
    Reachable,
    /// All that were committed at this moment, in milliseconds since 1970 UTC, or after it.
    Since(u64),
}

/// What a cleaning takes away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    /// The versions that can't be read from now on, by number.
    pub versions: Vec<Version>,
    /// What each instance loses, by number.
    pub instances: Vec<Shed>,
}

/// What an instance loses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shed {
    /// The instance.
    pub instance: InstanceId,
    /// Its name.
    pub name: String,
    /// Entries, tombstones among them.
    pub entries: u64,
    /// The bytes of their keys and values.
    pub bytes: u64,
}

impl Collected {
    /// The entries of all instances.
    pub fn entries(&self) -> u64 {
        self.instances.iter().map(|shed| shed.entries).sum()
    }

    /// The bytes of all instances.
    pub fn bytes(&self) -> u64 {
        self.instances.iter().map(|shed| shed.bytes).sum()
    }
}

impl<S: Store> Versioned<S> {
    /// What [`gc`](Self::gc) would take away now. Nothing is changed.
    ///
    /// # Errors
    /// Those of [`gc`](Self::gc).
    pub fn plan_gc(&self, repo: RepoId, horizon: Horizon, watch: &mut Watch<'_>) -> Result<Collected> {
        let mut dag = self.current()?.dag.clone();
        let versions = superseded(&dag, repo, horizon)?;
        mark(&mut dag, &versions, now());
        if !any_cleaned(&dag, repo) {
            return Ok(Collected::default());
        }
        let instances = self.clean(&dag, repo, None, watch)?;
        Ok(Collected { versions, instances })
    }

    /// Makes a repo's old versions unreadable, and removes what no readable version needs. Work that was cut
    /// short is finished first.
    ///
    /// `watch` is called after each page; an error from it, a failure or a crash cut the cleaning short. What it
    /// was to make unreadable is then unreadable, every answer at another version is what it was, and
    /// [`resume`](Self::resume) goes on with it.
    ///
    /// # Errors
    /// `NotFound`; `InvalidArgument` when nothing would stay readable; whatever `watch` answers.
    pub fn gc(&self, repo: RepoId, horizon: Horizon, watch: &mut Watch<'_>) -> Result<Collected> {
        // What a cleaning of this repo has left to do is a part of this one.
        let mut begun = Vec::new();
        for task in self.tasks()? {
            if task.work == (Work::Clean { repo }) {
                begun.push(task);
            } else {
                self.work(&task)?;
            }
        }
        let dag = self.dag()?;
        if superseded(&dag, repo, horizon)?.is_empty() && !any_cleaned(&dag, repo) {
            return Ok(Collected::default());
        }
        let (versions, task) = self.change(|change| {
            let versions = superseded(&change.dag, repo, horizon)?;
            let at = now();
            for version in &versions {
                change.batch.put(record::numbered(record::CLEANED, version.id.0), at.to_be_bytes().to_vec());
            }
            mark(&mut change.dag, &versions, at);
            for task in &begun {
                change.batch.delete(task.key());
            }
            Ok((versions, change.begin(Work::Clean { repo })?))
        })?;
        let instances = self.clean(&self.dag()?, repo, Some(&task), watch)?;
        self.done(&task)?;
        Ok(Collected { versions, instances })
    }

    /// Removes what no readable version needs, or without a task counts it.
    pub(super) fn clean(
        &self,
        dag: &VersionDag,
        repo: RepoId,
        task: Option<&Task>,
        watch: &mut Watch<'_>,
    ) -> Result<Vec<Shed>> {
        let mut cleaner = Cleaner { needs: Needs::new(dag, repo), entries: Vec::new(), sizes: Vec::new() };
        let mut swept = Swept::default();
        let mut instances = Vec::new();
        for Instance { id, name, .. } in
            dag.instances().filter(|instance| instance.repo == repo && instance.versioned)
        {
            let before = swept;
            let guards = task.map(|task| [task.key(), record::numbered(record::INSTANCE, id.0)]);
            let guards = guards.as_ref().map(<[_; 2]>::as_slice);
            self.pass(*id, guards, &mut cleaner, &mut swept, watch)?;
            instances.push(Shed {
                instance: *id,
                name: name.clone(),
                entries: swept.entries - before.entries,
                bytes: swept.bytes - before.bytes,
            });
        }
        Ok(instances)
    }
}

/// The versions of a repo that are readable, and wouldn't be behind this horizon.
fn superseded(dag: &VersionDag, repo: RepoId, horizon: Horizon) -> Result<Vec<Version>> {
    dag.repo(repo)?;
    let mut kept: BTreeSet<VersionId> = dag
        .heads(repo)
        .into_iter()
        .filter(|(branch, _)| !dag.is_hidden(repo, branch))
        .map(|(_, head)| head.id)
        .collect();
    kept.extend(dag.tags().filter(|tag| tag.repo == repo).map(|tag| tag.version));
    let readable = || dag.versions().filter(|version| version.repo == repo && version.cleaned.is_none());
    kept.extend(readable().filter(|version| version.committed.is_none()).map(|version| version.id));
    match horizon {
        Horizon::Since(moment) => {
            let recent = readable().filter(|version| version.committed.is_some_and(|at| at >= moment));
            kept.extend(recent.map(|version| version.id));
        }
        Horizon::Reachable => {
            let mut todo: Vec<VersionId> = kept.iter().copied().collect();
            while let Some(id) = todo.pop() {
                todo.extend(dag.version(id)?.parents.iter().filter(|parent| kept.insert(**parent)));
            }
        }
    }
    if !readable().any(|version| kept.contains(&version.id)) {
        return Err(Error::new(
            ErrorKind::InvalidArgument,
            "every branch is hidden, so no version would stay readable",
        ));
    }
    Ok(readable().filter(|version| !kept.contains(&version.id)).cloned().collect())
}

fn any_cleaned(dag: &VersionDag, repo: RepoId) -> bool {
    dag.versions().any(|version| version.repo == repo && version.cleaned.is_some())
}

pub(super) fn mark(dag: &mut VersionDag, versions: &[Version], at: u64) {
    for version in versions {
        dag.replace_version(Version { cleaned: Some(at), ..version.clone() });
    }
}

struct Cleaner {
    needs: Needs,
    /// The entries of the key at hand.
    entries: Vec<(VersionId, Mark)>,
    /// … and what each would save.
    sizes: Vec<(Suffix, u64)>,
}

impl Sweep for Cleaner {
    fn offer(&mut self, suffix: Suffix, key_bytes: usize, value: Value<'_>) -> Result<()> {
        // A value's length may cost a read, and only what is cleaned away is counted.
        let value_bytes = match value.ready_len() {
            Some(length) => length,
            None if self.needs.is_cleaned(suffix.version) => value.bytes()?.len(),
            None => 0,
        };
        self.entries.push((suffix.version, suffix.mark));
        self.sizes.push((suffix, u64::try_from(key_bytes + value_bytes).unwrap_or(u64::MAX)));
        Ok(())
    }

    fn end(&mut self, group: &[u8], pieces: &mut Vec<Piece>) -> Result<()> {
        let goes = self.needs.superfluous(&self.entries)?;
        self.entries.clear();
        let mut going: Vec<_> =
            self.sizes.drain(..).zip(goes).filter(|(_, goes)| *goes).map(|(size, _)| size).collect();
        // Values before tombstones: a batch that ends between them leaves no value without what hides it.
        going.sort_by_key(|(suffix, _)| suffix.mark);
        for (suffix, bytes) in going {
            let mut piece = Piece { entries: 1, bytes, ..Piece::default() };
            piece.batch.delete(entry_key(group, suffix));
            pieces.push(piece);
        }
        Ok(())
    }
}
