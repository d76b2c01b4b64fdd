//! Which entries of a key the readable versions need, without any I/O.
//!
//! A version needs an entry that is left to it by the read rule: one that it sees, and that has no other at a
//! descendant which it also sees. A reader of [`MergePolicy::FirstParent`](super::MergePolicy) sees less, so
//! it may need an entry that is hidden from the others, and both are looked at. An open version needs what
//! its ancestors leave to it even where it has an entry of its own, which can still be taken back.
//!
//! Only versions with a parent that can't be read have to be asked. A path from where an entry was written,
//! at a version that can't be read, to a readable version that needs it has a first readable version, and that
//! one needs it too: it sees no more.

use std::collections::{HashMap, HashSet};

use super::dag::{Version, VersionDag};
use crate::key::{Mark, RepoId, VersionId};
use crate::spi::Result;

/// What decides over the entries of each key of a repo.
#[derive(Debug)]
pub(super) struct Needs {
    dag: VersionDag,
    /// Readable versions with a parent that can't be read.
    frontier: Vec<VersionId>,
    /// … whose first parent is one; none where no version has several parents, for the two are the same then.
    first_frontier: Vec<VersionId>,
    lines: Lines,
    cleaned: HashSet<VersionId>,
    open: HashSet<VersionId>,
}

impl Needs {
    /// Of a repo, where the versions that are marked as cleaned can't be read.
    pub(super) fn new(dag: &VersionDag, repo: RepoId) -> Self {
        let versions = || dag.versions().filter(|version| version.repo == repo);
        let ids = |of: &dyn Fn(&Version) -> bool| -> HashSet<VersionId> {
            versions().filter(|version| of(version)).map(|version| version.id).collect()
        };
        let cleaned = ids(&|version| version.cleaned.is_some());
        let open = ids(&|version| version.committed.is_none());
        let merges = versions().any(|version| version.parents.len() > 1);
        let readable = || versions().filter(|version| version.cleaned.is_none());
        let frontier = readable()
            .filter(|version| version.parents.iter().any(|parent| cleaned.contains(parent)))
            .map(|version| version.id)
            .collect();
        let first_frontier = readable()
            .filter(|version| merges && version.parents.first().is_some_and(|first| cleaned.contains(first)))
            .map(|version| version.id)
            .collect();
        let lines = Lines::new(versions());
        Self { dag: dag.clone(), frontier, first_frontier, lines, cleaned, open }
    }

    /// Whether a version's data may be cleaned away.
    pub(super) fn is_cleaned(&self, version: VersionId) -> bool {
        self.cleaned.contains(&version)
    }

    /// Which of a key's entries may go; those at versions that aren't of the repo stay.
    ///
    /// Where no value stays, there is nothing that a tombstone could hide, and those go too, but for those at
    /// open versions: only a version's writer takes back what it wrote there.
    pub(super) fn superfluous(&self, entries: &[(VersionId, Mark)]) -> Result<Vec<bool>> {
        let mut goes: Vec<bool> = entries.iter().map(|(version, _)| self.is_cleaned(*version)).collect();
        if goes.contains(&true) {
            for &reader in &self.frontier {
                for at in self.left_to(reader, entries)? {
                    goes[at] = false;
                }
            }
            for &reader in &self.first_frontier {
                if let Some(at) = self.left_on_line(reader, entries) {
                    goes[at] = false;
                }
            }
        }
        let value_stays = entries.iter().zip(&goes).any(|((_, mark), goes)| *mark == Mark::Data && !goes);
        if !value_stays {
            for ((version, _), goes) in entries.iter().zip(&mut goes) {
                *goes |= self.lines.has(*version) && !self.open.contains(version);
            }
        }
        Ok(goes)
    }

    /// The entries that the read rule leaves to a reader, through all parents.
    fn left_to(&self, reader: VersionId, entries: &[(VersionId, Mark)]) -> Result<Vec<usize>> {
        let mut leading: Vec<usize> = Vec::new();
        'entries: for (at, (version, _)) in entries.iter().enumerate() {
            let counts = self.lines.has(*version) && self.counts(*version, reader);
            if !counts || !self.dag.is_ancestor(*version, reader)? {
                continue;
            }
            for &leader in &leading {
                if self.dag.is_ancestor(*version, entries[leader].0)? {
                    continue 'entries;
                }
            }
            let mut kept = Vec::with_capacity(leading.len() + 1);
            for leader in leading {
                if !self.dag.is_ancestor(entries[leader].0, *version)? {
                    kept.push(leader);
                }
            }
            leading = kept;
            leading.push(at);
        }
        Ok(leading)
    }

    /// The entry that is left to a reader through first parents: the newest on their line.
    fn left_on_line(&self, reader: VersionId, entries: &[(VersionId, Mark)]) -> Option<usize> {
        let seen = entries.iter().enumerate().filter(|(_, (version, _))| {
            self.counts(*version, reader) && self.lines.leads_to(*version, reader)
        });
        seen.max_by_key(|(_, (version, _))| self.lines.entered(*version)).map(|(at, _)| at)
    }

    fn counts(&self, version: VersionId, reader: VersionId) -> bool {
        version != reader || !self.open.contains(&reader)
    }
}

/// The tree of first parents, walked once: a version's descendants in it have the numbers that were given
/// between when it was entered and when it was left.
#[derive(Debug, Default)]
struct Lines(HashMap<VersionId, (usize, usize)>);

impl Lines {
    fn new<'a>(versions: impl Iterator<Item = &'a Version>) -> Self {
        let mut children: HashMap<Option<VersionId>, Vec<VersionId>> = HashMap::new();
        for version in versions {
            children.entry(version.parents.first().copied()).or_default().push(version.id);
        }
        let mut lines = Self::default();
        let mut todo: Vec<(VersionId, bool)> =
            children.remove(&None).unwrap_or_default().into_iter().map(|root| (root, false)).collect();
        while let Some((id, walked)) = todo.pop() {
            let entered = lines.0.len();
            if walked {
                if let Some((_, left)) = lines.0.get_mut(&id) {
                    *left = entered;
                }
                continue;
            }
            lines.0.insert(id, (entered, entered));
            todo.push((id, true));
            todo.extend(children.remove(&Some(id)).unwrap_or_default().into_iter().map(|id| (id, false)));
        }
        lines
    }

    fn has(&self, version: VersionId) -> bool {
        self.0.contains_key(&version)
    }

    fn entered(&self, version: VersionId) -> Option<usize> {
        self.0.get(&version).map(|(entered, _)| *entered)
    }

    fn leads_to(&self, version: VersionId, reader: VersionId) -> bool {
        match (self.0.get(&version), self.entered(reader)) {
            (Some((entered, left)), Some(reader)) => (*entered..*left).contains(&reader),
            _ => false,
        }
    }
}
