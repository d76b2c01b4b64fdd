//! What is sled's own in an open store: live views, durability, upkeep, and failures that it doesn't survive.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test's helpers panic as its cases do")]

mod common;

use std::fs;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use common::{config, contents, copy, open, unclosed_copy};
use engine_api::{
    Bytes, Durability, Engine, ErrorKind, OpenMode, Scan, Step, Store, StoreExt, Value, WriteBatch, visitor,
};
use engine_sled::SLED;
use tempfile::TempDir;

/// A store that flushes nothing by itself.
fn new_store() -> (TempDir, PathBuf, Box<dyn Store>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.sled");
    let store = SLED.open(&config(&path).with_option("flush-every", "0").unwrap()).unwrap().store;
    (folder, path, store)
}

fn put(key: &str, value: impl Into<Bytes>) -> WriteBatch {
    let mut batch = WriteBatch::new();
    batch.put(key, value);
    batch
}

/// What the store would hold if the process ended now.
fn on_disk(path: &Path, key: &str) -> Option<Bytes> {
    open(&unclosed_copy(path)).get(key).unwrap()
}

#[test]
fn a_view_follows_the_store_and_a_value_does_not() {
    let (_folder, _path, store) = new_store();
    for size in [0, 1023, 1024, 100_000] {
        store.put("key", vec![7; size]).unwrap();
        let view = store.view().unwrap();
        let value = view.get(b"key").unwrap().unwrap();
        store.put("key", "other").unwrap();
        assert_eq!(view.get(b"key").unwrap().as_deref(), Some(b"other".as_slice()));
        assert!(value == vec![7; size]);
    }
}

#[test]
fn values_outlive_the_view_the_store_and_the_folder() {
    let (_folder, path, store) = new_store();
    store.put("key", vec![7; 100_000]).unwrap();
    let value = store.view().unwrap().get(b"key").unwrap().unwrap();
    drop(store);
    SLED.destroy(&config(&path)).unwrap();
    assert!(value == vec![7; 100_000]);
}

#[test]
fn a_visitor_may_write_to_the_store_that_it_reads() {
    let (_folder, _path, store) = new_store();
    let mut batch = WriteBatch::new();
    for key in 0..1000 {
        batch.put(format!("{key:04}"), "value");
    }
    store.write(&batch).unwrap();
    let mut visited = 0;
    let mut prune = visitor(|key: &[u8], _: Value<'_>| {
        visited += 1;
        let mut batch = WriteBatch::new();
        batch.delete(key).put([b"before/", key].concat(), "");
        store.commit(&batch, Durability::Relaxed)?;
        Ok(Step::Next)
    });
    store.view().unwrap().scan(Scan::all().reverse(), &mut prune).unwrap();
    assert!(visited >= 1000, "{visited}");
    assert_eq!(store.prefix("0").unwrap(), []);
}

#[test]
fn a_relaxed_commit_leaves_the_process_with_a_flush() {
    let (_folder, path, store) = new_store();
    store.commit(&put("key", "value"), Durability::Relaxed).unwrap();
    assert!(store.get("key").unwrap().is_some());
    assert_eq!(on_disk(&path, "key"), None);
    store.flush().unwrap();
    assert!(on_disk(&path, "key").is_some());
}

#[test]
fn a_relaxed_commit_leaves_the_process_with_the_next_durable_one() {
    let (_folder, path, store) = new_store();
    store.commit(&put("relaxed", "value"), Durability::Relaxed).unwrap();
    store.commit(&put("durable", "value"), Durability::Process).unwrap();
    assert!(on_disk(&path, "relaxed").is_some() && on_disk(&path, "durable").is_some());
}

#[test]
fn a_relaxed_commit_survives_closing() {
    let (_folder, path, store) = new_store();
    store.commit(&put("key", "value"), Durability::Relaxed).unwrap();
    drop(store);
    assert!(open(&path).get("key").unwrap().is_some());
}

#[test]
fn a_relaxed_commit_leaves_the_process_after_a_while() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.sled");
    let config = config(&path).with_option("flush-every", "5").unwrap();
    let store = SLED.open(&config).unwrap().store;
    store.commit(&put("key", "a value that is easily found"), Durability::Relaxed).unwrap();
    let start = Instant::now();
    let is_there = |log: Vec<u8>| log.windows(28).any(|seen| seen == b"a value that is easily found");
    while !is_there(fs::read(path.join("db")).unwrap()) {
        assert!(start.elapsed() < Duration::from_secs(30), "nothing was flushed");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_flush_with_nothing_to_do_writes_nothing() {
    let (_folder, path, store) = new_store();
    store.commit(&put("key", "value"), Durability::Relaxed).unwrap();
    store.flush().unwrap();
    let before = contents(&path);
    store.flush().unwrap();
    store.write(&WriteBatch::new()).unwrap();
    assert!(contents(&path) == before);
}

#[test]
fn a_batch_that_only_requires_is_judged_and_writes_nothing() {
    let (_folder, path, store) = new_store();
    store.flush().unwrap();
    let before = contents(&path);
    let mut batch = WriteBatch::new();
    batch.require_absent("key");
    store.write(&batch).unwrap();
    batch.require_present("key");
    assert_eq!(store.write(&batch).unwrap_err().kind(), ErrorKind::Conflict);
    assert!(contents(&path) == before);
}

#[test]
fn a_range_delete_and_the_puts_around_it_are_one_batch() {
    let (_folder, path, store) = new_store();
    for key in ["a", "b", "c", "d"] {
        store.put(key, "old").unwrap();
    }
    let mut batch = WriteBatch::new();
    batch.put("bb", "doomed").put("e", "new");
    batch.delete_range(Bound::Included(b"b"), Bound::Excluded(b"d")).put("c", "new");
    store.commit(&batch, Durability::Process).unwrap();
    let store = open(&unclosed_copy(&path));
    let keys: Vec<_> = store.prefix("").unwrap().into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys, ["a", "c", "d", "e"]);
}

#[test]
fn verifying_finds_a_value_that_has_changed_or_gone() {
    let (_folder, path, store) = new_store();
    for key in 0..5000 {
        let batch = put(&format!("{key:05}"), format!("value {key:05} {}", "x".repeat(500)));
        store.commit(&batch, Durability::Relaxed).unwrap();
    }
    store.put("large", vec![7; 500_000]).unwrap();
    store.verify().unwrap();
    drop(store);
    let harmed = path.with_extension("harmed");
    // Opening waits for what sled still writes after it was closed. Without that, it takes harm for the end.
    let reopened = open(&path);
    copy(&path, &harmed);
    reopened.verify().unwrap();
    drop(reopened);

    let mut log = fs::read(harmed.join("db")).unwrap();
    let seen = log.windows(11).enumerate().filter(|(_, seen)| *seen == b"value 02500");
    let places: Vec<_> = seen.map(|(at, _)| at).collect();
    for at in places {
        log[at] = b'X';
    }
    fs::write(harmed.join("db"), log).unwrap();
    let verified = SLED.open(&config(&harmed)).and_then(|opened| opened.store.verify());
    assert_eq!(verified.unwrap_err().kind(), ErrorKind::Corrupt);

    fs::remove_dir_all(path.join("blobs")).unwrap();
    let store = SLED.open(&config(&path).with_mode(OpenMode::Existing)).unwrap().store;
    assert_eq!(store.verify().unwrap_err().kind(), ErrorKind::Corrupt);
    assert_eq!(store.get("large").unwrap_err().kind(), ErrorKind::Corrupt);
    assert!(store.get("00000").unwrap().is_some(), "the rest can be read");
}

#[test]
fn a_write_that_fails_ends_the_use_of_the_store_and_hangs_nothing() {
    let (_folder, path, store) = new_store();
    store.put("key", "value").unwrap();
    let view = store.view().unwrap();
    // A large value has no place to go to.
    fs::remove_dir_all(path.join("blobs")).unwrap();
    store.commit(&put("large", vec![7; 500_000]), Durability::Relaxed).unwrap_err();
    assert_eq!(store.put("key", "other").unwrap_err().kind(), ErrorKind::Poisoned);
    assert_eq!(store.get("key").unwrap_err().kind(), ErrorKind::Poisoned);
    assert_eq!(view.get(b"key").unwrap_err().kind(), ErrorKind::Poisoned);
    assert_eq!(store.verify().unwrap_err().kind(), ErrorKind::Poisoned);
    drop(view);
    drop(store);
    let error = SLED.open(&config(&path)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Locked, "this process can't have it again");
    assert_eq!(on_disk(&path, "key").as_deref(), Some(b"value".as_slice()), "another can");
}
