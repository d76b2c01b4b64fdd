//! What opening makes of what it finds at the path.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test's helpers panic as its cases do")]

use std::fs;
use std::path::{Path, PathBuf};

use engine_api::{Config, Engine, Error, ErrorKind, OpenMode, Opened, Result, StoreExt};
use engine_redb::REDB;
use redb::{Database, TableDefinition};

fn config(path: &Path) -> Config {
    Config::new(REDB.descriptor()).at(path)
}

fn open(path: &Path, mode: OpenMode) -> Result<Opened> {
    REDB.open(&config(path).with_mode(mode))
}

fn refused(path: &Path, mode: OpenMode) -> Error {
    open(path, mode).expect_err("it must be refused")
}

/// A store with one key, closed; and a copy of it as it was while it was open.
fn store_and_unclosed_copy(folder: &Path) -> (PathBuf, PathBuf) {
    let (path, copy) = (folder.join("store.redb"), folder.join("unclosed.redb"));
    let store = open(&path, OpenMode::New).unwrap().store;
    store.put("key", "value").unwrap();
    fs::copy(&path, &copy).unwrap();
    (path, copy)
}

#[test]
fn created_is_reported_and_modes_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    for mode in [OpenMode::Existing, OpenMode::ReadOnly] {
        assert_eq!(refused(&path, mode).kind(), ErrorKind::NotFound);
    }
    assert!(!path.exists());
    assert!(open(&path, OpenMode::New).unwrap().created);
    assert_eq!(refused(&path, OpenMode::New).kind(), ErrorKind::AlreadyExists);
    for mode in [OpenMode::Create, OpenMode::Existing, OpenMode::ReadOnly] {
        assert!(!open(&path, mode).unwrap().created);
    }
    let names: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["store.redb"], "nothing else is left in the folder");
}

#[test]
fn a_new_store_can_be_read_before_the_first_write() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    assert_eq!(open(&path, OpenMode::New).unwrap().store.get("key").unwrap(), None);
    assert_eq!(open(&path, OpenMode::ReadOnly).unwrap().store.get("key").unwrap(), None);
}

#[test]
fn foreign_files_are_refused_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let foreign = folder.path().join("foreign");
    let zeros = vec![0; 2 << 20];
    let sqlite = b"SQLite format 3\0".as_slice();
    for bytes in [b"", b"redb".as_slice(), b"\0", &zeros, sqlite, b"some notes\n"] {
        fs::write(&foreign, bytes).unwrap();
        for mode in [OpenMode::Create, OpenMode::Existing, OpenMode::ReadOnly] {
            let error = refused(&foreign, mode);
            assert_eq!(error.kind(), ErrorKind::Incompatible, "{error:?}");
            assert!(error.field("path").is_some());
        }
        assert_eq!(REDB.destroy(&config(&foreign)).unwrap_err().kind(), ErrorKind::Incompatible);
        assert_eq!(REDB.repair(&config(&foreign)).unwrap_err().kind(), ErrorKind::Incompatible);
        assert_eq!(fs::read(&foreign).unwrap(), bytes);
    }
}

#[test]
fn another_applications_redb_file_is_refused_and_kept() {
    const OTHER: TableDefinition<u64, &str> = TableDefinition::new("other");
    const SAME_NAME: TableDefinition<u64, &str> = TableDefinition::new("kv");
    let folder = tempfile::tempdir().unwrap();
    for (name, table) in [("a", Some(OTHER)), ("b", Some(SAME_NAME)), ("c", None)] {
        let path = folder.path().join(name);
        let database = Database::create(&path).unwrap();
        if let Some(table) = table {
            let txn = database.begin_write().unwrap();
            txn.open_table(table).unwrap().insert(7, "seven").unwrap();
            txn.commit().unwrap();
        }
        drop(database);
        let before = fs::read(&path).unwrap();
        for mode in [OpenMode::Create, OpenMode::Existing, OpenMode::ReadOnly] {
            assert_eq!(refused(&path, mode).kind(), ErrorKind::Incompatible);
        }
        assert_eq!(REDB.repair(&config(&path)).unwrap_err().kind(), ErrorKind::Incompatible);
        assert_eq!(REDB.destroy(&config(&path)).unwrap_err().kind(), ErrorKind::Incompatible);
        assert!(fs::read(&path).unwrap() == before, "{name} was written to");
    }
}

#[test]
fn a_truncated_file_is_corrupt_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let (path, _) = store_and_unclosed_copy(folder.path());
    let whole = fs::read(&path).unwrap();
    for length in [9, 100, 319, 320, 4096, 8192, whole.len() / 2, whole.len() - 4096, whole.len() - 1] {
        fs::write(&path, &whole[..length]).unwrap();
        for mode in [OpenMode::Create, OpenMode::Existing, OpenMode::ReadOnly] {
            let error = refused(&path, mode);
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{length} bytes, {mode:?}: {error:?}");
        }
        assert_eq!(REDB.repair(&config(&path)).unwrap_err().kind(), ErrorKind::Corrupt);
        assert!(fs::read(&path).unwrap() == whole[..length], "{length} bytes");
    }
    REDB.destroy(&config(&path)).unwrap();
    assert!(!path.exists());
}

#[test]
fn an_old_format_is_incompatible() {
    let folder = tempfile::tempdir().unwrap();
    let (path, _) = store_and_unclosed_copy(folder.path());
    let mut bytes = fs::read(&path).unwrap();
    // The version is the first byte of each of the two commit slots.
    (bytes[64], bytes[192]) = (1, 1);
    fs::write(&path, &bytes).unwrap();
    assert_eq!(refused(&path, OpenMode::Existing).kind(), ErrorKind::Incompatible);
}

#[test]
fn a_folder_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for mode in [OpenMode::Create, OpenMode::Existing, OpenMode::ReadOnly] {
        assert_eq!(refused(folder.path(), mode).kind(), ErrorKind::Incompatible);
    }
    assert_eq!(REDB.destroy(&config(folder.path())).unwrap_err().kind(), ErrorKind::Incompatible);
    assert!(folder.path().is_dir());
}

#[cfg(target_os = "linux")]
#[cfg(unix)]
#[test]
fn a_read_only_file_opens_for_reading_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let (path, _) = store_and_unclosed_copy(folder.path());
    fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).unwrap();
    // The superuser writes where it likes.
    if fs::OpenOptions::new().write(true).open(&path).is_err() {
        assert_eq!(refused(&path, OpenMode::Create).kind(), ErrorKind::ReadOnly);
    }
    let store = open(&path, OpenMode::ReadOnly).unwrap().store;
    assert_eq!(store.get("key").unwrap().as_deref(), Some(b"value".as_slice()));
    assert_eq!(store.put("key", "other").unwrap_err().kind(), ErrorKind::ReadOnly);
    assert_eq!(store.compact().unwrap_err().kind(), ErrorKind::ReadOnly);
    assert_eq!(store.verify().unwrap_err().kind(), ErrorKind::ReadOnly);
    store.flush().unwrap();
}

#[test]
fn a_second_opener_is_locked_out_until_the_last_view_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    let store = open(&path, OpenMode::New).unwrap().store;
    store.put("key", "value").unwrap();
    let view = store.view().unwrap();
    drop(store);
    for mode in [OpenMode::Create, OpenMode::Existing, OpenMode::ReadOnly] {
        assert_eq!(refused(&path, mode).kind(), ErrorKind::Locked);
    }
    assert_eq!(REDB.destroy(&config(&path)).unwrap_err().kind(), ErrorKind::Locked);
    assert_eq!(REDB.repair(&config(&path)).unwrap_err().kind(), ErrorKind::Locked);
    assert_eq!(view.get(b"key").unwrap().as_deref(), Some(b"value".as_slice()));
    drop(view);
    open(&path, OpenMode::Existing).unwrap();
}

#[test]
fn readers_share_the_file_and_keep_a_writer_out() {
    let folder = tempfile::tempdir().unwrap();
    let (path, _) = store_and_unclosed_copy(folder.path());
    let one = open(&path, OpenMode::ReadOnly).unwrap();
    let _two = open(&path, OpenMode::ReadOnly).unwrap();
    assert_eq!(refused(&path, OpenMode::Existing).kind(), ErrorKind::Locked);
    assert_eq!(REDB.destroy(&config(&path)).unwrap_err().kind(), ErrorKind::Locked);
    assert!(one.store.get("key").unwrap().is_some());
}

#[test]
fn destroy_removes_the_store_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let (path, other) = store_and_unclosed_copy(folder.path());
    REDB.destroy(&config(&path)).unwrap();
    REDB.destroy(&config(&path)).unwrap();
    assert!(!path.exists() && other.exists());
    REDB.destroy(&config(&other)).unwrap();
    assert!(!other.exists(), "a store that wasn't closed can be removed too");
}

#[test]
fn repair_tells_a_sound_store_from_one_that_was_not_closed() {
    use engine_api::Repaired::{Mended, Sound};
    let folder = tempfile::tempdir().unwrap();
    let (path, unclosed) = store_and_unclosed_copy(folder.path());
    assert_eq!(REDB.repair(&config(&path)).unwrap(), Sound);
    assert_eq!(REDB.repair(&config(&unclosed)).unwrap(), Mended);
    assert_eq!(REDB.repair(&config(&unclosed)).unwrap(), Sound);
    let missing = folder.path().join("missing");
    assert_eq!(REDB.repair(&config(&missing)).unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn a_store_that_was_not_closed_is_mended_or_refused_as_asked() {
    let folder = tempfile::tempdir().unwrap();
    let (_, path) = store_and_unclosed_copy(folder.path());
    let before = fs::read(&path).unwrap();
    let refusing = config(&path).with_option("repair", "refuse").unwrap();
    for config in [&refusing, &config(&path).with_mode(OpenMode::ReadOnly)] {
        let error = REDB.open(config).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert!(error.message().contains("repair"), "{error:?}");
    }
    assert!(fs::read(&path).unwrap() == before, "a refusal left its mark");
    let store = open(&path, OpenMode::Existing).unwrap().store;
    assert_eq!(store.get("key").unwrap().as_deref(), Some(b"value".as_slice()));
    drop(store);
    REDB.open(&refusing).unwrap();
}

#[test]
fn quick_repair_lets_a_store_that_was_not_closed_open_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let (path, copy) = (folder.path().join("store.redb"), folder.path().join("copy.redb"));
    let quick = |path| config(path).with_option("quick-repair", "true").unwrap();
    let store = REDB.open(&quick(&path)).unwrap().store;
    store.put("key", "value").unwrap();
    fs::copy(&path, &copy).unwrap();
    let store = REDB.open(&quick(&copy).with_option("repair", "refuse").unwrap()).unwrap().store;
    assert_eq!(store.get("key").unwrap().as_deref(), Some(b"value".as_slice()));
}
