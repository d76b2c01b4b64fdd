//! Files that were damaged: LMDB keeps no checksums, and takes a page at its word.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test's helpers panic as its cases do")]

use std::fs;
use std::ops::Bound;
use std::path::{Path, PathBuf};

use engine_api::{Config, Engine, ErrorKind, OpenMode, Opened, Result, Store, StoreExt, WriteBatch};
use engine_lmdb::LMDB;

fn open(path: &Path, mode: OpenMode) -> Result<Opened> {
    LMDB.open(&Config::new(LMDB.descriptor()).at(path).with_mode(mode))
}

fn numbers() -> impl Iterator<Item = usize> {
    std::iter::successors(Some(12345_u64), |n| {
        Some(n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1))
    })
    .map(|n| usize::try_from(n >> 40).unwrap())
}

/// A store with trees of several levels, values with pages of their own, and pages that are free.
fn store(folder: &Path) -> (PathBuf, Box<dyn Store>) {
    let path = folder.join("store.lmdb");
    let store = open(&path, OpenMode::New).unwrap().store;
    let mut numbers = numbers();
    let mut next = |below: usize| numbers.next().unwrap() % below;
    for _ in 0..30 {
        let mut batch = WriteBatch::new();
        for _ in 0..100 {
            let (key, value) =
                (next(3000).to_be_bytes().repeat(1 + next(20)), vec![7; next(100) * next(200)]);
            match next(4) {
                0 => batch.delete(key),
                _ => batch.put(key, value),
            };
        }
        let (from, to) = (next(3000).to_be_bytes(), next(3000).to_be_bytes());
        if next(5) == 0 {
            batch.delete_range(Bound::Included(&from), Bound::Excluded(&to));
        }
        store.write(&batch).unwrap();
        store.verify().unwrap();
    }
    (path, store)
}

/// The size of a page, which stands in the header behind the magic, the version and two numbers.
fn page_bytes(file: &[u8]) -> usize {
    let at = size_of::<usize>() + 8 + 8 + 2 * size_of::<usize>();
    u32::from_ne_bytes(file[at..at + 4].try_into().unwrap()).try_into().unwrap()
}

#[test]
fn a_sound_store_is_found_sound_whatever_was_done_to_it() {
    let folder = tempfile::tempdir().unwrap();
    let (path, store) = store(folder.path());
    let view = store.view().unwrap();
    store.put("key", "value").unwrap();
    store.verify().unwrap();
    drop(view);
    store.compact().unwrap();
    store.verify().unwrap();
    drop(store);
    open(&path, OpenMode::ReadOnly).unwrap().store.verify().unwrap();
    let mut all = WriteBatch::new();
    all.delete_range(Bound::Unbounded, Bound::Unbounded);
    let store = open(&path, OpenMode::Existing).unwrap().store;
    store.write(&all).unwrap();
    store.verify().unwrap();
}

#[test]
fn a_file_is_verified_while_it_is_written_to() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config::new(LMDB.descriptor()).at(folder.path().join("store.lmdb"));
    let store = LMDB.open(&config.with_option("sync", "none").unwrap()).unwrap().store;
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for key in 0..3000_u32 {
                store.put((key % 500).to_be_bytes(), vec![7; 3000]).unwrap();
            }
        });
        while !writer.is_finished() {
            store.verify().unwrap();
        }
    });
}

#[test]
fn a_truncated_file_is_corrupt_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let (path, store) = store(folder.path());
    let entries = store.prefix("").unwrap();
    drop(store);
    let whole = fs::read(&path).unwrap();
    let page = page_bytes(&whole);
    let lengths = (32..whole.len()).step_by(whole.len() / 60).chain([page, 2 * page, whole.len() - 1]);
    let mut corrupt = 0;
    for length in lengths {
        fs::write(&path, &whole[..length]).unwrap();
        for mode in [OpenMode::Create, OpenMode::Existing, OpenMode::ReadOnly] {
            match open(&path, mode) {
                // What is missing may have been free.
                Ok(opened) => assert_eq!(opened.store.prefix("").unwrap(), entries, "{length} bytes"),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Corrupt, "{length} bytes: {error:?}");
                    corrupt += 1;
                }
            }
        }
        assert!(fs::read(&path).unwrap() == whole[..length], "{length} bytes");
    }
    assert!(corrupt > 100, "{corrupt} refusals");
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    LMDB.destroy(&Config::new(LMDB.descriptor()).at(&path)).unwrap();
    assert!(!path.exists());
}

#[test]
fn a_page_that_is_anothers_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let (path, store) = store(folder.path());
    store.compact().unwrap();
    drop(store);
    let whole = fs::read(&path).unwrap();
    let page_bytes = page_bytes(&whole);
    // The inner pages of a value have no head of their own.
    let own_number = |page: usize| whole[page * page_bytes..].starts_with(&page.to_ne_bytes());
    let heads: Vec<_> = (2..whole.len() / page_bytes).filter(|page| own_number(*page)).collect();
    assert!(heads.len() > 50, "{} pages", heads.len());
    for page in heads.iter().step_by(heads.len() / 50) {
        let mut damaged = whole.clone();
        damaged[page * page_bytes] ^= 1;
        fs::write(&path, &damaged).unwrap();
        let verified = open(&path, OpenMode::ReadOnly).and_then(|opened| opened.store.verify());
        assert_eq!(verified.map_err(|error| error.kind()), Err(ErrorKind::Corrupt), "page {page}");
    }
}
