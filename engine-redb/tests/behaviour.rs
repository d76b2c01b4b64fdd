//! What is redb's own in an open store: durability, upkeep, and values that are lent.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test's helpers panic as its cases do")]

use std::fs::{self, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use engine_api::{
    Bytes, Config, Durability, Engine, ErrorKind, OpenMode, Scan, Step, Store, StoreExt, Value, WriteBatch,
    visitor,
};
use engine_redb::REDB;
use tempfile::TempDir;

fn open(path: &Path) -> Box<dyn Store> {
    REDB.open(&Config::new(REDB.descriptor()).at(path)).unwrap().store
}

fn new_store() -> (TempDir, PathBuf, Box<dyn Store>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    let store = open(&path);
    (folder, path, store)
}

fn put(key: &str, value: impl Into<Bytes>) -> WriteBatch {
    let mut batch = WriteBatch::new();
    batch.put(key, value);
    batch
}

/// What the file would hold if the power failed now.
fn on_disk(path: &Path, key: &str) -> Option<Bytes> {
    let copy = path.with_extension("copy");
    fs::copy(path, &copy).unwrap();
    open(&copy).get(key).unwrap()
}

#[test]
fn a_relaxed_commit_reaches_the_disk_with_a_flush() {
    let (_folder, path, store) = new_store();
    store.commit(&put("key", "value"), Durability::Relaxed).unwrap();
    assert!(store.get("key").unwrap().is_some());
    assert_eq!(on_disk(&path, "key"), None);
    store.flush().unwrap();
    assert!(on_disk(&path, "key").is_some());
}

#[test]
fn a_relaxed_commit_reaches_the_disk_with_the_next_durable_one() {
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
fn a_flush_with_nothing_to_do_writes_nothing() {
    let (_folder, path, store) = new_store();
    store.commit(&put("key", "value"), Durability::Relaxed).unwrap();
    store.flush().unwrap();
    let before = fs::read(&path).unwrap();
    store.flush().unwrap();
    assert!(fs::read(&path).unwrap() == before);
}

#[test]
fn a_batch_that_only_requires_is_judged_and_writes_nothing() {
    let (_folder, path, store) = new_store();
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
    let (_folder, path, store) = new_store();
    let mut batch = WriteBatch::new();
    for key in 0..2000_u32 {
        batch.put(key.to_be_bytes(), vec![7; 10_000]);
    }
    store.write(&batch).unwrap();
    store.put("kept", vec![7; 10_000]).unwrap();
    let mut batch = WriteBatch::new();
    batch.delete_range(std::ops::Bound::Unbounded, std::ops::Bound::Excluded(b"kept"));
    store.write(&batch).unwrap();

    let view = store.view().unwrap();
    assert_eq!(store.compact().unwrap_err().kind(), ErrorKind::Busy);
    let lent = view.get(b"kept").unwrap().unwrap();
    drop(view);
    assert_eq!(store.compact().unwrap_err().kind(), ErrorKind::Busy, "a lent value keeps its snapshot");
    drop(lent);
    let before = fs::metadata(&path).unwrap().len();
    store.compact().unwrap();
    let after = fs::metadata(&path).unwrap().len();
    assert!(after < before / 4, "{before} to {after} bytes");
    store.put("key", "value").unwrap();
    assert_eq!(store.prefix("").unwrap().len(), 2);
}

#[test]
fn verifying_needs_the_store_to_itself_and_keeps_relaxed_commits() {
    let (_folder, _path, store) = new_store();
    store.commit(&put("key", "value"), Durability::Relaxed).unwrap();
    let view = store.view().unwrap();
    assert_eq!(store.verify().unwrap_err().kind(), ErrorKind::Busy);
    drop(view);
    store.verify().unwrap();
    assert!(store.get("key").unwrap().is_some());
    store.put("key", "other").unwrap();
}

#[test]
fn verifying_finds_a_byte_that_has_changed() {
    const MARK: &[u8] = b"a value that is easily found";
    let (_folder, path, store) = new_store();
    store.put("key", MARK).unwrap();
    store.verify().unwrap();
    let bytes = fs::read(&path).unwrap();
    let mut file = OpenOptions::new().write(true).open(&path).unwrap();
    for at in bytes.windows(MARK.len()).enumerate().filter(|(_, w)| *w == MARK).map(|(at, _)| at) {
        file.seek(SeekFrom::Start(at as u64)).unwrap();
        file.write_all(b"X").unwrap();
    }
    assert_eq!(store.verify().unwrap_err().kind(), ErrorKind::Corrupt);
}

#[test]
fn a_damaged_page_is_an_error_in_every_read_and_no_panic() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    let store = open(&path);
    let keys: Vec<_> = (0..60).map(|key| format!("{key:02}")).collect();
    for key in &keys {
        store.put(key.clone(), vec![7; 100]).unwrap();
    }
    drop(store);
    let sound = fs::read(&path).unwrap();
    let mut failed = [0; 3];
    // The ends of keys and values are at the beginning of a leaf.
    for at in (4096..sound.len()).step_by(4096).flat_map(|page| (page..page + 400).step_by(21)) {
        let mut bytes = sound.clone();
        bytes[at] ^= 0x81;
        if sound[at..].iter().take(8).all(|byte| *byte == 0) {
            continue;
        }
        fs::write(&path, bytes).unwrap();
        let Ok(opened) = REDB.open(&Config::new(REDB.descriptor()).at(&path).with_mode(OpenMode::ReadOnly))
        else {
            continue;
        };
        let Ok(view) = opened.store.view() else { continue };
        let reads = [
            keys.iter().find_map(|key| view.get(key.as_bytes()).err()),
            keys.iter().find_map(|key| view.get_with(key.as_bytes(), &mut |_| ()).err()),
            view.scan(Scan::all(), &mut visitor(|_: &[u8], _: Value<'_>| Ok(Step::Next))).err(),
        ];
        for (count, error) in failed.iter_mut().zip(reads) {
            // A page that lies beyond the file's end ends the use of the handle.
            let kinds = [ErrorKind::Corrupt, ErrorKind::Poisoned];
            assert!(error.as_ref().is_none_or(|error| kinds.contains(&error.kind())), "{at}: {error:?}");
            *count += u32::from(error.is_some());
        }
    }
    assert!(failed.iter().all(|count| *count > 0), "{failed:?}");
}

#[test]
fn lent_values_outlive_the_view_the_store_and_the_file() {
    let (_folder, path, store) = new_store();
    for size in [4095, 4096, 100_000] {
        store.put(format!("{size}"), vec![7; size]).unwrap();
    }
    let view = store.view().unwrap();
    let values: Vec<_> =
        ["4095", "4096", "100000"].map(|key| view.get(key.as_bytes()).unwrap().unwrap()).into();
    store.put("100000", "other").unwrap();
    drop((view, store));
    open(&path).put("4096", vec![9; 4096]).unwrap();
    fs::remove_file(&path).unwrap();
    assert_eq!(values.iter().map(Bytes::len).collect::<Vec<_>>(), [4095, 4096, 100_000]);
    assert!(values.iter().all(|value| value.iter().all(|byte| *byte == 7)));
}

#[test]
fn a_visitor_may_write_to_the_store_that_it_reads() {
    let (_folder, _path, store) = new_store();
    store.put("a", "1").unwrap();
    store.put("b", "2").unwrap();
    let mut visited = 0;
    let mut copy = visitor(|key: &[u8], value: Value<'_>| {
        visited += 1;
        store.put([key, b"/copy"].concat(), value.to_bytes()?)?;
        Ok(Step::Next)
    });
    store.view().unwrap().scan(Scan::all(), &mut copy).unwrap();
    assert_eq!(visited, 2, "the copies aren't in the snapshot");
    assert_eq!(store.prefix("").unwrap().len(), 4);
}
