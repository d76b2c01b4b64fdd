//! Reading where keys have many entries, most of which the reader doesn't see: that the answers are right
//! whether entries are stepped over or sought past, and what that asks of the engine.
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use engine_api::key::{ClientId, DataContext, DataKey, InstanceId, Mark, TKey, VersionId};
use engine_api::version::{Flow, NewInstance, OrderedKeyValue, Resolved, Versioned};
use engine_api::{
    Bytes, Capabilities, Durability, ErrorKind, Fetch, KeyRange, MemoryStore, Result, Scan, Step, Store,
    StoreExt, Value, View, Visitor, WriteBatch,
};
use proptest::prelude::*;

/// A store that counts the entries that scans visit, and how often they are told to seek.
#[derive(Debug, Default)]
struct Counting {
    inner: MemoryStore,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    entries: AtomicU64,
    seeks: AtomicU64,
}

impl Store for Counting {
    fn capabilities(&self) -> &Capabilities {
        self.inner.capabilities()
    }
    fn view(&self) -> Result<Box<dyn View>> {
        Ok(Box::new(CountingView { inner: self.inner.view()?, counts: Arc::clone(&self.counts) }))
    }
    fn commit(&self, batch: &WriteBatch, durability: Durability) -> Result<()> {
        self.inner.commit(batch, durability)
    }
    fn flush(&self) -> Result<()> {
        self.inner.flush()
    }
}

struct CountingView {
    inner: Box<dyn View>,
    counts: Arc<Counts>,
}

impl View for CountingView {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>> {
        self.inner.get(key)
    }
    fn scan(&self, scan: Scan<'_>, visitor: &mut dyn Visitor) -> Result<()> {
        self.inner.scan(scan, &mut CountingVisitor { inner: visitor, counts: &self.counts })
    }
}

struct CountingVisitor<'a> {
    inner: &'a mut dyn Visitor,
    counts: &'a Counts,
}

impl Visitor for CountingVisitor<'_> {
    fn visit(&mut self, key: &[u8], value: Value<'_>) -> Result<Step<'_>> {
        self.counts.entries.fetch_add(1, Ordering::Relaxed);
        let step = self.inner.visit(key, value)?;
        if matches!(step, Step::SeekTo(_)) {
            self.counts.seeks.fetch_add(1, Ordering::Relaxed);
        }
        Ok(step)
    }
}

/// A repo whose root has several branches, each a row of versions, and a merge of the first two.
struct History {
    store: Versioned<Counting>,
    instance: InstanceId,
    root: VersionId,
    /// The versions of each branch, in order.
    branches: Vec<Vec<VersionId>>,
    merge: VersionId,
}

impl History {
    /// Versions on the branches whose numbers are listed, in this order; each of the first two has one.
    fn new(order: &[usize]) -> Self {
        let store = Versioned::create(Counting::default()).unwrap();
        let repo = store.create_repo("r", None).unwrap();
        let instance = store.create_instance(repo.id, &NewInstance::new("kv", "keyvalue")).unwrap().id;
        store.commit_version(repo.root, "").unwrap();
        let mut branches = vec![Vec::new(); order.iter().max().map_or(2, |most| most + 1).max(2)];
        for &branch in [0, 1].iter().chain(order) {
            let versions: &mut Vec<VersionId> = &mut branches[branch];
            let made = match versions.last() {
                Some(head) => store.new_version(*head, None),
                None => store.new_version(repo.root, Some(&format!("b{branch}"))),
            };
            let made = made.unwrap().id;
            store.commit_version(made, "").unwrap();
            versions.push(made);
        }
        let heads = [*branches[0].last().unwrap(), *branches[1].last().unwrap()];
        let merge = store.merge(&heads, None).unwrap().id;
        store.commit_version(merge, "").unwrap();
        Self { store, instance, root: repo.root, branches, merge }
    }

    /// A straight one: the versions of the first branch are those of a trunk.
    fn straight(versions: usize) -> Self {
        Self::new(&vec![0; versions - 1])
    }

    fn at(&self, version: VersionId) -> DataContext {
        DataContext::versioned(self.instance, version)
    }

    /// Writes past the version layer, which would refuse it: all versions are committed.
    fn write<'a>(&self, entries: impl IntoIterator<Item = (&'a TKey, VersionId, Option<Bytes>)>) {
        let mut batch = WriteBatch::new();
        for (tkey, version, value) in entries {
            let mark = if value.is_some() { Mark::Data } else { Mark::Tombstone };
            let (tkey, client, instance) = (tkey.clone(), ClientId(0), self.instance);
            let key = DataKey { instance, tkey, version, client, mark };
            batch.put(key.encode(), value.unwrap_or_default());
        }
        self.store.store().write(&batch).unwrap();
    }

    /// What `read` asks of the engine: entries visited, and seeks.
    fn effort(&self, read: impl FnOnce()) -> (u64, u64) {
        let counts = &self.store.store().counts;
        let now = || (counts.entries.load(Ordering::Relaxed), counts.seeks.load(Ordering::Relaxed));
        let before = now();
        read();
        (now().0 - before.0, now().1 - before.1)
    }
}

type Entries = BTreeMap<VersionId, Option<Bytes>>;

/// What a key with these entries is. Branches are rows, so of each the newest entry that is seen counts, and
/// the root's where there is none.
fn expected(history: &History, entries: &Entries, reader: VersionId) -> Resolved {
    let newest = |branch: &[VersionId], to: VersionId| {
        branch
            .iter()
            .rev()
            .filter(|version| **version <= to)
            .find(|version| entries.contains_key(version))
            .copied()
    };
    let mut leading: Vec<VersionId> = if entries.contains_key(&reader) {
        vec![reader]
    } else if reader == history.merge {
        history.branches[..2].iter().filter_map(|branch| newest(branch, reader)).collect()
    } else {
        let own = history.branches.iter().find(|branch| branch.contains(&reader));
        own.and_then(|branch| newest(branch, reader)).into_iter().collect()
    };
    if leading.is_empty() && entries.contains_key(&history.root) {
        leading.push(history.root);
    }
    let mut live: Vec<VersionId> =
        leading.iter().copied().filter(|version| entries[version].is_some()).collect();
    match (live.as_slice(), leading.iter().max()) {
        ([], None) => Resolved::Absent,
        ([], Some(version)) => Resolved::Deleted { version: *version },
        ([version], _) => Resolved::Found { value: entries[version].clone().unwrap(), version: *version },
        _ => {
            live.sort_unstable();
            Resolved::Conflict { versions: live }
        }
    }
}

fn key(number: usize) -> TKey {
    TKey::from(u16::try_from(number).unwrap().to_be_bytes().to_vec())
}

/// How many of the versions of a key's kind have an entry of it.
fn density() -> impl Strategy<Value = f64> {
    prop_oneof![Just(0.0), Just(0.02), Just(0.5), Just(1.0)]
}

/// Branches taking turns: in runs of a few versions up to many.
fn order() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec((0_usize..4, prop_oneof![Just(1_usize), 2_usize..12, 12_usize..60]), 1..12)
        .prop_map(|runs| runs.into_iter().flat_map(|(branch, count)| vec![branch; count]).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(80))]

    /// Stretches of keys that were written alike, so that a range goes over from stepping to seeking and
    /// back; among them keys with nothing but entries of other branches.
    #[test]
    fn gets_and_ranges_follow_the_rule_in_long_histories(
        order in order(),
        stretches in prop::collection::vec((1_usize..40, [density(), density(), density(), density()], density()), 1..5),
        seed: u64,
    ) {
        let history = History::new(&order);
        let mut state = seed;
        let mut chance = |density: f64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            f64::from(u32::try_from(state >> 32).unwrap()) < density * f64::from(u32::MAX)
        };
        let mut keys: Vec<(TKey, Entries)> = Vec::new();
        for (count, branches, ends) in stretches {
            for _ in 0..count {
                let mut entries = Entries::new();
                let rows = history.branches.iter().zip(branches);
                let rows = rows.flat_map(|(row, density)| row.iter().map(move |version| (*version, density)));
                for (version, density) in rows.chain([(history.root, ends), (history.merge, ends / 4.0)]) {
                    if chance(density) {
                        let value = (!chance(0.2)).then(|| version.0.to_be_bytes().to_vec().into());
                        entries.insert(version, value);
                    }
                }
                keys.push((key(keys.len()), entries));
            }
        }
        for (tkey, entries) in &keys {
            history.write(entries.iter().map(|(version, value)| (tkey, *version, value.clone())));
        }
        let mut readers = BTreeSet::from([history.root, history.merge]);
        for row in &history.branches {
            readers.extend(row.first().into_iter().chain(row.get(row.len() / 2)).chain(row.last()));
        }
        for reader in readers {
            let at = history.at(reader);
            let mut visible = Vec::new();
            for (tkey, entries) in &keys {
                let expected = expected(&history, entries, reader);
                prop_assert_eq!(&history.store.resolve(&at, tkey).unwrap(), &expected, "{:?} at {}", tkey, reader);
                let mut lent = None;
                let found = history.store.get_with(&at, tkey, &mut |value| lent = Some(Bytes::copy_from_slice(value)));
                match &expected {
                    Resolved::Conflict { .. } => prop_assert_eq!(found.unwrap_err().kind(), ErrorKind::Conflict),
                    other => {
                        prop_assert_eq!(found.unwrap(), other.is_visible());
                        prop_assert_eq!(lent, other.clone().into_value().unwrap());
                    }
                }
                if expected.is_visible() {
                    visible.push((tkey.clone(), expected));
                }
            }
            let mut visited = Vec::new();
            history.store.visit(&at, &KeyRange::ALL, Fetch::Entries, &mut |tkey, resolved| {
                visited.push((tkey.clone(), resolved));
                Ok(Flow::Continue(()))
            }).unwrap();
            prop_assert_eq!(&visited, &visible, "at {}", reader);
            let names: Vec<_> = visible.into_iter().map(|(tkey, _)| tkey).collect();
            prop_assert_eq!(history.store.keys_in_range(&at, &KeyRange::ALL).unwrap(), names);
        }
    }
}

/// Writes `keys` keys at each of these versions.
fn write_at(history: &History, keys: usize, versions: &[VersionId]) {
    for number in 0..keys {
        let tkey = key(number);
        history.write(versions.iter().map(|version| (&tkey, *version, Some(Bytes::from("v")))));
    }
}

#[test]
fn a_get_costs_the_same_however_many_versions_there_are() {
    let history = History::straight(1000);
    let trunk = &history.branches[0];
    write_at(&history, 1, trunk);
    for version in [trunk[999], trunk[500], trunk[0]] {
        let effort = history.effort(|| {
            let resolved = history.store.resolve(&history.at(version), &key(0)).unwrap();
            assert!(matches!(resolved, Resolved::Found { version: at, .. } if at == version));
        });
        assert_eq!(effort, (1, 0), "at {version}");
    }
}

#[test]
fn a_get_seeks_past_a_long_run_of_another_branch() {
    let mut order = vec![1; 1000];
    order.extend([0; 4]);
    let history = History::new(&order);
    write_at(&history, 1, &history.branches[1]);
    write_at(&history, 1, &history.branches[0][..1]);
    let head = *history.branches[0].last().unwrap();
    let (entries, seeks) = history.effort(|| {
        assert!(history.store.resolve(&history.at(head), &key(0)).unwrap().is_visible());
    });
    assert!(entries <= 6 && seeks == 1, "{entries} entries, {seeks} seeks");
}

#[test]
fn entries_of_another_branch_alone_cost_little_more_than_stepping_over_them() {
    // A seek never skips more than a few: the reader's own versions, which are empty, come in between.
    for run in [1_usize, 4, 8, 9, 12, 20] {
        let order: Vec<usize> = (0..1200).map(|at| at / run % 2).collect();
        let history = History::new(&order);
        write_at(&history, 40, &history.branches[1]);
        let others = history.branches[1].len() as u64;
        let head = *history.branches[0].last().unwrap();
        // As engines go, a seek takes as long as ten steps.
        let cost = |(entries, seeks): (u64, u64)| entries + 10 * seeks;
        let get = cost(history.effort(|| {
            assert_eq!(history.store.resolve(&history.at(head), &key(0)).unwrap(), Resolved::Absent);
        }));
        assert!(get <= others * 8 / 5, "runs of {run}: {get} for a get, {others} entries");
        let range = cost(history.effort(|| {
            assert_eq!(history.store.keys_in_range(&history.at(head), &KeyRange::ALL).unwrap(), []);
        }));
        assert!(range <= 40 * others * 8 / 5, "runs of {run}: {range} for a range, {others} entries");
    }
}

#[test]
fn a_range_steps_over_few_versions_and_seeks_past_many() {
    const KEYS: usize = 300;
    let effort = |versions: usize, from: usize| {
        let history = History::straight(versions);
        write_at(&history, KEYS, &history.branches[0]);
        let at = history.at(history.branches[0][from]);
        history.effort(|| {
            assert_eq!(history.store.keys_in_range(&at, &KeyRange::ALL).unwrap().len(), KEYS);
        })
    };
    assert_eq!(effort(1, 0), (KEYS as u64, 0));
    assert_eq!(effort(10, 9), (10 * KEYS as u64, 0), "a seek for each key costs more");
    let (entries, seeks) = effort(400, 399);
    assert!(entries < 3 * KEYS as u64 && seeks <= KEYS as u64 + 1, "{entries} entries, {seeks} seeks");
    let (entries, seeks) = effort(400, 200);
    assert!(entries < 4 * KEYS as u64 && seeks <= 2 * KEYS as u64 + 1, "{entries} entries, {seeks} seeks");
}

#[test]
fn a_range_seeks_past_what_follows_a_large_value() {
    let history = History::straight(10);
    let tkeys = [1, 2].map(|number| TKey::from(vec![0, number]));
    for (bytes, effort) in [(256 << 10, (2, 2)), ((256 << 10) - 1, (20, 0))] {
        let value = Bytes::from(vec![7; bytes]);
        let of = |tkey| history.branches[0].iter().map(move |version| (tkey, *version));
        let entries = tkeys.iter().flat_map(of);
        history.write(entries.map(|(tkey, version)| (tkey, version, Some(value.clone()))));
        let at = history.at(*history.branches[0].last().unwrap());
        let read = || {
            let found = history.store.get_range(&at, &KeyRange::ALL).unwrap();
            assert!(found.iter().map(|(_, found)| found).eq([&value, &value]));
        };
        assert_eq!(history.effort(read), effort, "{bytes} bytes");
    }
}

#[test]
fn a_key_between_keys_with_many_versions_is_not_passed_over() {
    let history = History::straight(100);
    write_at(&history, 40, &history.branches[0]);
    let extended = TKey::from(b"\0\x05\0".to_vec());
    let head = *history.branches[0].last().unwrap();
    history.write([(&extended, history.branches[0][0], Some(Bytes::from("v")))]);
    let keys = history.store.keys_in_range(&history.at(head), &KeyRange::ALL).unwrap();
    assert_eq!(keys.len(), 41);
    assert_eq!(keys[6], extended);
}

#[test]
fn a_policy_that_is_changed_sees_by_its_own_rule() {
    use engine_api::version::MergePolicy;
    let history = History::new(&[]);
    write_at(&history, 1, &[history.branches[0][0], history.branches[1][0]]);
    let at = history.at(history.merge);
    assert!(matches!(history.store.resolve(&at, &key(0)).unwrap(), Resolved::Conflict { .. }));
    let store = history.store.with_policy(MergePolicy::FirstParent);
    let first = history.branches[0][0];
    assert!(
        matches!(store.resolve(&at, &key(0)).unwrap(), Resolved::Found { version, .. } if version == first)
    );
}
