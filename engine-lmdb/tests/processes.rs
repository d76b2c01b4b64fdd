//! Several processes on one store, and several openers in one process.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test's helpers panic as its cases do")]

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use engine_api::{Config, Engine, ErrorKind, OpenMode, Store, StoreExt};
use engine_lmdb::LMDB;

const PATH: &str = "ENGINE_LMDB_TEST_STORE";

fn config(path: &Path) -> Config {
    Config::new(LMDB.descriptor()).at(path)
}

fn open(config: &Config) -> Box<dyn Store> {
    LMDB.open(config).unwrap().store
}

/// Another process, which runs one of the tests that are ignored, and has come as far as `ready`.
fn other(task: &str, path: &Path) -> Child {
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "--ignored", "--nocapture", task])
        .env(PATH, path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let said = BufReader::new(child.stdout.as_mut().unwrap()).lines();
    assert!(said.map(Result::unwrap).any(|line| line.ends_with("ready")), "{task} has ended early");
    child
}

/// Says that this process has come so far, and waits for the other.
fn ready() {
    println!("ready");
    std::io::stdout().flush().unwrap();
    std::io::stdin().read_line(&mut String::new()).unwrap();
}

fn end(mut child: Child) {
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
}

fn path_of_the_task() -> Option<std::path::PathBuf> {
    env::var_os(PATH).map(Into::into)
}

#[test]
#[ignore = "the other process of the tests below"]
fn holds_a_view() {
    let Some(path) = path_of_the_task() else { return };
    let store = open(&config(&path));
    let view = store.view().unwrap();
    let before = view.get(b"key").unwrap();
    ready();
    assert_eq!(view.get(b"key").unwrap(), before);
}

#[test]
#[ignore = "the other process of the tests below"]
fn outgrows_the_map() {
    let Some(path) = path_of_the_task() else { return };
    let store = open(&config(&path).with_option("map", "1GiB").unwrap());
    for key in 0..20_u32 {
        store.put(key.to_be_bytes(), vec![7; 300_000]).unwrap();
    }
    ready();
}

#[test]
#[ignore = "the other process of the tests below"]
fn fills_its_address_space() {
    let Some(path) = path_of_the_task() else { return };
    let config = config(&path).with_option("map", "1MiB").unwrap().with_option("sync", "none").unwrap();
    let store = open(&config);
    let keys = 0..2000_u32;
    let filled =
        keys.clone().find_map(|key| store.put(key.to_be_bytes(), vec![7; 300_000]).err().zip(Some(key)));
    let (error, count) = filled.expect("it must run out of addresses");
    assert_eq!(error.kind(), ErrorKind::Full, "{error:?}");
    assert_eq!(store.put("more", vec![7; 300_000]).unwrap_err().kind(), ErrorKind::Full);
    assert!(keys.take_while(|key| store.get(key.to_be_bytes()).unwrap().is_some()).eq(0..count));
    store.delete(0_u32.to_be_bytes()).unwrap();
    store.delete(1_u32.to_be_bytes()).unwrap();
    // What was freed is used again two commits later.
    store.put("small", "value").unwrap();
    store.put("more", vec![7; 300_000]).unwrap();
    store.verify().unwrap();
}

#[test]
#[ignore = "the other process of the tests below"]
fn opens_and_commits() {
    let Some(path) = path_of_the_task() else { return };
    for key in 0..300_u32 {
        open(&config(&path)).put(key.to_be_bytes(), vec![7; 5000]).unwrap();
    }
}

#[test]
fn a_store_that_is_compacted_while_another_process_opens_it_keeps_every_commit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.lmdb");
    let store = open(&config(&path));
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "--ignored", "opens_and_commits"])
        .env(PATH, &path)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut compacted = 0;
    let ended = loop {
        match store.compact() {
            Ok(()) => compacted += 1,
            Err(error) => assert_eq!(error.kind(), ErrorKind::Busy, "{error:?}"),
        }
        if let Some(ended) = child.try_wait().unwrap() {
            break ended;
        }
        // The file is held alone while it is compacted, so there must be times when it isn't.
        std::thread::sleep(Duration::from_millis(2));
    };
    assert!(ended.success());
    assert!(compacted > 0);
    store.verify().unwrap();
    assert_eq!(store.prefix("").unwrap().len(), 300);
}

#[cfg(target_os = "linux")]
#[test]
fn a_store_without_room_for_a_larger_map_is_full_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let limited = Command::new("sh")
        .args(["-c", "ulimit -v 600000 && exec \"$0\" --exact --ignored fills_its_address_space"])
        .arg(env::current_exe().unwrap())
        .env(PATH, folder.path().join("store.lmdb"))
        .output()
        .unwrap();
    assert!(limited.status.success(), "{limited:?}");
    assert!(String::from_utf8_lossy(&limited.stdout).contains("1 passed"), "{limited:?}");
}

#[test]
fn what_one_process_commits_another_sees() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.lmdb");
    let store = open(&config(&path));
    store.put("key", "old").unwrap();
    let child = other("holds_a_view", &path);
    store.put("key", "new").unwrap();
    end(child);
    assert_eq!(store.get("key").unwrap().as_deref(), Some(b"new".as_slice()));
}

#[test]
fn a_map_that_another_process_has_outgrown_grows_here_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.lmdb");
    let small = config(&path).with_option("map", "1MiB").unwrap();
    for writes in [false, true] {
        let store = open(&small);
        store.put("key", "value").unwrap();
        let view = store.view().unwrap();
        let child = other("outgrows_the_map", &path);
        assert!(view.get(b"key").unwrap().is_some());
        assert_eq!(store.view().err().map(|error| error.kind()), Some(ErrorKind::Busy));
        drop(view);
        if writes {
            store.put("key", "other").unwrap();
        }
        assert_eq!(store.prefix("").unwrap().len(), 21);
        end(child);
        drop(store);
        LMDB.destroy(&small).unwrap();
    }
}

#[test]
fn a_store_that_another_process_has_open_is_neither_removed_nor_compacted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.lmdb");
    let store = open(&config(&path));
    store.put("key", "value").unwrap();
    let child = other("holds_a_view", &path);
    assert_eq!(store.compact().unwrap_err().kind(), ErrorKind::Busy);
    store.put("other", "value").unwrap();
    drop(store);
    assert_eq!(LMDB.destroy(&config(&path)).unwrap_err().kind(), ErrorKind::Locked);
    assert_eq!(open(&config(&path)).prefix("").unwrap().len(), 2);
    end(child);
    open(&config(&path)).compact().unwrap();
    LMDB.destroy(&config(&path)).unwrap();
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
}

#[test]
fn the_slot_of_a_reader_that_was_killed_is_used_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.lmdb");
    let config = config(&path).with_option("readers", "1").unwrap();
    let store = open(&config);
    let mut child = other("holds_a_view", &path);
    assert_eq!(store.view().err().map(|error| error.kind()), Some(ErrorKind::Busy));
    child.kill().unwrap();
    child.wait().unwrap();
    store.view().unwrap();
}

#[test]
fn openers_of_one_process_share_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.lmdb");
    let one = open(&config(&path));
    let two = open(&config(&folder.path().join(".").join("store.lmdb")).with_mode(OpenMode::Existing));
    let reader = open(&config(&path).with_mode(OpenMode::ReadOnly));
    one.put("one", "1").unwrap();
    two.put("two", "2").unwrap();
    assert_eq!(reader.put("three", "3").unwrap_err().kind(), ErrorKind::ReadOnly);
    assert_eq!(reader.compact().unwrap_err().kind(), ErrorKind::ReadOnly);
    drop(one);
    assert_eq!(reader.prefix("").unwrap().len(), 2);
    two.put("three", "3").unwrap();
}

#[test]
fn an_opener_with_other_options_is_locked_out_until_the_last_view_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.lmdb");
    let other = config(&path).with_option("sync", "none").unwrap();
    let store = open(&config(&path));
    let view = store.view().unwrap();
    drop(store);
    assert_eq!(LMDB.open(&other).unwrap_err().kind(), ErrorKind::Locked);
    assert_eq!(LMDB.destroy(&config(&path)).unwrap_err().kind(), ErrorKind::Locked);
    drop(view);
    open(&other);
}

#[test]
fn a_store_that_is_open_for_reading_alone_is_not_opened_for_writing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.lmdb");
    open(&config(&path)).put("key", "value").unwrap();
    let reader = open(&config(&path).with_mode(OpenMode::ReadOnly));
    assert_eq!(LMDB.open(&config(&path)).unwrap_err().kind(), ErrorKind::Locked);
    assert!(reader.get("key").unwrap().is_some());
}

#[test]
fn a_file_that_other_code_of_this_process_has_open_is_locked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.lmdb");
    open(&config(&path)).put("key", "value").unwrap();
    let mut options = heed::EnvOpenOptions::new();
    options.max_dbs(1);
    #[allow(unsafe_code, reason = "heed asks for it")]
    // SAFETY: the file is changed by LMDB alone.
    let other = unsafe { options.flags(heed::EnvFlags::NO_SUB_DIR).open(&path) }.unwrap();
    assert_eq!(LMDB.open(&config(&path)).unwrap_err().kind(), ErrorKind::Locked);
    assert_eq!(LMDB.destroy(&config(&path)).unwrap_err().kind(), ErrorKind::Locked);
    drop(other);
    assert!(open(&config(&path)).get("key").unwrap().is_some());
}
