//! Cleaning and squashing: every answer stays, and nothing is left that no readable version needs.
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use engine_api::key::{
    ClientId, Context, DataContext, DataKey, InstanceId, Mark, MetadataContext, RepoId, TKey, TKeyClass,
    VersionId,
};
use engine_api::layers::{Fault, Faults, Faulty};
use engine_api::version::{
    DeleteScope, Flow, Horizon, Instance, MergePolicy, NewInstance, OrderedKeyValue, Repo, Resolved, Swept,
    Tag, Version, VersionDag, Versioned, Work,
};
use engine_api::{
    Bytes, Capabilities, Durability, Error, ErrorKind, Fetch, KeyRange, MemoryStore, Result, Scan, Step,
    Store, StoreExt, Uuid, Value, View, WriteBatch, visitor,
};
use proptest::prelude::*;
use proptest::sample::Index;

const INSTANCE: InstanceId = InstanceId(1);
const PLAIN: InstanceId = InstanceId(2);
const POLICIES: [MergePolicy; 3] = [MergePolicy::LiveWins, MergePolicy::Strict, MergePolicy::FirstParent];
const KEYS: [&[u8]; 4] = [b"", b"a", b"a\0", b"b"];
/// Versions are committed this far apart.
const PACE: u64 = 10;

/// Says that it takes few operations at once, so that small work takes many batches; and takes them all.
#[derive(Debug)]
struct Tight {
    inner: MemoryStore,
    capabilities: Capabilities,
}

impl Tight {
    fn new() -> Self {
        let inner = MemoryStore::new();
        let capabilities = *inner.capabilities();
        Self { inner, capabilities: capabilities.limits(capabilities.limits.batch_ops(7)) }
    }
}

impl Store for Tight {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn view(&self) -> Result<Box<dyn View>> {
        self.inner.view()
    }

    fn commit(&self, batch: &WriteBatch, durability: Durability) -> Result<()> {
        self.inner.commit(batch, durability)
    }

    fn flush(&self) -> Result<()> {
        self.inner.flush()
    }
}

type Shared = Arc<Faulty<Tight>>;
type Handle = Versioned<Shared>;
/// What is stored of each key: by version, a value, or `None` for a delete.
type Entries = BTreeMap<Vec<u8>, BTreeMap<VersionId, Option<Bytes>>>;

/// What a version does to a key: nothing, a value, or (`Some(None)`) a delete.
#[allow(clippy::option_option, reason = "it is drawn at random as it is")]
type Write = Option<Option<u8>>;

#[derive(Clone, Debug)]
struct History {
    parents: Vec<Vec<usize>>,
    /// Whether a version goes on with its first parent's branch, where that is free.
    goes_on: Vec<bool>,
    /// Whether a version is open, where none was made from it.
    open: Vec<bool>,
    tagged: Vec<bool>,
    hidden: Vec<bool>,
    /// Version `n` has the number `numbers[n]`.
    numbers: Vec<u32>,
    /// What is written at each version, for each of `KEYS`.
    writes: Vec<[Write; KEYS.len()]>,
}

fn history() -> impl Strategy<Value = History> {
    let version = (
        (prop::collection::vec(any::<Index>(), 1..4), any::<bool>()),
        prop::array::uniform5(any::<u8>()),
        any::<[Write; KEYS.len()]>(),
        any::<u32>(),
    );
    (prop::collection::vec(version, 1..13), any::<bool>()).prop_map(|(versions, shuffled)| {
        let mut order: Vec<(u32, usize)> =
            versions.iter().enumerate().map(|(at, (.., random))| (*random, at)).collect();
        if shuffled {
            order.sort_unstable();
        }
        let mut numbers = vec![0; versions.len()];
        for (number, (_, at)) in (1..).zip(order) {
            numbers[at] = number;
        }
        let mut history = History {
            parents: Vec::new(),
            goes_on: Vec::new(),
            open: Vec::new(),
            tagged: Vec::new(),
            hidden: Vec::new(),
            numbers,
            writes: Vec::new(),
        };
        for (at, ((picks, line), [goes_on, open, tagged, hidden, _], writes, _)) in
            versions.into_iter().enumerate()
        {
            let mut parents = Vec::new();
            if at > 0 && line {
                parents.push(at - 1);
            } else if at > 0 {
                for pick in picks {
                    let parent = pick.index(at);
                    if !parents.contains(&parent) {
                        parents.push(parent);
                    }
                }
            }
            history.parents.push(parents);
            history.goes_on.push(goes_on % 4 > 0);
            history.open.push(open % 2 == 0);
            history.tagged.push(tagged % 6 == 0);
            history.hidden.push(hidden % 3 == 0);
            history.writes.push(writes);
        }
        history
    })
}

fn record<T: serde::Serialize>(value: &T) -> Vec<u8> {
    let json = serde_json::to_vec(value).unwrap();
    [&[1][..], &crc32c::crc32c(&json).to_le_bytes(), &json].concat()
}

fn metadata(class: u8, rest: &[u8]) -> Vec<u8> {
    MetadataContext.construct_key(&TKey::new(TKeyClass(class), rest))
}

/// Stores a history as another program that knows the layout would, with numbers as it likes.
fn stored(history: &History) -> (Shared, Arc<Faults>) {
    let faults = Faults::new();
    let store = Arc::new(Faulty::new(Tight::new(), Arc::clone(&faults)));
    let id = |at: usize| VersionId(history.numbers[at]);
    let mut batch = WriteBatch::new();
    batch.put(metadata(1, b""), b"kvdag\0\0\x01".to_vec());
    let next = history.parents.len() + 1;
    let counters =
        serde_json::json!({"next_repo": 2, "next_version": next, "next_instance": 3, "changes": 0});
    batch.put(metadata(2, b""), record(&counters));
    let repo = RepoId(1);
    let uuid = |at: usize| Uuid::from_u128(at as u128 + 1);
    let root = Repo { id: repo, uuid: uuid(0), alias: "r".to_owned(), root: id(0), created: 0 };
    batch.put(metadata(3, &1_u32.to_be_bytes()), record(&root));
    for (instance, versioned) in [(INSTANCE, true), (PLAIN, false)] {
        let instance = Instance {
            id: instance,
            repo,
            name: format!("i{instance}"),
            datatype: "keyvalue".to_owned(),
            versioned,
            properties: serde_json::Value::Null,
            tags: BTreeMap::new(),
            created: 0,
        };
        batch.put(metadata(6, &instance.id.0.to_be_bytes()), record(&instance));
    }
    batch.put(DataContext::unversioned(PLAIN).construct_key(&TKey::from("k")), "plain");
    let mut branches: Vec<String> = Vec::new();
    let mut continued = BTreeSet::new();
    for (at, parents) in history.parents.iter().enumerate() {
        let branch = match parents.first() {
            Some(first) if history.goes_on[at] && continued.insert(*first) => branches[*first].clone(),
            _ => format!("b{at}"),
        };
        if history.hidden[at] {
            batch.put(metadata(9, &[&1_u32.to_be_bytes(), branch.as_bytes()].concat()), "");
        }
        branches.push(branch.clone());
        let version = Version {
            id: id(at),
            uuid: uuid(at),
            repo,
            parents: parents.iter().map(|parent| id(*parent)).collect(),
            branch,
            note: String::new(),
            created: 0,
            committed: None,
            cleaned: None,
        };
        batch.put(metadata(4, &version.id.0.to_be_bytes()), record(&version));
        let leaf = !history.parents.iter().any(|parents| parents.contains(&at));
        if !(leaf && history.open[at]) {
            let moment = at as u64 * PACE;
            batch.put(metadata(5, &version.id.0.to_be_bytes()), moment.to_be_bytes().to_vec());
        }
        if history.tagged[at] {
            let name = format!("t{at}");
            let tag = Tag { repo, name: name.clone(), version: id(at), note: String::new(), created: 0 };
            batch.put(metadata(8, &[&1_u32.to_be_bytes(), name.as_bytes()].concat()), record(&tag));
        }
        for (key, write) in KEYS.iter().zip(&history.writes[at]) {
            let Some(write) = write else { continue };
            let mark = if write.is_some() { Mark::Data } else { Mark::Tombstone };
            let key = DataKey {
                instance: INSTANCE,
                tkey: TKey::from(*key),
                version: id(at),
                client: ClientId(0),
                mark,
            };
            batch.put(key.encode(), write.map(|byte| vec![byte]).unwrap_or_default());
        }
    }
    store.write(&batch).unwrap();
    (store, faults)
}

fn entries(store: &Shared) -> Entries {
    let mut entries = Entries::new();
    let range = DataContext::unversioned(INSTANCE).key_range();
    let mut each = visitor(|key: &[u8], value: Value<'_>| {
        let key = DataKey::parse(key)?;
        let value = (key.mark == Mark::Data).then(|| value.to_bytes()).transpose()?;
        let twice = entries.entry(key.tkey.as_bytes().to_vec()).or_default().insert(key.version, value);
        assert_eq!(twice, None, "two entries at one version");
        Ok(Step::Next)
    });
    store.view().unwrap().scan(Scan::between(range.start(), range.end()), &mut each).unwrap();
    entries
}

/// What a key is to a reader; that it was deleted is the same as that it never was.
fn told(resolved: Resolved, rename: &BTreeMap<VersionId, VersionId>) -> Resolved {
    let name = |id: VersionId| *rename.get(&id).unwrap_or(&id);
    match resolved {
        Resolved::Deleted { .. } | Resolved::Absent => Resolved::Absent,
        Resolved::Found { value, version } => Resolved::Found { value, version: name(version) },
        Resolved::Conflict { versions } => {
            let mut versions: Vec<_> = versions.into_iter().map(name).collect();
            versions.sort_unstable();
            Resolved::Conflict { versions }
        }
    }
}

type Answers = BTreeMap<(VersionId, String), Vec<String>>;
type Names = BTreeMap<VersionId, VersionId>;

/// Every answer at every readable version.
fn answers(handle: &Handle, names: &Names) -> Answers {
    let mut answers = Answers::new();
    for version in handle.dag().unwrap().versions().filter(|version| version.cleaned.is_none()) {
        let at = DataContext::versioned(INSTANCE, version.id);
        let mut all = Vec::new();
        for key in KEYS {
            let key = TKey::from(key);
            all.push(format!("{:?}", told(handle.resolve(&at, &key).unwrap(), names)));
            all.push(format!("{:?}", handle.exists(&at, &key).map_err(|error| error.kind())));
        }
        handle
            .visit(&at, &KeyRange::ALL, Fetch::Entries, &mut |key, resolved| {
                all.push(format!("{key:?} {:?}", told(resolved, names)));
                Ok(Flow::Continue(()))
            })
            .unwrap();
        all.push(format!("{:?}", handle.keys_in_range(&at, &KeyRange::ALL).unwrap()));
        answers.insert((version.id, format!("{:?}", handle.policy())), all);
    }
    answers
}

fn all_answers(store: &Shared, names: &Names) -> Answers {
    let mut all = Answers::new();
    for policy in POLICIES {
        all.extend(answers(&Versioned::open(Arc::clone(store)).unwrap().with_policy(policy), names));
    }
    all
}

/// Each readable version answers what it did.
fn assert_same(before: &Answers, after: &Answers) {
    assert!(!after.is_empty());
    for (at, answer) in after {
        assert_eq!(Some(answer), before.get(at), "at {at:?}");
    }
}

fn seen(dag: &VersionDag, id: VersionId, first_only: bool) -> BTreeSet<VersionId> {
    let mut seen = BTreeSet::from([id]);
    let mut todo = vec![id];
    while let Some(id) = todo.pop() {
        let parents = &dag.version(id).unwrap().parents;
        let count = if first_only { parents.len().min(1) } else { parents.len() };
        todo.extend(parents[..count].iter().filter(|parent| seen.insert(**parent)));
    }
    seen
}

/// The entries that must stay, and no more, as plainly as it can be said.
fn needed(dag: &VersionDag, entries: &Entries) -> Entries {
    let mut needed = Entries::new();
    for (key, entries) in entries {
        let mut stay: BTreeMap<VersionId, Option<Bytes>> = BTreeMap::new();
        for version in dag.versions().filter(|version| version.cleaned.is_none()) {
            if let Some(own) = entries.get(&version.id) {
                stay.insert(version.id, own.clone());
            }
            for first_only in [false, true] {
                let mut seen = seen(dag, version.id, first_only);
                // What is written at an open version can be taken back.
                if version.committed.is_none() {
                    seen.remove(&version.id);
                }
                for (at, entry) in entries.iter().filter(|(at, _)| seen.contains(at)) {
                    let hidden = entries.keys().any(|other| {
                        other != at && seen.contains(other) && dag.is_ancestor(*at, *other).unwrap()
                    });
                    if !hidden {
                        stay.insert(*at, entry.clone());
                    }
                }
            }
        }
        if stay.values().all(Option::is_none) {
            stay.retain(|at, _| dag.version(*at).unwrap().committed.is_none());
        }
        if !stay.is_empty() {
            needed.insert(key.clone(), stay);
        }
    }
    needed
}

fn kept(dag: &VersionDag, horizon: Horizon) -> BTreeSet<VersionId> {
    let repo = RepoId(1);
    let mut kept: BTreeSet<VersionId> = dag
        .versions()
        .filter(|version| {
            let newest = dag.next_on_branch(version).is_none() && !dag.is_hidden(repo, &version.branch);
            let tagged = dag.tags().any(|tag| tag.version == version.id);
            let late = matches!(horizon, Horizon::Since(at) if version.committed >= Some(at));
            version.committed.is_none() || newest || tagged || late
        })
        .map(|version| version.id)
        .collect();
    if horizon == Horizon::Reachable {
        kept = kept.iter().flat_map(|id| seen(dag, *id, false)).collect();
    }
    kept.retain(|id| dag.version(*id).unwrap().cleaned.is_none());
    kept
}

/// Cleans, with a failure after some commits, and goes on in a handle of its own.
fn clean_and_compare(store: &Shared, faults: &Faults, horizon: Horizon, commits: u64) {
    let before = all_answers(store, &Names::new());
    let was = entries(store);
    let handle = Versioned::open(Arc::clone(store)).unwrap();
    let dag = handle.dag().unwrap();
    let expected = kept(&dag, horizon);
    let plan = handle.plan_gc(RepoId(1), horizon, &mut |_| Ok(()));
    assert_eq!(entries(store), was, "a plan changes nothing");
    if expected.is_empty() {
        assert_eq!(plan.unwrap_err().kind(), ErrorKind::InvalidArgument);
        let refused = handle.gc(RepoId(1), horizon, &mut |_| Ok(())).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::InvalidArgument);
        return;
    }
    let plan = plan.unwrap();
    faults.fail_after(Fault::Commit, commits);
    let outcome = handle.gc(RepoId(1), horizon, &mut |_| Ok(()));
    faults.clear();
    let finished = outcome.is_ok();
    match outcome {
        Ok(collected) => assert_eq!(collected, plan),
        Err(error) => assert_eq!(error.kind(), ErrorKind::Io),
    }
    let half = all_answers(store, &Names::new());
    assert_same(&before, &half);
    assert_same(&before, &answers(&handle, &Names::new()));

    let reopened = Versioned::open(Arc::clone(store)).unwrap();
    if !finished && reopened.unfinished().unwrap().is_empty() {
        assert_eq!(entries(store), was, "what has failed before it began has done nothing");
        assert_eq!(reopened.gc(RepoId(1), horizon, &mut |_| Ok(())).unwrap(), plan);
    } else {
        assert_eq!(reopened.resume().unwrap(), usize::from(!finished));
    }
    assert_eq!(reopened.unfinished().unwrap(), []);
    let readable: BTreeSet<VersionId> = reopened
        .dag()
        .unwrap()
        .versions()
        .filter(|version| version.cleaned.is_none())
        .map(|version| version.id)
        .collect();
    assert_eq!(readable, expected);
    let after = all_answers(store, &Names::new());
    assert_eq!(after.len(), readable.len() * POLICIES.len());
    assert_same(&before, &after);
    let left = entries(store);
    if plan == engine_api::version::Collected::default() {
        assert_eq!(left, was);
    } else {
        assert_eq!(left, needed(&reopened.dag().unwrap(), &was));
    }
    let count = |entries: &Entries| entries.values().map(|entries| entries.len() as u64).sum::<u64>();
    assert_eq!(plan.entries(), count(&was) - count(&left), "what the plan counts");
    let again = reopened.gc(RepoId(1), horizon, &mut |_| Ok(())).unwrap();
    assert_eq!((again.versions.len(), again.entries()), (0, 0), "there is nothing left to do");
    assert_eq!(
        store.get(DataContext::unversioned(PLAIN).construct_key(&TKey::from("k"))).unwrap().unwrap(),
        "plain"
    );
}

/// The run between two versions, oldest first, where there is one that can be squashed.
fn run(dag: &VersionDag, first: VersionId, last: VersionId) -> Option<Vec<VersionId>> {
    let mut run = vec![last];
    dag.version(last).unwrap().committed?;
    while run.last() != Some(&first) {
        let version = dag.version(*run.last().unwrap()).unwrap();
        let [parent] = version.parents.as_slice() else { return None };
        let parent = dag.version(*parent).unwrap();
        let others = dag.versions().filter(|other| other.parents.contains(&parent.id)).count();
        if others != 1 || parent.branch != version.branch || dag.tags().any(|tag| tag.version == parent.id) {
            return None;
        }
        run.push(parent.id);
    }
    run.reverse();
    (run.len() > 1).then_some(run)
}

/// What is stored after a squash.
fn squashed(root: VersionId, run: &[VersionId], entries: &Entries) -> Entries {
    let last = *run.last().unwrap();
    let mut squashed = Entries::new();
    for (key, entries) in entries {
        let mut left = entries.clone();
        left.retain(|at, _| !run.contains(at));
        let newest = run.iter().rev().find_map(|at| entries.get(at));
        if let Some(newest) = newest.filter(|newest| newest.is_some() || run[0] != root) {
            left.insert(last, newest.clone());
        }
        if !left.is_empty() {
            squashed.insert(key.clone(), left);
        }
    }
    squashed
}

fn squash_and_compare(store: &Shared, faults: &Faults, run: &[VersionId], commits: u64) {
    let (first, last) = (run[0], *run.last().unwrap());
    let names: Names = run.iter().map(|id| (*id, last)).collect();
    let before = all_answers(store, &names);
    let was = entries(store);
    let handles: Vec<Handle> = POLICIES
        .iter()
        .map(|policy| Versioned::open(Arc::clone(store)).unwrap().with_policy(*policy))
        .collect();
    // They remember from now on what each version descends from.
    for handle in &handles {
        answers(handle, &names);
    }
    let dag = handles[0].dag().unwrap();
    faults.fail_after(Fault::Commit, commits);
    let outcome = handles[0].squash(first, last, &mut |_| Ok(()));
    faults.clear();
    let finished = outcome.is_ok();
    if let Err(error) = outcome {
        assert_eq!(error.kind(), ErrorKind::Io);
    }
    assert_same(&before, &all_answers(store, &names));
    assert_same(&before, &answers(&handles[0], &names));

    let reopened = Versioned::open(Arc::clone(store)).unwrap();
    if !finished && reopened.unfinished().unwrap().is_empty() {
        assert_eq!(entries(store), was, "what has failed before it began has done nothing");
        reopened.squash(first, last, &mut |_| Ok(())).unwrap();
    } else {
        if !finished {
            assert_eq!(reopened.unfinished().unwrap(), [Work::Squash { versions: run.to_vec() }]);
        }
        reopened.resume().unwrap();
    }
    assert_eq!(reopened.unfinished().unwrap(), []);
    let root = dag.repo(RepoId(1)).unwrap().root;
    let left = entries(store);
    assert_eq!(left, squashed(root, run, &was));
    let now = reopened.dag().unwrap();
    assert_eq!(now.versions().count(), dag.versions().count() - (run.len() - 1));
    assert_eq!(now.version(last).unwrap().parents, dag.version(first).unwrap().parents);
    assert_eq!(now.version(last).unwrap().committed, dag.version(last).unwrap().committed);
    let fresh = Versioned::open(Arc::clone(store)).unwrap().dag().unwrap();
    assert!(
        now.versions().eq(fresh.versions()) && now.tags().eq(fresh.tags()) && now.repos().eq(fresh.repos())
    );
    for version in fresh.versions() {
        assert_eq!(now.is_hidden(RepoId(1), &version.branch), fresh.is_hidden(RepoId(1), &version.branch));
    }
    let after = all_answers(store, &names);
    let older = run[..run.len() - 1].iter();
    let lost = older.filter(|id| dag.version(**id).unwrap().cleaned.is_none()).count();
    assert_eq!(
        after.len(),
        before.len() - lost * POLICIES.len(),
        "the run's older versions are gone, and no others"
    );
    assert_same(&before, &after);
    // What a handle remembers from before the squash does no harm.
    for handle in &handles {
        handle.refresh().unwrap();
        assert_same(&before, &answers(handle, &names));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn cleaning_changes_no_answer_and_leaves_nothing_behind(
        history in history(),
        horizons in prop::collection::vec(prop::option::of(0..14 * PACE), 1..3),
        commits in 0_u64..12,
    ) {
        let (store, faults) = stored(&history);
        for horizon in horizons {
            let horizon = horizon.map_or(Horizon::Reachable, Horizon::Since);
            clean_and_compare(&store, &faults, horizon, commits);
        }
    }

    #[test]
    fn squashing_changes_no_answer_and_leaves_nothing_behind(
        history in history(),
        horizon in prop::option::of(0..14 * PACE),
        pick: (Index, Index, Index),
        commits in 0_u64..16,
    ) {
        let (store, faults) = stored(&history);
        let handle = Versioned::open(Arc::clone(&store)).unwrap();
        if let Some(at) = horizon && !kept(&handle.dag().unwrap(), Horizon::Since(at)).is_empty() {
            handle.gc(RepoId(1), Horizon::Since(at), &mut |_| Ok(())).unwrap();
        }
        let dag = handle.dag().unwrap();
        let ids: Vec<VersionId> = dag.versions().map(|version| version.id).collect();
        let (first, last) = (*pick.0.get(&ids), *pick.1.get(&ids));
        if run(&dag, first, last).is_none() {
            let was = entries(&store);
            let refused = handle.squash(first, last, &mut |_| Ok(())).unwrap_err();
            prop_assert_eq!(refused.kind(), ErrorKind::InvalidArgument);
            prop_assert_eq!(entries(&store), was);
            prop_assert!(handle.dag().unwrap().versions().eq(dag.versions()));
        }
        let runs: Vec<_> = ids
            .iter()
            .flat_map(|first| ids.iter().map(move |last| (*first, *last)))
            .filter_map(|(first, last)| run(&dag, first, last))
            .collect();
        prop_assume!(!runs.is_empty());
        let run: &Vec<VersionId> = pick.2.get(&runs);
        squash_and_compare(&store, &faults, run, commits);
    }
}

const MANY: u32 = 20_000;

/// Many keys at each of three committed versions and an open one, over a store that counts commits.
fn long_history() -> (Arc<Faulty<MemoryStore>>, Arc<Faults>, Vec<VersionId>) {
    let faults = Faults::new();
    let shared = Arc::new(Faulty::new(MemoryStore::new(), Arc::clone(&faults)));
    let store = Versioned::create(Arc::clone(&shared)).unwrap();
    let repo = store.create_repo("r", None).unwrap();
    let instance = store.create_instance(repo.id, &NewInstance::new("many", "keyvalue")).unwrap().id;
    assert_eq!(instance, INSTANCE);
    let mut ids = vec![repo.root];
    for version in 0..3 {
        let at = DataContext::versioned(INSTANCE, ids[version]);
        let entries: Vec<_> =
            (0..MANY).map(|key| (TKey::from(&key.to_be_bytes()), version.to_string().into())).collect();
        store.put_range(&at, &entries).unwrap();
        store.commit_version(ids[version], "").unwrap();
        ids.push(store.new_version(ids[version], None).unwrap().id);
    }
    (shared, faults, ids)
}

#[test]
fn long_work_takes_pages_and_can_be_interrupted_after_each() {
    let (shared, faults, ids) = long_history();
    let store = Versioned::open(Arc::clone(&shared)).unwrap();
    let count = || shared.count(&DataContext::unversioned(INSTANCE).key_range()).unwrap();
    let value = |version: VersionId, key: u32| {
        let at = DataContext::versioned(INSTANCE, version);
        store.get(&at, &TKey::from(&key.to_be_bytes())).unwrap().unwrap()
    };
    let interrupted = || Error::new(ErrorKind::Unavailable, "enough");

    let mut pages = 0;
    let stopped = store.squash(ids[0], ids[1], &mut |_| {
        pages += 1;
        if pages == 2 { Err(interrupted()) } else { Ok(()) }
    });
    assert_eq!(stopped.unwrap_err().kind(), ErrorKind::Unavailable);
    assert!((u64::from(2 * MANY)..u64::from(3 * MANY)).contains(&count()), "it was cut short: {}", count());
    assert_eq!((value(ids[1], 0), value(ids[1], MANY - 1)), ("1".into(), "1".into()));
    // Asked for again, it goes on.
    let mut pages = 0;
    store
        .squash(ids[0], ids[1], &mut |_| {
            pages += 1;
            Ok(())
        })
        .unwrap();
    assert!(pages > 2, "{pages}");
    assert_eq!(count(), u64::from(2 * MANY));
    assert_eq!(store.dag().unwrap().versions().count(), 3);

    // The values of the second version go; those of the third show at the open one, and those stay.
    let plan = store.plan_gc(RepoId(1), Horizon::Since(u64::MAX), &mut |_| Ok(())).unwrap();
    assert_eq!((plan.versions.len(), plan.entries()), (2, u64::from(MANY)));
    faults.fail_after(Fault::Commit, 3);
    store.gc(RepoId(1), Horizon::Since(u64::MAX), &mut |_| Ok(())).unwrap_err();
    assert!((u64::from(MANY) + 1..u64::from(2 * MANY)).contains(&count()), "it was cut short: {}", count());
    assert_eq!(value(ids[3], MANY - 1), "2");
    for after in [0, 1, 5_000, 25_000] {
        faults.fail_after(Fault::ScanEntry, after);
        let failed = store.gc(RepoId(1), Horizon::Since(u64::MAX), &mut |_| Ok(())).unwrap_err();
        assert_eq!(failed.kind(), ErrorKind::Io, "a scan that fails isn't at its end");
        faults.clear();
        assert_eq!(store.unfinished().unwrap().len(), 1);
    }
    store.gc(RepoId(1), Horizon::Since(u64::MAX), &mut |_| Ok(())).unwrap();
    assert_eq!((count(), store.unfinished().unwrap().len()), (u64::from(MANY), 0));
    assert_eq!((value(ids[3], 0), value(ids[3], MANY - 1)), ("2".into(), "2".into()));
}

#[test]
fn what_was_cleaned_away_is_not_named_again() {
    let (shared, _, ids) = long_history();
    let store = Versioned::open(shared).unwrap();
    store.tag(ids[1], "kept", "").unwrap();
    store.gc(RepoId(1), Horizon::Since(u64::MAX), &mut |_| Ok(())).unwrap();
    for cleaned in [ids[0], ids[2]] {
        let at = DataContext::versioned(INSTANCE, cleaned);
        assert_eq!(store.resolve(&at, &TKey::from("k")).unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(store.new_version(cleaned, Some("b")).unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(store.tag(cleaned, "t", "").unwrap_err().kind(), ErrorKind::NotFound);
    }
    store.new_version(ids[1], Some("b")).unwrap();
    assert_eq!(
        store.gc(RepoId(9), Horizon::Reachable, &mut |_| Ok(())).unwrap_err().kind(),
        ErrorKind::NotFound
    );
}

#[test]
fn two_that_do_the_same_work_beside_a_writer_do_it_once() {
    let (shared, _, ids) = long_history();
    let store = Versioned::open(Arc::clone(&shared)).unwrap();
    let open = DataContext::versioned(INSTANCE, ids[3]);
    let mut stop = |_: &Swept| Err(Error::new(ErrorKind::Unavailable, "enough"));
    store.squash(ids[0], ids[1], &mut stop).unwrap_err();
    let together = |value: &'static str| {
        std::thread::scope(|scope| {
            for _ in 0..2 {
                let handle = Versioned::open(Arc::clone(&shared)).unwrap();
                scope.spawn(move || handle.resume().unwrap());
            }
            for key in (0..MANY).step_by(50) {
                store.put(&open, &TKey::from(&key.to_be_bytes()), value.into()).unwrap();
            }
        });
        assert_eq!(store.unfinished().unwrap(), []);
        store.refresh().unwrap();
        for key in 0..MANY {
            let expected = if key % 50 == 0 { value } else { "2" };
            assert_eq!(store.get(&open, &TKey::from(&key.to_be_bytes())).unwrap().unwrap(), expected);
        }
        shared.count(&DataContext::unversioned(INSTANCE).key_range()).unwrap()
    };
    let own = u64::from(MANY / 50);
    assert_eq!(together("a"), u64::from(2 * MANY) + own);
    assert_eq!(store.dag().unwrap().versions().count(), 3);
    store.gc(RepoId(1), Horizon::Since(u64::MAX), &mut stop).unwrap_err();
    assert_eq!(together("b"), u64::from(MANY) + own, "what the open version would show without its own");
    store.delete_all(&open, DeleteScope::ThisVersion).unwrap();
    assert_eq!(store.get(&open, &TKey::from(&0_u32.to_be_bytes())).unwrap().unwrap(), "2");
}

#[test]
fn a_handle_that_missed_the_beginning_goes_on_all_the_same() {
    let (shared, _, ids) = long_history();
    let (first, late) =
        (Versioned::open(Arc::clone(&shared)).unwrap(), Versioned::open(Arc::clone(&shared)).unwrap());
    let mut stop = |_: &Swept| Err(Error::new(ErrorKind::Unavailable, "enough"));
    first.gc(RepoId(1), Horizon::Since(u64::MAX), &mut stop).unwrap_err();
    assert_eq!(late.resume().unwrap(), 1);
    assert_eq!(shared.count(&DataContext::unversioned(INSTANCE).key_range()).unwrap(), u64::from(MANY));
    assert!(late.dag().unwrap().version(ids[0]).unwrap().cleaned.is_some());
}
