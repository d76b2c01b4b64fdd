//! Branches, logs and assigned UUIDs, against a naive model of the DAG and under failures.
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};

use engine_api::key::{Context, DataContext, InstanceId, RepoId, TKey, VersionId};
use engine_api::layers::{Fault, Faults, Faulty};
use engine_api::version::{
    NewInstance, NewVersion, OrderedKeyValue, Repo, Resolved, Version, VersionDag, Versioned, Work,
};
use engine_api::{Bytes, ErrorKind, KeyRange, MemoryStore, Result, Store, StoreExt, Uuid, WriteBatch};
use proptest::prelude::*;
use proptest::sample::Index;

const NAMES: [&str; 5] = ["main", "a", "b", "c", "d"];
const KEYS: [&str; 3] = ["x", "xy", "z"];

fn atlas<S: Store>(store: S) -> (Versioned<S>, Repo, InstanceId) {
    let store = Versioned::create(store).unwrap();
    let repo = store.create_repo("atlas", None).unwrap();
    let instance = store.create_instance(repo.id, &NewInstance::new("kv", "keyvalue")).unwrap().id;
    (store, repo, instance)
}

/// Every entry, byte by byte.
fn dump(store: &impl Store) -> Vec<(Bytes, Bytes)> {
    store.prefix(b"").unwrap()
}

fn store_of(entries: &[(Bytes, Bytes)]) -> MemoryStore {
    let store = MemoryStore::new();
    let mut batch = WriteBatch::new();
    for (key, value) in entries {
        batch.put(key, value.clone());
    }
    store.write(&batch).unwrap();
    store
}

/// All that a DAG answers.
fn picture(dag: &VersionDag) -> String {
    let mut lines: Vec<String> = dag.repos().map(|repo| format!("{repo:?}")).collect();
    lines.extend(dag.versions().map(|version| {
        let hidden = dag.is_hidden(version.repo, &version.branch);
        format!("{version:?} {:?} hidden {hidden}", dag.children(version.id).iter().collect::<BTreeSet<_>>())
    }));
    lines.extend(dag.instances().map(|instance| format!("{instance:?}")));
    lines.extend(dag.tags().map(|tag| format!("{tag:?}")));
    lines.join("\n")
}

#[derive(Clone, Debug)]
enum Op {
    Commit(Index),
    New(Index, Option<usize>, bool),
    Merge(Index, Index, Option<usize>),
    Rename(usize, usize),
    Hide(usize, bool),
    MakeMain(usize, Option<usize>),
    Delete(usize),
    Tag(Index, usize),
    Untag(usize),
    Write(Index, usize, Option<u8>),
    Log(Index, u8),
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let name = || 0..NAMES.len();
    let version = any::<Index>;
    let op = prop_oneof![
        6 => version().prop_map(Op::Commit),
        8 => (version(), prop::option::of(name()), any::<bool>()).prop_map(|(v, n, u)| Op::New(v, n, u)),
        3 => (version(), version(), prop::option::of(name())).prop_map(|(p, q, n)| Op::Merge(p, q, n)),
        2 => (name(), name()).prop_map(|(old, new)| Op::Rename(old, new)),
        2 => (name(), any::<bool>()).prop_map(|(n, hidden)| Op::Hide(n, hidden)),
        2 => (name(), prop::option::of(name())).prop_map(|(n, former)| Op::MakeMain(n, former)),
        3 => name().prop_map(Op::Delete),
        1 => (version(), name()).prop_map(|(v, n)| Op::Tag(v, n)),
        1 => name().prop_map(Op::Untag),
        6 => (version(), 0..KEYS.len(), any::<Option<u8>>()).prop_map(|(v, k, e)| Op::Write(v, k, e)),
        1 => (version(), any::<u8>()).prop_map(|(v, text)| Op::Log(v, text)),
    ];
    prop::collection::vec(op, 1..50)
}

#[derive(Clone, Debug)]
struct Node {
    uuid: Uuid,
    parents: Vec<VersionId>,
    branch: String,
    committed: bool,
}

/// The DAG, as plainly as can be.
#[derive(Debug, Default)]
struct Model {
    versions: BTreeMap<VersionId, Node>,
    tags: BTreeMap<String, VersionId>,
    hidden: BTreeSet<String>,
    entries: BTreeMap<(usize, VersionId), Option<u8>>,
    logs: BTreeMap<VersionId, Vec<String>>,
    /// Numbers and UUIDs that were ever given.
    used: BTreeSet<VersionId>,
}

impl Model {
    fn pick(&self, index: Index) -> VersionId {
        *index.get(&self.versions.keys().copied().collect::<Vec<_>>())
    }

    fn branch(&self, name: &str) -> BTreeSet<VersionId> {
        self.versions.iter().filter(|(_, node)| node.branch == name).map(|(id, _)| *id).collect()
    }

    fn is_taken(&self, name: &str) -> bool {
        !self.branch(name).is_empty() || self.tags.contains_key(name)
    }

    fn children(&self, id: VersionId) -> impl Iterator<Item = (&VersionId, &Node)> {
        self.versions.iter().filter(move |(_, node)| node.parents.contains(&id))
    }

    fn ancestors(&self, id: VersionId) -> BTreeSet<VersionId> {
        let mut seen = BTreeSet::from([id]);
        for parent in &self.versions[&id].parents {
            seen.extend(self.ancestors(*parent));
        }
        seen
    }

    fn head(&self, name: &str) -> VersionId {
        let branch = self.branch(name);
        *branch.iter().find(|id| !self.children(**id).any(|(_, child)| child.branch == name)).unwrap()
    }

    fn relabel(&mut self, names: &[(&str, &str)]) {
        let new =
            |name: &str| names.iter().find(|(old, _)| *old == name).map_or(name, |(_, new)| *new).to_owned();
        for node in self.versions.values_mut() {
            node.branch = new(&node.branch);
        }
        self.hidden = self.hidden.iter().map(|name| new(name)).collect();
    }

    /// What a key is at a version, by the rule.
    fn resolve(&self, key: usize, reader: VersionId) -> Option<Result<u8, BTreeSet<VersionId>>> {
        let seen = self.ancestors(reader);
        let visible: BTreeMap<VersionId, Option<u8>> = self
            .entries
            .iter()
            .filter(|((of, version), _)| *of == key && seen.contains(version))
            .map(|((_, version), entry)| (*version, *entry))
            .collect();
        let live: Vec<_> = visible
            .iter()
            .filter(|(v, _)| !visible.keys().any(|other| other != *v && self.ancestors(*other).contains(v)))
            .filter_map(|(version, entry)| Some((*version, (*entry)?)))
            .collect();
        match live.as_slice() {
            [] => None,
            [(_, value)] => Some(Ok(*value)),
            several => Some(Err(several.iter().map(|(version, _)| *version).collect())),
        }
    }

    fn start(&mut self, version: &Version) {
        assert!(self.used.insert(version.id), "a number was given twice");
        assert!(self.versions.values().all(|node| node.uuid != version.uuid), "a UUID was given twice");
        let node = Node {
            uuid: version.uuid,
            parents: version.parents.clone(),
            branch: version.branch.clone(),
            committed: false,
        };
        self.versions.insert(version.id, node);
    }

    /// The branch of a version that is made from these.
    fn next(&self, parents: &[VersionId], branch: Option<&str>) -> Result<String, ErrorKind> {
        if parents.iter().any(|id| !self.versions[id].committed) {
            return Err(ErrorKind::InvalidArgument);
        }
        let own = &self.versions[&parents[0]].branch;
        match branch {
            Some(new) if new != own => {
                if self.is_taken(new) {
                    Err(ErrorKind::AlreadyExists)
                } else {
                    Ok(new.to_owned())
                }
            }
            _ if self.children(parents[0]).any(|(_, child)| child.branch == *own) => {
                Err(ErrorKind::AlreadyExists)
            }
            _ => Ok(own.clone()),
        }
    }

    fn rename(&mut self, old: &str, new: &str) -> Result<(), ErrorKind> {
        if self.branch(old).is_empty() {
            return Err(ErrorKind::NotFound);
        }
        if self.is_taken(new) {
            return Err(ErrorKind::AlreadyExists);
        }
        self.relabel(&[(old, new)]);
        Ok(())
    }

    fn make_main(&mut self, name: &str, former: Option<&str>) -> Result<(), ErrorKind> {
        if self.branch(name).is_empty() {
            return Err(ErrorKind::NotFound);
        }
        if name == "main" {
            return Err(ErrorKind::InvalidArgument);
        }
        if self.branch("main").is_empty() {
            return if former.is_some() {
                Err(ErrorKind::InvalidArgument)
            } else {
                self.rename(name, "main")
            };
        }
        let former = former.unwrap_or(name);
        if former == "main" {
            return Err(ErrorKind::InvalidArgument);
        }
        if former != name && self.is_taken(former) {
            return Err(ErrorKind::AlreadyExists);
        }
        self.relabel(&[(name, "main"), ("main", former)]);
        Ok(())
    }

    fn delete(&mut self, name: &str, root: VersionId) -> Result<(), ErrorKind> {
        let doomed = self.branch(name);
        if doomed.is_empty() {
            return Err(ErrorKind::NotFound);
        }
        let outside = |id: &VersionId| self.children(*id).any(|(child, _)| !doomed.contains(child));
        let tagged = self.tags.values().any(|id| doomed.contains(id));
        if doomed.contains(&root) || tagged || doomed.iter().any(outside) {
            return Err(ErrorKind::InvalidArgument);
        }
        self.versions.retain(|id, _| !doomed.contains(id));
        self.entries.retain(|(_, id), _| !doomed.contains(id));
        self.logs.retain(|id, _| !doomed.contains(id));
        self.hidden.remove(name);
        Ok(())
    }
}

fn kind<T>(outcome: Result<T>) -> Result<(), ErrorKind> {
    outcome.map(drop).map_err(|error| error.kind())
}

/// Does the same to the store and to the model, and compares the outcomes.
fn apply<S: Store>(store: &Versioned<S>, repo: &Repo, instance: InstanceId, model: &mut Model, op: &Op) {
    let started = |model: &mut Model, made: Result<Version>, expected: Result<String, ErrorKind>| match made {
        Ok(version) => {
            assert_eq!(Ok(&version.branch), expected.as_ref());
            model.start(&version);
        }
        Err(error) => assert_eq!(Err(error.kind()), expected),
    };
    match op {
        Op::Commit(index) => {
            let id = model.pick(*index);
            let node = model.versions.get_mut(&id).unwrap();
            let expected = if node.committed { Err(ErrorKind::ReadOnly) } else { Ok(()) };
            node.committed = true;
            assert_eq!(kind(store.commit_version(id, "")), expected);
        }
        Op::New(index, branch, assigned) => {
            let (parent, branch) = (model.pick(*index), branch.map(|at| NAMES[at]));
            let expected = model.next(&[parent], branch);
            let uuid = assigned.then(Uuid::new_v4);
            let mut new = NewVersion::new().note("why");
            new = branch.into_iter().fold(new, NewVersion::branch);
            new = uuid.into_iter().fold(new, NewVersion::uuid);
            let made = store.new_version_with(parent, &new);
            if let (Ok(version), Some(uuid)) = (&made, uuid) {
                assert_eq!((version.uuid, version.note.as_str()), (uuid, "why"));
            }
            started(model, made, expected);
        }
        Op::Merge(first, second, branch) => {
            let (parents, branch) = ([model.pick(*first), model.pick(*second)], branch.map(|at| NAMES[at]));
            let expected = if parents[0] == parents[1] {
                Err(ErrorKind::InvalidArgument)
            } else {
                model.next(&parents, branch)
            };
            started(model, store.merge(&parents, branch), expected);
        }
        Op::Rename(old, new) => {
            let outcome = kind(store.rename_branch(repo.id, NAMES[*old], NAMES[*new]));
            assert_eq!(outcome, model.rename(NAMES[*old], NAMES[*new]));
        }
        Op::Hide(name, hidden) => {
            let name = NAMES[*name];
            let outcome =
                if *hidden { store.hide_branch(repo.id, name) } else { store.show_branch(repo.id, name) };
            let there = !model.branch(name).is_empty();
            assert_eq!(kind(outcome), if there { Ok(()) } else { Err(ErrorKind::NotFound) });
            model.hidden.remove(name);
            if there && *hidden {
                model.hidden.insert(name.to_owned());
            }
        }
        Op::MakeMain(name, former) => {
            let (name, former) = (NAMES[*name], former.map(|at| NAMES[at]));
            assert_eq!(kind(store.make_main(repo.id, name, former)), model.make_main(name, former));
        }
        Op::Delete(name) => {
            let doomed = model.branch(NAMES[*name]);
            let deleted = store.delete_branch(repo.id, NAMES[*name]);
            if let Ok(versions) = &deleted {
                assert_eq!(versions.iter().map(|version| version.id).collect::<BTreeSet<_>>(), doomed);
            }
            assert_eq!(kind(deleted), model.delete(NAMES[*name], repo.root));
        }
        Op::Tag(index, name) => {
            let (id, name) = (model.pick(*index), NAMES[*name]);
            let expected = if model.is_taken(name) { Err(ErrorKind::AlreadyExists) } else { Ok(()) };
            assert_eq!(kind(store.tag(id, name, "")), expected);
            if expected.is_ok() {
                model.tags.insert(name.to_owned(), id);
            }
        }
        Op::Untag(name) => {
            let expected = model.tags.remove(NAMES[*name]).map(drop).ok_or(ErrorKind::NotFound);
            assert_eq!(kind(store.untag(repo.id, NAMES[*name])), expected);
        }
        Op::Write(index, key, entry) => {
            let id = model.pick(*index);
            let (ctx, tkey) = (DataContext::versioned(instance, id), TKey::from(KEYS[*key]));
            let outcome = match entry {
                Some(byte) => store.put(&ctx, &tkey, vec![*byte].into()),
                None => store.delete(&ctx, &tkey),
            };
            if model.versions[&id].committed {
                assert_eq!(kind(outcome), Err(ErrorKind::ReadOnly));
            } else {
                outcome.unwrap();
                model.entries.insert((*key, id), *entry);
            }
        }
        Op::Log(index, text) => {
            let id = model.pick(*index);
            store.log_version(id, &format!("line {text}")).unwrap();
            model.logs.entry(id).or_default().push(format!("line {text}"));
        }
    }
}

fn compare<S: Store>(store: &Versioned<S>, repo: RepoId, instance: InstanceId, model: &Model) {
    let dag = store.dag().unwrap();
    let ids: Vec<_> = dag.versions().map(|version| version.id).collect();
    assert_eq!(ids, model.versions.keys().copied().collect::<Vec<_>>());
    let branches: BTreeSet<&str> = model.versions.values().map(|node| node.branch.as_str()).collect();
    let heads = dag.heads(repo);
    assert_eq!(heads.keys().copied().collect::<BTreeSet<_>>(), branches);
    for name in branches {
        let head = model.head(name);
        assert_eq!(heads[name].id, head);
        assert_eq!(dag.find(name).unwrap().id, head);
        assert_eq!(dag.is_hidden(repo, name), model.hidden.contains(name));
        let mut back = head;
        for steps in 1.. {
            let Some(parent) = model.versions[&back].parents.first() else { break };
            back = *parent;
            assert_eq!(dag.find(&format!("{name}~{steps}")).unwrap().id, back);
        }
    }
    let tags: BTreeMap<_, _> = dag.tags().map(|tag| (tag.name.clone(), tag.version)).collect();
    assert_eq!(tags, model.tags);
    for (id, node) in &model.versions {
        let version = dag.version(*id).unwrap();
        assert_eq!(
            (version.uuid, &version.parents, &version.branch, version.committed.is_some()),
            (node.uuid, &node.parents, &node.branch, node.committed)
        );
        assert_eq!(dag.find(&version.uuid.simple().to_string()[..16]).unwrap().id, *id);
        let children: BTreeSet<_> = dag.children(*id).iter().copied().collect();
        assert_eq!(children, model.children(*id).map(|(child, _)| *child).collect());
        let seen = model.ancestors(*id);
        for other in model.versions.keys() {
            assert_eq!(dag.is_ancestor(*other, *id).unwrap(), seen.contains(other));
        }
        let lines: Vec<_> = store.log_of(*id).unwrap().into_iter().map(|line| line.text).collect();
        assert_eq!(lines, model.logs.get(id).cloned().unwrap_or_default());
        for (at, key) in KEYS.iter().enumerate() {
            let found = store.resolve(&DataContext::versioned(instance, *id), &TKey::from(*key)).unwrap();
            let found = match found {
                Resolved::Found { value, .. } => Some(Ok(value[0])),
                Resolved::Conflict { versions } => Some(Err(versions.into_iter().collect())),
                Resolved::Deleted { .. } | Resolved::Absent => None,
            };
            assert_eq!(found, model.resolve(at, *id), "{key} at {id}");
        }
    }
    let entries = store.store().count(&DataContext::unversioned(instance).key_range()).unwrap();
    assert_eq!(entries, u64::try_from(model.entries.len()).unwrap(), "nothing is left of what was deleted");
    assert_eq!(store.unfinished().unwrap(), []);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_history_of_operations_is_what_a_naive_dag_makes_of_it(ops in ops()) {
        let shared = Arc::new(MemoryStore::new());
        let (mut store, repo, instance) = atlas(Arc::clone(&shared));
        let mut model = Model::default();
        model.start(store.dag().unwrap().version(repo.root).unwrap());
        for op in &ops {
            apply(&store, &repo, instance, &mut model, op);
            let again = Versioned::open(Arc::clone(&shared)).unwrap();
            prop_assert_eq!(picture(&store.dag().unwrap()), picture(&again.dag().unwrap()));
            store = again;
            compare(&store, repo.id, instance, &model);
        }
    }
}

#[test]
fn a_refusal_names_what_stands_on_the_branch() {
    let (store, repo, _) = atlas(MemoryStore::new());
    store.commit_version(repo.root, "").unwrap();
    let main = store.new_version(repo.root, None).unwrap();
    let side = store.new_version(repo.root, Some("side")).unwrap();
    for id in [main.id, side.id] {
        store.commit_version(id, "").unwrap();
    }
    let merged = store.merge(&[main.id, side.id], None).unwrap();
    store.tag(side.id, "v1", "").unwrap();
    let refused = store.delete_branch(repo.id, "side").unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::InvalidArgument);
    assert_eq!(
        refused.field("dependents").unwrap(),
        format!("tag v1, branch main from {}", merged.uuid.simple())
    );
    let root = store.delete_branch(repo.id, "main").unwrap_err();
    assert_eq!(
        (root.kind(), root.message()),
        (ErrorKind::InvalidArgument, "the branch has the repo's root, so it can't be deleted")
    );
    let missing = store.delete_branch(repo.id, "nosuch").unwrap_err();
    assert_eq!((missing.kind(), missing.field("branches")), (ErrorKind::NotFound, Some("main, side")));
    assert_eq!(store.dag().unwrap().versions().count(), 4);
}

#[test]
fn the_main_branch_changes_places_and_back() {
    let (store, repo, _) = atlas(MemoryStore::new());
    store.commit_version(repo.root, "").unwrap();
    let side = store.new_version(repo.root, Some("side")).unwrap();
    store.hide_branch(repo.id, "side").unwrap();
    let before = picture(&store.dag().unwrap());
    store.make_main(repo.id, "side", None).unwrap();
    let dag = store.dag().unwrap();
    assert_eq!((dag.find("main").unwrap().id, dag.find("side").unwrap().id), (side.id, repo.root));
    assert_eq!(dag.find("main~").unwrap().id, repo.root, "only names have changed");
    assert!(
        dag.is_hidden(repo.id, "main") && !dag.is_hidden(repo.id, "side"),
        "the mark stays with its branch"
    );
    assert_eq!(dag.main_branch(repo.id).unwrap(), "main");
    store.make_main(repo.id, "side", None).unwrap();
    assert_eq!(picture(&store.dag().unwrap()), before);
    store.make_main(repo.id, "side", Some("old")).unwrap();
    assert_eq!(store.find("old").unwrap().id, repo.root);
    store.delete_branch(repo.id, "main").unwrap();
    assert_eq!(store.dag().unwrap().main_branch(repo.id).unwrap(), "old", "the root's, where none is `main`");
}

/// A store with a branch whose data takes several batches to remove, and an instance that it must not touch.
fn with_a_large_branch() -> (Vec<(Bytes, Bytes)>, Repo) {
    const KEYS: u32 = 6_000;
    let shared = Arc::new(MemoryStore::new());
    let (store, repo, first) = atlas(Arc::clone(&shared));
    let second = store.create_instance(repo.id, &NewInstance::new("other", "keyvalue")).unwrap().id;
    let plain = NewInstance::new("plain", "keyvalue").unversioned();
    let plain = store.create_instance(repo.id, &plain).unwrap().id;
    let fill = |ctx: &DataContext| {
        let entries: Vec<_> =
            (0..KEYS).map(|key| (TKey::from(&key.to_be_bytes()), Bytes::from_static(b"v"))).collect();
        store.put_range(ctx, &entries).unwrap();
    };
    fill(&DataContext::versioned(first, repo.root));
    fill(&DataContext::unversioned(plain));
    store.commit_version(repo.root, "").unwrap();
    let mut tip = store.new_version(repo.root, Some("doomed")).unwrap().id;
    for instance in [first, second] {
        fill(&DataContext::versioned(instance, tip));
        store.log_version(tip, "filled").unwrap();
        store.commit_version(tip, "").unwrap();
        tip = store.new_version(tip, None).unwrap().id;
    }
    store.put(&DataContext::versioned(first, tip), &TKey::from("open"), Bytes::new()).unwrap();
    store.hide_branch(repo.id, "doomed").unwrap();
    (dump(&shared), repo)
}

#[test]
fn a_deletion_that_fails_at_any_commit_goes_on_to_the_same_end() {
    let (before, repo) = with_a_large_branch();
    let expected = {
        let shared = Arc::new(store_of(&before));
        let store = Versioned::open(Arc::clone(&shared)).unwrap();
        store.delete_branch(repo.id, "doomed").unwrap();
        assert_eq!(store.dag().unwrap().versions().count(), 1);
        dump(&shared)
    };
    // Of the branch there were 12,001 entries, three versions of which two were committed, two lines of logs, and
    // the mark that it is hidden.
    assert_eq!(before.len() - expected.len(), 12_001 + 3 + 2 + 2 + 1);
    let mut calls = 0;
    loop {
        let faults = Faults::new();
        let shared = Arc::new(Faulty::new(store_of(&before), Arc::clone(&faults)));
        let store = Versioned::open(Arc::clone(&shared)).unwrap();
        let dag = picture(&store.dag().unwrap());
        faults.fail_after(Fault::Commit, calls);
        let outcome = store.delete_branch(repo.id, "doomed");
        faults.clear();
        let Err(error) = outcome else { break };
        assert_eq!(error.kind(), ErrorKind::Io);
        let reopened = Versioned::open(Arc::clone(&shared)).unwrap();
        if calls == 0 {
            assert_eq!(picture(&store.dag().unwrap()), dag);
            assert_eq!(dump(&shared), before, "no trace");
            reopened.delete_branch(repo.id, "doomed").unwrap();
        } else {
            assert!(matches!(reopened.unfinished().unwrap().as_slice(), [Work::DeleteVersions { .. }]));
            for store in [&store, &reopened] {
                assert_eq!(store.find("doomed").unwrap_err().kind(), ErrorKind::NotFound);
            }
            assert_eq!(reopened.resume().unwrap(), 1);
        }
        assert_eq!(dump(&shared), expected, "after {calls} commits");
        calls += 1;
    }
    assert!(calls > 5, "{calls}");
}

#[test]
fn a_handle_that_missed_the_deletion_writes_nothing() {
    let shared = Arc::new(MemoryStore::new());
    let (first, repo, instance) = atlas(Arc::clone(&shared));
    first.commit_version(repo.root, "").unwrap();
    let doomed = first.new_version(repo.root, Some("doomed")).unwrap().id;
    let second = Versioned::open(Arc::clone(&shared)).unwrap();
    first.delete_branch(repo.id, "doomed").unwrap();
    let ctx = DataContext::versioned(instance, doomed);
    let before = dump(&shared);
    assert_eq!(kind(second.put(&ctx, &TKey::from("k"), Bytes::new())), Err(ErrorKind::NotFound));
    let third = Versioned::open(Arc::clone(&shared)).unwrap();
    for outcome in [
        kind(third.log_version(doomed, "late")),
        kind(third.log_of(doomed)),
        kind(third.commit_version(doomed, "")),
        kind(third.new_version(doomed, None)),
        kind(third.tag(doomed, "late", "")),
        kind(third.get(&ctx, &TKey::from("k"))),
    ] {
        assert_eq!(outcome, Err(ErrorKind::NotFound));
    }
    assert_eq!(dump(&shared), before);
    let next = third.new_version(repo.root, Some("doomed")).unwrap();
    assert_ne!(next.id, doomed, "numbers are never given again");
}

type Step<'a> = (&'static str, Box<dyn Fn() -> Result<()> + 'a>);

#[test]
fn writers_that_race_a_deletion_leave_nothing_behind() {
    let shared = Arc::new(MemoryStore::new());
    let (store, repo, instance) = atlas(Arc::clone(&shared));
    store.commit_version(repo.root, "").unwrap();
    let doomed = store.new_version(repo.root, Some("doomed")).unwrap().id;
    let ctx = DataContext::versioned(instance, doomed);
    let begun = Barrier::new(4);
    let deleted = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for thread in 0..3_u8 {
            let (begun, deleted, ctx) = (&begun, &deleted, &ctx);
            // Each has a handle of its own, which doesn't learn of the deletion but by being refused.
            let handle = Versioned::open(Arc::clone(&shared)).unwrap();
            scope.spawn(move || {
                for at in 0_u32.. {
                    let key = TKey::from([&[thread], &at.to_be_bytes()[..]].concat());
                    let too_late = deleted.load(Ordering::SeqCst);
                    let written = handle.put(ctx, &key, Bytes::new());
                    if at == 100 {
                        begun.wait();
                    }
                    if let Err(error) = written {
                        assert_eq!(error.kind(), ErrorKind::NotFound);
                        break;
                    }
                    assert!(!too_late, "written after the deletion");
                }
            });
        }
        begun.wait();
        store.delete_branch(repo.id, "doomed").unwrap();
        deleted.store(true, Ordering::SeqCst);
    });
    assert_eq!(shared.count(&ctx.key_range()).unwrap(), 0);
}

#[test]
fn what_fails_leaves_no_trace() {
    let faults = Faults::new();
    let shared = Arc::new(Faulty::new(MemoryStore::new(), Arc::clone(&faults)));
    let (store, repo, instance) = atlas(Arc::clone(&shared));
    let (root, id) = (repo.root, repo.id);
    let open = |name: &str| store.find(name).unwrap().id;
    let uuid = Uuid::from_u128(0x1234_5678);
    let steps: Vec<Step<'_>> = vec![
        ("create_repo", Box::new(|| store.create_repo("second", None).map(drop))),
        ("create_instance", Box::new(|| store.create_instance(id, &NewInstance::new("n", "kv")).map(drop))),
        ("set_properties", Box::new(|| store.set_properties(instance, &serde_json::json!(1)).map(drop))),
        ("commit_version", Box::new(|| store.commit_version(root, "note").map(drop))),
        ("new_version", Box::new(|| store.new_version(root, Some("side")).map(drop))),
        (
            "new_version_with",
            Box::new(|| store.new_version_with(root, &NewVersion::new().uuid(uuid)).map(drop)),
        ),
        ("commit main", Box::new(|| store.commit_version(open("atlas:main"), "").map(drop))),
        ("commit side", Box::new(|| store.commit_version(open("side"), "").map(drop))),
        ("merge", Box::new(|| store.merge(&[open("atlas:main"), open("side")], Some("merged")).map(drop))),
        ("log_version", Box::new(|| store.log_version(root, "a line").map(drop))),
        ("tag", Box::new(|| store.tag(root, "v1", "").map(drop))),
        ("untag", Box::new(|| store.untag(id, "v1").map(drop))),
        ("rename_branch", Box::new(|| store.rename_branch(id, "merged", "joined"))),
        ("hide_branch", Box::new(|| store.hide_branch(id, "joined"))),
        ("show_branch", Box::new(|| store.show_branch(id, "joined"))),
        ("make_main", Box::new(|| store.make_main(id, "joined", None))),
        ("make_main", Box::new(|| store.make_main(id, "joined", None))),
        ("delete_branch", Box::new(|| store.delete_branch(id, "joined").map(drop))),
        ("delete_instance", Box::new(|| store.delete_instance(instance))),
    ];
    for (name, step) in steps {
        let (dag, stored) = (picture(&store.dag().unwrap()), dump(&shared));
        faults.fail_after(Fault::Commit, 0);
        assert_eq!(step().unwrap_err().kind(), ErrorKind::Io, "{name}");
        assert_eq!(picture(&store.dag().unwrap()), dag, "{name}");
        assert_eq!(dump(&shared), stored, "{name}");
        step().unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_ne!(dump(&shared), stored, "{name}");
    }
}

#[test]
fn a_uuid_names_one_version_of_the_store() {
    let shared = Arc::new(MemoryStore::new());
    let (store, repo, _) = atlas(Arc::clone(&shared));
    let other = store.create_repo("other", None).unwrap();
    for id in [repo.root, other.root] {
        store.commit_version(id, "").unwrap();
    }
    let uuid = Uuid::from_u128(7);
    let made = store.new_version_with(repo.root, &NewVersion::new().uuid(uuid).note("assigned")).unwrap();
    assert_eq!((made.uuid, made.note.as_str(), made.branch.as_str()), (uuid, "assigned", "main"));
    let (dag, stored) = (picture(&store.dag().unwrap()), dump(&shared));
    let side = |uuid| NewVersion::new().branch("side").uuid(uuid);
    for taken in [uuid, repo.uuid, other.uuid] {
        for parent in [repo.root, other.root] {
            let refused = store.new_version_with(parent, &side(taken)).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::AlreadyExists);
            assert_eq!(refused.field("uuid").unwrap(), taken.simple().to_string());
        }
        assert_eq!(kind(store.create_repo("third", Some(taken))), Err(ErrorKind::AlreadyExists));
    }
    store.commit_version(made.id, "").unwrap();
    let branched = store.new_version_with(repo.root, &side(Uuid::from_u128(8))).unwrap();
    store.commit_version(branched.id, "").unwrap();
    let merge = NewVersion::new().uuid(uuid);
    assert_eq!(kind(store.merge_with(&[made.id, branched.id], &merge)), Err(ErrorKind::AlreadyExists));
    assert_ne!((dag, stored), (picture(&store.dag().unwrap()), dump(&shared)));
    let merged = store.merge_with(&[made.id, branched.id], &merge.uuid(Uuid::from_u128(9))).unwrap();
    assert_eq!(store.find(&Uuid::from_u128(9).hyphenated().to_string()).unwrap(), merged);
}

#[test]
fn a_thousand_versions_of_two_handles_are_a_thousand() {
    const THREADS: usize = 8;
    const EACH: usize = 125;
    let shared = Arc::new(MemoryStore::new());
    let (first, repo, _) = atlas(Arc::clone(&shared));
    first.commit_version(repo.root, "").unwrap();
    let second = Versioned::open(Arc::clone(&shared)).unwrap();
    let wanted = Uuid::from_u128(42);
    let (made, won): (Vec<Vec<Version>>, Vec<bool>) = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                let store = if thread % 2 == 0 { &first } else { &second };
                scope.spawn(move || {
                    let name = |at| format!("b{thread}-{at}");
                    let made =
                        (0..EACH).map(|at| store.new_version(repo.root, Some(&name(at))).unwrap()).collect();
                    let assigned = NewVersion::new().branch(name(EACH)).uuid(wanted);
                    let won = match store.new_version_with(repo.root, &assigned) {
                        Ok(_) => true,
                        Err(error) => {
                            assert_eq!(error.kind(), ErrorKind::AlreadyExists);
                            false
                        }
                    };
                    (made, won)
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).unzip()
    });
    let made: Vec<_> = made.into_iter().flatten().collect();
    assert_eq!(made.len(), THREADS * EACH);
    assert_eq!(made.iter().map(|version| version.id).collect::<BTreeSet<_>>().len(), made.len());
    assert_eq!(made.iter().map(|version| version.uuid).collect::<BTreeSet<_>>().len(), made.len());
    assert_eq!(won.iter().filter(|won| **won).count(), 1, "one of them got the assigned UUID");
    let dag = Versioned::open(shared).unwrap().dag().unwrap();
    assert_eq!(dag.versions().count(), made.len() + 2);
    for version in &made {
        assert_eq!(dag.version(version.id).unwrap(), version);
    }
}

#[test]
fn a_log_grows_from_many_threads_after_the_commit() {
    let shared = Arc::new(MemoryStore::new());
    let (store, repo, _) = atlas(Arc::clone(&shared));
    store.commit_version(repo.root, "").unwrap();
    assert_eq!(kind(store.log_version(repo.root, "")), Err(ErrorKind::InvalidArgument));
    let side = store.new_version(repo.root, Some("side")).unwrap();
    let before = picture(&store.dag().unwrap());
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let store = &store;
            scope.spawn(move || {
                for at in 0..50 {
                    store.log_version(repo.root, &format!("{thread} {at}")).unwrap();
                }
            });
        }
    });
    let lines = Versioned::open(Arc::clone(&shared)).unwrap().log_of(repo.root).unwrap();
    assert_eq!(lines.iter().map(|line| &line.text).collect::<BTreeSet<_>>().len(), 200);
    assert!(lines.is_sorted_by_key(|line| line.at));
    assert_eq!(store.log_of(side.id).unwrap(), []);
    assert_eq!(picture(&store.dag().unwrap()), before);
    // Every flipped bit of a stored line is noticed.
    let (key, value) = shared.last(&KeyRange::prefix(&[0, 11])).unwrap().unwrap();
    for bit in 0..value.len() * 8 {
        let mut bytes = value.to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        shared.put(&key, bytes).unwrap();
        assert!(store.log_of(repo.root).is_err(), "bit {bit}");
    }
}

#[test]
fn names_that_mean_several_are_refused_with_the_candidates() {
    let (store, repo, _) = atlas(MemoryStore::new());
    let wide = Uuid::from_u128(0xabcd_0000_0000_0000_0000_0000_0000_0001);
    let other = store.create_repo("other", Some(wide)).unwrap();
    for id in [repo.root, other.root] {
        store.commit_version(id, "").unwrap();
    }
    let near = |last: u128| Uuid::from_u128(0xabcd_ef00_0000_0000_0000_0000_0000_0000 + last);
    let side = store.new_version_with(repo.root, &NewVersion::new().branch("side").uuid(near(1))).unwrap();
    let next = store.new_version_with(other.root, &NewVersion::new().uuid(near(2))).unwrap();
    let id = |spec: &str| store.find(spec).map(|version| version.id);
    let refused = |spec: &str| {
        let error = id(spec).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{spec}");
        error.field("candidates").unwrap_or_default().to_owned()
    };
    assert_eq!(refused("main"), "atlas:main, other:main");
    assert_eq!(refused("abcdef"), format!("{} on side, {} on main", near(1).simple(), near(2).simple()));
    assert_eq!(refused("abcdef:main"), "atlas, other");
    assert_eq!(store.find(":main").unwrap_err().field("repos"), Some("atlas, other"));
    assert_eq!(id("atlas:abcdef").unwrap(), side.id, "within a repo they fit one");
    // Any version's digits name its repo.
    assert_eq!(id(&format!("{}:side", near(1).simple())).unwrap(), side.id);
    assert_eq!(id(&format!("{}:side~", repo.uuid.hyphenated())).unwrap(), repo.root);
    assert_eq!(id("abcd0000:main").unwrap(), next.id);
    assert_eq!(id("ABCD0000").unwrap(), other.root, "in capitals, too");
    let missing = store.find("nosuch:main").unwrap_err();
    assert_eq!((missing.kind(), missing.field("repos")), (ErrorKind::NotFound, Some("atlas, other")));
    assert_eq!(id("abc").unwrap_err().kind(), ErrorKind::NotFound, "too few digits to be looked up");
    // A branch that is hidden isn't suggested, and is found.
    store.hide_branch(repo.id, "side").unwrap();
    assert_eq!(id("side").unwrap(), side.id);
    assert_eq!(store.find("nosuch").unwrap_err().field("branches"), Some("main, main"));
    let dag = store.dag().unwrap();
    assert_eq!(dag.find_in_repo("other:x").map(|(repo, name)| (repo.id, name)).unwrap(), (other.id, "x"));
    assert_eq!(dag.find_in_repo("x").unwrap_err().kind(), ErrorKind::InvalidArgument);
}
