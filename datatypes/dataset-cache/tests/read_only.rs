//! Processes that may read a cache and may not write it, nor its folder, and read it at once.
//!
//! Permissions don't hold for root: who is root starts them as a user who may do nothing.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod common;

use std::env;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin};

use common::processes::{CACHE, ROLE, lines, program, say};
use common::{data, found, key};
use dataset_cache::{DatasetCache, Found, Value};
use engine_api::{ErrorKind, Result};
use tempfile::TempDir;

const READERS: usize = 8;
const KEYS: i32 = 400;
const MAXIMUM: u64 = 64 << 20;

/// Who owns nothing.
const NOBODY: u32 = 65_534;

fn bytes(number: i32) -> Vec<u8> {
    data(number, 1, 1 + number.unsigned_abs() as usize * 7919 % 30_000)
}

fn permit(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_process_that_is_started_by_the_others() {
    let Ok(role) = env::var(ROLE) else { return };
    let path = env::var(CACHE).unwrap();
    match role.as_str() {
        "read" => read(Path::new(&path)),
        role => {
            assert_eq!(role, "be shut out");
            nobody_can_write(Path::new(&path), "can't be opened");
            let error = DatasetCache::open(&path, true).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Locked, "{error}");
            assert!(error.to_string().contains("close the writer"), "{error}");
            say("shut out");
        }
    }
}

/// Opens a cache to be read, waits for a line, and reads all.
fn read(path: &Path) {
    fs::write(path.with_extension("other"), "").expect_err("nobody can write here");
    nobody_can_write(path, "can't be opened");
    let cache = DatasetCache::open(path, true).unwrap();
    say("open");
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    // Beside the others that have it open it is the same.
    nobody_can_write(path, "can't be opened");
    let mut out = vec![0; 40_000];
    for number in 0..KEYS {
        assert!(found(&cache, number).unwrap() == bytes(number));
        assert_eq!(cache.read_into(&key(number), &mut out).unwrap(), Found::Bytes(bytes(number).len()));
    }
    assert_eq!(cache.get(&key(KEYS)).unwrap(), Some(Value::Absent));
    assert_eq!(cache.get(&key(KEYS + 1)).unwrap(), None);
    assert_eq!(cache.insert(&key(1), &[1]).unwrap_err().kind(), ErrorKind::ReadOnly);
    let all = u64::from(KEYS.unsigned_abs());
    assert_eq!(cache.verify().unwrap().sound, all + 1);
    let statistics = cache.statistics().unwrap();
    assert_eq!((statistics.damaged, statistics.misses), (0, 1));
    #[cfg(target_os = "linux")]
    nothing_is_open_to_be_written(path);
    drop(cache);
    nobody_can_write(&path.with_extension("new"), "");
    assert!(!path.with_extension("new").exists());
    say("read");
}

/// That neither the cache that is there can be written nor one be made, and that the error says which.
fn nobody_can_write(path: &Path, words: &str) {
    let outcomes: [Result<DatasetCache>; 3] = [
        DatasetCache::create_or_open(path, MAXIMUM),
        DatasetCache::create(path, MAXIMUM),
        DatasetCache::create_or_open(path, MAXIMUM / 2),
    ];
    for outcome in outcomes {
        let error = outcome.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ReadOnly, "{error}");
        assert!(error.to_string().contains(words), "{error}");
        let named = error.fields().find(|(name, _)| *name == "path").expect("it says where").1;
        assert_eq!(Path::new(named), path);
    }
    let expected = if path.exists() { ErrorKind::ReadOnly } else { ErrorKind::NotFound };
    assert_eq!(DatasetCache::open(path, false).unwrap_err().kind(), expected);
}

/// That this process has the file open and mapped to be read, and in no other way.
#[cfg(target_os = "linux")]
fn nothing_is_open_to_be_written(path: &Path) {
    let mut open = 0;
    for file in fs::read_dir("/proc/self/fd").unwrap().map(|file| file.unwrap()) {
        if fs::read_link(file.path()).is_ok_and(|target| target == path) {
            let info = fs::read_to_string(Path::new("/proc/self/fdinfo").join(file.file_name())).unwrap();
            let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap().trim();
            assert_eq!(u32::from_str_radix(flags, 8).unwrap() & 3, 0, "it is open to be written");
            open += 1;
        }
    }
    assert!(open > 0);
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let mapped: Vec<&str> = maps.lines().filter(|line| line.ends_with(path.to_str().unwrap())).collect();
    assert!(!mapped.is_empty() && mapped.iter().all(|line| line.contains(" r--s ")), "{mapped:?}");
}

/// A process that may read the cache and may not write it. `folder` is where it can find its program.
fn start(role: &str, folder: &TempDir, cache: &Path) -> Child {
    let executable = folder.path().join("program");
    if !executable.exists() {
        fs::copy(env::current_exe().unwrap(), &executable).unwrap();
        permit(folder.path(), 0o755);
    }
    let mut command = program(&executable, role, cache);
    if fs::metadata(folder.path()).unwrap().uid() == 0 {
        command.uid(NOBODY).gid(NOBODY);
    }
    command.spawn().unwrap()
}

#[test]
fn eight_processes_that_may_write_nothing_read_one_cache_at_once() {
    let (folder, programs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let path = fs::canonicalize(folder.path()).unwrap().join("test.cache");
    let cache = DatasetCache::create(&path, MAXIMUM).unwrap();
    for number in 0..KEYS {
        assert!(cache.insert(&key(number), &bytes(number)).unwrap());
    }
    cache.insert_absent(&key(KEYS)).unwrap();
    drop(cache);
    permit(&path, 0o444);
    permit(folder.path(), 0o555);
    let (before, metadata) = (fs::read(&path).unwrap(), fs::metadata(&path).unwrap());
    let mut children: Vec<Child> = (0..READERS).map(|_| start("read", &programs, &path)).collect();
    let mut said: Vec<_> = children.iter_mut().map(lines).collect();
    for said in &mut said {
        assert_eq!(said.next().unwrap(), "open");
    }
    // All have it open now: nobody can write, not even who may.
    let error = DatasetCache::open(&path, false).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Locked | ErrorKind::ReadOnly), "{error}");
    let inputs: Vec<ChildStdin> = children.iter_mut().map(|child| child.stdin.take().unwrap()).collect();
    for mut input in inputs {
        input.write_all(b"go\n").unwrap();
    }
    for (child, said) in children.iter_mut().zip(&mut said) {
        assert_eq!(said.next().unwrap(), "read");
        assert!(child.wait().unwrap().success());
    }
    permit(folder.path(), 0o755);
    let after = fs::metadata(&path).unwrap();
    assert!(fs::read(&path).unwrap() == before);
    assert_eq!(after.modified().unwrap(), metadata.modified().unwrap());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "there is a file beside it");
}

#[test]
fn who_may_not_write_is_told_of_who_writes() {
    let (folder, programs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let path = folder.path().join("test.cache");
    let writer = DatasetCache::create(&path, MAXIMUM).unwrap();
    permit(&path, 0o444);
    permit(folder.path(), 0o555);
    let mut child = start("be shut out", &programs, &path);
    let mut said = lines(&mut child);
    assert_eq!(said.next().unwrap(), "shut out");
    assert!(child.wait().unwrap().success());
    permit(folder.path(), 0o755);
    assert!(writer.insert(&key(1), &bytes(1)).unwrap());
}
