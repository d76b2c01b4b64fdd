//! Playing a history on a store with versions and on the rule as it reads.

use std::ops::Bound;

use bytes::Bytes;
use engine_api::key::{DataContext, InstanceId, TKey, VersionId};
use engine_api::layers::Relaxed;
use engine_api::version::{
    Batcher as _, Choice, Flow, NewInstance, OrderedKeyValue as _, Resolved, Versioned,
};
use engine_api::{ErrorKind, Fetch, KeyRange, OpenMode, Persistence, Store};

use super::VersionAction;
use super::dag::Dag;
use crate::checks::check_refused;
use crate::context::{Place, scratch};
use crate::model::Parted;
use crate::model::interned::literal;
use crate::oracle::Oracle;
use crate::target::{Options, Target};
use crate::verdict::{Halt, Verdict, check, check_eq};

/// Plays a history on a fresh store of the target and on the read rule as it is written down; it is what the
/// test of a failed random case calls.
///
/// # Errors
/// Where the two part, and how.
pub fn replay_versions(target: &Target, program: &[VersionAction]) -> Result<(), String> {
    let dir = scratch(&Options::new()).map_err(|error| format!("no directory for a store: {error}"))?;
    let place = Place::new(target, dir.path()).map_err(|error| format!("no place for a store: {error:?}"))?;
    at_place(&place, program).map_err(|parted| parted.message)?;
    place.destroy().map_err(|error| format!("the store can't be destroyed: {error:?}"))
}

pub(super) fn at_place(place: &Place, program: &[VersionAction]) -> Result<(), Parted> {
    let mut player = Player::new(place).map_err(|halt| Parted::beside(0, halt))?;
    for (at, action) in program.iter().enumerate() {
        player.play(*action).map_err(|halt| Parted::at(at, action, halt))?;
    }
    player.everything().map_err(|halt| Parted::beside(program.len(), halt))
}

struct Player<'p> {
    place: &'p Place,
    /// Absent while it is opened again.
    store: Option<Versioned<Relaxed<Box<dyn Store>>>>,
    instance: InstanceId,
    versions: Vec<VersionId>,
    dag: Dag,
    oracle: Oracle,
    /// How many branches were named.
    branches: usize,
}

impl<'p> Player<'p> {
    fn new(place: &'p Place) -> Verdict<Self> {
        let store = Versioned::create(Relaxed(place.open()?))?;
        let repo = store.create_repo("model", None)?;
        let instance = store.create_instance(repo.id, &NewInstance::new("notes", "keyvalue"))?.id;
        let mut oracle = Oracle::default();
        oracle.add_version(repo.root, &[]);
        let versions = vec![repo.root];
        Ok(Self { place, store: Some(store), instance, versions, dag: Dag::default(), oracle, branches: 0 })
    }

    fn store(&self) -> Verdict<&Versioned<Relaxed<Box<dyn Store>>>> {
        self.store.as_ref().ok_or_else(|| Halt::failed("the store couldn't be opened again"))
    }

    /// The version of a number that was found to be there.
    fn version(&self, node: usize) -> VersionId {
        self.versions[node - 1]
    }

    fn versions(&self, nodes: &[usize]) -> Vec<VersionId> {
        nodes.iter().map(|node| self.version(*node)).collect()
    }

    fn at(&self, node: usize) -> DataContext {
        DataContext::versioned(self.instance, self.version(node))
    }

    fn play(&mut self, action: VersionAction) -> Verdict {
        check!(self.dag.has_versions_of(&action), "it names a version that isn't there");
        let refusal = self.dag.refusal(&action);
        match action {
            VersionAction::Get(node, key) => return self.key(node, key),
            VersionAction::Range(node, low, high) => return self.range(node, (low, high)),
            VersionAction::Conflicts(nodes) => return self.conflicts(nodes),
            VersionAction::Reopen => return self.reopen(),
            VersionAction::Resolve(node, key, side) if refusal.is_none() => {
                return self.resolve(node, key, side);
            }
            _ => {}
        }
        let answer = self.write(action)?;
        match refusal {
            Some(kind) => check_refused(answer, kind, "what the versions don't allow"),
            None => {
                let done = answer?;
                self.dag.apply(&action);
                self.follow(action, done)
            }
        }
    }

    /// Does what changes something to the store.
    fn write(&mut self, action: VersionAction) -> Verdict<engine_api::Result<Done>> {
        self.branches += 1;
        let branch = format!("branch-{}", self.branches);
        let store = self.store()?;
        let tkey = |key: &[u8]| TKey::from(key);
        let nothing = |answer: engine_api::Result<()>| answer.map(|()| Done::Nothing);
        Ok(match action {
            VersionAction::Put(node, key, value) => {
                nothing(store.put(&self.at(node), &tkey(key), Bytes::from_static(value)))
            }
            VersionAction::Delete(node, key) => nothing(store.delete(&self.at(node), &tkey(key))),
            VersionAction::DeleteRange(node, low, high) => {
                let range = KeyRange::new::<&[u8]>((low, high));
                store.delete_range(&self.at(node), &range).map(Done::Counted)
            }
            VersionAction::Batch(node, edits) => {
                nothing(store.batch(&self.at(node)).and_then(|mut batch| {
                    for (key, value) in edits {
                        match value {
                            Some(value) => batch.put(&tkey(key), Bytes::from_static(value)),
                            None => batch.delete(&tkey(key)),
                        }
                    }
                    batch.commit()
                }))
            }
            VersionAction::Resolve(node, key, side) => {
                let choice = Choice::Version(self.version(side));
                nothing(store.resolve_conflict(&self.at(node), &tkey(key), choice))
            }
            VersionAction::Commit(node) => {
                store.commit_version(self.version(node), "").map(|_| Done::Nothing)
            }
            VersionAction::NewVersion(node) => {
                store.new_version(self.version(node), None).map(|made| Done::Made(made.id))
            }
            VersionAction::Branch(node) => {
                store.new_version(self.version(node), Some(&branch)).map(|made| Done::Made(made.id))
            }
            VersionAction::Merge(nodes) => {
                store.merge(&self.versions(nodes), Some(&branch)).map(|made| Done::Made(made.id))
            }
            VersionAction::Get(..)
            | VersionAction::Range(..)
            | VersionAction::Conflicts(_)
            | VersionAction::Reopen => Ok(Done::Nothing),
        })
    }

    /// Does to the oracle what was done to the store.
    fn follow(&mut self, action: VersionAction, done: Done) -> Verdict {
        match (action, done) {
            (VersionAction::Put(node, key, value), _) => {
                self.oracle.write(key, self.version(node), Some(Bytes::from_static(value)));
            }
            (VersionAction::Delete(node, key), _) => self.oracle.write(key, self.version(node), None),
            (VersionAction::Batch(node, edits), _) => {
                for (key, value) in edits {
                    self.oracle.write(key, self.version(node), value.map(Bytes::from_static));
                }
            }
            (VersionAction::DeleteRange(node, low, high), Done::Counted(count)) => {
                let visible = self.visible(self.version(node), (low, high));
                check_eq!(count, visible.len() as u64, "the keys that the range delete deletes");
                for (key, _) in visible {
                    self.oracle.write(key.as_bytes(), self.version(node), None);
                }
            }
            (VersionAction::NewVersion(node) | VersionAction::Branch(node), Done::Made(version)) => {
                self.add(version, &[node]);
            }
            (VersionAction::Merge(nodes), Done::Made(version)) => self.add(version, nodes),
            _ => {}
        }
        Ok(())
    }

    fn add(&mut self, version: VersionId, parents: &[usize]) {
        let parents = self.versions(parents);
        self.oracle.add_version(version, &parents);
        self.versions.push(version);
    }

    fn resolve(&mut self, node: usize, key: &'static [u8], side: usize) -> Verdict {
        let answer = self.write(VersionAction::Resolve(node, key, side))?;
        let at = self.version(node);
        let Resolved::Conflict { versions } = self.oracle.resolve(key, at) else {
            return check_refused(answer, ErrorKind::NotFound, "a key that isn't in conflict");
        };
        let line = self.oracle.line(self.version(side));
        let seen: Vec<_> = versions.into_iter().filter(|version| line.contains(version)).collect();
        let [seen] = seen[..] else {
            return check_refused(
                answer,
                ErrorKind::InvalidArgument,
                "a version that sees no side or several",
            );
        };
        answer?;
        let value = self.oracle.written(key, seen);
        self.oracle.write(key, at, value);
        Ok(())
    }

    fn key(&self, node: usize, key: &[u8]) -> Verdict {
        let (store, at, tkey) = (self.store()?, self.at(node), TKey::from(key));
        let expected = self.oracle.resolve(key, self.version(node));
        let what = format!("{} at version {node}", literal(key));
        check_eq!(store.resolve(&at, &tkey)?, expected, "{what}");
        let value = store.get(&at, &tkey);
        if let Resolved::Conflict { .. } = expected {
            return check_refused(value, ErrorKind::Conflict, &what);
        }
        check_eq!(store.exists(&at, &tkey)?, expected.is_visible(), "whether there is {what}");
        check_eq!(value?, expected.into_value()?, "the value of {what}");
        Ok(())
    }

    /// The keys of a range that are visible at a version.
    fn visible(&self, version: VersionId, ends: (Bound<&[u8]>, Bound<&[u8]>)) -> Vec<(TKey, Resolved)> {
        let range = KeyRange::new::<&[u8]>(ends);
        self.oracle
            .keys()
            .filter(|key| range.contains(key))
            .map(|key| (key.as_ref().into(), self.oracle.resolve(key, version)))
            .filter(|(_, resolved)| resolved.is_visible())
            .collect()
    }

    fn range(&self, node: usize, ends: (Bound<&[u8]>, Bound<&[u8]>)) -> Verdict {
        let mut seen = Vec::new();
        let range = KeyRange::new::<&[u8]>(ends);
        self.store()?.visit(&self.at(node), &range, Fetch::Entries, &mut |key, resolved| {
            seen.push((key.clone(), resolved));
            Ok(Flow::Continue(()))
        })?;
        check_eq!(seen, self.visible(self.version(node), ends), "the range {range:?} at version {node}");
        Ok(())
    }

    fn conflicts(&self, nodes: &[usize]) -> Verdict {
        /// Of no version that is made.
        const MERGE: VersionId = VersionId(u32::MAX);
        let mut found = Vec::new();
        let versions = self.versions(nodes);
        self.store()?.conflicts(self.instance, &versions, &KeyRange::ALL, &mut |conflict| {
            found.push((
                conflict.tkey,
                conflict.sides.into_iter().map(|side| (side.version, side.value)).collect(),
            ));
            Ok(Flow::Continue(()))
        })?;
        let mut oracle = self.oracle.clone();
        oracle.add_version(MERGE, &versions);
        let expected: Vec<(TKey, Vec<_>)> = oracle
            .keys()
            .filter_map(|key| match oracle.resolve(key, MERGE) {
                Resolved::Conflict { versions } => {
                    let sides = versions.iter().map(|side| (*side, oracle.written(key, *side))).collect();
                    Some((key.as_ref().into(), sides))
                }
                _ => None,
            })
            .collect();
        check_eq!(found, expected, "the conflicts of {nodes:?}");
        Ok(())
    }

    fn reopen(&mut self) -> Verdict {
        let store = self.store()?;
        store.store().flush()?;
        if store.store().capabilities().persistence == Persistence::Memory {
            return Ok(());
        }
        self.store = None;
        let opened = self.place.open_in(OpenMode::Existing)?.store;
        self.store = Some(Versioned::open(Relaxed(opened))?);
        self.everything()
    }

    /// Each key, the whole range and the conflicts, at each version.
    fn everything(&self) -> Verdict {
        for node in 1..=self.versions.len() {
            for key in self.oracle.keys() {
                self.key(node, key)?;
            }
            self.range(node, (Bound::Unbounded, Bound::Unbounded))?;
            self.conflicts(&[node])?;
        }
        Ok(())
    }
}

/// What a write answered.
enum Done {
    Nothing,
    Counted(u64),
    Made(VersionId),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::drive::Program;
    use crate::model::versions::Weights;
    use crate::model::versions::machine::Histories;

    #[test]
    fn the_memory_engine_replays_a_history_of_every_action() {
        let target = Target::new(&engine_api::MEMORY, |_| "memory:".to_owned());
        let history = [
            VersionAction::Put(1, b"a", b"1"),
            VersionAction::NewVersion(1),
            VersionAction::Commit(1),
            VersionAction::Commit(1),
            VersionAction::Put(1, b"a", b"2"),
            VersionAction::NewVersion(1),
            VersionAction::NewVersion(1),
            VersionAction::Branch(1),
            VersionAction::Put(2, b"a", b"2"),
            VersionAction::Batch(3, &[(b"a", Some(b"3")), (b"b", None)]),
            VersionAction::Conflicts(&[2, 3]),
            VersionAction::Merge(&[2, 3]),
            VersionAction::Commit(2),
            VersionAction::Commit(3),
            VersionAction::Merge(&[3, 2]),
            VersionAction::Conflicts(&[4]),
            VersionAction::Get(4, b"a"),
            VersionAction::Resolve(4, b"b", 2),
            VersionAction::Resolve(4, b"a", 1),
            VersionAction::Resolve(4, b"a", 2),
            VersionAction::Range(4, Bound::Excluded(b""), Bound::Unbounded),
            VersionAction::DeleteRange(4, Bound::Unbounded, Bound::Included(b"a")),
            VersionAction::Delete(4, b"b"),
            VersionAction::Reopen,
        ];
        assert_eq!(replay_versions(&target, &history), Ok(()));
        assert_eq!(format!("{:?}", history[9]), r#"Batch(3, &[(b"a", Some(b"3")), (b"b", None)])"#);
        let unknown = replay_versions(&target, &[VersionAction::Commit(7)]);
        assert!(unknown.unwrap_err().contains("isn't there"));
    }

    #[test]
    fn histories_meet_what_they_are_for() {
        let target = Target::new(&engine_api::MEMORY, |_| "memory:".to_owned());
        let weights = Weights { keys: 2, ranges: 2, conflicts: 2 };
        let (mut merges, mut resolved, mut refused, mut conflicts, mut versions) = (0, 0, 0, 0, 0);
        for seed in 0..30 {
            let program = Program::new(Histories::new(weights, false), seed, 90).unwrap();
            let dir = scratch(&Options::new()).unwrap();
            let place = Place::new(&target, dir.path()).unwrap();
            let mut player = Player::new(&place).unwrap();
            for action in program.actions() {
                refused += usize::from(player.dag.refusal(&action).is_some());
                let in_conflict = |player: &Player<'_>| match action {
                    VersionAction::Resolve(node, key, _) => {
                        matches!(player.oracle.resolve(key, player.version(node)), Resolved::Conflict { .. })
                    }
                    _ => false,
                };
                let before = in_conflict(&player);
                player.play(action).unwrap();
                conflicts += usize::from(before);
                resolved += usize::from(before && !in_conflict(&player));
            }
            versions += player.versions.len();
            merges += program.actions().iter().filter(|made| matches!(made, VersionAction::Merge(_))).count();
        }
        let found = (merges, resolved, conflicts, refused, versions);
        assert!(merges >= 15 && resolved >= 10 && conflicts > resolved, "{found:?}");
        assert!(refused >= 60 && versions >= 120, "{found:?}");
    }
}
