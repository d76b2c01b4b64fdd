//! The map grows by itself: no commit is lost, nobody waits for good.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test's helpers panic as its cases do")]

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use engine_api::{
    Config, Engine, ErrorKind, Scan, Step, Store, StoreExt, Value, ViewExt, WriteBatch, visitor,
};
use engine_lmdb::LMDB;

/// A store with the smallest map.
fn open(path: &Path) -> Box<dyn Store> {
    let config = Config::new(LMDB.descriptor()).at(path).with_option("map", "1MiB").unwrap();
    LMDB.open(&config).unwrap().store
}

fn large(key: u32) -> WriteBatch {
    let mut batch = WriteBatch::new();
    batch.put(key.to_be_bytes(), vec![7; 300_000]);
    batch
}

#[test]
fn a_store_grows_past_its_map() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.lmdb");
    let store = open(&path);
    for key in 0..100 {
        store.write(&large(key)).unwrap();
    }
    assert_eq!(store.prefix("").unwrap().len(), 100);
    drop(store);
    let store = open(&path);
    assert_eq!(store.prefix("").unwrap().len(), 100, "it is opened with a larger map than was asked for");
    store.write(&large(100)).unwrap();
}

#[test]
fn one_batch_may_be_many_times_the_map() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("store.lmdb"));
    store.put("before", "1").unwrap();
    let mut batch = WriteBatch::new();
    batch.require_present("before").delete("before");
    for key in 0..20_000_u32 {
        batch.put(key.to_be_bytes(), vec![7; 2000]);
    }
    store.write(&batch).unwrap();
    assert_eq!(store.prefix("").unwrap().len(), 20_000);
}

#[test]
fn writers_and_readers_go_on_while_it_grows() {
    const WRITERS: u32 = 4;
    const EACH: u32 = 40;
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("store.lmdb"));
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let readers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let mut seen = 0;
                    while !done.load(Ordering::Relaxed) {
                        let entries = store.view().unwrap().prefix(b"").unwrap();
                        assert!(entries.iter().all(|(_, value)| value.len() == 300_000));
                        assert!(entries.len() >= seen, "what was committed is gone");
                        seen = entries.len();
                    }
                })
            })
            .collect();
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let store = &store;
                scope.spawn(move || {
                    for key in 0..EACH {
                        store.write(&large(writer * EACH + key)).unwrap();
                    }
                })
            })
            .collect();
        for writer in writers {
            writer.join().unwrap();
        }
        done.store(true, Ordering::Relaxed);
        for reader in readers {
            reader.join().unwrap();
        }
    });
    assert_eq!(store.prefix("").unwrap().len(), (WRITERS * EACH) as usize);
}

#[test]
fn a_commit_that_has_to_wait_for_its_own_callers_view_is_busy() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("store.lmdb"));
    store.put("small", "value").unwrap();
    let view = store.view().unwrap();
    let error = fill(&*store).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Busy);
    assert!(error.message().contains("larger map"), "{error:?}");
    assert_eq!(view.get(b"small").unwrap().as_deref(), Some(b"value".as_slice()), "the view goes on");
    let before = store.prefix("").unwrap().len();
    assert_eq!(view.prefix(b"").unwrap().len(), 1);
    drop(view);
    fill(&*store).unwrap();
    assert!(store.prefix("").unwrap().len() > before);
}

#[test]
fn a_commit_from_within_a_scan_is_busy_and_the_scan_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("store.lmdb"));
    store.put("a", "1").unwrap();
    store.put("b", "2").unwrap();
    let mut visited = 0;
    let mut filling = visitor(|_: &[u8], value: Value<'_>| {
        visited += 1;
        assert_eq!(fill(&*store).unwrap_err().kind(), ErrorKind::Busy);
        assert_eq!(value.bytes()?.len(), 1);
        Ok(Step::Next)
    });
    store.view().unwrap().scan(Scan::all(), &mut filling).unwrap();
    assert_eq!(visited, 2);
    fill(&*store).unwrap();
}

#[test]
fn a_commit_waits_for_the_views_of_others() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("store.lmdb"));
    let view = store.view().unwrap();
    thread::scope(|scope| {
        scope.spawn(move || {
            thread::sleep(Duration::from_millis(200));
            drop(view);
        });
        fill(&*store).unwrap();
    });
}

#[test]
fn views_that_wait_for_the_map_get_their_turn() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("store.lmdb"));
    let held = store.view().unwrap();
    thread::scope(|scope| {
        let filling = scope.spawn(|| fill(&*store));
        // While the other waits for the view that is held, this one is held back, but not for good.
        let start = Instant::now();
        while !filling.is_finished() {
            store.get("key").unwrap();
        }
        assert!(start.elapsed() < Duration::from_secs(20));
        assert_eq!(filling.join().unwrap().unwrap_err().kind(), ErrorKind::Busy);
    });
    drop(held);
}

/// Commits what doesn't fit the smallest map.
fn fill(store: &dyn Store) -> engine_api::Result<()> {
    (0..10).try_for_each(|key| store.write(&large(key)))
}
