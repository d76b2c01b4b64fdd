//! What opening makes of what it finds at the path.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test's helpers panic as its cases do")]

use std::fs;
use std::path::{Path, PathBuf};

use engine_api::{Config, Engine, Error, ErrorKind, OpenMode, Opened, Result, StoreExt};
use engine_lmdb::LMDB;
use heed::types::Bytes;
use heed::{CommitOrAbort, DatabaseFlags, EnvFlags, EnvOpenOptions};

const MODES: [OpenMode; 3] = [OpenMode::Create, OpenMode::Existing, OpenMode::ReadOnly];

fn config(path: &Path) -> Config {
    Config::new(LMDB.descriptor()).at(path)
}

fn open(path: &Path, mode: OpenMode) -> Result<Opened> {
    LMDB.open(&config(path).with_mode(mode))
}

fn refused(path: &Path, mode: OpenMode) -> Error {
    open(path, mode).expect_err("it must be refused")
}

/// A store with one key, closed.
fn store(folder: &Path) -> PathBuf {
    let path = folder.join("store.lmdb");
    open(&path, OpenMode::New).unwrap().store.put("key", "value").unwrap();
    path
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn created_is_reported_and_modes_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.lmdb");
    for mode in [OpenMode::Existing, OpenMode::ReadOnly] {
        assert_eq!(refused(&path, mode).kind(), ErrorKind::NotFound);
    }
    assert_eq!(names(folder.path()), [""; 0]);
    assert!(open(&path, OpenMode::New).unwrap().created);
    assert_eq!(refused(&path, OpenMode::New).kind(), ErrorKind::AlreadyExists);
    for mode in MODES {
        assert!(!open(&path, mode).unwrap().created);
    }
    assert_eq!(names(folder.path()), ["store.lmdb", "store.lmdb-lock"]);
}

#[test]
fn foreign_files_are_refused_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let foreign = folder.path().join("foreign");
    let zeros = vec![0; 2 << 20];
    let sqlite = b"SQLite format 3\0".as_slice();
    for bytes in [b"", b"lmdb".as_slice(), b"\0", &zeros, sqlite, b"some notes, long enough for a head\n"] {
        fs::write(&foreign, bytes).unwrap();
        for mode in MODES {
            let error = refused(&foreign, mode);
            assert_eq!(error.kind(), ErrorKind::Incompatible, "{error:?}");
            assert!(error.field("path").is_some());
        }
        assert_eq!(LMDB.destroy(&config(&foreign)).unwrap_err().kind(), ErrorKind::Incompatible);
        assert_eq!(fs::read(&foreign).unwrap(), bytes);
        assert_eq!(names(folder.path()), ["foreign"]);
    }
}

/// An environment as another application has it: with a table of this name and these flags, or the unnamed one.
#[allow(unsafe_code, reason = "heed asks for it")]
fn foreign_environment(path: &Path, table: Option<&str>, flags: DatabaseFlags) {
    let mut options = EnvOpenOptions::new();
    options.map_size(1 << 20).max_dbs(1);
    // SAFETY: nobody else has the file.
    let env = unsafe { options.flags(EnvFlags::NO_SUB_DIR | EnvFlags::NO_LOCK).open(path) }.unwrap();
    let txn = env.write_txn().unwrap();
    let created = env.create_databases_and_commit(txn, |opener, txn| {
        let mut options = opener.database_options().types::<Bytes, Bytes>();
        if let Some(table) = table {
            options.name(table);
        }
        let table = options.flags(flags).create(txn)?;
        table.put(txn, b"seven", b"7")?;
        Ok::<_, heed::Error>(CommitOrAbort::<_, ()>::Commit(table))
    });
    created.unwrap();
}

#[test]
fn another_applications_environment_is_refused_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let plain = DatabaseFlags::empty();
    for (name, table, flags) in [
        ("a", Some("other"), plain),
        ("b", Some("kv"), plain),
        ("c", None, plain),
        ("d", None, DatabaseFlags::DUP_SORT),
    ] {
        let path = folder.path().join(name);
        foreign_environment(&path, table, flags);
        let before = fs::read(&path).unwrap();
        for locked in [false, true] {
            if locked {
                fs::write(path.with_extension("").display().to_string() + "-lock", b"").unwrap();
            }
            for mode in MODES {
                assert_eq!(refused(&path, mode).kind(), ErrorKind::Incompatible, "{name}");
            }
            assert_eq!(LMDB.destroy(&config(&path)).unwrap_err().kind(), ErrorKind::Incompatible);
            assert!(fs::read(&path).unwrap() == before, "{name} was written to");
            assert_eq!(path.with_file_name(format!("{name}-lock")).exists(), locked);
        }
    }
}

#[test]
fn a_foreign_file_in_the_lock_files_place_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let (path, lock) = (folder.path().join("notes"), folder.path().join("notes-lock"));
    fs::write(&lock, "the key is under the mat\n").unwrap();
    for mode in [OpenMode::New, OpenMode::Create] {
        let error = refused(&path, mode);
        assert_eq!(error.kind(), ErrorKind::Incompatible);
        assert!(error.field("lock").is_some());
    }
    assert_eq!(names(folder.path()), ["notes-lock"]);
    fs::rename(store(folder.path()), &path).unwrap();
    for mode in MODES {
        assert_eq!(refused(&path, mode).kind(), ErrorKind::Incompatible);
    }
    assert_eq!(LMDB.destroy(&config(&path)).unwrap_err().kind(), ErrorKind::Incompatible);
    assert_eq!(fs::read_to_string(&lock).unwrap(), "the key is under the mat\n");
    assert!(path.exists());
}

#[test]
fn another_format_is_incompatible() {
    let folder = tempfile::tempdir().unwrap();
    let path = store(folder.path());
    let mut bytes = fs::read(&path).unwrap();
    // The version stands behind the magic, which stands behind the head of the page.
    bytes[size_of::<usize>() + 12] = 2;
    fs::write(&path, &bytes).unwrap();
    for mode in MODES {
        assert_eq!(refused(&path, mode).kind(), ErrorKind::Incompatible);
    }
}

#[test]
fn a_folder_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for mode in MODES {
        assert_eq!(refused(folder.path(), mode).kind(), ErrorKind::Incompatible);
    }
    assert_eq!(LMDB.destroy(&config(folder.path())).unwrap_err().kind(), ErrorKind::Incompatible);
    assert!(folder.path().is_dir());
}

#[cfg(target_os = "linux")]
#[cfg(unix)]
#[test]
fn a_read_only_file_opens_for_reading_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = store(folder.path());
    fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).unwrap();
    // The superuser writes where it likes.
    if fs::OpenOptions::new().write(true).open(&path).is_err() {
        assert_eq!(refused(&path, OpenMode::Create).kind(), ErrorKind::ReadOnly);
    }
    let store = open(&path, OpenMode::ReadOnly).unwrap().store;
    assert_eq!(store.get("key").unwrap().as_deref(), Some(b"value".as_slice()));
    assert_eq!(store.put("key", "other").unwrap_err().kind(), ErrorKind::ReadOnly);
    assert_eq!(store.compact().unwrap_err().kind(), ErrorKind::ReadOnly);
    store.flush().unwrap();
}

#[cfg(unix)]
#[test]
fn a_link_is_the_store_that_it_leads_to() {
    let folder = tempfile::tempdir().unwrap();
    let path = store(folder.path());
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let (one, two) = (open(&path, OpenMode::Existing).unwrap(), open(&link, OpenMode::Existing).unwrap());
    one.store.put("other", "value").unwrap();
    assert_eq!(two.store.prefix("").unwrap().len(), 2);
    assert_eq!(names(folder.path()), ["link", "store.lmdb", "store.lmdb-lock"]);
    drop((one, two));
    LMDB.destroy(&config(&link)).unwrap();
    assert_eq!(names(folder.path()), [""; 0]);
}

#[test]
fn destroy_removes_the_store_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = store(folder.path());
    let copy = folder.path().join("copy");
    fs::copy(&path, &copy).unwrap();
    LMDB.destroy(&config(&path)).unwrap();
    LMDB.destroy(&config(&path)).unwrap();
    assert_eq!(names(folder.path()), ["copy"]);
    assert_eq!(open(&copy, OpenMode::ReadOnly).unwrap().store.prefix("").unwrap().len(), 1);
    LMDB.destroy(&config(&copy)).unwrap();
    assert_eq!(names(folder.path()), [""; 0]);
}

#[test]
fn a_lock_file_that_outlived_its_store_is_used_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = store(folder.path());
    fs::remove_file(&path).unwrap();
    let opened = open(&path, OpenMode::Create).unwrap();
    assert!(opened.created);
    assert_eq!(opened.store.prefix("").unwrap(), []);
    opened.store.put("key", "value").unwrap();
    assert!(opened.store.get("key").unwrap().is_some());
}
