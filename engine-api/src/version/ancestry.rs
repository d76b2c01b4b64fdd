//! What a version sees: itself and its ancestors, fixed once it is made.

use std::collections::HashSet;

use super::dag::VersionDag;
use crate::key::VersionId;
use crate::spi::Result;

/// A version and its ancestors, as the resolver asks for them. It never changes, and is shared.
#[derive(Clone, Debug)]
pub struct Ancestry {
    dag: VersionDag,
    reader: VersionId,
    /// The version and its ancestors, by ascending number.
    ids: Vec<VersionId>,
    /// For each of `ids`, whether every lower one of them is an ancestor of it.
    closed: Vec<bool>,
    /// Whether every parent has a lower number than its child. Numbers are handed out that way; a history
    /// that was numbered elsewhere may differ, and is then read without taking any short cut.
    ascending: bool,
}

impl Ancestry {
    /// `reader` and its ancestors through all parents.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn new(dag: &VersionDag, reader: VersionId) -> Result<Self> {
        Self::walk(dag, reader, |parents| parents)
    }

    /// `reader` and its ancestors through the first parent of each.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn first_parents(dag: &VersionDag, reader: VersionId) -> Result<Self> {
        Self::walk(dag, reader, |parents| &parents[..parents.len().min(1)])
    }

    fn walk(dag: &VersionDag, reader: VersionId, follow: fn(&[VersionId]) -> &[VersionId]) -> Result<Self> {
        let mut seen = HashSet::from([reader]);
        let mut todo = vec![reader];
        let mut ascending = true;
        let mut narrowed = false;
        while let Some(id) = todo.pop() {
            let parents = &dag.version(id)?.parents;
            let followed = follow(parents);
            narrowed |= followed.len() < parents.len();
            for &parent in followed {
                ascending &= parent < id;
                if seen.insert(parent) {
                    todo.push(parent);
                }
            }
        }
        let mut ids: Vec<_> = seen.into_iter().collect();
        ids.sort_unstable();
        let mut closed = Vec::with_capacity(ids.len());
        for (lower, &id) in (0_u64..).zip(&ids) {
            // Along first parents alone, what is seen is a chain, and each version of it covers the rest.
            closed.push(ascending && (narrowed || dag.ancestor_count(id)? == lower + 1));
        }
        Ok(Self { dag: dag.clone(), reader, ids, closed, ascending })
    }

    /// The version that reads.
    pub fn reader(&self) -> VersionId {
        self.reader
    }

    /// The version and its ancestors, by ascending number.
    pub fn ids(&self) -> &[VersionId] {
        &self.ids
    }

    /// Whether what was written at `version` is seen.
    pub fn sees(&self, version: VersionId) -> bool {
        self.ids.binary_search(&version).is_ok()
    }

    /// Whether `version` is seen, and everything else that is seen and has a lower number comes before it:
    /// what was written there then hides all that follows in the order of entries.
    pub(super) fn covers_below(&self, version: VersionId) -> bool {
        self.ids.binary_search(&version).is_ok_and(|at| self.closed[at])
    }

    /// The highest number that is seen.
    pub(super) fn newest(&self) -> VersionId {
        self.ids.last().copied().unwrap_or(self.reader)
    }

    /// The highest number below `version` that is seen.
    pub(super) fn below(&self, version: VersionId) -> Option<VersionId> {
        let at = self.ids.partition_point(|id| *id < version);
        at.checked_sub(1).map(|at| self.ids[at])
    }

    /// Whether `ancestor` is `version` or comes before it.
    pub(super) fn precedes(&self, ancestor: VersionId, version: VersionId) -> Result<bool> {
        self.dag.is_ancestor(ancestor, version)
    }

    pub(super) fn is_ascending(&self) -> bool {
        self.ascending
    }
}
