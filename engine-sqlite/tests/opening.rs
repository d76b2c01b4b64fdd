//! What opening makes of what it finds at the path.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test's helpers panic as its cases do")]

use std::fs;
use std::path::{Path, PathBuf};

use engine_api::{Config, Engine, Error, ErrorKind, OpenMode, Opened, Result, StoreExt};
use engine_sqlite::SQLITE;
use rusqlite::Connection;

const OPENING: [OpenMode; 3] = [OpenMode::Create, OpenMode::Existing, OpenMode::ReadOnly];

fn config(path: &Path) -> Config {
    Config::new(SQLITE.descriptor()).at(path).with_option("busy-timeout", "0").unwrap()
}

fn open(path: &Path, mode: OpenMode) -> Result<Opened> {
    SQLITE.open(&config(path).with_mode(mode))
}

fn refused(path: &Path, mode: OpenMode) -> Error {
    open(path, mode).expect_err("it must be refused")
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    PathBuf::from(format!("{}{suffix}", path.display()))
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// A store with one key, closed; and a copy of it, with its log, as it was while it was open.
fn store_and_unclosed_copy(folder: &Path) -> (PathBuf, PathBuf) {
    let (path, copy) = (folder.join("store.sqlite"), folder.join("unclosed.sqlite"));
    let store = open(&path, OpenMode::New).unwrap().store;
    store.put("key", "value").unwrap();
    fs::copy(&path, &copy).unwrap();
    fs::copy(beside(&path, "-wal"), beside(&copy, "-wal")).unwrap();
    (path, copy)
}

#[test]
fn created_is_reported_and_modes_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.sqlite");
    for mode in [OpenMode::Existing, OpenMode::ReadOnly] {
        assert_eq!(refused(&path, mode).kind(), ErrorKind::NotFound);
    }
    assert!(!path.exists());
    assert!(open(&path, OpenMode::New).unwrap().created);
    assert_eq!(refused(&path, OpenMode::New).kind(), ErrorKind::AlreadyExists);
    for mode in OPENING {
        assert!(!open(&path, mode).unwrap().created);
    }
    assert_eq!(names(folder.path()), ["store.sqlite"], "nothing else is left in the folder");
}

#[test]
fn a_new_store_can_be_read_before_the_first_write() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.sqlite");
    assert_eq!(open(&path, OpenMode::New).unwrap().store.get("key").unwrap(), None);
    assert_eq!(open(&path, OpenMode::ReadOnly).unwrap().store.get("key").unwrap(), None);
}

#[test]
fn foreign_files_are_refused_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let foreign = folder.path().join("foreign");
    let zeros = vec![0; 2 << 20];
    let redb = b"redb\x1A\x0A\xA9\x0D\x0A".as_slice();
    for bytes in [b"", b"SQLite format 3\0".as_slice(), b"\0", &zeros, redb, b"some notes\n"] {
        fs::write(&foreign, bytes).unwrap();
        for mode in OPENING {
            let error = refused(&foreign, mode);
            assert_eq!(error.kind(), ErrorKind::Incompatible, "{error:?}");
            assert!(error.field("path").is_some());
        }
        assert_eq!(SQLITE.destroy(&config(&foreign)).unwrap_err().kind(), ErrorKind::Incompatible);
        assert_eq!(SQLITE.repair(&config(&foreign)).unwrap_err().kind(), ErrorKind::Incompatible);
        assert_eq!(fs::read(&foreign).unwrap(), bytes);
    }
    assert_eq!(names(folder.path()), ["foreign"]);
}

#[test]
fn another_applications_database_is_refused_and_kept_with_its_log() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.sqlite");
    let database = Connection::open(&path).unwrap();
    database.pragma_update(None, "journal_mode", "WAL").unwrap();
    database.execute_batch("CREATE TABLE kv(k BLOB PRIMARY KEY, v BLOB) WITHOUT ROWID").unwrap();
    let copy = folder.path().join("copy.sqlite");
    fs::copy(&path, &copy).unwrap();
    fs::copy(beside(&path, "-wal"), beside(&copy, "-wal")).unwrap();
    let (file, log) = (fs::read(&copy).unwrap(), fs::read(beside(&copy, "-wal")).unwrap());
    for mode in OPENING {
        assert_eq!(refused(&copy, mode).kind(), ErrorKind::Incompatible);
    }
    assert_eq!(SQLITE.repair(&config(&copy)).unwrap_err().kind(), ErrorKind::Incompatible);
    assert_eq!(SQLITE.destroy(&config(&copy)).unwrap_err().kind(), ErrorKind::Incompatible);
    assert!(fs::read(&copy).unwrap() == file, "the file was written to");
    assert!(fs::read(beside(&copy, "-wal")).unwrap() == log, "the log was written to");
    assert!(!beside(&copy, "-shm").exists());
}

#[test]
fn another_layout_or_other_tables_are_incompatible() {
    let folder = tempfile::tempdir().unwrap();
    for (name, change) in [
        ("layout", "PRAGMA user_version=2"),
        ("application", "PRAGMA application_id=7"),
        ("more", "CREATE TABLE more(x)"),
        ("less", "DROP TABLE large"),
        ("trigger", "CREATE TRIGGER t AFTER INSERT ON kv BEGIN DELETE FROM large; END"),
        ("index", "CREATE INDEX i ON large(v)"),
    ] {
        let path = folder.path().join(name);
        open(&path, OpenMode::New).unwrap();
        Connection::open(&path).unwrap().execute_batch(change).unwrap();
        for mode in OPENING {
            assert_eq!(refused(&path, mode).kind(), ErrorKind::Incompatible, "{name}, {mode:?}");
        }
        assert!(fs::read(&path).unwrap().starts_with(b"SQLite"), "{name}");
    }
}

#[test]
fn statistics_do_no_harm() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.sqlite");
    open(&path, OpenMode::New).unwrap().store.put("key", "value").unwrap();
    Connection::open(&path).unwrap().execute_batch("ANALYZE").unwrap();
    assert!(open(&path, OpenMode::Existing).unwrap().store.get("key").unwrap().is_some());
}

#[test]
fn a_truncated_file_is_corrupt_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let (path, _) = store_and_unclosed_copy(folder.path());
    let whole = fs::read(&path).unwrap();
    for length in [512, 4096, 5000, whole.len() - 4096] {
        fs::write(&path, &whole[..length]).unwrap();
        for mode in OPENING {
            let error = refused(&path, mode);
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{length} bytes, {mode:?}: {error:?}");
        }
        assert_eq!(SQLITE.repair(&config(&path)).unwrap_err().kind(), ErrorKind::Corrupt);
        assert!(fs::read(&path).unwrap() == whole[..length], "{length} bytes");
    }
    SQLITE.destroy(&config(&path)).unwrap();
    assert!(!path.exists());
}

#[test]
fn a_folder_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for mode in OPENING {
        assert_eq!(refused(folder.path(), mode).kind(), ErrorKind::Incompatible);
    }
    assert_eq!(SQLITE.destroy(&config(folder.path())).unwrap_err().kind(), ErrorKind::Incompatible);
    assert!(folder.path().is_dir());
}

#[cfg(target_os = "linux")]
#[test]
fn a_log_of_a_database_that_is_gone_is_not_taken_into_a_new_store() {
    let folder = tempfile::tempdir().unwrap();
    let (_, copy) = store_and_unclosed_copy(folder.path());
    for suffix in ["-wal", "-journal"] {
        let path = folder.path().join("new.sqlite");
        let left = beside(&path, suffix);
        fs::copy(beside(&copy, "-wal"), &left).unwrap();
        for mode in [OpenMode::Create, OpenMode::New] {
            assert_eq!(refused(&path, mode).kind(), ErrorKind::Incompatible);
        }
        assert!(!path.exists());
        fs::remove_file(left).unwrap();
        open(&path, OpenMode::New).unwrap();
        SQLITE.destroy(&config(&path)).unwrap();
    }
}

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
    store.verify().unwrap();
    store.flush().unwrap();
}

#[test]
fn reading_alone_sees_a_log_that_was_left_and_leaves_it() {
    let folder = tempfile::tempdir().unwrap();
    let (_, path) = store_and_unclosed_copy(folder.path());
    let log = beside(&path, "-wal");
    let before = (fs::read(&path).unwrap(), fs::read(&log).unwrap());
    for _ in 0..2 {
        let store = open(&path, OpenMode::ReadOnly).unwrap().store;
        assert_eq!(store.get("key").unwrap().as_deref(), Some(b"value".as_slice()));
        drop(store);
        assert!((fs::read(&path).unwrap(), fs::read(&log).unwrap()) == before);
    }
}

#[cfg(unix)]
#[test]
fn a_link_leads_to_the_store_and_its_log() {
    let folder = tempfile::tempdir().unwrap();
    let (path, _) = store_and_unclosed_copy(folder.path());
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let (through, straight) =
        (open(&link, OpenMode::Existing).unwrap().store, open(&path, OpenMode::Existing).unwrap().store);
    through.put("through", "the link").unwrap();
    straight.put("straight", "to it").unwrap();
    assert_eq!(through.prefix("").unwrap(), straight.prefix("").unwrap());
    assert!(!beside(&link, "-wal").exists());
}

#[test]
fn handles_share_a_store_and_keep_others_from_removing_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.sqlite");
    let one = open(&path, OpenMode::New).unwrap().store;
    let two = open(&path, OpenMode::Existing).unwrap().store;
    let reader = open(&path, OpenMode::ReadOnly).unwrap().store;
    one.put("one", "1").unwrap();
    two.put("two", "2").unwrap();
    assert_eq!(reader.prefix("").unwrap().len(), 2);
    for held in [one, two, reader] {
        assert_eq!(SQLITE.destroy(&config(&path)).unwrap_err().kind(), ErrorKind::Locked);
        assert_eq!(SQLITE.repair(&config(&path)).unwrap_err().kind(), ErrorKind::Locked);
        assert!(held.get("one").unwrap().is_some());
    }
    SQLITE.repair(&config(&path)).unwrap();
    SQLITE.destroy(&config(&path)).unwrap();
}

#[test]
fn a_view_keeps_the_store_open() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.sqlite");
    let store = open(&path, OpenMode::New).unwrap().store;
    store.put("key", "value").unwrap();
    let view = store.view().unwrap();
    drop(store);
    assert_eq!(SQLITE.destroy(&config(&path)).unwrap_err().kind(), ErrorKind::Locked);
    assert_eq!(view.get(b"key").unwrap().as_deref(), Some(b"value".as_slice()));
    drop(view);
    assert_eq!(names(folder.path()), ["store.sqlite"], "the last view takes the log to the file");
    SQLITE.destroy(&config(&path)).unwrap();
}

#[test]
fn a_store_that_another_has_to_itself_is_locked() {
    let folder = tempfile::tempdir().unwrap();
    let (path, _) = store_and_unclosed_copy(folder.path());
    let other = Connection::open(&path).unwrap();
    other.execute_batch("PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE; COMMIT").unwrap();
    for mode in OPENING {
        assert_eq!(refused(&path, mode).kind(), ErrorKind::Locked, "{mode:?}");
    }
    drop(other);
    open(&path, OpenMode::Existing).unwrap();
}

#[test]
fn destroy_removes_the_store_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let (path, other) = store_and_unclosed_copy(folder.path());
    SQLITE.destroy(&config(&path)).unwrap();
    SQLITE.destroy(&config(&path)).unwrap();
    assert_eq!(names(folder.path()), ["unclosed.sqlite", "unclosed.sqlite-wal"]);
    SQLITE.destroy(&config(&other)).unwrap();
    assert_eq!(names(folder.path()).len(), 0, "a store that wasn't closed can be removed too");
}

#[test]
fn repair_tells_a_sound_store_from_one_that_was_not_closed() {
    use engine_api::Repaired::{Mended, Sound};
    let folder = tempfile::tempdir().unwrap();
    let (path, unclosed) = store_and_unclosed_copy(folder.path());
    assert_eq!(SQLITE.repair(&config(&path)).unwrap(), Sound);
    assert_eq!(SQLITE.repair(&config(&unclosed)).unwrap(), Mended);
    assert_eq!(names(folder.path()), ["store.sqlite", "unclosed.sqlite"]);
    assert_eq!(SQLITE.repair(&config(&unclosed)).unwrap(), Sound);
    assert!(open(&unclosed, OpenMode::Existing).unwrap().store.get("key").unwrap().is_some());
    let missing = folder.path().join("missing");
    assert_eq!(SQLITE.repair(&config(&missing)).unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn a_store_without_a_log_is_given_one() {
    let folder = tempfile::tempdir().unwrap();
    let (path, _) = store_and_unclosed_copy(folder.path());
    Connection::open(&path).unwrap().pragma_update(None, "journal_mode", "DELETE").unwrap();
    let store = open(&path, OpenMode::Existing).unwrap().store;
    let view = store.view().unwrap();
    store.put("key", "other").unwrap();
    assert_eq!(view.get(b"key").unwrap().as_deref(), Some(b"value".as_slice()));
}

#[cfg(target_os = "linux")]
#[test]
fn other_handles_leave_the_locks_of_a_store_alone() {
    use std::os::unix::fs::MetadataExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.sqlite");
    let store = open(&path, OpenMode::New).unwrap().store;
    store.put("key", "value").unwrap();
    let file = format!(":{} ", fs::metadata(&path).unwrap().ino());
    // Closing a file lets go of every lock that the process has on it, unless SQLite does it.
    let locks =
        || fs::read_to_string("/proc/locks").unwrap().lines().filter(|line| line.contains(&file)).count();
    let held = locks();
    assert!(held > 0);
    for mode in OPENING {
        drop(open(&path, mode).unwrap());
        assert_eq!(locks(), held, "{mode:?}");
    }
    assert_eq!(refused(&path, OpenMode::New).kind(), ErrorKind::AlreadyExists);
    assert_eq!(SQLITE.destroy(&config(&path)).unwrap_err().kind(), ErrorKind::Locked);
    assert_eq!(SQLITE.repair(&config(&path)).unwrap_err().kind(), ErrorKind::Locked);
    store.verify().unwrap();
    store.compact().unwrap();
    assert_eq!(locks(), held);
}
