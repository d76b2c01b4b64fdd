//! What opening makes of what it finds at the path.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test's helpers panic as its cases do")]

mod common;

use std::fs::{self, OpenOptions};
use std::path::Path;
use std::thread;

use common::{config, contents, copy, open, unclosed_copy};
use engine_api::{Engine, Error, ErrorKind, OpenMode, Opened, Result, StoreExt};
use engine_sled::SLED;

const MODES: [OpenMode; 3] = [OpenMode::Create, OpenMode::Existing, OpenMode::ReadOnly];

/// What is done to a folder.
type Act<'a> = &'a dyn Fn(&Path);

fn open_in(path: &Path, mode: OpenMode) -> Result<Opened> {
    SLED.open(&config(path).with_mode(mode))
}

fn refused(path: &Path, mode: OpenMode) -> Error {
    open_in(path, mode).expect_err("it must be refused")
}

#[test]
fn created_is_reported_and_modes_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.sled");
    for mode in [OpenMode::Existing, OpenMode::ReadOnly] {
        assert_eq!(refused(&path, mode).kind(), ErrorKind::NotFound);
    }
    assert!(!path.exists());
    assert!(open_in(&path, OpenMode::New).unwrap().created);
    assert_eq!(refused(&path, OpenMode::New).kind(), ErrorKind::AlreadyExists);
    for mode in MODES {
        assert!(!open_in(&path, mode).unwrap().created);
    }
    let names: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["store.sled"], "nothing else is left in the folder");
}

#[test]
fn a_process_that_died_on_the_way_has_left_an_empty_store() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.sled");
    drop(open(&path));
    for entry in fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            fs::remove_dir_all(entry).unwrap();
        } else if !entry.ends_with("engine-sled") {
            fs::remove_file(entry).unwrap();
        }
    }
    let opened = open_in(&path, OpenMode::Existing).unwrap();
    assert!(!opened.created);
    assert_eq!(opened.store.prefix("").unwrap(), []);
}

#[test]
fn foreign_files_are_refused_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let foreign = folder.path().join("foreign");
    for bytes in [b"".as_slice(), b"\0", b"kvdag engine-sled 1\n", b"some notes\n"] {
        fs::write(&foreign, bytes).unwrap();
        for mode in MODES {
            let error = refused(&foreign, mode);
            assert_eq!(error.kind(), ErrorKind::Incompatible, "{error:?}");
            assert!(error.field("path").is_some());
        }
        assert_eq!(SLED.destroy(&config(&foreign)).unwrap_err().kind(), ErrorKind::Incompatible);
        assert_eq!(fs::read(&foreign).unwrap(), bytes);
    }
}

#[test]
fn foreign_folders_are_refused_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let marked = |marker: &'static [u8]| {
        move |path: &Path| {
            fs::create_dir(path).unwrap();
            fs::write(path.join("engine-sled"), marker).unwrap();
        }
    };
    let another_applications = |path: &Path| {
        sled::open(path).unwrap().insert("key", "value").unwrap();
    };
    let with_notes = |path: &Path| {
        fs::create_dir(path).unwrap();
        fs::write(path.join("notes.txt"), "mine").unwrap();
    };
    let (notes, newer) = (marked(b"some notes, and not few\n"), marked(b"kvdag engine-sled 2\n"));
    let fill: [(&str, Act<'_>); 6] = [
        ("empty", &|path: &Path| fs::create_dir(path).unwrap()),
        ("another application's sled", &another_applications),
        ("notes", &with_notes),
        ("an empty marker", &marked(b"")),
        ("another marker", &notes),
        ("a newer marker", &newer),
    ];
    for (name, fill) in fill {
        let path = folder.path().join(name);
        fill(&path);
        let before = contents(&path);
        for mode in MODES {
            let error = refused(&path, mode);
            assert_eq!(error.kind(), ErrorKind::Incompatible, "{name}: {error:?}");
        }
        assert_eq!(SLED.destroy(&config(&path)).unwrap_err().kind(), ErrorKind::Incompatible);
        assert!(contents(&path) == before, "{name}: something was changed");
    }
}

#[test]
fn a_log_that_was_cut_short_is_corrupt_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let (whole, path) = (folder.path().join("whole.sled"), folder.path().join("store.sled"));
    let store = open(&whole);
    for key in 0..5000 {
        store.put(format!("{key:05}"), vec![7; 500]).unwrap();
    }
    drop(store);
    drop(open(&whole));
    let log = fs::metadata(whole.join("db")).unwrap().len();
    for length in [0, 1, 20, 100, 4096, log / 4, log / 2] {
        copy(&whole, &path);
        OpenOptions::new().write(true).open(path.join("db")).unwrap().set_len(length).unwrap();
        let before = contents(&path);
        for mode in MODES {
            let error = refused(&path, mode);
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{length} bytes, {mode:?}: {error:?}");
        }
        assert!(contents(&path) == before, "{length} bytes");
        SLED.destroy(&config(&path)).unwrap();
        assert!(!path.exists());
    }
}

#[test]
fn files_that_are_missing_or_damaged_are_corrupt() {
    let folder = tempfile::tempdir().unwrap();
    let (whole, path) = (folder.path().join("whole.sled"), folder.path().join("store.sled"));
    open(&whole).put("key", "value").unwrap();
    drop(open(&whole));
    let snapshot = |path: &Path| {
        let names = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
        names.into_iter().find(|path| path.to_string_lossy().contains("snap.")).unwrap()
    };
    let harm: [(&str, Act<'_>); 4] = [
        ("no log", &|path| fs::remove_file(path.join("db")).unwrap()),
        ("another log", &|path| fs::write(path.join("db"), "a text\n".repeat(200_000)).unwrap()),
        ("another configuration", &|path| fs::write(path.join("conf"), "a text of someone's").unwrap()),
        ("another snapshot", &|path| fs::write(snapshot(path), "a text of someone's").unwrap()),
    ];
    for (name, harm) in harm {
        copy(&whole, &path);
        harm(&path);
        let error = refused(&path, OpenMode::Existing);
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{name}: {error:?}");
        SLED.destroy(&config(&path)).unwrap();
    }
}

#[test]
fn a_snapshot_that_was_cut_short_is_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.sled");
    open(&path).put("key", "value").unwrap();
    drop(open(&path));
    for mode in MODES {
        // What a full disk leaves, and the end of the process: later in the log than the one that is whole.
        fs::write(path.join("snap.00000000000FFFFF.generating"), [0; 40]).unwrap();
        let store = open_in(&path, mode).unwrap().store;
        assert_eq!(store.get("key").unwrap().as_deref(), Some(b"value".as_slice()), "{mode:?}");
        store.verify().unwrap();
    }
}

#[test]
fn another_version_of_sled_is_incompatible() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.sled");
    drop(open(&path));
    let conf = fs::read(path.join("conf")).unwrap();
    let text = String::from_utf8_lossy(&conf[..conf.len() - 4]).replace("version: 0.34", "version: 0.33");
    fs::write(path.join("conf"), [text.as_bytes(), &conf[conf.len() - 4..]].concat()).unwrap();
    assert_eq!(refused(&path, OpenMode::Existing).kind(), ErrorKind::Incompatible);
}

#[cfg(target_os = "linux")]
#[test]
fn a_second_opener_is_locked_out_until_the_last_view_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.sled");
    let store = open(&path);
    store.put("key", "value").unwrap();
    let view = store.view().unwrap();
    drop(store);
    for mode in MODES {
        assert_eq!(refused(&path, mode).kind(), ErrorKind::Locked);
    }
    assert_eq!(SLED.destroy(&config(&path)).unwrap_err().kind(), ErrorKind::Locked);
    assert_eq!(view.get(b"key").unwrap().as_deref(), Some(b"value".as_slice()));
    drop(view);
    open_in(&path, OpenMode::Existing).unwrap();
}

#[cfg(unix)]
#[test]
fn a_store_that_was_dropped_can_be_opened_while_processes_are_started() {
    use std::process::Command;
    use std::sync::atomic::{AtomicBool, Ordering};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.sled");
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            // Each has the files of this process open until it has become another program.
            while !done.load(Ordering::Relaxed) {
                Command::new("true").status().unwrap();
            }
        });
        let opened = (0..100).try_for_each(|_| open_in(&path, OpenMode::Create).map(drop));
        done.store(true, Ordering::Relaxed);
        opened.unwrap();
    });
}

#[test]
fn a_reader_has_the_store_to_itself_and_writes_nothing_to_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.sled");
    open(&path).put("key", "value").unwrap();
    drop(open(&path));
    let before = fs::read(path.join("db")).unwrap();
    let store = open_in(&path, OpenMode::ReadOnly).unwrap().store;
    for mode in MODES {
        assert_eq!(refused(&path, mode).kind(), ErrorKind::Locked);
    }
    assert_eq!(store.get("key").unwrap().as_deref(), Some(b"value".as_slice()));
    assert_eq!(store.put("key", "other").unwrap_err().kind(), ErrorKind::ReadOnly);
    assert_eq!(store.compact().unwrap_err().kind(), ErrorKind::ReadOnly);
    store.verify().unwrap();
    store.flush().unwrap();
    drop(store);
    assert!(fs::read(path.join("db")).unwrap() == before);
}

#[test]
fn destroy_removes_the_store_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.sled");
    let store = open(&path);
    store.put("key", vec![7; 500_000]).unwrap();
    let other = unclosed_copy(&path);
    drop(store);
    fs::write(path.join("notes.txt"), "mine").unwrap();
    SLED.destroy(&config(&path)).unwrap();
    let left: Vec<_> = fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["notes.txt"], "what isn't of the store stays");
    assert_eq!(SLED.destroy(&config(&path)).unwrap_err().kind(), ErrorKind::Incompatible);
    SLED.destroy(&config(&other)).unwrap();
    SLED.destroy(&config(&other)).unwrap();
    assert!(!other.exists(), "a store that wasn't closed can be removed too");
}

#[test]
fn a_store_that_was_not_closed_opens_as_far_as_it_was_flushed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.sled");
    let store = open(&path);
    store.put("key", "value").unwrap();
    store.put("large", vec![7; 500_000]).unwrap();
    let copy = open_in(&unclosed_copy(&path), OpenMode::Existing).unwrap().store;
    assert_eq!(copy.get("key").unwrap().as_deref(), Some(b"value".as_slice()));
    assert!(copy.get("large").unwrap().unwrap() == vec![7; 500_000]);
}
