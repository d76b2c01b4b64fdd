//! The version layer against the read rule, written as plainly as it reads.
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod oracle;

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use engine_api::key::{
    ClientId, Context, DataContext, DataKey, InstanceId, Mark, MetadataContext, RepoId, TKey, VersionId,
};
use engine_api::layers::{Fault, Faults, Faulty};
use engine_api::version::{
    Ancestry, DeleteScope, Flow, KeyResolver, MergePolicy, NewInstance, Offer, OrderedKeyValue, Repo,
    Resolved, Version, VersionDag, Versioned, process_range, stream,
};
use engine_api::{Bytes, Error, ErrorKind, Fetch, KeyRange, MemoryStore, Uuid};
use oracle::{Entries, Parents, ancestors, history, oracle, parents};
use proptest::prelude::*;

/// A DAG whose version `n` gets the number `numbers[n - 1]`.
fn dag(parents: &Parents, numbers: &[u32]) -> VersionDag {
    let number = |version: u32| VersionId(numbers[version as usize - 1]);
    let versions = (1..)
        .zip(parents)
        .map(|(version, parents)| Version {
            id: number(version),
            uuid: Uuid::from_u128(u128::from(version)),
            repo: RepoId(1),
            parents: parents.iter().map(|parent| number(*parent)).collect(),
            branch: format!("b{version}"),
            note: String::new(),
            created: 0,
            committed: Some(0),
            cleaned: None,
        })
        .collect();
    let repo =
        Repo { id: RepoId(1), uuid: Uuid::from_u128(1), alias: "r".to_owned(), root: number(1), created: 0 };
    VersionDag::assemble(vec![repo], versions, vec![]).unwrap()
}

/// Offers entries as a store would: by descending number.
fn resolve(
    dag: &VersionDag,
    numbers: &[u32],
    entries: &Entries,
    reader: u32,
    policy: MergePolicy,
) -> Resolved {
    let reader = VersionId(numbers[reader as usize - 1]);
    let ancestry = match policy {
        MergePolicy::FirstParent => Ancestry::first_parents(dag, reader).unwrap(),
        _ => Ancestry::new(dag, reader).unwrap(),
    };
    let mut stored: Vec<(VersionId, Option<u8>)> =
        entries.iter().map(|(version, entry)| (VersionId(numbers[*version as usize - 1]), *entry)).collect();
    stored.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
    let mut resolver = KeyResolver::new(&ancestry, policy);
    let mut skip_to = VersionId(u32::MAX);
    for (version, entry) in stored {
        if version > skip_to {
            continue;
        }
        let mark = if entry.is_some() { Mark::Data } else { Mark::Tombstone };
        let value = entry.map(|byte| vec![byte]).unwrap_or_default();
        match resolver.offer(version, mark, engine_api::Value::ready(&value)).unwrap() {
            Offer::More => {}
            Offer::SkipTo(to) => skip_to = to,
            Offer::Done => break,
        }
    }
    resolver.finish()
}

fn renumber(resolved: Resolved, numbers: &[u32]) -> Resolved {
    let number = |version: VersionId| VersionId(numbers[version.0 as usize - 1]);
    match resolved {
        Resolved::Found { value, version } => Resolved::Found { value, version: number(version) },
        // With several deletes leading, which of them is named is by number.
        Resolved::Deleted { version } => Resolved::Deleted { version: number(version) },
        Resolved::Absent => Resolved::Absent,
        Resolved::Conflict { versions } => {
            let mut versions: Vec<_> = versions.into_iter().map(number).collect();
            versions.sort_unstable();
            Resolved::Conflict { versions }
        }
    }
}

fn ascending(parents: &Parents) -> Vec<u32> {
    (1..=u32::try_from(parents.len()).unwrap()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn the_resolver_follows_the_rule((parents, entries) in history()) {
        let numbers = ascending(&parents);
        let dag = dag(&parents, &numbers);
        for reader in 1..=u32::try_from(parents.len()).unwrap() {
            for (policy, strict) in [(MergePolicy::LiveWins, false), (MergePolicy::Strict, true)] {
                let expected = oracle(&parents, &entries, reader, strict);
                prop_assert_eq!(resolve(&dag, &numbers, &entries, reader, policy), expected, "at {}", reader);
            }
            let first: Parents = parents.iter().map(|p| p.iter().take(1).copied().collect()).collect();
            let expected = oracle(&first, &entries, reader, false);
            prop_assert_eq!(resolve(&dag, &numbers, &entries, reader, MergePolicy::FirstParent), expected);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn numbers_say_nothing_of_ancestry((parents, entries) in history(), seed: u64) {
        let mut numbers = ascending(&parents);
        let mut state = seed;
        for at in (1..numbers.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            numbers.swap(at, usize::try_from(state >> 33).unwrap() % (at + 1));
        }
        let dag = dag(&parents, &numbers);
        for reader in 1..=u32::try_from(parents.len()).unwrap() {
            let expected = renumber(oracle(&parents, &entries, reader, false), &numbers);
            let found = resolve(&dag, &numbers, &entries, reader, MergePolicy::LiveWins);
            if let (Resolved::Deleted { .. }, Resolved::Deleted { .. }) = (&expected, &found) {
                continue;
            }
            prop_assert_eq!(found, expected, "at {}", reader);
        }
    }

    #[test]
    fn ancestry_is_what_a_walk_finds(parents in parents()) {
        let numbers = ascending(&parents);
        let dag = dag(&parents, &numbers);
        for version in numbers {
            let walked = ancestors(&parents, version);
            for other in 1..=u32::try_from(parents.len()).unwrap() {
                let found = dag.is_ancestor(VersionId(other), VersionId(version)).unwrap();
                prop_assert_eq!(found, walked.contains(&other), "{} before {}", other, version);
            }
            let seen: Vec<VersionId> = walked.into_iter().map(VersionId).collect();
            let ancestry = Ancestry::new(&dag, VersionId(version)).unwrap();
            prop_assert_eq!(ancestry.ids().collect::<Vec<_>>(), seen);
        }
    }

    #[test]
    fn ranges_and_gets_agree_with_the_rule(
        (parents, _) in history(),
        writes in prop::collection::vec((0_usize..4, any::<prop::sample::Index>(), any::<Option<u8>>()), 0..40),
    ) {
        const KEYS: [&[u8]; 4] = [b"", b"a", b"a\0", b"ab"];
        let store = Versioned::create(MemoryStore::new()).unwrap();
        let repo = store.create_repo("r", None).unwrap();
        let instance = store.create_instance(repo.id, &NewInstance::new("kv", "keyvalue")).unwrap();
        let mut entries: [Entries; 4] = Default::default();
        for (key, at, entry) in writes {
            entries[key].insert(u32::try_from(at.index(parents.len())).unwrap() + 1, entry);
        }
        let at = |version: u32| DataContext::versioned(instance.id, VersionId(version));
        for (version, ancestors) in (1_u32..).zip(&parents) {
            if version > 1 {
                let ids: Vec<_> = ancestors.iter().map(|id| VersionId(*id)).collect();
                let branch = format!("b{version}");
                let made = match ids.as_slice() {
                    [one] => store.new_version(*one, Some(&branch)),
                    _ => store.merge(&ids, Some(&branch)),
                };
                prop_assert_eq!(made.unwrap().id, VersionId(version));
            }
            for (key, entries) in KEYS.iter().zip(&entries) {
                match entries.get(&version) {
                    Some(Some(byte)) => store.put(&at(version), &TKey::from(*key), vec![*byte].into()).unwrap(),
                    Some(None) => store.delete(&at(version), &TKey::from(*key)).unwrap(),
                    None => {}
                }
            }
            store.commit_version(VersionId(version), "").unwrap();
        }
        for reader in 1..=u32::try_from(parents.len()).unwrap() {
            let mut visible = Vec::new();
            for (key, entries) in KEYS.iter().zip(&entries) {
                let expected = oracle(&parents, entries, reader, false);
                prop_assert_eq!(&store.resolve(&at(reader), &TKey::from(*key)).unwrap(), &expected);
                if expected.is_visible() {
                    visible.push((TKey::from(*key), expected));
                }
            }
            let mut visited = Vec::new();
            store.visit(&at(reader), &KeyRange::ALL, Fetch::Entries, &mut |tkey, resolved| {
                visited.push((tkey.clone(), resolved));
                Ok(Flow::Continue(()))
            }).unwrap();
            prop_assert_eq!(&visited, &visible);
            let keys: Vec<TKey> = visible.into_iter().map(|(key, _)| key).collect();
            prop_assert_eq!(store.keys_in_range(&at(reader), &KeyRange::ALL).unwrap(), keys);
        }
    }
}

fn atlas() -> (Versioned<MemoryStore>, Repo, InstanceId) {
    let store = Versioned::create(MemoryStore::new()).unwrap();
    let repo = store.create_repo("atlas", None).unwrap();
    let instance = store.create_instance(repo.id, &NewInstance::new("kv", "keyvalue")).unwrap().id;
    (store, repo, instance)
}

#[test]
fn a_committed_version_refuses_every_write() {
    let (store, repo, instance) = atlas();
    let ctx = DataContext::versioned(instance, repo.root);
    let key = TKey::from("k");
    store.put(&ctx, &key, Bytes::from("v")).unwrap();
    store.commit_version(repo.root, "").unwrap();
    let refused = [
        store.put(&ctx, &key, Bytes::from("w")),
        store.delete(&ctx, &key),
        store.delete_range(&ctx, &KeyRange::ALL).map(drop),
        store.delete_all(&ctx, DeleteScope::ThisVersion),
        store.commit_version(repo.root, "again").map(drop),
    ];
    for outcome in refused {
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::ReadOnly);
    }
    assert_eq!(store.get(&ctx, &key).unwrap().as_deref(), Some(b"v".as_slice()));
}

#[test]
fn a_handle_that_missed_the_commit_is_refused_by_the_store() {
    use std::sync::Arc;
    let shared = Arc::new(MemoryStore::new());
    let first = Versioned::create(Arc::clone(&shared)).unwrap();
    let repo = first.create_repo("atlas", None).unwrap();
    let instance = first.create_instance(repo.id, &NewInstance::new("kv", "keyvalue")).unwrap().id;
    let second = Versioned::open(shared).unwrap();
    first.commit_version(repo.root, "").unwrap();
    let ctx = DataContext::versioned(instance, repo.root);
    assert_eq!(second.put(&ctx, &TKey::from("k"), Bytes::new()).unwrap_err().kind(), ErrorKind::ReadOnly);
    // Its own change is decided on the DAG that the other has made.
    let next = second.new_version(repo.root, None).unwrap();
    assert_eq!(first.find("main").unwrap().id, repo.root, "a cached DAG, until it is refreshed");
    first.refresh().unwrap();
    assert_eq!(first.find("main").unwrap().id, next.id);
}

#[test]
fn a_handle_that_missed_a_new_version_looks_again() {
    use std::sync::Arc;
    let shared = Arc::new(MemoryStore::new());
    let first = Versioned::create(Arc::clone(&shared)).unwrap();
    let second = Versioned::open(shared).unwrap();
    let repo = first.create_repo("atlas", None).unwrap();
    let instance = first.create_instance(repo.id, &NewInstance::new("kv", "keyvalue")).unwrap().id;
    let ctx = DataContext::versioned(instance, repo.root);
    second.put(&ctx, &TKey::from("k"), Bytes::from("v")).unwrap();
    assert_eq!(first.get(&ctx, &TKey::from("k")).unwrap().as_deref(), Some(b"v".as_slice()));
    first.delete_instance(instance).unwrap();
    let late = second.put(&ctx, &TKey::from("k"), Bytes::from("w"));
    assert_eq!(late.unwrap_err().kind(), ErrorKind::NotFound, "no data without an instance");
}

#[test]
fn contexts_must_fit_the_instance() {
    let (store, repo, instance) = atlas();
    let plain =
        store.create_instance(repo.id, &NewInstance::new("plain", "keyvalue").unversioned()).unwrap().id;
    let key = TKey::from("k");
    let kind = |ctx: &dyn Context| store.put(ctx, &key, Bytes::new()).unwrap_err().kind();
    assert_eq!(kind(&DataContext::unversioned(instance)), ErrorKind::InvalidArgument);
    assert_eq!(kind(&DataContext::versioned(plain, repo.root)), ErrorKind::InvalidArgument);
    assert_eq!(kind(&DataContext::versioned(InstanceId(99), repo.root)), ErrorKind::NotFound);
    assert_eq!(kind(&DataContext::versioned(instance, VersionId(99))), ErrorKind::NotFound);
    let other = store.create_repo("other", None).unwrap();
    assert_eq!(kind(&DataContext::versioned(instance, other.root)), ErrorKind::InvalidArgument);
    let reserved = store.put(&MetadataContext, &TKey::from(b"\x0fx"), Bytes::new());
    assert_eq!(reserved.unwrap_err().kind(), ErrorKind::InvalidArgument);
    store.put(&MetadataContext, &TKey::from(b"\x10x"), Bytes::from("free")).unwrap();
}

#[test]
fn a_version_is_found_by_branch_digits_and_steps_back() {
    let (store, repo, _) = atlas();
    store.commit_version(repo.root, "").unwrap();
    let second = store.new_version(repo.root, None).unwrap();
    store.commit_version(second.id, "").unwrap();
    let third = store.new_version(second.id, None).unwrap();
    let side = store.new_version(second.id, Some("side")).unwrap();
    let id = |spec: &str| store.find(spec).map(|version| version.id);
    assert_eq!(id("main").unwrap(), third.id);
    assert_eq!(id("main~").unwrap(), second.id);
    assert_eq!(id(":side~2").unwrap(), repo.root);
    assert_eq!(id("atlas:side").unwrap(), side.id);
    assert_eq!(id(&second.uuid.simple().to_string()[..10]).unwrap(), second.id);
    assert_eq!(id("main~9").unwrap_err().kind(), ErrorKind::InvalidArgument);
    assert_eq!(id("main~x").unwrap_err().kind(), ErrorKind::InvalidArgument);
    let missing = id("nosuch").unwrap_err();
    assert_eq!((missing.kind(), missing.field("branches")), (ErrorKind::NotFound, Some("main, side")));
}

#[test]
fn the_rules_of_branching() {
    let (store, repo, _) = atlas();
    let kind = |outcome: engine_api::Result<Version>| outcome.unwrap_err().kind();
    assert_eq!(
        kind(store.new_version(repo.root, Some("side"))),
        ErrorKind::InvalidArgument,
        "the parent is open"
    );
    store.commit_version(repo.root, "").unwrap();
    let next = store.new_version(repo.root, None).unwrap();
    assert_eq!(kind(store.new_version(repo.root, None)), ErrorKind::AlreadyExists);
    assert_eq!(kind(store.new_version(repo.root, Some("main"))), ErrorKind::AlreadyExists);
    let side = store.new_version(repo.root, Some("side")).unwrap();
    assert_eq!(kind(store.new_version(repo.root, Some("side"))), ErrorKind::AlreadyExists);
    assert_eq!(kind(store.new_version(repo.root, Some("a b"))), ErrorKind::InvalidArgument);
    let before = store.dag().unwrap().versions().count();
    assert_eq!(kind(store.merge(&[next.id], None)), ErrorKind::InvalidArgument);
    assert_eq!(kind(store.merge(&[next.id, next.id], None)), ErrorKind::InvalidArgument);
    assert_eq!(kind(store.merge(&[next.id, side.id], None)), ErrorKind::InvalidArgument, "both are open");
    assert_eq!(store.dag().unwrap().versions().count(), before, "a failed merge leaves no trace");
    store.commit_version(next.id, "").unwrap();
    store.commit_version(side.id, "").unwrap();
    let merged = store.merge(&[next.id, side.id], None).unwrap();
    assert_eq!((merged.branch.as_str(), merged.parents.as_slice()), ("main", [next.id, side.id].as_slice()));
}

#[test]
fn what_is_reopened_is_what_was_left() {
    use std::sync::Arc;
    let shared = Arc::new(MemoryStore::new());
    let store = Versioned::create(Arc::clone(&shared)).unwrap();
    let repo = store.create_repo("atlas", Some(Uuid::from_u128(7))).unwrap();
    store.create_instance(repo.id, &NewInstance::new("kv", "keyvalue")).unwrap();
    store.commit_version(repo.root, "first").unwrap();
    store.new_version(repo.root, Some("side")).unwrap();
    let list = |store: &Versioned<Arc<MemoryStore>>| -> Vec<Version> {
        store.dag().unwrap().versions().cloned().collect()
    };
    let again = Versioned::open(Arc::clone(&shared)).unwrap();
    assert_eq!(list(&again), list(&store));
    assert_eq!(again.only_repo().unwrap(), repo);
    assert_eq!(Versioned::create(shared).unwrap_err().kind(), ErrorKind::Incompatible, "it isn't empty");
}

#[test]
fn a_thousand_versions_made_at_once_are_a_thousand() {
    let (store, repo, _) = atlas();
    store.commit_version(repo.root, "").unwrap();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let store = &store;
            scope.spawn(move || {
                for at in 0..125 {
                    store.new_version(repo.root, Some(&format!("b{thread}-{at}"))).unwrap();
                }
            });
        }
    });
    let dag = store.dag().unwrap();
    assert_eq!(dag.versions().count(), 1001);
    let uuids: BTreeSet<_> = dag.versions().map(|version| version.uuid).collect();
    assert_eq!(uuids.len(), 1001);
}

#[test]
fn a_deleted_instance_takes_its_data_and_no_other() {
    let (store, repo, first) = atlas();
    let second = store.create_instance(repo.id, &NewInstance::new("other", "keyvalue")).unwrap().id;
    let (a, b) = (DataContext::versioned(first, repo.root), DataContext::versioned(second, repo.root));
    store.put(&a, &TKey::from("k"), Bytes::from("a")).unwrap();
    store.put(&b, &TKey::from("k"), Bytes::from("b")).unwrap();
    store.delete_instance(first).unwrap();
    assert_eq!(store.get(&a, &TKey::from("k")).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(store.get(&b, &TKey::from("k")).unwrap().as_deref(), Some(b"b".as_slice()));
    let left = engine_api::StoreExt::count(store.store(), &a.key_range()).unwrap();
    assert_eq!(left, 0);
}

#[test]
fn a_diff_names_the_keys_that_are_seen_differently() {
    let (store, repo, instance) = atlas();
    let at = |version| DataContext::versioned(instance, version);
    let put = |version, key: &str, value: &'static str| {
        store.put(&at(version), &TKey::from(key), Bytes::from(value)).unwrap();
    };
    for (key, value) in [("a", "1"), ("b", "1"), ("c", "1"), ("d", "1")] {
        put(repo.root, key, value);
    }
    store.commit_version(repo.root, "").unwrap();
    let side = store.new_version(repo.root, Some("side")).unwrap().id;
    put(side, "a", "1"); // rewritten, and the same
    put(side, "b", "2");
    store.delete(&at(side), &TKey::from("c")).unwrap();
    put(side, "e", "new");
    store.delete(&at(side), &TKey::from("never")).unwrap();
    let mut seen = Vec::new();
    store
        .diff(instance, (repo.root, side), &KeyRange::ALL, &mut |difference| {
            seen.push((
                String::from_utf8(difference.tkey.as_bytes().to_vec()).unwrap(),
                difference.before.into_value()?.is_some(),
                difference.after.into_value()?.is_some(),
            ));
            Ok(Flow::Continue(()))
        })
        .unwrap();
    let expected =
        [("b".to_owned(), true, true), ("c".to_owned(), true, false), ("e".to_owned(), false, true)];
    assert_eq!(seen, expected);
}

#[test]
fn raw_entries_are_exactly_what_is_stored() {
    let (store, repo, instance) = atlas();
    let ctx = DataContext::versioned(instance, repo.root);
    let key = TKey::from("k");
    let raw = |mark| DataKey { instance, tkey: key.clone(), version: repo.root, client: ClientId(0), mark };
    store.put_raw(&raw(Mark::Data), Bytes::from("v")).unwrap();
    assert_eq!(store.get(&ctx, &key).unwrap().as_deref(), Some(b"v".as_slice()));
    store.put_raw(&raw(Mark::Tombstone), Bytes::new()).unwrap();
    assert_eq!(store.get_raw(&raw(Mark::Data)).unwrap(), None, "one mark at a version");
    assert!(matches!(store.resolve(&ctx, &key).unwrap(), Resolved::Deleted { .. }));
    store.delete_raw(&raw(Mark::Tombstone)).unwrap();
    assert_eq!(store.resolve(&ctx, &key).unwrap(), Resolved::Absent);
    let valued = store.put_raw(&raw(Mark::Tombstone), Bytes::from("v"));
    assert_eq!(valued.unwrap_err().kind(), ErrorKind::InvalidArgument);
    store.commit_version(repo.root, "").unwrap();
    assert_eq!(store.put_raw(&raw(Mark::Data), Bytes::new()).unwrap_err().kind(), ErrorKind::ReadOnly);
    assert_eq!(store.delete_raw(&raw(Mark::Data)).unwrap_err().kind(), ErrorKind::ReadOnly);
}

fn numbered(store: &Versioned<MemoryStore>, ctx: &DataContext, count: u32) {
    let entries: Vec<_> =
        (0..count).map(|at| (TKey::from(at.to_be_bytes().to_vec()), Bytes::from(vec![7; 10]))).collect();
    store.put_range(ctx, &entries).unwrap();
}

#[test]
fn a_stream_goes_over_many_pages_and_sees_what_comes_behind_it() {
    let (store, repo, instance) = atlas();
    let ctx = DataContext::versioned(instance, repo.root);
    numbered(&store, &ctx, 3_000);
    let keys: Vec<_> =
        stream(&store, &ctx, KeyRange::ALL, Fetch::Keys).map(|entry| entry.unwrap().0).collect();
    assert_eq!(keys, store.keys_in_range(&ctx, &KeyRange::ALL).unwrap());
    let mut streaming = stream(&store, &ctx, KeyRange::ALL, Fetch::Entries);
    assert!(streaming.next().is_some());
    store.put(&ctx, &TKey::from(&[0xFF; 5]), Bytes::new()).unwrap();
    assert_eq!(streaming.count(), 3_000);
}

#[test]
fn a_stream_ends_after_an_error() {
    let faults = Faults::new();
    let store = Versioned::create(Faulty::new(MemoryStore::new(), faults.clone())).unwrap();
    let repo = store.create_repo("r", None).unwrap();
    let instance = store.create_instance(repo.id, &NewInstance::new("kv", "keyvalue")).unwrap().id;
    let ctx = DataContext::versioned(instance, repo.root);
    for at in 0..10_u8 {
        store.put(&ctx, &TKey::from(vec![at]), Bytes::new()).unwrap();
    }
    faults.fail_after(Fault::ScanEntry, 5);
    let outcomes: Vec<_> = stream(&store, &ctx, KeyRange::ALL, Fetch::Keys).collect();
    assert!(matches!(outcomes.as_slice(), [Err(_)]), "{outcomes:?}");
    faults.fail_after(Fault::ScanEntry, 5);
    let processed = process_range(&store, &ctx, &KeyRange::ALL, 2, &|_, _| Ok(()));
    assert_eq!(processed.unwrap_err().kind(), ErrorKind::Io);
}

#[test]
fn a_range_is_processed_by_all_workers_until_one_fails() {
    let (store, repo, instance) = atlas();
    let ctx = DataContext::versioned(instance, repo.root);
    numbered(&store, &ctx, 2_000);
    for workers in [1, 2, 7] {
        let seen = Mutex::new(BTreeSet::new());
        process_range(&store, &ctx, &KeyRange::ALL, workers, &|tkey, value| {
            assert_eq!(value.len(), 10);
            assert!(seen.lock().unwrap().insert(tkey.clone()));
            Ok(())
        })
        .unwrap();
        assert_eq!(seen.into_inner().unwrap().len(), 2_000);
        let calls = AtomicUsize::new(0);
        let failed = process_range(&store, &ctx, &KeyRange::ALL, workers, &|_, _| {
            if calls.fetch_add(1, Ordering::SeqCst) == 100 {
                return Err(Error::new(ErrorKind::Corrupt, "enough"));
            }
            Ok(())
        });
        assert_eq!(failed.unwrap_err().kind(), ErrorKind::Corrupt);
        assert!(calls.into_inner() < 2_000, "the rest isn't begun");
    }
    let none = process_range(&store, &ctx, &KeyRange::ALL, 0, &|_, _| Ok(()));
    assert_eq!(none.unwrap_err().kind(), ErrorKind::InvalidArgument);
}

#[test]
fn two_entries_at_one_version_are_corrupt() {
    use engine_api::StoreExt;
    let (store, repo, instance) = atlas();
    let ctx = DataContext::versioned(instance, repo.root);
    let key = TKey::from("k");
    store.put(&ctx, &key, Bytes::from("v")).unwrap();
    let tombstone = DataKey {
        instance,
        tkey: key.clone(),
        version: repo.root,
        client: ClientId(0),
        mark: Mark::Tombstone,
    };
    store.store().put(tombstone.encode(), Bytes::new()).unwrap();
    // A get stops at the value, which comes first; a range passes over both and notices.
    assert_eq!(store.get(&ctx, &key).unwrap().as_deref(), Some(b"v".as_slice()));
    assert_eq!(store.get_range(&ctx, &KeyRange::ALL).unwrap_err().kind(), ErrorKind::Corrupt);
}
