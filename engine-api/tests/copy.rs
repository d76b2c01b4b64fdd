//! Copies of stores: whole, cut short and gone on with, and of a source that changes meanwhile.
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use engine_api::key::{DataContext, InstanceId, TKey};
use engine_api::version::{
    Copied, NewInstance, OrderedKeyValue, Repo, Versioned, compare_stores, copy_store,
};
use engine_api::{Bytes, Error, ErrorKind, KeyRange, MemoryStore, Result, Store, StoreExt, ViewExt};

fn source(keys: u32) -> (Versioned<MemoryStore>, Repo, InstanceId) {
    let store = Versioned::create(MemoryStore::new()).unwrap();
    let repo = store.create_repo("r", None).unwrap();
    let instance = store.create_instance(repo.id, &NewInstance::new("kv", "keyvalue")).unwrap().id;
    let ctx = DataContext::versioned(instance, repo.root);
    let entries: Vec<_> =
        (0..keys).map(|at| (TKey::from(at.to_be_bytes().to_vec()), Bytes::from(vec![7; 100]))).collect();
    store.put_range(&ctx, &entries).unwrap();
    (store, repo, instance)
}

fn contents(store: &dyn Store) -> Vec<(Bytes, Bytes)> {
    store.view().unwrap().collect(&KeyRange::ALL).unwrap()
}

#[allow(clippy::unnecessary_wraps, reason = "it is one of the watches, which may fail")]
fn go_on(_: &Copied) -> Result<()> {
    Ok(())
}

/// Ends a copy after so many ranges.
fn stop_after(ranges: u64) -> impl FnMut(&Copied) -> Result<()> {
    move |done| {
        if done.ranges >= ranges { Err(Error::new(ErrorKind::Unavailable, "cut short")) } else { Ok(()) }
    }
}

#[test]
fn a_copy_is_the_source_to_the_byte() {
    let (source, ..) = source(35_000);
    let target = MemoryStore::new();
    let copied = copy_store(source.store(), &target, &mut go_on).unwrap();
    assert_eq!((copied.ranges, copied.resumed), (4, 0));
    assert_eq!(contents(&target), contents(source.store()));
    assert_eq!(u64::try_from(contents(&target).len()).unwrap(), copied.entries);
    let compared = compare_stores(source.store(), &target, &mut go_on).unwrap();
    assert_eq!((compared.entries, compared.bytes), (copied.entries, copied.bytes));
    Versioned::open(target).unwrap();
}

#[test]
fn a_copy_that_was_cut_short_is_no_store_and_goes_on() {
    let (source, ..) = source(35_000);
    for cut in 1..=4 {
        let target = MemoryStore::new();
        let error = copy_store(source.store(), &target, &mut stop_after(cut)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert_eq!(Versioned::open(&target).unwrap_err().kind(), ErrorKind::Incompatible);
        let copied = copy_store(source.store(), &target, &mut go_on).unwrap();
        assert_eq!(copied.resumed, cut);
        assert_eq!(contents(&target), contents(source.store()), "cut after {cut}");
    }
}

#[test]
fn what_changed_in_the_source_meanwhile_is_copied_anew() {
    let (source, repo, instance) = source(35_000);
    let ctx = DataContext::versioned(instance, repo.root);
    let target = MemoryStore::new();
    copy_store(source.store(), &target, &mut stop_after(3)).unwrap_err();
    source.put(&ctx, &TKey::from(15_000_u32.to_be_bytes().to_vec()), Bytes::from("changed")).unwrap();
    source.delete(&ctx, &TKey::from(29_000_u32.to_be_bytes().to_vec())).unwrap();
    let copied = copy_store(source.store(), &target, &mut go_on).unwrap();
    assert_eq!(copied.resumed, 1, "the first range alone is as it was");
    assert_eq!(contents(&target), contents(source.store()));
}

#[test]
fn targets_with_something_in_them_are_refused() {
    let (source, ..) = source(10);
    let kind = |target: &dyn Store| copy_store(source.store(), target, &mut go_on).unwrap_err().kind();
    assert_eq!(kind(source.store()), ErrorKind::AlreadyExists);
    let other = MemoryStore::new();
    other.put("not", "ours").unwrap();
    assert_eq!(kind(&other), ErrorKind::Incompatible);
    assert_eq!(contents(&other).len(), 1);
    let empty = MemoryStore::new();
    let error = copy_store(&empty, &other, &mut go_on).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Incompatible, "the source is no store with versions");
}

#[test]
fn every_difference_is_found() {
    let (source, ..) = source(25_000);
    let all = contents(source.store());
    for at in [1, 5, 10_001, all.len() - 1] {
        for change in 0..3 {
            let target = MemoryStore::new();
            copy_store(source.store(), &target, &mut go_on).unwrap();
            let (key, value) = &all[at];
            match change {
                0 => target.delete(key).unwrap(),
                1 => target.put(key, [value, &b"!"[..]].concat()).unwrap(),
                _ => target.put([key, &b"!"[..]].concat(), value.clone()).unwrap(),
            }
            let error = compare_stores(source.store(), &target, &mut go_on).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt, "entry {at}, change {change}");
        }
    }
}
