//! What is LMDB's own in an open store: durability, upkeep, keys and readers.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test's helpers panic as its cases do")]

use std::fs;
use std::ops::Bound;
use std::path::PathBuf;

use engine_api::{
    Config, Durability, Engine, ErrorKind, Scan, Step, Store, StoreExt, Value, ViewExt, WriteBatch, visitor,
};
use engine_lmdb::LMDB;
use tempfile::TempDir;

fn new_store(options: &[(&str, &str)]) -> (TempDir, PathBuf, Box<dyn Store>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.lmdb");
    let config = Config::new(LMDB.descriptor()).at(&path);
    let config =
        options.iter().fold(config, |config, (name, value)| config.with_option(name, value).unwrap());
    let store = LMDB.open(&config).unwrap().store;
    (folder, path, store)
}

#[test]
fn without_sync_a_commit_survives_the_process_and_a_power_cut_is_not_promised() {
    let (_folder, path, store) = new_store(&[("sync", "none")]);
    let mut batch = WriteBatch::new();
    batch.put("key", "value");
    assert_eq!(store.commit(&batch, Durability::Power).unwrap_err().kind(), ErrorKind::Unsupported);
    store.commit(&batch, Durability::Process).unwrap();
    store.flush().unwrap();
    drop(store);
    let store = LMDB.open(&Config::new(LMDB.descriptor()).at(&path)).unwrap().store;
    assert_eq!(store.get("key").unwrap().as_deref(), Some(b"value".as_slice()));
}

#[test]
fn a_batch_that_only_requires_is_judged_and_writes_nothing() {
    let (_folder, path, store) = new_store(&[]);
    let before = fs::read(&path).unwrap();
    let mut batch = WriteBatch::new();
    batch.require_absent("key");
    store.write(&batch).unwrap();
    batch.require_present("key");
    assert_eq!(store.write(&batch).unwrap_err().kind(), ErrorKind::Conflict);
    store.write(&WriteBatch::new()).unwrap();
    assert!(fs::read(&path).unwrap() == before);
}

#[test]
fn compacting_needs_the_store_to_itself_and_shrinks_the_file() {
    let (folder, path, store) = new_store(&[]);
    let mut batch = WriteBatch::new();
    for key in 0..2000_u32 {
        batch.put(key.to_be_bytes(), vec![7; 10_000]);
    }
    store.write(&batch).unwrap();
    store.put("kept", vec![7; 10_000]).unwrap();
    let mut batch = WriteBatch::new();
    batch.delete_range(Bound::Unbounded, Bound::Excluded(b"kept"));
    store.write(&batch).unwrap();

    let view = store.view().unwrap();
    assert_eq!(store.compact().unwrap_err().kind(), ErrorKind::Busy);
    assert_eq!(view.prefix(b"").unwrap().len(), 1);
    drop(view);
    let before = fs::metadata(&path).unwrap();
    store.compact().unwrap();
    let after = fs::metadata(&path).unwrap();
    assert!(after.len() < before.len() / 100, "{} to {} bytes", before.len(), after.len());
    assert_eq!(before.permissions(), after.permissions());
    store.put("key", "value").unwrap();
    assert_eq!(store.prefix("").unwrap().len(), 2);
    store.compact().unwrap();
    assert_eq!(store.prefix("").unwrap().len(), 2);
    drop(store);
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 2, "nothing but the store is left in the folder");
    let store = LMDB.open(&Config::new(LMDB.descriptor()).at(&path)).unwrap().store;
    assert_eq!(store.prefix("").unwrap().len(), 2);
}

#[test]
fn a_store_is_compacted_between_the_views_and_commits_of_other_threads() {
    let (_folder, _path, store) = new_store(&[("sync", "none")]);
    let mut compacted = 0;
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for key in 0..500_u32 {
                store.put(key.to_be_bytes(), vec![7; 1000]).unwrap();
            }
        });
        let reader = scope.spawn(|| {
            for _ in 0..1000 {
                assert_eq!(store.get("missing").unwrap(), None);
                std::thread::sleep(std::time::Duration::from_micros(100));
            }
        });
        while !(writer.is_finished() && reader.is_finished()) {
            match store.compact() {
                Ok(()) => compacted += 1,
                Err(error) => assert_eq!(error.kind(), ErrorKind::Busy, "{error:?}"),
            }
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
    });
    assert!(compacted > 0);
    store.verify().unwrap();
    assert_eq!(store.prefix("").unwrap().len(), 500);
}

#[test]
fn an_empty_store_can_be_compacted() {
    let (_folder, _path, store) = new_store(&[]);
    store.compact().unwrap();
    store.put("key", "value").unwrap();
    assert_eq!(store.prefix("").unwrap().len(), 1);
}

#[test]
fn the_readers_are_the_limit_of_views() {
    let (_folder, _path, store) = new_store(&[("readers", "3")]);
    assert_eq!(store.capabilities().limits.views, Some(3));
    let views: Vec<_> = (0..3).map(|_| store.view().unwrap()).collect();
    let error = store.view().err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Busy);
    store.put("key", "value").unwrap();
    drop(views);
    assert!(store.get("key").unwrap().is_some());
}

#[test]
fn the_longest_key_is_the_linked_librarys() {
    let (_folder, _path, store) = new_store(&[]);
    let most = store.capabilities().limits.key_bytes.unwrap();
    assert_eq!(most > 511, cfg!(feature = "longer-keys"));
    store.put(vec![7; most], "value").unwrap();
    assert_eq!(store.put(vec![7; most + 1], "value").unwrap_err().kind(), ErrorKind::TooLarge);
    assert!(store.get(vec![7; most]).unwrap().is_some());
    assert_eq!(store.get(vec![7; most + 1]).unwrap(), None);
}

#[test]
fn bounds_may_be_the_empty_key_which_cannot_be_stored() {
    let (_folder, _path, store) = new_store(&[]);
    assert_eq!(store.put("", "value").unwrap_err().kind(), ErrorKind::InvalidArgument);
    assert_eq!(store.get("").unwrap(), None);
    store.put("a", "1").unwrap();
    let view = store.view().unwrap();
    let count = |scan| {
        let mut count = 0;
        let mut counting = visitor(|_: &[u8], _: Value<'_>| {
            count += 1;
            Ok(Step::Next)
        });
        view.scan(scan, &mut counting).unwrap();
        count
    };
    for start in [Bound::Included(b"".as_slice()), Bound::Excluded(b"")] {
        let scan = Scan::between(start, Bound::Unbounded);
        assert_eq!((count(scan), count(scan.reverse())), (1, 1));
    }
    for end in [Bound::Included(b"".as_slice()), Bound::Excluded(b"")] {
        let scan = Scan::between(Bound::Unbounded, end);
        assert_eq!((count(scan), count(scan.reverse())), (0, 0));
    }
    let mut batch = WriteBatch::new();
    batch.delete_range(Bound::Unbounded, Bound::Included(b""));
    store.write(&batch).unwrap();
    assert!(store.get("a").unwrap().is_some());
    let mut batch = WriteBatch::new();
    batch.delete_range(Bound::Excluded(b""), Bound::Unbounded);
    store.write(&batch).unwrap();
    assert!(store.get("a").unwrap().is_none());
}
