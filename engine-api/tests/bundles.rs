//! Bundles, clones and migrations: what they bring answers as where it comes from, whole or not at all.
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod histories;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use engine_api::key::{DataContext, TKey, VersionId};
use engine_api::layers::{Fault, Faults, Faulty};
use engine_api::version::bundle::{
    Applied, ApplyOptions, BundleCounts, BundleHeader, Selection, apply_bundle, clone_repo, create_bundle,
    read_bundle,
};
use engine_api::version::{Migration, NewInstance, OrderedKeyValue, Version, Versioned, Work, compare_repos};
use engine_api::{
    Bytes, Capabilities, Durability, Error, ErrorKind, KeyRange, MemoryStore, Result, Store, StoreExt, Uuid,
    View, ViewExt, WriteBatch,
};
use histories::{answers, history, shuffled, store_of};
use proptest::prelude::*;

#[allow(clippy::unnecessary_wraps, reason = "it is one of the watches, which may fail")]
fn go_on(_: &BundleCounts) -> Result<()> {
    Ok(())
}

fn bundle<S: Store>(store: &Versioned<S>, selection: &Selection) -> Vec<u8> {
    let mut bytes = Vec::new();
    create_bundle(store, selection, &mut bytes, &mut go_on).unwrap();
    bytes
}

fn apply<S: Store>(store: &Versioned<S>, mut bytes: &[u8]) -> Result<Applied> {
    apply_bundle(store, &ApplyOptions::new(), &mut bytes, &mut go_on)
}

fn fresh() -> Versioned<MemoryStore> {
    Versioned::create(MemoryStore::new()).unwrap()
}

/// A store in which numbers are taken by another repo already.
fn occupied() -> Versioned<MemoryStore> {
    let store = fresh();
    let repo = store.create_repo("other", None).unwrap();
    for name in ["x", "y"] {
        let instance = store.create_instance(repo.id, &NewInstance::new(name, "keyvalue")).unwrap();
        let ctx = DataContext::versioned(instance.id, repo.root);
        store.put(&ctx, &TKey::from("k"), Bytes::from("v")).unwrap();
    }
    store.commit_version(repo.root, "").unwrap();
    store.new_version(repo.root, None).unwrap();
    store
}

fn id_of<S: Store>(store: &Versioned<S>, uuid: Uuid) -> VersionId {
    store.dag().unwrap().version_of_uuid(uuid).unwrap().id
}

/// Versions, parents before children.
fn parents_first<S: Store>(store: &Versioned<S>) -> Vec<Version> {
    let dag = store.dag().unwrap();
    let mut left: Vec<Version> = dag.versions().cloned().collect();
    let mut ordered: Vec<Version> = Vec::new();
    while !left.is_empty() {
        let (ready, waiting): (Vec<_>, Vec<_>) = left
            .into_iter()
            .partition(|version| version.parents.iter().all(|id| ordered.iter().any(|done| done.id == *id)));
        ordered.extend(ready);
        left = waiting;
    }
    ordered
}

/// All that is stored but for the counters.
fn contents<S: Store>(store: &S) -> Vec<(Bytes, Bytes)> {
    let mut all = store.view().unwrap().collect(&KeyRange::ALL).unwrap();
    all.retain(|(key, _)| key.as_ref() != [0, 2]);
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn what_a_full_bundle_brings_answers_as_its_source(history in history(), seed: u64) {
        let source = shuffled(&store_of(&history), seed);
        let target = occupied();
        let others = answers(&target);
        let applied = apply(&target, &bundle(&source, &Selection::new())).unwrap();
        prop_assert_eq!(applied.versions.len(), history.parents.len());
        let mut expected = answers(&source);
        prop_assert!(target.dag().unwrap().versions().all(|version| {
            version.parents.iter().all(|parent| *parent < version.id)
        }), "numbers are handed out parents first");
        let all: Vec<_> = source.dag().unwrap().versions().map(|version| version.id).collect();
        compare_repos(&source, &target, &all, &mut |_| Ok(())).unwrap();
        expected.extend(others);
        prop_assert_eq!(answers(&target), expected.clone());
        // Another handle sees the same.
        let before = contents(target.store());
        let again = apply(&target, &bundle(&source, &Selection::new())).unwrap();
        prop_assert_eq!((again.versions.len(), again.present), (0, history.parents.len()));
        prop_assert_eq!(contents(target.store()), before);
        let reopened = Versioned::open(target.store()).unwrap();
        prop_assert_eq!(answers(&reopened), expected);
    }

    #[test]
    fn deltas_one_behind_the_other_bring_the_whole(history in history(), seed: u64, steps in 1_usize..5) {
        let source = shuffled(&store_of(&history), seed);
        let target = occupied();
        let mut expected = answers(&target);
        let mut since: Vec<VersionId> = Vec::new();
        for versions in parents_first(&source).chunks(steps) {
            let heads: Vec<_> = versions.iter().map(|version| version.id).collect();
            let selection = Selection::new().heads(heads.iter().copied()).since(since.iter().copied());
            let applied = apply(&target, &bundle(&source, &selection)).unwrap();
            prop_assert_eq!(applied.versions.len(), versions.len());
            since.extend(heads);
        }
        expected.extend(answers(&source));
        prop_assert_eq!(answers(&target), expected);
    }

    #[test]
    fn a_clone_answers_as_its_source(history in history(), seed: u64) {
        let source = shuffled(&store_of(&history), seed);
        let target = fresh();
        let options = ApplyOptions::new().alias("mine");
        let applied =
            clone_repo((&source, &Selection::new()), (&target, &options), &mut go_on).unwrap();
        prop_assert_eq!(applied.repo.alias, "mine");
        prop_assert_eq!(answers(&target), answers(&source));
    }

    #[test]
    fn what_is_migrated_or_flattened_answers_as_its_source(
        history in history(), seed: u64, end: prop::sample::Index, listed: u16
    ) {
        let source = shuffled(&store_of(&history), seed);
        let dag = source.dag().unwrap();
        let ordered = parents_first(&source);
        let mut path = vec![end.get(&ordered).clone()];
        while let Some(parent) = path.last().unwrap().parents.first() {
            path.push(dag.version(*parent).unwrap().clone());
        }
        path.reverse();
        let last = path.len() - 1;
        let mut place = 0;
        path.retain(|_| {
            place += 1;
            place - 1 == last || listed & (1 << (place - 1)) != 0
        });
        let expected = answers(&source);
        let uuids: BTreeSet<_> = path.iter().map(|version| version.uuid).collect();
        let ids: Vec<_> = path.iter().map(|version| version.id).collect();
        for (migration, uuids, instance) in [
            (Migration::along(ids.iter().copied(), "a"), uuids, Some("a")),
            (Migration::flat(*ids.last().unwrap()), BTreeSet::from([path.last().unwrap().uuid]), None),
        ] {
            let expected: Vec<_> = expected
                .iter()
                .filter(|((version, name, _), _)| uuids.contains(version) && instance.is_none_or(|one| one == name))
                .map(|(place, answer)| (place.clone(), answer.value.clone()))
                .collect();
            let target = occupied();
            let others = contents(target.store());
            let outcome = source.migrate(&migration, &target, &mut |_| Ok(()));
            if expected.iter().any(|(_, value)| value.is_none()) {
                prop_assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Conflict);
                prop_assert_eq!(contents(target.store()), others, "nothing is written");
                continue;
            }
            let (repo, done) = outcome.unwrap();
            prop_assert_eq!(done.versions, uuids.len());
            let of_repo = |version: &Uuid| {
                target.dag().unwrap().version_of_uuid(*version).is_some_and(|version| version.repo == repo.id)
            };
            let found: Vec<_> = answers(&target)
                .into_iter()
                .filter(|((version, _, _), _)| of_repo(version))
                .map(|(place, answer)| (place, answer.value))
                .collect();
            prop_assert_eq!(found, expected);
            let again = source.migrate(&migration, &target, &mut |_| Ok(())).unwrap().1;
            prop_assert_eq!((again.written, again.deleted), (0, 0));
        }
    }
}

/// A store of two versions with fixed names and times.
fn small() -> Versioned<MemoryStore> {
    let store = fresh();
    let repo = store.create_repo("atlas", Some(Uuid::from_u128(1))).unwrap();
    let instance = store.create_instance(repo.id, &NewInstance::new("notes", "keyvalue")).unwrap();
    let at = |version| DataContext::versioned(instance.id, version);
    store.put(&at(repo.root), &TKey::from("a\0"), Bytes::from("one")).unwrap();
    store.put(&at(repo.root), &TKey::from("b"), Bytes::new()).unwrap();
    store.commit_version(repo.root, "the first").unwrap();
    store.tag(repo.root, "v1", "as published").unwrap();
    let next = store.new_version(repo.root, None).unwrap();
    store.delete(&at(next.id), &TKey::from("b")).unwrap();
    store.put(&at(next.id), &TKey::from("a\0"), Bytes::from("two")).unwrap();
    store.commit_version(next.id, "").unwrap();
    store
}

const GOLDEN: &[u8] = include_bytes!("golden/bundle-1.kvb");

#[test]
fn the_golden_bundle_is_read_and_written_to_the_byte() {
    let (header, counts) = read_bundle(&mut &*GOLDEN, &mut go_on).unwrap();
    assert_eq!((counts.entries, counts.bytes), (4, 6 + 2 + 4));
    assert_eq!((header.versions.len(), header.base.len(), header.tags.len()), (2, 0, 1));
    let target = occupied();
    let applied = apply(&target, GOLDEN).unwrap();
    assert_eq!(bundle(&target, &Selection::new().repo(applied.repo.id)), GOLDEN);
    let notes = applied.instances[0].id;
    let get = |version: u128, key: &str| {
        let version = id_of(&target, Uuid::from_u128(version));
        target.get(&DataContext::versioned(notes, version), &TKey::from(key)).unwrap()
    };
    assert_eq!(get(1, "a\0").as_deref(), Some(b"one".as_slice()));
    assert_eq!(get(1, "b").as_deref(), Some(b"".as_slice()));
    assert_eq!(target.find("atlas:v1").unwrap().uuid, Uuid::from_u128(1));
    let head = target.find("atlas:main").unwrap();
    assert_eq!(target.get(&DataContext::versioned(notes, head.id), &TKey::from("b")).unwrap(), None);
}

#[test]
fn every_cut_and_every_flipped_bit_is_refused_and_nothing_is_there() {
    let sound = bundle(&small(), &Selection::new());
    let target = occupied();
    let before = contents(target.store());
    let refused = |bytes: &[u8], what: &str| {
        let kind = apply(&target, bytes).map(|_| ()).unwrap_err().kind();
        assert!(matches!(kind, ErrorKind::Corrupt | ErrorKind::Incompatible), "{what}: {kind}");
        assert_eq!(contents(target.store()), before, "{what}");
    };
    for end in 0..sound.len() {
        refused(&sound[..end], &format!("cut at {end}"));
    }
    for bit in 0..sound.len() * 8 {
        let mut bytes = sound.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        refused(&bytes, &format!("bit {bit}"));
    }
    refused(&[&sound[..], b"!"].concat(), "something behind the end");
    apply(&target, &sound).unwrap();
}

/// A bundle in parts, to put together otherwise with checksums that are right.
#[derive(Clone)]
struct Parts {
    head: Vec<u8>,
    sections: Vec<(u32, Vec<u8>)>,
}

impl Parts {
    fn of(bytes: &[u8]) -> Self {
        let (head, mut rest) = bytes.split_at(8);
        let mut sections = Vec::new();
        while !rest.is_empty() {
            let kind = u32::from_le_bytes(rest[..4].try_into().unwrap());
            let length = usize::try_from(u64::from_le_bytes(rest[8..16].try_into().unwrap())).unwrap();
            sections.push((kind, rest[24..24 + length].to_vec()));
            rest = &rest[24 + length..];
        }
        Self { head: head.to_vec(), sections }
    }

    /// The bytes; the trailer is told again of what stands before it.
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.head.clone();
        let mut heads = crc32c::crc32c(&self.head);
        for (number, (kind, payload)) in (0_u32..).zip(&self.sections) {
            let mut payload = payload.clone();
            if *kind == 3 {
                payload[16..].copy_from_slice(&heads.to_le_bytes());
            }
            let mut head = [&kind.to_le_bytes()[..], &number.to_le_bytes()].concat();
            head.extend((payload.len() as u64).to_le_bytes());
            head.extend(crc32c::crc32c(&payload).to_le_bytes());
            head.extend(crc32c::crc32c(&head).to_le_bytes());
            heads = crc32c::crc32c_append(heads, &head);
            bytes.extend(head);
            bytes.extend(payload);
        }
        bytes
    }

    fn header(&mut self, change: impl FnOnce(&mut BundleHeader)) -> &mut Self {
        let mut header: BundleHeader = serde_json::from_slice(&self.sections[0].1).unwrap();
        change(&mut header);
        self.sections[0].1 = serde_json::to_vec(&header).unwrap();
        self
    }
}

#[test]
fn a_bundle_that_contradicts_itself_is_refused_whatever_its_checksums() {
    let sound = bundle(&small(), &Selection::new());
    let parts = Parts::of(&sound);
    assert_eq!(parts.bytes(), sound, "the parts are put together as they were");
    assert_eq!(parts.sections.iter().map(|(kind, _)| *kind).collect::<Vec<_>>(), [1, 2, 3]);
    // Each entry has a head of 21 bytes; the first two are of the key that has both versions.
    let entries = parts.sections[1].1.clone();
    let first = 21 + 2 + 3;
    let swapped = [&entries[first..2 * first], &entries[..first], &entries[2 * first..]].concat();
    let doubled = [&entries[..first], &entries[..first], &entries[2 * first..]].concat();
    let with = |change: &dyn Fn(&mut Parts)| {
        let mut parts = parts.clone();
        change(&mut parts);
        parts.bytes()
    };
    let header = |change: fn(&mut BundleHeader)| parts.clone().header(change).bytes();
    let damaged = [
        ("entries in another order", with(&|parts| parts.sections[1].1.clone_from(&swapped))),
        ("an entry twice", with(&|parts| parts.sections[1].1.clone_from(&doubled))),
        ("an unknown instance", with(&|parts| parts.sections[1].1[0] = 9)),
        ("an unknown version", with(&|parts| parts.sections[1].1[4] = 9)),
        ("no version", with(&|parts| parts.sections[1].1[4..8].fill(0xFF))),
        ("an unknown mark", with(&|parts| parts.sections[1].1[8] = 4)),
        ("a tombstone with a value", with(&|parts| parts.sections[1].1[8] = 0x4F)),
        ("a key beyond its section", with(&|parts| parts.sections[1].1[12] = 0x7F)),
        ("a value beyond its section", with(&|parts| parts.sections[1].1[20] = 0xFF)),
        ("half an entry", with(&|parts| parts.sections[1].1.truncate(first + 20))),
        ("entries left out", with(&|parts| drop(parts.sections.remove(1)))),
        ("other counts", with(&|parts| parts.sections[2].1[0] += 1)),
        ("no header", with(&|parts| drop(parts.sections.remove(0)))),
        ("two headers", with(&|parts| parts.sections.insert(1, parts.sections[0].clone()))),
        ("no trailer", with(&|parts| drop(parts.sections.pop()))),
        ("a header that is no JSON", with(&|parts| parts.sections[0].1.truncate(9))),
        ("two entries in too long a section", {
            let mut long = entries[..first].to_vec();
            long[13..21].copy_from_slice(&(2_u64 << 20).to_le_bytes());
            long.truncate(23);
            long.resize(23 + (2 << 20), 0);
            long.extend(&entries[first..]);
            with(&|parts| parts.sections[1].1.clone_from(&long))
        }),
        ("a version twice", header(|header| header.versions.push(header.versions[0].clone()))),
        ("a version that is base too", header(|header| header.base.push(header.versions[1].uuid))),
        ("an unknown parent", header(|header| header.versions[1].parents = vec![Uuid::from_u128(77)])),
        (
            "a parent twice",
            header(|header| {
                let parent = header.versions[1].parents[0];
                header.versions[1].parents.push(parent);
            }),
        ),
        (
            "a cycle",
            header(|header| {
                header.versions[1].parents = vec![header.versions[1].uuid];
            }),
        ),
        ("two roots", header(|header| header.versions[1].parents.clear())),
        ("another root", header(|header| header.repo.root = header.versions[1].uuid)),
        ("an alias that is none", header(|header| header.repo.alias = "a:b".to_owned())),
        ("a branch that is none", header(|header| header.versions[0].branch = String::new())),
        ("two instances of a name", header(|header| header.instances.push(header.instances[0].clone()))),
        ("a tag of nothing", header(|header| header.tags[0].version = Uuid::from_u128(77))),
    ];
    let target = occupied();
    let before = contents(target.store());
    for (what, bytes) in damaged {
        let error = apply(&target, &bytes).map(|_| ()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{what}: {error}");
        assert_eq!(contents(target.store()), before, "{what}");
    }
    let unknown = [
        ("a kind", with(&|parts| parts.sections[1].0 = 4)),
        ("a format", with(&|parts| parts.head[4] = 2)),
        ("a flag", with(&|parts| parts.head[6] = 1)),
    ];
    for (what, bytes) in unknown {
        let error = apply(&target, &bytes).map(|_| ()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Incompatible, "{what}: {error}");
        assert_eq!(contents(target.store()), before, "{what}");
    }
}

#[test]
fn a_length_that_is_a_lie_takes_no_memory() {
    let mut bytes = Parts::of(&bundle(&small(), &Selection::new())).head;
    for (kind, length) in [(1_u32, 256_u64 << 20), (1, u64::MAX), (2, 4 << 30), (3, 21)] {
        bytes.truncate(8);
        let mut head =
            [&kind.to_le_bytes()[..], &0_u32.to_le_bytes(), &length.to_le_bytes(), &[0; 4]].concat();
        head.extend(crc32c::crc32c(&head).to_le_bytes());
        bytes.extend(head);
        bytes.extend(b"{}");
        let error = read_bundle(&mut bytes.as_slice(), &mut go_on).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{kind} {length}");
    }
}

/// A store that is gone after so many commits, as when the process ends.
#[derive(Debug)]
struct Mortal {
    inner: Arc<MemoryStore>,
    left: AtomicI64,
}

impl Mortal {
    fn new(inner: &Arc<MemoryStore>, commits: i64) -> Self {
        Self { inner: Arc::clone(inner), left: AtomicI64::new(commits) }
    }
}

impl Store for Mortal {
    fn capabilities(&self) -> &Capabilities {
        self.inner.capabilities()
    }

    fn view(&self) -> Result<Box<dyn View>> {
        self.inner.view()
    }

    fn commit(&self, batch: &WriteBatch, durability: Durability) -> Result<()> {
        if self.left.fetch_sub(1, Ordering::SeqCst) <= 0 {
            return Err(Error::new(ErrorKind::Io, "the process has ended"));
        }
        self.inner.commit(batch, durability)
    }

    fn flush(&self) -> Result<()> {
        self.inner.flush()
    }
}

/// A store of several batches' worth of entries at two versions.
fn large() -> Versioned<MemoryStore> {
    let store = small();
    let repo = store.only_repo().unwrap();
    let notes = store.instance("notes").unwrap();
    let more = store.create_instance(repo.id, &NewInstance::new("more", "keyvalue")).unwrap();
    let next = store.new_version(store.find("main").unwrap().id, None).unwrap();
    for instance in [notes.id, more.id] {
        let entries: Vec<_> =
            (0..6000_u32).map(|key| (TKey::from(&key.to_be_bytes()), Bytes::from(vec![7; 300]))).collect();
        store.put_range(&DataContext::versioned(instance, next.id), &entries).unwrap();
    }
    store.commit_version(next.id, "").unwrap();
    store
}

/// Another store of the same content.
fn copy_of(store: &MemoryStore) -> Arc<MemoryStore> {
    let copy = Arc::new(MemoryStore::new());
    let mut batch = WriteBatch::new();
    for (key, value) in store.view().unwrap().collect(&KeyRange::ALL).unwrap() {
        batch.put(key, value);
    }
    copy.write(&batch).unwrap();
    copy
}

#[test]
fn an_application_that_a_crash_cuts_short_is_as_if_it_had_not_begun() {
    let source = large();
    let full = bundle(&source, &Selection::new());
    let mut commits = 0;
    loop {
        let shared = Arc::new(MemoryStore::new());
        Versioned::create(Arc::clone(&shared)).unwrap();
        let before = answers(&Versioned::open(Arc::clone(&shared)).unwrap());
        let dying = Versioned::open(Mortal::new(&shared, commits)).unwrap();
        if apply(&dying, &full).is_ok() {
            break;
        }
        drop(dying);
        let reopened = Versioned::open(Arc::clone(&shared)).unwrap();
        assert_eq!(answers(&reopened), before, "after {commits} commits");
        assert_eq!(reopened.dag().unwrap().repos().count(), 0);
        if commits > 0 {
            assert!(matches!(reopened.unfinished().unwrap()[..], [Work::Apply(_)]));
        }
        assert_eq!(reopened.resume().unwrap(), 0, "only who reads the bundle could go on");
        if commits % 2 == 0 {
            assert_eq!(reopened.abandon().unwrap(), usize::from(commits > 0));
            assert_eq!(contents(&*shared).len(), 1, "the format marker alone, after {commits} commits");
        }
        apply(&reopened, &full).unwrap();
        assert_eq!(answers(&reopened), answers(&source));
        assert_eq!(reopened.unfinished().unwrap(), []);
        commits += 1;
    }
    assert!(commits > 5, "{commits} commits aren't several batches");
}

#[test]
fn a_delta_that_is_cut_short_leaves_nothing_among_what_was_there() {
    let source = large();
    let older = source.find("main~").unwrap().id;
    let delta = bundle(&source, &Selection::new().since([older]));
    let base = fresh();
    apply(&base, &bundle(&source, &Selection::new().heads([older]))).unwrap();
    // An instance that the delta brings, and one that it finds.
    base.delete_instance(base.instance("more").unwrap().id).unwrap();
    let mut calls = 0;
    loop {
        let shared = copy_of(base.store());
        let before = contents(&*shared);
        let faults = Faults::new();
        let store = Versioned::open(Faulty::new(Arc::clone(&shared), Arc::clone(&faults))).unwrap();
        faults.fail_after(Fault::Commit, calls);
        let outcome = apply(&store, &delta);
        faults.clear();
        if outcome.is_ok() {
            break;
        }
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Io);
        assert_eq!(contents(&*shared), before, "failure {calls} leaves nothing, without a crash");
        apply(&store, &delta).unwrap();
        assert_eq!(answers(&store), answers(&source), "failure {calls}");
        calls += 1;
    }
    assert!(calls > 5, "{calls} commits aren't several batches");
    // The same with a crash, which leaves what the next application takes back.
    for commits in 1..calls {
        let shared = copy_of(base.store());
        let before = contents(&*shared);
        let dying = Versioned::open(Mortal::new(&shared, i64::try_from(commits).unwrap())).unwrap();
        apply(&dying, &delta).unwrap_err();
        let reopened = Versioned::open(Arc::clone(&shared)).unwrap();
        assert_eq!(reopened.abandon().unwrap(), 1);
        assert_eq!(contents(&*shared), before, "after {commits} commits");
        apply(&reopened, &delta).unwrap();
        assert_eq!(answers(&reopened), answers(&source));
    }
}

#[test]
fn a_deletion_of_leftovers_that_is_cut_short_goes_on_with_resume() {
    let full = bundle(&large(), &Selection::new());
    let shared = Arc::new(MemoryStore::new());
    Versioned::create(Arc::clone(&shared)).unwrap();
    apply(&Versioned::open(Mortal::new(&shared, 5)).unwrap(), &full).unwrap_err();
    let dying = Versioned::open(Mortal::new(&shared, 1)).unwrap();
    dying.abandon().unwrap_err();
    let reopened = Versioned::open(Arc::clone(&shared)).unwrap();
    assert!(matches!(reopened.unfinished().unwrap()[..], [Work::UndoApply(_)]));
    assert_eq!(reopened.abandon().unwrap(), 0, "it is abandoned already");
    assert_eq!(reopened.resume().unwrap(), 1);
    assert_eq!(contents(&*shared).len(), 1);
}

#[test]
fn of_two_applications_the_later_ends_the_earlier() {
    let source = large();
    let full = bundle(&source, &Selection::new());
    let shared = Arc::new(MemoryStore::new());
    let store = Versioned::create(Arc::clone(&shared)).unwrap();
    let mut calls = 0;
    let outcome = apply_bundle(&store, &ApplyOptions::new(), &mut full.as_slice(), &mut |_| {
        calls += 1;
        if calls == 2 {
            apply(&Versioned::open(Arc::clone(&shared)).unwrap(), &full).unwrap();
        }
        Ok(())
    });
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Conflict);
    store.refresh().unwrap();
    assert_eq!(answers(&store), answers(&source), "the later one's is there, and whole");
    assert_eq!(store.unfinished().unwrap(), []);

    let shared = Arc::new(MemoryStore::new());
    let store = Versioned::create(Arc::clone(&shared)).unwrap();
    let outcome = apply_bundle(&store, &ApplyOptions::new(), &mut full.as_slice(), &mut |_| {
        Versioned::open(Arc::clone(&shared))?.abandon().map(drop)
    });
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Conflict);
    assert_eq!(contents(&*shared).len(), 1, "the format marker alone");
}

#[test]
fn an_application_that_is_told_to_stop_leaves_nothing() {
    let full = bundle(&large(), &Selection::new());
    let target = occupied();
    let before = contents(target.store());
    for stop in 1..4 {
        let mut calls = 0;
        let outcome = apply_bundle(&target, &ApplyOptions::new(), &mut full.as_slice(), &mut |_| {
            calls += 1;
            if calls == stop { Err(Error::new(ErrorKind::Unavailable, "interrupted")) } else { Ok(()) }
        });
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Unavailable);
        assert_eq!(contents(target.store()), before);
    }
}

#[test]
fn what_does_not_fit_the_store_is_refused() {
    let source = small();
    let root = source.only_repo().unwrap().root;
    let full = bundle(&source, &Selection::new());
    let delta = bundle(&source, &Selection::new().since([root]));
    let kind = |store: &Versioned<MemoryStore>, bytes: &[u8]| {
        let before = contents(store.store());
        let error = apply(store, bytes).map(|_| ()).unwrap_err();
        assert_eq!(contents(store.store()), before);
        (error.kind(), error.report())
    };

    let (missing, report) = kind(&fresh(), &delta);
    assert_eq!(missing, ErrorKind::NotFound);
    assert!(report.contains(&Uuid::from_u128(1).simple().to_string()), "{report}");

    let open = fresh();
    let repo = open.create_repo("atlas", Some(Uuid::from_u128(1))).unwrap();
    assert_eq!(kind(&open, &delta).0, ErrorKind::NotFound, "the base is open");
    assert_eq!(kind(&open, &full).0, ErrorKind::Conflict, "a version is open here");
    open.commit_version(repo.root, "").unwrap();
    let own = open.new_version(repo.root, None).unwrap();
    let (other_way, report) = kind(&open, &delta);
    assert_eq!(other_way, ErrorKind::Conflict);
    assert!(report.contains("main") && report.contains(&own.uuid.simple().to_string()), "{report}");

    let typed = fresh();
    let repo = typed.create_repo("atlas", Some(Uuid::from_u128(1))).unwrap();
    typed.commit_version(repo.root, "").unwrap();
    typed.create_instance(repo.id, &NewInstance::new("notes", "volume")).unwrap();
    assert_eq!(kind(&typed, &delta).0, ErrorKind::Incompatible, "another datatype");

    let elsewhere = fresh();
    let repo = elsewhere.create_repo("atlas", Some(Uuid::from_u128(1))).unwrap();
    elsewhere.commit_version(repo.root, "").unwrap();
    let head = source.find("main").unwrap().uuid;
    elsewhere.create_repo("second", Some(head)).unwrap();
    assert_eq!(kind(&elsewhere, &full).0, ErrorKind::Incompatible, "a version of another repo");

    let tagged = fresh();
    apply(&tagged, &bundle(&source, &Selection::new().heads([root]))).unwrap();
    source.new_version(source.find("main").unwrap().id, Some("draft")).unwrap();
    source.commit_version(source.find("draft").unwrap().id, "").unwrap();
    tagged.tag(id_of(&tagged, Uuid::from_u128(1)), "draft", "").unwrap();
    assert_eq!(kind(&tagged, &bundle(&source, &Selection::new())).0, ErrorKind::Conflict, "a tag's name");

    let selection = Selection::new().heads([source.new_version(root, Some("open")).unwrap().id]);
    let mut bytes = Vec::new();
    let error = create_bundle(&source, &selection, &mut bytes, &mut go_on).unwrap_err();
    assert_eq!((error.kind(), bytes.len()), (ErrorKind::InvalidArgument, 0));
}

#[test]
fn a_version_that_was_cleaned_away_is_so_in_the_other_store_too() {
    let store = small();
    let root = store.only_repo().unwrap().root;
    let mark = [&[0, 7], &root.to_be_bytes()[..]].concat();
    store.store().put(mark, 5_u64.to_be_bytes().to_vec()).unwrap();
    let source = Versioned::open(store.store()).unwrap();
    let target = fresh();
    let bytes = bundle(&source, &Selection::new());
    apply(&target, &bytes).unwrap();
    let target = Versioned::open(target.store()).unwrap();
    let there = target.dag().unwrap().version_of_uuid(Uuid::from_u128(1)).cloned().unwrap();
    assert_eq!(there.cleaned, Some(5));
    let all: Vec<_> = source.dag().unwrap().versions().map(|version| version.id).collect();
    assert_eq!(compare_repos(&source, &target, &all, &mut |_| Ok(())).unwrap(), 1);
    let plain = fresh();
    apply(&plain, &bundle(&small(), &Selection::new().heads([root]))).unwrap();
    let outcome = compare_repos(&source, &plain, &[root], &mut |_| Ok(()));
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Corrupt);

    // Deletions of what is gone have gone with it, so nothing is brought to where it isn't gone.
    let error = create_bundle(&source, &Selection::new().since([root]), &mut Vec::new(), &mut |_| Ok(()));
    assert_eq!(error.unwrap_err().kind(), ErrorKind::NotFound);
    let error = apply(&plain, &bytes).map(|_| ()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Incompatible, "{error}");

    // Nothing is built on a version whose data is gone.
    let store = small();
    let delta = bundle(&store, &Selection::new().since([root]));
    let target = fresh();
    apply(&target, &bundle(&store, &Selection::new().heads([root]))).unwrap();
    let mark = [&[0, 7], &id_of(&target, Uuid::from_u128(1)).to_be_bytes()[..]].concat();
    target.store().put(mark, 5_u64.to_be_bytes().to_vec()).unwrap();
    let target = Versioned::open(target.store()).unwrap();
    assert_eq!(apply(&target, &delta).map(|_| ()).unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn names_that_are_taken_are_dealt_with() {
    let source = small();
    let full = bundle(&source, &Selection::new());
    let target = fresh();
    target.create_repo("atlas", None).unwrap();
    target.create_repo("atlas-2", None).unwrap();
    let taken = ApplyOptions::new().alias("atlas");
    let error = apply_bundle(&target, &taken, &mut full.as_slice(), &mut go_on).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    assert_eq!(apply(&target, &full).unwrap().repo.alias, "atlas-3");

    // A tag stays where it was put.
    let repo = source.only_repo().unwrap();
    source.untag(repo.id, "v1").unwrap();
    source.tag(source.find("main").unwrap().id, "v1", "moved").unwrap();
    let applied = apply(&target, &bundle(&source, &Selection::new())).unwrap();
    assert_eq!(applied.tags_left_out, ["v1"]);
    assert_eq!(target.find("atlas-3:v1").unwrap().uuid, Uuid::from_u128(1));
}

#[test]
fn what_has_no_versions_travels_when_it_is_asked_for_and_replaces_nothing() {
    let source = small();
    let repo = source.only_repo().unwrap();
    let loose =
        source.create_instance(repo.id, &NewInstance::new("loose", "keyvalue").unversioned()).unwrap();
    let ctx = DataContext::unversioned(loose.id);
    source.put(&ctx, &TKey::from("k"), Bytes::from("one")).unwrap();
    let target = fresh();
    apply(&target, &bundle(&source, &Selection::new())).unwrap();
    assert_eq!(target.instance("loose").unwrap_err().kind(), ErrorKind::NotFound);
    let all = Selection::new().unversioned();
    let applied = apply(&target, &bundle(&source, &all)).unwrap();
    assert_eq!((applied.instances.len(), applied.kept.len()), (1, 0));
    let there = DataContext::unversioned(applied.instances[0].id);
    assert_eq!(target.get(&there, &TKey::from("k")).unwrap().as_deref(), Some(b"one".as_slice()));
    source.put(&ctx, &TKey::from("k"), Bytes::from("two")).unwrap();
    assert_eq!(apply(&target, &bundle(&source, &all)).unwrap().kept, ["loose"]);
    assert_eq!(target.get(&there, &TKey::from("k")).unwrap().as_deref(), Some(b"one".as_slice()));
    let delta = all.since([repo.root]);
    let error = create_bundle(&source, &delta, &mut Vec::new(), &mut go_on).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
}

#[test]
fn a_clone_that_fails_on_either_side_says_why() {
    let source = small();
    let target = occupied();
    let other = source.create_repo("second", None).unwrap();
    source.commit_version(other.root, "").unwrap();
    let options = ApplyOptions::new();
    let ambiguous = clone_repo((&source, &Selection::new()), (&target, &options), &mut go_on).unwrap_err();
    assert_eq!(ambiguous.kind(), ErrorKind::InvalidArgument, "the source has several repos: {ambiguous}");
    let delta = Selection::new().heads([source.find("atlas:main").unwrap().id]);
    let delta = delta.since([id_of(&source, Uuid::from_u128(1))]);
    let missing = clone_repo((&source, &delta), (&target, &options), &mut go_on).unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound, "{missing}");
    let large = large();
    let stopped = clone_repo((&large, &Selection::new()), (&target, &options), &mut |_| {
        Err(Error::new(ErrorKind::Unavailable, "interrupted"))
    });
    assert_eq!(stopped.unwrap_err().kind(), ErrorKind::Unavailable);
}

#[test]
fn a_difference_between_stores_is_found() {
    let source = small();
    let target = fresh();
    apply(&target, &bundle(&source, &Selection::new())).unwrap();
    let all: Vec<_> = source.dag().unwrap().versions().map(|version| version.id).collect();
    assert_eq!(compare_repos(&source, &target, &all, &mut |_| Ok(())).unwrap(), 3);
    let data: Vec<_> =
        contents(target.store()).into_iter().filter(|(key, _)| key.first() == Some(&1)).collect();
    for (key, value) in data {
        target.store().put(&key, [&value[..], b"!"].concat()).unwrap();
        let outcome = compare_repos(&source, &target, &all, &mut |_| Ok(()));
        // What a tombstone holds is nobody's to see.
        let is_tombstone = key.last() == Some(&0x4F);
        assert_eq!(
            outcome.map_err(|error| error.kind()).err(),
            (!is_tombstone).then_some(ErrorKind::Corrupt)
        );
        target.store().delete(&key).unwrap();
        let outcome = compare_repos(&source, &target, &all, &mut |_| Ok(()));
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Corrupt);
        target.store().put(&key, value).unwrap();
    }
}

/// The table of DVID's own test of migrations: which keys a version has, and what they are.
#[test]
fn a_migration_follows_the_path_that_is_listed() {
    let store = fresh();
    let repo = store.create_repo("atlas", Some(Uuid::from_u128(1))).unwrap();
    let instance = store.create_instance(repo.id, &NewInstance::new("kv", "keyvalue")).unwrap();
    // 1-2-3-4-5-6-8-9-10 with 7 off 5. A letter is a value of its version; a small one that of another's.
    let puts: [(u32, &[(&str, &str)]); 10] = [
        (1, &[("key1", "1"), ("key2", "1"), ("key3", "1"), ("key6", "1")]),
        (2, &[("key1", "2"), ("key4", "2")]),
        (3, &[]),
        (4, &[("key2", "4"), ("key3", "4"), ("key6", "1")]),
        (5, &[("key1", "5")]),
        (6, &[("key2", "6")]),
        (7, &[("key1", "7"), ("key3", "7"), ("key4", "7")]),
        (8, &[("key1", "8"), ("key3", "8")]),
        (9, &[("key1", "9")]),
        (10, &[]),
    ];
    let mut ids = vec![repo.root];
    for (version, puts) in puts {
        if version > 1 {
            let parent = match version {
                7 => ids[4],
                8 => ids[5],
                _ => *ids.last().unwrap(),
            };
            let branch = (version == 7).then_some("side");
            ids.push(store.new_version(parent, branch).unwrap().id);
        }
        let id = *ids.last().unwrap();
        for (key, value) in puts {
            let value = Bytes::copy_from_slice(value.as_bytes());
            store.put(&DataContext::versioned(instance.id, id), &TKey::from(*key), value).unwrap();
        }
        store.commit_version(id, &format!("number {version}")).unwrap();
    }
    let at = |version: usize| ids[version - 1];
    let entries = |versions: &[usize]| {
        let target = fresh();
        let migration = Migration::along(versions.iter().map(|version| at(*version)), "kv");
        let (repo, done) = store.migrate(&migration, &target, &mut |_| Ok(())).unwrap();
        assert_eq!(done.versions, versions.len());
        let uuid = |id: VersionId| store.dag().unwrap().version(id).unwrap().uuid;
        assert_eq!(repo.uuid, uuid(at(versions[0])));
        let dag = target.dag().unwrap();
        let mut parent = None;
        for version in versions {
            let there = dag.version_of_uuid(uuid(at(*version))).unwrap();
            assert_eq!(there.note, format!("number {version}"));
            assert_eq!(there.parents.first().copied(), parent);
            assert!(there.committed.is_some());
            parent = Some(there.id);
        }
        let mut found = Vec::new();
        let kv = target.instance("kv").unwrap();
        let ctx = DataContext::versioned(kv.id, repo.root);
        target
            .visit_raw(&ctx, &KeyRange::ALL, &mut |key, value| {
                let of = dag.version(key.version)?.uuid;
                let version = versions.iter().find(|version| uuid(at(**version)) == of).unwrap();
                let value = String::from_utf8(value.bytes()?.to_vec()).unwrap();
                let key = String::from_utf8(key.tkey.as_bytes().to_vec()).unwrap();
                found.push(format!("{key}@{version}={value}"));
                Ok(std::ops::ControlFlow::Continue(()))
            })
            .unwrap();
        found
    };
    assert_eq!(
        entries(&[1, 4, 8]),
        [
            "key1@8=8", "key1@4=2", "key1@1=1", "key2@8=6", "key2@4=4", "key2@1=1", "key3@8=8", "key3@4=4",
            "key3@1=1", "key4@4=2", "key6@1=1",
        ]
    );
    assert_eq!(
        entries(&[2, 7]),
        [
            "key1@7=7", "key1@2=2", "key2@7=4", "key2@2=1", "key3@7=7", "key3@2=1", "key4@7=7", "key4@2=2",
            "key6@2=1",
        ]
    );
    for wrong in [&[4, 1][..], &[7, 8], &[1, 1], &[]] {
        let migration = Migration::along(wrong.iter().map(|version| at(*version)), "kv");
        let error = store.migrate(&migration, &fresh(), &mut |_| Ok(())).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{wrong:?}");
    }
}

#[test]
fn a_migration_that_is_cut_short_goes_on() {
    let source = large();
    let dag = source.dag().unwrap();
    let versions: Vec<_> = dag.versions().map(|version| version.id).collect();
    let migration = Migration::along(versions.iter().copied(), "notes");
    let mut commits = 0;
    loop {
        let shared = Arc::new(MemoryStore::new());
        Versioned::create(Arc::clone(&shared)).unwrap();
        let dying = Versioned::open(Mortal::new(&shared, commits)).unwrap();
        let outcome = source.migrate(&migration, &dying, &mut |_| Ok(()));
        let target = Versioned::open(Arc::clone(&shared)).unwrap();
        // What is committed is whole.
        let kv = target.dag().unwrap().instances().next().cloned();
        for version in target.dag().unwrap().versions().filter(|version| version.committed.is_some()) {
            let notes = source.instance("notes").unwrap().id;
            let from = DataContext::versioned(notes, id_of(&source, version.uuid));
            let to = DataContext::versioned(kv.as_ref().unwrap().id, version.id);
            let all = &KeyRange::ALL;
            assert_eq!(target.get_range(&to, all).unwrap(), source.get_range(&from, all).unwrap());
        }
        let (_, done) = source.migrate(&migration, &target, &mut |_| Ok(())).unwrap();
        assert_eq!(done.versions, 3);
        if outcome.is_ok() {
            assert_eq!((done.written, done.deleted), (0, 0));
            break;
        }
        commits += 1;
    }
    assert!(commits > 8, "{commits} commits aren't several batches");

    let target = Versioned::create(MemoryStore::new()).unwrap();
    source.migrate(&Migration::along(versions.iter().copied(), "notes"), &target, &mut |_| Ok(())).unwrap();
    let second = source.migrate(&Migration::along(versions, "more"), &target, &mut |_| Ok(()));
    assert_eq!(second.unwrap_err().kind(), ErrorKind::Incompatible, "a committed version stays as it is");
}
