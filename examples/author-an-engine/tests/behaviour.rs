//! What is fjall's own in a store: what it finds in the folder, what is on the disk, and tables under a view.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test's helpers panic as its cases do")]

use std::fs;
use std::path::Path;

use author_an_engine::FJALL;
use engine_api::{
    Bytes, Config, Durability, Engine, Error, ErrorKind, Opened, Result, Store, StoreExt, ViewExt, WriteBatch,
};

fn config(path: &Path) -> Config {
    Config::new(FJALL.descriptor()).at(path)
}

fn open(path: &Path) -> Result<Opened> {
    FJALL.open(&config(path))
}

fn store(path: &Path) -> Box<dyn Store> {
    open(path).unwrap().store
}

fn refused(path: &Path) -> Error {
    open(path).expect_err("it must be refused")
}

fn put(key: &str, value: impl Into<Bytes>) -> WriteBatch {
    let mut batch = WriteBatch::new();
    batch.put(key, value);
    batch
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(|entry| entry.unwrap()) {
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() { copy(&from, &to) } else { fs::copy(from, to).map(drop).unwrap() }
    }
}

/// Bytes that don't compress, so that they take the room that they should.
fn noise(mut seed: u64, bytes: usize) -> Vec<u8> {
    let next = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        seed.to_be_bytes()[0]
    };
    std::iter::repeat_with(next).take(bytes).collect()
}

#[test]
fn a_store_whose_data_is_gone_is_corrupt_and_not_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    store(&path).put("key", "value").unwrap();
    fs::remove_dir_all(path.join("data")).unwrap();
    assert_eq!(refused(&path).kind(), ErrorKind::Corrupt);
    assert!(!path.join("data").exists());
    FJALL.destroy(&config(&path)).unwrap();
    assert!(!path.exists());
}

#[test]
fn another_applications_fjall_is_refused_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    drop(fjall::Database::builder(&path).open().unwrap());
    let names = || fs::read_dir(&path).unwrap().count();
    let before = names();
    assert_eq!(refused(&path).kind(), ErrorKind::Incompatible);
    assert_eq!(FJALL.destroy(&config(&path)).unwrap_err().kind(), ErrorKind::Incompatible);
    assert_eq!(names(), before);
}

#[test]
fn a_relaxed_commit_reaches_the_files_with_a_flush_or_a_stronger_commit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let store = store(&path);
    let mut copies = 0;
    // What the process would leave if it ended now.
    let mut left = |key: &str| {
        copies += 1;
        let copied = folder.path().join(format!("copy {copies}"));
        copy(&path, &copied);
        self::store(&copied).get(key).unwrap().is_some()
    };
    store.commit(&put("a", "1"), Durability::Relaxed).unwrap();
    assert!(!left("a"));
    store.flush().unwrap();
    assert!(left("a"));
    store.commit(&put("b", "2"), Durability::Relaxed).unwrap();
    assert!(!left("b"));
    store.commit(&put("c", "3"), Durability::Process).unwrap();
    assert!(left("b") && left("c"));
}

#[test]
fn a_torn_batch_is_dropped_where_its_end_is_missing_and_refused_where_its_middle_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let first = store(&path);
    first.commit(&put("whole", "1"), Durability::Process).unwrap();
    drop(first);
    let journal = path.join("data").join("0.jnl");
    // Opening a store cuts the journal to what is in it.
    drop(store(&path));
    let whole = fs::metadata(&journal).unwrap().len();
    store(&path).commit(&put("torn", noise(7, 2000)), Durability::Process).unwrap();
    let bytes = fs::read(&journal).unwrap();
    assert!(bytes.len() as u64 > whole + 2000);
    let mut middle = bytes.clone();
    let at = usize::try_from(whole).unwrap() + 1000;
    middle[at..at + 100].fill(0);
    fs::write(&journal, middle).unwrap();
    assert_eq!(refused(&path).kind(), ErrorKind::Corrupt);
    fs::write(&journal, &bytes[..bytes.len() - 1]).unwrap();
    let store = store(&path);
    assert_eq!(store.get("whole").unwrap().as_deref(), Some(b"1".as_slice()));
    assert_eq!(store.get("torn").unwrap(), None);
}

#[test]
fn a_view_is_one_state_while_tables_are_written_and_merged() {
    const KEYS: u64 = 1000;
    let key = |number: u64| format!("{:04}", number * 7919 % KEYS);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let store = store(&path);
    let write = |round: u64| {
        for number in 0..KEYS {
            let value = noise(round * KEYS + number, 64 << 10);
            store.commit(&put(&key(number), value), Durability::Relaxed).unwrap();
        }
    };
    let is_of = |store: &dyn engine_api::View, round: u64| {
        for number in (0..KEYS).step_by(50) {
            let value = store.get(key(number).as_bytes()).unwrap().unwrap();
            assert!(value == noise(round * KEYS + number, 64 << 10), "key {number} of round {round}");
        }
        assert_eq!(store.prefix(b"").unwrap().len() as u64, KEYS);
    };
    write(0);
    let view = store.view().unwrap();
    write(1);
    write(2);
    is_of(&*view, 0);
    is_of(&*store.view().unwrap(), 2);
    // It outlives the store, which is closed with it.
    drop(store);
    is_of(&*view, 0);
    assert_eq!(refused(&path).kind(), ErrorKind::Locked);
    drop(view);
    let store = self::store(&path);
    is_of(&*store.view().unwrap(), 2);
    let tables = fs::read_dir(path.join("data").join("keyspaces").join("1").join("tables")).unwrap();
    assert!(tables.count() > 0, "nothing has become a table");
}
