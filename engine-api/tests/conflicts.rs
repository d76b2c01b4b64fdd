//! Conflicts: listed before and after the merge, resolved by writing, and settled as they are read.
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod oracle;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use engine_api::key::{DataContext, InstanceId, TKey, VersionId};
use engine_api::layers::{Fault, Faults, Faulty, Metered};
use engine_api::version::{
    Batcher, Choice, Conflict, ConflictResolver, Flow, MergePolicy, NewInstance, OrderedKeyValue, Resolved,
    Settled, Side, Versioned, process_range, stream,
};
use engine_api::{Bytes, ErrorKind, Fetch, KeyRange, MemoryStore, Store};
use oracle::{Entries, Parents, history, oracle};
use proptest::prelude::*;

const KEYS: [&str; 4] = ["", "a", "a\0", "ab"];

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap()
}

/// A store with a history whose version `n` has the number `n`, all of them committed.
fn build(shared: &Arc<MemoryStore>, parents: &Parents, entries: &[Entries; 4]) -> InstanceId {
    let store = Versioned::create(Arc::clone(shared)).unwrap();
    let repo = store.create_repo("r", None).unwrap();
    let instance = store.create_instance(repo.id, &NewInstance::new("kv", "keyvalue")).unwrap().id;
    for (version, parents) in (1_u32..).zip(parents) {
        let ids: Vec<_> = parents.iter().map(|id| VersionId(*id)).collect();
        let branch = format!("b{version}");
        match ids.as_slice() {
            [] => {}
            [one] => drop(store.new_version(*one, Some(&branch)).unwrap()),
            _ => drop(store.merge(&ids, Some(&branch)).unwrap()),
        }
        let at = DataContext::versioned(instance, VersionId(version));
        for (key, entries) in KEYS.iter().zip(entries) {
            match entries.get(&version) {
                Some(Some(byte)) => store.put(&at, &TKey::from(*key), vec![*byte].into()).unwrap(),
                Some(None) => store.delete(&at, &TKey::from(*key)).unwrap(),
                None => {}
            }
        }
        store.commit_version(VersionId(version), "").unwrap();
    }
    instance
}

fn listed<S: Store>(store: &Versioned<S>, instance: InstanceId, versions: &[VersionId]) -> Vec<Conflict> {
    let mut found = Vec::new();
    store
        .conflicts(instance, versions, &KeyRange::ALL, &mut |conflict| {
            found.push(conflict);
            Ok(Flow::Continue(()))
        })
        .unwrap();
    found
}

/// What the rule says is in conflict at a version.
fn expected(parents: &Parents, entries: &[Entries; 4], reader: u32, strict: bool) -> Vec<Conflict> {
    let conflict = |(key, entries): (&&str, &Entries)| match oracle(parents, entries, reader, strict) {
        Resolved::Conflict { versions } => {
            let side = |version: VersionId| Side {
                version,
                value: entries[&version.0].map(|byte| Bytes::from(vec![byte])),
            };
            Some(Conflict { tkey: TKey::from(*key), sides: versions.into_iter().map(side).collect() })
        }
        _ => None,
    };
    KEYS.iter().zip(entries).filter_map(conflict).collect()
}

/// A history with four keys, and one to three of its versions.
fn history_with_heads() -> impl Strategy<Value = (Parents, [Entries; 4], Vec<u32>)> {
    let writes =
        prop::collection::vec((0_usize..4, any::<prop::sample::Index>(), any::<Option<u8>>()), 0..40);
    let heads = prop::collection::vec(any::<prop::sample::Index>(), 1..4);
    (history(), writes, heads).prop_map(|((parents, _), writes, picked)| {
        let at = |index: prop::sample::Index| number(index.index(parents.len())) + 1;
        let mut entries: [Entries; 4] = Default::default();
        for (key, index, entry) in writes {
            entries[key].insert(at(index), entry);
        }
        let mut heads: Vec<u32> = Vec::new();
        for head in picked.into_iter().map(at) {
            if !heads.contains(&head) {
                heads.push(head);
            }
        }
        (parents, entries, heads)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn what_would_be_in_conflict_is_in_conflict_once_merged(
        (mut parents, entries, heads) in history_with_heads()
    ) {
        let shared = Arc::new(MemoryStore::new());
        let instance = build(&shared, &parents, &entries);
        let ids: Vec<_> = heads.iter().map(|id| VersionId(*id)).collect();
        let open = |policy| Versioned::open(Arc::clone(&shared)).unwrap().with_policy(policy);
        let policies = [MergePolicy::LiveWins, MergePolicy::Strict, MergePolicy::FirstParent];
        let before = policies.map(|policy| listed(&open(policy), instance, &ids));
        let merged = match ids.as_slice() {
            [one] => *one,
            _ => {
                parents.push(heads);
                open(MergePolicy::LiveWins).merge(&ids, Some("merged")).unwrap().id
            }
        };
        for (policy, before) in policies.into_iter().zip(before) {
            let store = open(policy);
            prop_assert_eq!(&listed(&store, instance, &[merged]), &before, "{:?}", policy);
            let rule = match policy {
                MergePolicy::FirstParent => vec![],
                _ => expected(&parents, &entries, merged.0, policy == MergePolicy::Strict),
            };
            prop_assert_eq!(&before, &rule, "{:?}", policy);
            let at = DataContext::versioned(instance, merged);
            let mut read = Vec::new();
            store.visit(&at, &KeyRange::ALL, Fetch::Keys, &mut |tkey, resolved| {
                if let Resolved::Conflict { versions } = resolved {
                    read.push((tkey.clone(), versions));
                }
                Ok(Flow::Continue(()))
            }).unwrap();
            let sides = |conflict: &Conflict| conflict.sides.iter().map(|side| side.version).collect();
            let named: Vec<_> = before.iter().map(|found| (found.tkey.clone(), sides(found))).collect();
            prop_assert_eq!(read, named);
        }
    }

    #[test]
    fn all_conflicts_are_resolved_for_the_first_that_sees_one_side(
        (mut parents, mut entries, heads) in history_with_heads(),
        strict: bool,
    ) {
        let shared = Arc::new(MemoryStore::new());
        let instance = build(&shared, &parents, &entries);
        let policy = if strict { MergePolicy::Strict } else { MergePolicy::LiveWins };
        let store = Versioned::open(shared).unwrap().with_policy(policy);
        let prefer: Vec<_> = heads.iter().map(|id| VersionId(*id)).collect();
        let target = match prefer.as_slice() {
            [one] => store.new_version(*one, Some("target")).unwrap().id,
            _ => store.merge(&prefer, Some("target")).unwrap().id,
        };
        parents.push(heads.clone());
        let mut counts = Settled::default();
        for conflict in expected(&parents, &entries, target.0, strict) {
            let key = KEYS.iter().position(|key| TKey::from(*key) == conflict.tkey).unwrap();
            let sees = |head: &u32| -> Option<u32> {
                let seen = oracle::ancestors(&parents, *head);
                let mut sides = conflict.sides.iter().filter(|side| seen.contains(&side.version.0));
                let one = sides.next()?;
                sides.next().is_none().then_some(one.version.0)
            };
            match heads.iter().find_map(sees) {
                Some(side) => {
                    let chosen = entries[key][&side];
                    entries[key].insert(target.0, chosen);
                    counts.resolved += 1;
                }
                None => counts.left += 1,
            }
        }
        prop_assert_eq!(store.resolve_conflicts(instance, target, &prefer, &KeyRange::ALL).unwrap(), counts);
        let at = DataContext::versioned(instance, target);
        for (key, entries) in KEYS.iter().zip(&entries) {
            let rule = oracle(&parents, entries, target.0, strict);
            prop_assert_eq!(store.resolve(&at, &TKey::from(*key)).unwrap(), rule);
        }
        let again = Settled { resolved: 0, ..counts };
        prop_assert_eq!(store.resolve_conflicts(instance, target, &prefer, &KeyRange::ALL).unwrap(), again);
    }
}

/// A diamond: `left` and `right` overwrote the keys, and `merge` is open.
struct Diamond<S> {
    store: Versioned<S>,
    instance: InstanceId,
    root: VersionId,
    left: VersionId,
    right: VersionId,
    merge: VersionId,
}

impl<S: Store> Diamond<S> {
    fn new(inner: S, keys: &[&str]) -> Self {
        let store = Versioned::create(inner).unwrap();
        let repo = store.create_repo("r", None).unwrap();
        let instance = store.create_instance(repo.id, &NewInstance::new("kv", "keyvalue")).unwrap().id;
        let put = |version, value: &'static str| {
            let entries: Vec<_> = keys.iter().map(|key| (TKey::from(*key), Bytes::from(value))).collect();
            store.put_range(&DataContext::versioned(instance, version), &entries).unwrap();
            store.commit_version(version, "").unwrap();
        };
        put(repo.root, "root");
        let left = store.new_version(repo.root, Some("left")).unwrap().id;
        let right = store.new_version(repo.root, Some("right")).unwrap().id;
        put(left, "l");
        put(right, "r");
        let merge = store.merge(&[left, right], Some("merge")).unwrap().id;
        Self { store, instance, root: repo.root, left, right, merge }
    }

    fn at(&self, version: VersionId) -> DataContext {
        DataContext::versioned(self.instance, version)
    }

    fn get(&self, version: VersionId, key: &str) -> Option<Bytes> {
        self.store.get(&self.at(version), &TKey::from(key)).unwrap()
    }
}

#[test]
fn a_conflict_is_listed_with_its_sides() {
    let diamond = Diamond::new(MemoryStore::new(), &["k"]);
    let Diamond { store, instance, left, right, merge, root } = &diamond;
    let side =
        |version: &VersionId, value: &'static str| Side { version: *version, value: Some(value.into()) };
    let conflict = Conflict { tkey: TKey::from("k"), sides: vec![side(left, "l"), side(right, "r")] };
    for versions in [&[*merge][..], &[*right, *left]] {
        assert_eq!(listed(store, *instance, versions), std::slice::from_ref(&conflict));
    }
    assert_eq!(listed(store, *instance, &[*left, *root]), [], "one descends from the other");
    assert_eq!(listed(store, *instance, &[*left, *left]), []);
    let dag = store.dag().unwrap();
    assert_eq!(conflict.seen_by(&dag, *left).unwrap(), Some(&conflict.sides[0]));
    assert_eq!(conflict.seen_by(&dag, *root).unwrap(), None, "it sees no side");
    assert_eq!(conflict.seen_by(&dag, *merge).unwrap(), None, "it sees both");
    assert_eq!(conflict.preferred(&dag, &[*merge, *right, *left]).unwrap(), Some(&conflict.sides[1]));
    let mut ignore = |_| Ok(Flow::Continue(()));
    let none = store.conflicts(*instance, &[], &KeyRange::ALL, &mut ignore);
    assert_eq!(none.unwrap_err().kind(), ErrorKind::InvalidArgument);
    let missing = store.conflicts(*instance, &[*left, VersionId(99)], &KeyRange::ALL, &mut ignore);
    assert_eq!(missing.unwrap_err().kind(), ErrorKind::NotFound);
    let other = store.create_repo("other", None).unwrap().root;
    let foreign = store.conflicts(*instance, &[*left, other], &KeyRange::ALL, &mut ignore);
    assert_eq!(foreign.unwrap_err().kind(), ErrorKind::InvalidArgument);
}

#[test]
fn listing_conflicts_is_one_scan_that_reads_the_sides_alone() {
    let keys: Vec<String> = (0..100).map(|at| format!("{at:03}")).collect();
    let names: Vec<&str> = keys.iter().map(String::as_str).collect();
    let diamond = Diamond::new(Metered::new(MemoryStore::new()), &names);
    let before = diamond.store.store().usage();
    assert_eq!(listed(&diamond.store, diamond.instance, &[diamond.left, diamond.right]).len(), 100);
    let after = diamond.store.store().usage();
    assert_eq!((after.scans - before.scans, after.gets - before.gets), (1, 200));
    let mut seen = 0;
    let first = diamond.store.conflicts(diamond.instance, &[diamond.merge], &KeyRange::ALL, &mut |_| {
        seen += 1;
        Ok(Flow::Break(()))
    });
    assert!(first.is_ok() && seen == 1, "it ends when it is told to");
}

#[test]
fn a_conflict_is_resolved_where_it_is_written() {
    let diamond = Diamond::new(MemoryStore::new(), &["a", "b", "c", "same"]);
    let Diamond { store, left, right, merge, .. } = &diamond;
    let resolve = |version: VersionId, key: &str, choice: Choice| {
        store.resolve_conflict(&diamond.at(version), &TKey::from(key), choice).map_err(|error| error.kind())
    };
    resolve(*merge, "a", Choice::Version(*right)).unwrap();
    resolve(*merge, "b", Choice::Value("both".into())).unwrap();
    resolve(*merge, "c", Choice::Delete).unwrap();
    assert_eq!(diamond.get(*merge, "a").as_deref(), Some(b"r".as_slice()));
    assert_eq!(diamond.get(*merge, "b").as_deref(), Some(b"both".as_slice()));
    assert_eq!(diamond.get(*merge, "c"), None);
    for key in ["a", "b", "c"] {
        assert_eq!(diamond.get(*left, key).as_deref(), Some(b"l".as_slice()), "{key} above");
        assert_eq!(resolve(*merge, key, Choice::Delete), Err(ErrorKind::NotFound), "{key} was resolved");
    }
    assert_eq!(resolve(*merge, "nosuch", Choice::Delete), Err(ErrorKind::NotFound));
    assert_eq!(resolve(*merge, "same", Choice::Version(*merge)), Err(ErrorKind::InvalidArgument));
    assert_eq!(resolve(*merge, "same", Choice::Version(diamond.root)), Err(ErrorKind::InvalidArgument));
    assert_eq!(resolve(*left, "same", Choice::Delete), Err(ErrorKind::ReadOnly), "it is committed");
    store.commit_version(*merge, "").unwrap();
    assert_eq!(resolve(*merge, "same", Choice::Delete), Err(ErrorKind::ReadOnly));
    let below = store.new_version(*merge, None).unwrap().id;
    resolve(below, "same", Choice::Version(*left)).unwrap();
    assert_eq!(diamond.get(below, "same").as_deref(), Some(b"l".as_slice()));
    assert_eq!(listed(store, diamond.instance, &[*merge]).len(), 1, "the merge itself stays in conflict");
}

#[test]
fn a_deletion_is_a_side_under_the_strict_policy() {
    let diamond = Diamond::new(MemoryStore::new(), &["k"]);
    let Diamond { store, instance, left, merge, .. } = diamond;
    let store = store.with_policy(MergePolicy::Strict);
    let gone = store.new_version(left, Some("gone")).unwrap().id;
    store.delete(&DataContext::versioned(instance, gone), &TKey::from("k")).unwrap();
    store.commit_version(gone, "").unwrap();
    store.commit_version(merge, "").unwrap();
    let both = store.merge(&[gone, merge], Some("both")).unwrap().id;
    let sides = listed(&store, instance, &[both]).remove(0).sides;
    assert_eq!(sides.iter().map(|side| side.value.is_none()).collect::<Vec<_>>(), [false, true]);
    let at = DataContext::versioned(instance, both);
    store.resolve_conflict(&at, &TKey::from("k"), Choice::Version(gone)).unwrap();
    assert_eq!(store.resolve(&at, &TKey::from("k")).unwrap(), Resolved::Deleted { version: both });
}

#[test]
fn a_resolution_that_was_cut_short_is_gone_on_with() {
    let keys: Vec<String> = (0..2_500).map(|at| format!("{at:04}")).collect();
    let names: Vec<&str> = keys.iter().map(String::as_str).collect();
    let faults = Faults::new();
    let diamond = Diamond::new(Faulty::new(MemoryStore::new(), Arc::clone(&faults)), &names);
    let Diamond { store, instance, left, right, merge, root } = &diamond;
    let all = |prefer: &[VersionId]| store.resolve_conflicts(*instance, *merge, prefer, &KeyRange::ALL);
    assert_eq!(all(&[*root]).unwrap(), Settled { resolved: 0, left: 2_500 });
    assert_eq!(all(&[VersionId(99)]).unwrap_err().kind(), ErrorKind::NotFound);
    faults.fail_after(Fault::Commit, 1);
    assert_eq!(all(&[*right]).unwrap_err().kind(), ErrorKind::Io);
    let left_over = listed(store, *instance, &[*merge]).len();
    assert!((1..2_500).contains(&left_over), "one piece of several was done, {left_over} keys are left");
    assert_eq!(all(&[*root, *right, *left]).unwrap(), Settled { resolved: left_over as u64, left: 0 });
    assert_eq!(all(&[*left]).unwrap(), Settled::default(), "nothing is resolved twice");
    for key in ["0000", "1500", "2499"] {
        assert_eq!(diamond.get(*merge, key).as_deref(), Some(b"r".as_slice()), "{key}");
    }
}

#[test]
fn a_range_alone_is_resolved() {
    let diamond = Diamond::new(MemoryStore::new(), &["a", "b", "c"]);
    let Diamond { store, instance, left, merge, .. } = &diamond;
    let settled = store.resolve_conflicts(*instance, *merge, &[*left], &KeyRange::new("b".."c")).unwrap();
    assert_eq!(settled, Settled { resolved: 1, left: 0 });
    let keys: Vec<_> = listed(store, *instance, &[*merge]).into_iter().map(|found| found.tkey).collect();
    assert_eq!(keys, [TKey::from("a"), TKey::from("c")]);
}

/// A store that lets another write come first: `overtake` runs before the next commit.
#[derive(Debug)]
struct Overtaken {
    inner: MemoryStore,
    overtake: Mutex<Option<engine_api::WriteBatch>>,
}

impl Store for Overtaken {
    fn capabilities(&self) -> &engine_api::Capabilities {
        self.inner.capabilities()
    }

    fn view(&self) -> engine_api::Result<Box<dyn engine_api::View>> {
        self.inner.view()
    }

    fn commit(
        &self,
        batch: &engine_api::WriteBatch,
        durability: engine_api::Durability,
    ) -> engine_api::Result<()> {
        if let Some(first) = self.overtake.lock().unwrap().take() {
            self.inner.commit(&first, durability)?;
        }
        self.inner.commit(batch, durability)
    }

    fn flush(&self) -> engine_api::Result<()> {
        self.inner.flush()
    }
}

#[test]
fn a_write_that_comes_first_is_not_overwritten() {
    use engine_api::key::Context as _;
    let inner = Overtaken { inner: MemoryStore::new(), overtake: Mutex::new(None) };
    let diamond = Diamond::new(inner, &["a", "b"]);
    let Diamond { store, instance, left, merge, .. } = &diamond;
    let at = diamond.at(*merge);
    let overtake = |key: &str| {
        let mut batch = engine_api::WriteBatch::new();
        batch.put(at.construct_key(&TKey::from(key)), "another's");
        *store.store().overtake.lock().unwrap() = Some(batch);
    };
    overtake("a");
    let late = store.resolve_conflict(&at, &TKey::from("a"), Choice::Version(*left));
    assert_eq!(late.unwrap_err().kind(), ErrorKind::Conflict);
    assert_eq!(diamond.get(*merge, "a").as_deref(), Some(b"another's".as_slice()));
    store.delete_raw(&engine_api::key::DataKey::parse(&at.construct_key(&TKey::from("a"))).unwrap()).unwrap();
    overtake("b");
    let settled = store.resolve_conflicts(*instance, *merge, &[*left], &KeyRange::ALL).unwrap();
    assert_eq!(settled, Settled { resolved: 1, left: 0 });
    assert_eq!(diamond.get(*merge, "a").as_deref(), Some(b"l".as_slice()));
    assert_eq!(diamond.get(*merge, "b").as_deref(), Some(b"another's".as_slice()));
}

/// Joins the sides of keys that begin with `join`, deletes those that begin with `drop`, takes the last side of
/// those that begin with `last`, and leaves the rest.
struct ByName;

impl ConflictResolver for ByName {
    fn choose(&self, _: InstanceId, conflict: &Conflict) -> engine_api::Result<Option<Choice>> {
        let key = conflict.tkey.as_bytes();
        Ok(if key.starts_with(b"join") {
            let values: Vec<&[u8]> = conflict.sides.iter().filter_map(|side| side.value.as_deref()).collect();
            Some(Choice::Value(values.join(&b'+').into()))
        } else if key.starts_with(b"drop") {
            Some(Choice::Delete)
        } else if key.starts_with(b"last") {
            conflict.sides.last().map(|side| Choice::Version(side.version))
        } else {
            None
        })
    }
}

#[test]
fn a_resolver_is_asked_wherever_a_conflict_would_be_answered() {
    let Diamond { store, instance, left, right, merge, .. } =
        Diamond::new(MemoryStore::new(), &["drop", "join", "last", "left"]);
    let store = store.with_resolver(Arc::new(ByName));
    let (at, key) = (DataContext::versioned(instance, merge), |name: &str| TKey::from(name));
    assert_eq!(store.get(&at, &key("join")).unwrap().as_deref(), Some(b"l+r".as_slice()));
    let last = Resolved::Found { value: "r".into(), version: right };
    assert_eq!(store.resolve(&at, &key("last")).unwrap(), last);
    assert!(!store.exists(&at, &key("drop")).unwrap());
    assert_eq!(store.get(&at, &key("left")).unwrap_err().kind(), ErrorKind::Conflict);
    let keys = store.keys_in_range(&at, &KeyRange::ALL).unwrap();
    assert_eq!(keys, ["join", "last", "left"].map(key), "keys alone are settled by the values too");
    let settled = KeyRange::new("a".."lb");
    let entries: Vec<(TKey, Bytes)> = vec![(key("join"), "l+r".into()), (key("last"), "r".into())];
    assert_eq!(store.get_range(&at, &settled).unwrap(), entries);
    let mut alone = Vec::new();
    store
        .visit(&at, &settled, Fetch::Keys, &mut |tkey, resolved| {
            alone.push((tkey.clone(), resolved.into_value()?));
            Ok(Flow::Continue(()))
        })
        .unwrap();
    assert_eq!(alone, [(key("join"), Some(Bytes::new())), (key("last"), Some(Bytes::new()))]);
    let streamed: Vec<_> = stream(&store, &at, settled.clone(), Fetch::Entries)
        .map(|entry| entry.and_then(|(tkey, resolved)| Ok((tkey, resolved.into_value()?.unwrap()))).unwrap())
        .collect();
    assert_eq!(streamed, entries);
    let processed = Mutex::new(BTreeMap::new());
    process_range(&store, &at, &settled, 2, &|tkey, value| {
        processed.lock().unwrap().insert(tkey.clone(), value);
        Ok(())
    })
    .unwrap();
    assert_eq!(processed.into_inner().unwrap().into_iter().collect::<Vec<_>>(), entries);
    let mut differ = Vec::new();
    store
        .diff(instance, (right, merge), &KeyRange::ALL, &mut |difference| {
            differ.push((difference.tkey, difference.after.is_visible()));
            Ok(Flow::Continue(()))
        })
        .unwrap();
    let expected = [(key("drop"), false), (key("join"), true), (key("left"), true)];
    assert_eq!(differ, expected, "the last side is what the right has");
    assert_eq!(listed(&store, instance, &[left, right]).len(), 4, "the rule's conflicts are listed still");
    // What was derived from a settled value is written if nobody came first.
    let mut batch = store.batch(&at).unwrap();
    batch.require(&key("join"), &store.resolve(&at, &key("join")).unwrap());
    batch.put(&key("join"), "chosen".into());
    batch.commit().unwrap();
    assert_eq!(store.get(&at, &key("join")).unwrap().as_deref(), Some(b"chosen".as_slice()));
}

#[test]
fn a_resolver_that_fails_or_names_no_side_ends_the_read() {
    let Diamond { store, instance, root, merge, .. } = Diamond::new(MemoryStore::new(), &["k"]);
    let at = DataContext::versioned(instance, merge);
    let failing = |_: InstanceId, _: &Conflict| -> engine_api::Result<Option<Choice>> {
        Err(engine_api::Error::new(ErrorKind::Corrupt, "the resolver can't read the sides"))
    };
    let store = store.with_resolver(Arc::new(failing));
    assert_eq!(store.get(&at, &TKey::from("k")).unwrap_err().kind(), ErrorKind::Corrupt);
    assert_eq!(store.get_range(&at, &KeyRange::ALL).unwrap_err().kind(), ErrorKind::Corrupt);
    let store =
        store.with_resolver(Arc::new(move |_: InstanceId, _: &Conflict| Ok(Some(Choice::Version(root)))));
    assert_eq!(store.get(&at, &TKey::from("k")).unwrap_err().kind(), ErrorKind::InvalidArgument);
}
