//! What a version sees: itself and its ancestors, fixed once it is made.

use std::collections::HashSet;

use uuid::Uuid;

use super::dag::{Version, VersionDag};
use super::set::VersionSet;
use crate::key::VersionId;
use crate::spi::{Error, ErrorKind, Result};

/// A version and its ancestors, as the resolver asks for them. It never changes, and is shared.
#[derive(Clone, Debug)]
pub struct Ancestry {
    dag: VersionDag,
    reader: VersionId,
    /// The version and its ancestors.
    seen: VersionSet,
    /// Those of which every lower one that is seen is an ancestor.
    covering: VersionSet,
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

    /// The same for a version that this one's reader is the only parent of, without walking up from it. `None` where
    /// numbers don't ascend, which takes a walk.
    pub(super) fn child(&self, dag: &VersionDag, reader: VersionId) -> Result<Option<Self>> {
        let parents = dag.version(reader)?.parents.as_slice();
        if !self.ascending || parents != [self.reader] || reader <= self.newest() {
            return Ok(None);
        }
        Ok(Some(Self {
            dag: dag.clone(),
            reader,
            seen: self.seen.with_highest(reader),
            covering: self.covering.with_highest(reader),
            ascending: true,
        }))
    }

    /// What a merge of these versions would see.
    ///
    /// # Errors
    /// `NotFound`; `InvalidArgument` for none; `Full` when the store has handed out all of its numbers.
    pub fn of_merge(dag: &VersionDag, parents: &[VersionId]) -> Result<Self> {
        let mut dag = dag.clone();
        let Some(first) = parents.first() else {
            return Err(Error::new(ErrorKind::InvalidArgument, "a merge has parents"));
        };
        let newest = dag.versions().map(|version| version.id.0).max().unwrap_or(0);
        let id = newest
            .checked_add(1)
            .map(VersionId)
            .ok_or_else(|| Error::new(ErrorKind::Full, "the store has handed out all of its numbers"))?;
        // The merge stands in a copy of the DAG, and nothing is ever written at it.
        let merge = Version {
            id,
            uuid: Uuid::new_v4(),
            parents: parents.to_vec(),
            committed: None,
            ..dag.version(*first)?.clone()
        };
        dag.add_version(merge)?;
        Self::new(&dag, id)
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
        let mut covering = Vec::with_capacity(ids.len());
        for (lower, &id) in (0_u64..).zip(&ids) {
            // Along first parents alone, what is seen is a chain, and each version of it covers the rest.
            if ascending && (narrowed || dag.ancestor_count(id)? == lower + 1) {
                covering.push(id);
            }
        }
        let (seen, covering) = (VersionSet::of_ascending(ids), VersionSet::of_ascending(covering));
        Ok(Self { dag: dag.clone(), reader, seen, covering, ascending })
    }

    /// The version that reads.
    pub fn reader(&self) -> VersionId {
        self.reader
    }

    /// The version and its ancestors, by ascending number.
    pub fn ids(&self) -> impl Iterator<Item = VersionId> + '_ {
        self.seen.iter()
    }

    /// Whether of any two versions that are seen one comes before the other, as far as their numbers tell.
    pub(super) fn is_linear(&self) -> bool {
        self.covering == self.seen
    }

    /// Whether what was written at `version` is seen.
    #[inline]
    pub fn sees(&self, version: VersionId) -> bool {
        self.seen.contains(version)
    }

    /// Whether `version` is seen, and everything else that is seen and has a lower number comes before it:
    /// what was written there then hides all that follows in the order of entries.
    #[inline]
    pub(super) fn covers_below(&self, version: VersionId) -> bool {
        self.covering.contains(version)
    }

    /// The highest number that is seen.
    pub(super) fn newest(&self) -> VersionId {
        self.seen.last().unwrap_or(self.reader)
    }

    /// The highest number below `version` that is seen.
    pub(super) fn below(&self, version: VersionId) -> Option<VersionId> {
        self.seen.below(version)
    }

    /// Whether `ancestor` is `version` or comes before it.
    pub(super) fn precedes(&self, ancestor: VersionId, version: VersionId) -> Result<bool> {
        self.dag.is_ancestor(ancestor, version)
    }

    pub(super) fn is_ascending(&self) -> bool {
        self.ascending
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::key::RepoId;
    use crate::version::Repo;

    /// What the last of these versions sees, each of which has the one before as its parent.
    pub(in crate::version) fn line(numbers: &[u32]) -> Ancestry {
        let repo = Repo {
            id: RepoId(1),
            uuid: Uuid::from_u128(0),
            alias: "r".into(),
            root: VersionId(numbers[0]),
            created: 0,
        };
        let version = |at: usize| Version {
            id: VersionId(numbers[at]),
            uuid: Uuid::from_u128(u128::from(numbers[at])),
            repo: RepoId(1),
            parents: at.checked_sub(1).map(|before| VersionId(numbers[before])).into_iter().collect(),
            branch: numbers[at].to_string(),
            note: String::new(),
            created: 0,
            committed: Some(0),
            cleaned: None,
        };
        let dag = VersionDag::assemble(vec![repo], (0..numbers.len()).map(version).collect(), Vec::new());
        Ancestry::new(&dag.unwrap(), VersionId(numbers[numbers.len() - 1])).unwrap()
    }

    /// A DAG whose versions have these parents, by how far back they are; numbers begin at one and leave gaps.
    fn dag(parents: &[Vec<usize>]) -> VersionDag {
        let id = |place: usize| VersionId(u32::try_from(place * 3 + 1).unwrap());
        let uuid = |place: usize| Uuid::from_u128(u128::try_from(place).unwrap());
        let repo = Repo { id: RepoId(1), uuid: uuid(0), alias: "r".into(), root: id(0), created: 0 };
        let versions = (0..=parents.len()).map(|place| Version {
            id: id(place),
            uuid: uuid(place),
            repo: RepoId(1),
            parents: place.checked_sub(1).map_or(Vec::new(), |before| {
                let mut found: Vec<_> =
                    parents[before].iter().map(|back| id(before - back % place)).collect();
                found.dedup();
                found
            }),
            branch: place.to_string(),
            note: String::new(),
            created: 0,
            committed: Some(0),
            cleaned: None,
        });
        VersionDag::assemble(vec![repo], versions.collect(), Vec::new()).unwrap()
    }

    proptest! {
        #[test]
        fn a_child_sees_what_a_walk_from_it_finds(
            parents in prop::collection::vec(prop::collection::vec(0_usize..5, 1..3), 1..60)
        ) {
            let dag = dag(&parents);
            for version in dag.versions() {
                let [parent] = version.parents.as_slice() else { continue };
                for walk in [Ancestry::new, Ancestry::first_parents] {
                    let child = walk(&dag, *parent).unwrap().child(&dag, version.id).unwrap().unwrap();
                    let walked = walk(&dag, version.id).unwrap();
                    prop_assert_eq!(&child.seen, &walked.seen);
                    prop_assert_eq!(&child.covering, &walked.covering);
                    prop_assert!(child.ascending && walked.ascending);
                }
            }
        }
    }
}
