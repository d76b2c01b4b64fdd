//! What is SQLite's own in an open store: two tables, a pool of readers, a log, other handles, and upkeep.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test's helpers panic as its cases do")]

use std::fs::{self, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::ops::Bound::{Excluded, Included, Unbounded};
use std::path::{Path, PathBuf};

use engine_api::{
    Bytes, Config, Durability, Engine, Error, ErrorKind, OpenMode, Scan, Step, Store, StoreExt, Value,
    ViewExt, WriteBatch, visitor,
};
use engine_sqlite::SQLITE;
use rusqlite::Connection;
use tempfile::TempDir;

fn config(path: &Path) -> Config {
    Config::new(SQLITE.descriptor()).at(path)
}

fn open(path: &Path) -> Box<dyn Store> {
    SQLITE.open(&config(path)).unwrap().store
}

fn new_store_with(options: &[(&str, &str)]) -> (TempDir, PathBuf, Box<dyn Store>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.sqlite");
    let config =
        options.iter().fold(config(&path), |config, (name, value)| config.with_option(name, value).unwrap());
    let store = SQLITE.open(&config).unwrap().store;
    (folder, path, store)
}

fn new_store() -> (TempDir, PathBuf, Box<dyn Store>) {
    new_store_with(&[])
}

fn put(key: &str, value: impl Into<Bytes>) -> WriteBatch {
    let mut batch = WriteBatch::new();
    batch.put(key, value);
    batch
}

/// A number that a query of the file answers, through a connection of its own.
fn query(path: &Path, sql: &str) -> i64 {
    Connection::open(path).unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
}

fn large_values(path: &Path) -> i64 {
    query(path, "SELECT count(*) FROM large")
}

#[test]
fn values_of_every_size_are_read_in_every_way() {
    let (_folder, path, store) = new_store();
    let sizes = [0, 1, 8, 9, 900, 985, 986, 987, 988, 1000, 4096, 100_000];
    for size in sizes {
        store.put(format!("{size:06}"), vec![7; size]).unwrap();
    }
    assert_eq!(large_values(&path), 5, "six bytes of key and 986 of value share a page's cell");
    let view = store.view().unwrap();
    let mut found = Vec::new();
    let mut read = visitor(|key: &[u8], value: Value<'_>| {
        let bytes = value.bytes()?;
        assert_eq!(bytes, value.bytes()?, "the same again");
        assert_eq!(view.get(key)?.as_deref(), Some(bytes));
        assert!(view.get_with(key, &mut |lent| assert_eq!(lent, bytes))?);
        found.push(bytes.len());
        Ok(Step::Next)
    });
    view.scan(Scan::all(), &mut read).unwrap();
    assert_eq!(found, sizes);
    store.verify().unwrap();
}

#[test]
fn large_values_go_with_their_keys() {
    let (_folder, path, store) = new_store();
    let fill = || {
        for key in ["a", "b", "c", "d"] {
            store.put(key, vec![7; 5000]).unwrap();
        }
        assert_eq!(large_values(&path), 4);
    };
    let delete = |start, end| {
        let mut batch = WriteBatch::new();
        batch.delete_range(start, end);
        batch
    };
    let mut twice = put("e", vec![7; 5000]);
    twice.put("e", vec![8; 5000]).delete("d");
    let mut one = WriteBatch::new();
    one.delete("a");
    let steps = [
        (put("a", "small"), 3),
        (put("a", vec![8; 6000]), 4),
        (one, 3),
        (delete(Included(b"b"), Excluded(b"d")), 2),
        (delete(Excluded(b"b"), Included(b"d")), 2),
        (delete(Excluded(b"a"), Unbounded), 1),
        (delete(Unbounded, Excluded(b"b")), 3),
        (delete(Unbounded, Unbounded), 0),
        (twice, 4),
    ];
    for (number, (step, left)) in steps.into_iter().enumerate() {
        fill();
        store.write(&step).unwrap();
        assert_eq!(large_values(&path), left, "step {number}");
        store.verify().unwrap();
        store.write(&delete(Unbounded, Unbounded)).unwrap();
        assert_eq!(large_values(&path), 0);
    }
}

#[test]
fn a_batch_that_fails_leaves_no_large_value() {
    let (_folder, path, store) = new_store();
    store.put("there", "value").unwrap();
    let mut batch = put("new", vec![7; 5000]);
    batch.require_absent("there");
    assert_eq!(store.write(&batch).unwrap_err().kind(), ErrorKind::Conflict);
    assert_eq!(large_values(&path), 0);
}

#[test]
fn larger_pages_keep_larger_values_beside_their_keys() {
    let (_folder, path, store) = new_store_with(&[("page-size", "16KiB")]);
    store.put("key", vec![7; 4000]).unwrap();
    assert_eq!((query(&path, "PRAGMA page_size"), large_values(&path)), (16 << 10, 0));
    store.put("key", vec![7; 5000]).unwrap();
    assert_eq!(large_values(&path), 1);
    drop(store);
    let again = open(&path);
    again.put("other", vec![7; 4000]).unwrap();
    assert_eq!(large_values(&path), 1, "the page size is the file's, whatever the option says");
}

#[test]
fn a_scan_uses_the_order_of_the_table() {
    let (_folder, path, _store) = new_store();
    let connection = Connection::open(&path).unwrap();
    for sql in [
        "SELECT k,v FROM kv WHERE k>=?1 ORDER BY k",
        "SELECT k FROM kv WHERE k<?1 ORDER BY k DESC",
        "SELECT k,v FROM kv ORDER BY k DESC",
    ] {
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let params = vec![b"m".as_slice(); statement.parameter_count()];
        let plan: Vec<String> = statement
            .query_map(rusqlite::params_from_iter(params), |row| row.get(3))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        assert!(!plan.join(" ").contains("TEMP B-TREE"), "{sql}: {plan:?}");
    }
}

#[test]
fn views_over_the_limit_are_busy_and_dropped_ones_make_room() {
    let (_folder, _path, store) = new_store_with(&[("readers", "3")]);
    assert_eq!(store.capabilities().limits.views, Some(3));
    for _ in 0..3 {
        let views: Vec<_> = (0..3).map(|_| store.view().unwrap()).collect();
        assert_eq!(store.view().err().unwrap().kind(), ErrorKind::Busy);
        assert_eq!(store.verify().unwrap_err().kind(), ErrorKind::Busy);
        store.put("key", "value").unwrap();
        drop(views);
    }
    store.verify().unwrap();
}

#[test]
fn a_writer_elsewhere_makes_a_commit_busy() {
    let (_folder, path, store) = new_store_with(&[("busy-timeout", "20")]);
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = store.write(&put("key", "value")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Busy, "{error:?}");
    assert_eq!(store.get("key").unwrap(), None, "readers don't wait");
    other.execute_batch("ROLLBACK").unwrap();
    store.write(&put("key", "value")).unwrap();
}

#[test]
fn a_commit_waits_for_another_handle() {
    let (_folder, path, store) = new_store();
    let other = open(&path);
    std::thread::scope(|scope| {
        for (number, store) in [&store, &other].into_iter().enumerate() {
            scope.spawn(move || {
                for round in 0..50 {
                    let durability = Durability::ALL[round % 3];
                    store.commit(&put(&format!("{number} {round}"), "value"), durability).unwrap();
                }
            });
        }
    });
    assert_eq!(store.prefix("").unwrap().len(), 100);
}

#[test]
fn a_requirement_is_judged_on_what_another_handle_has_committed() {
    let (_folder, path, store) = new_store();
    let other = open(&path);
    store.put("key", "1").unwrap();
    other.put("key", "2").unwrap();
    let mut batch = put("key", "3");
    batch.require_equals("key", "1");
    assert_eq!(store.write(&batch).unwrap_err().kind(), ErrorKind::Conflict);
    assert_eq!(store.get("key").unwrap().as_deref(), Some(b"2".as_slice()));
}

#[test]
fn a_large_value_of_another_handle_is_replaced_whole() {
    let (_folder, path, store) = new_store();
    let other = open(&path);
    store.put("key", "small").unwrap();
    other.put("key", vec![7; 5000]).unwrap();
    store.put("key", "small again").unwrap();
    assert_eq!(large_values(&path), 0);
}

#[test]
fn a_batch_that_only_requires_is_judged_and_writes_nothing() {
    let (_folder, path, store) = new_store();
    store.put("there", "value").unwrap();
    let log = path.with_extension("sqlite-wal");
    let before = fs::read(&log).unwrap();
    let mut batch = WriteBatch::new();
    batch.require_absent("key").require_present("there");
    store.write(&batch).unwrap();
    batch.require_present("key");
    assert_eq!(store.write(&batch).unwrap_err().kind(), ErrorKind::Conflict);
    store.write(&WriteBatch::new()).unwrap();
    store.flush().unwrap();
    assert!(fs::read(&log).unwrap() == before);
}

#[test]
fn a_durable_commit_forces_what_it_finds_done() {
    let (_folder, path, store) = new_store();
    let other = open(&path);
    let log = path.with_extension("sqlite-wal");
    let writes = |commit: &dyn Fn()| {
        let before = fs::metadata(&log).unwrap().len();
        commit();
        fs::metadata(&log).unwrap().len() > before
    };
    let power = || store.commit(&put("key", "value"), Durability::Power).unwrap();
    power();
    assert!(!writes(&power), "all is done and on the disk");
    for weaker in [&store, &other] {
        for value in ["other", "value"] {
            weaker.commit(&put("key", value), Durability::Process).unwrap();
        }
        assert!(writes(&power), "SQLite forces the log where it writes to it");
        assert!(!writes(&power));
    }
}

#[test]
fn the_log_starts_over_once_no_view_needs_it() {
    let (_folder, path, store) = new_store();
    let log = path.with_extension("sqlite-wal");
    let length = || fs::metadata(&log).unwrap().len();
    let fill = || {
        for round in 0..20 {
            let mut batch = WriteBatch::new();
            for key in 0..100_u32 {
                batch.put(key.to_be_bytes(), vec![round; 2000]);
            }
            store.commit(&batch, Durability::Process).unwrap();
        }
    };
    fill();
    let usual = length();
    let view = store.view().unwrap();
    fill();
    fill();
    let held = length();
    assert!(held > usual + usual / 2, "{usual} bytes, then {held} under a view");
    drop(view);
    fill();
    fill();
    assert!(length() <= held + usual, "{held} bytes, then {} without a view", length());
}

#[test]
fn compacting_needs_the_store_to_itself_and_shrinks_the_file() {
    let (_folder, path, store) = new_store_with(&[("busy-timeout", "20")]);
    let mut batch = WriteBatch::new();
    for key in 0..2000_u32 {
        batch.put(key.to_be_bytes(), vec![7; 10_000]);
    }
    store.write(&batch).unwrap();
    store.put("kept", vec![7; 10_000]).unwrap();
    let mut batch = WriteBatch::new();
    batch.delete_range(Unbounded, Excluded(b"kept"));
    store.write(&batch).unwrap();

    let other = SQLITE.open(&config(&path).with_mode(OpenMode::ReadOnly)).unwrap().store;
    for reader in [&store, &other] {
        let view = reader.view().unwrap();
        store.put("more", "value").unwrap();
        assert_eq!(store.compact().unwrap_err().kind(), ErrorKind::Busy);
        assert!(view.get(b"kept").unwrap().is_some());
    }
    let before = fs::metadata(&path).unwrap().len();
    store.compact().unwrap();
    let after = fs::metadata(&path).unwrap().len();
    assert!(after < before / 4, "{before} to {after} bytes");
    store.put("key", "value").unwrap();
    for store in [&store, &other] {
        assert_eq!(store.prefix("").unwrap().len(), 3);
        assert_eq!(store.get("kept").unwrap(), Some(vec![7; 10_000].into()));
    }
    store.verify().unwrap();
}

#[test]
fn verifying_goes_on_beside_views_and_commits() {
    let (_folder, _path, store) = new_store();
    store.put("key", "value").unwrap();
    let view = store.view().unwrap();
    store.put("key", "other").unwrap();
    store.verify().unwrap();
    assert_eq!(view.get(b"key").unwrap().as_deref(), Some(b"value".as_slice()));
}

#[test]
fn verifying_finds_large_values_that_are_lost_or_left_over() {
    for damage in [
        "DELETE FROM large",
        "INSERT INTO large(v) VALUES(x'07')",
        "UPDATE kv SET v=(SELECT id FROM large)",
        "UPDATE kv SET v='text' WHERE k=x'61'",
    ] {
        let (_folder, path, store) = new_store();
        store.put("a", vec![7; 5000]).unwrap();
        store.put("b", "small").unwrap();
        store.verify().unwrap();
        Connection::open(&path).unwrap().execute_batch(damage).unwrap();
        assert_eq!(store.verify().unwrap_err().kind(), ErrorKind::Corrupt, "{damage}");
    }
}

#[test]
fn what_is_no_value_is_corrupt_and_never_absent() {
    for damage in ["DELETE FROM large", "UPDATE kv SET v='text'"] {
        let (_folder, path, store) = new_store();
        store.put("a", vec![7; 5000]).unwrap();
        Connection::open(&path).unwrap().execute_batch(damage).unwrap();
        let view = store.view().unwrap();
        let kind = |error: Error| error.kind();
        assert_eq!(view.get(b"a").map_err(kind), Err(ErrorKind::Corrupt), "{damage}");
        assert_eq!(view.get_with(b"a", &mut |_| ()).map_err(kind), Err(ErrorKind::Corrupt));
        assert_eq!(view.prefix(b"").map_err(kind), Err(ErrorKind::Corrupt));
    }
}

#[test]
fn a_damaged_page_is_corrupt_in_every_operation_that_meets_it() {
    let (_folder, path, store) = new_store();
    let mut batch = WriteBatch::new();
    for key in 0..5000_u32 {
        batch.put(key.to_be_bytes(), vec![7; 100]);
    }
    store.write(&batch).unwrap();
    drop(store);
    let pages = fs::metadata(&path).unwrap().len() / 4096;
    let mut file = OpenOptions::new().write(true).open(&path).unwrap();
    for page in 3..pages {
        file.seek(SeekFrom::Start(page * 4096)).unwrap();
        file.write_all(&[0xEE; 4096]).unwrap();
    }
    drop(file);
    let store = open(&path);
    assert_eq!(store.verify().unwrap_err().kind(), ErrorKind::Corrupt);
    let view = store.view().unwrap();
    assert_eq!(view.prefix(b"").unwrap_err().kind(), ErrorKind::Corrupt);
    assert_eq!(view.get(&4000_u32.to_be_bytes()).unwrap_err().kind(), ErrorKind::Corrupt);
    assert_eq!(store.put(4000_u32.to_be_bytes(), "value").unwrap_err().kind(), ErrorKind::Corrupt);
    drop((view, store));
    assert_eq!(SQLITE.repair(&config(&path)).unwrap_err().kind(), ErrorKind::Corrupt);
    SQLITE.destroy(&config(&path)).unwrap();
    assert!(!path.exists());
}

#[test]
fn a_seek_sees_the_state_of_the_view() {
    let (_folder, _path, store) = new_store();
    for key in ["a", "b", "c"] {
        store.put(key, "value").unwrap();
    }
    let mut seen = Vec::new();
    let mut seek = visitor(|key: &[u8], _: Value<'_>| {
        seen.push(key.to_vec());
        store.put("bb", "later")?;
        store.delete("c")?;
        Ok(Step::SeekTo(b"bb"))
    });
    store.view().unwrap().scan(Scan::between(Excluded(b""), Unbounded), &mut seek).unwrap();
    assert_eq!(seen, [b"a", b"c"]);
}

#[test]
fn a_visitor_may_write_to_the_store_that_it_reads() {
    let (_folder, _path, store) = new_store();
    store.put("a", "1").unwrap();
    store.put("b", vec![2; 5000]).unwrap();
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

#[test]
fn a_read_through_a_memory_map_gives_the_same() {
    let (_folder, _path, store) = new_store_with(&[("mmap", "1GiB")]);
    for size in [10, 5000, 100_000] {
        store.put(format!("{size:06}"), vec![7; size]).unwrap();
    }
    let values: Vec<_> = store.prefix("").unwrap().into_iter().map(|(_, value)| value.len()).collect();
    assert_eq!(values, [10, 5000, 100_000]);
    store.compact().unwrap();
    assert_eq!(store.get("100000").unwrap(), Some(vec![7; 100_000].into()));
}
