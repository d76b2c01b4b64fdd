//! Values that are a little longer than a page: kept in two parts, and whole to everybody who reads them.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test's helpers panic as its cases do")]

use std::collections::BTreeMap;
use std::ops::Bound;
use std::path::Path;

use engine_api::{
    Bytes, Config, Durability, Engine, ErrorKind, OpenMode, Scan, Step, Store, StoreExt, Value, WriteBatch,
    visitor,
};
use engine_redb::REDB;
use redb::{ReadableDatabase, ReadableTableMetadata, TableDefinition};

const VALUES: TableDefinition<'static, &'static [u8], &'static [u8]> = TableDefinition::new("kv");
const RESTS: TableDefinition<'static, &'static [u8], &'static [u8]> = TableDefinition::new("kv-rest");

const PAGE: usize = 128 << 10;

/// What is left free in a page of a first part.
const MARGIN: usize = 64;

fn open(path: &Path, mode: OpenMode) -> Box<dyn Store> {
    REDB.open(&Config::new(REDB.descriptor()).at(path).with_mode(mode)).unwrap().store
}

fn value(length: usize, seed: usize) -> Bytes {
    (0..length).map(|at| (at * 31 + at / 251 + seed * 7).to_le_bytes()[0]).collect()
}

/// Lengths around everything that decides, for a key of three bytes.
fn lengths() -> Vec<usize> {
    let page = PAGE - MARGIN - 3;
    let mut lengths = vec![0, 10, 5000, 2 * PAGE, 8 * PAGE + 16];
    for around in [page, page + PAGE / 8, page + PAGE / 2, 2 * PAGE - MARGIN - 3] {
        lengths.extend([around - 1, around, around + 1]);
    }
    lengths
}

/// Every way of reading answers what the model holds.
fn assert_reads(store: &dyn Store, model: &BTreeMap<Vec<u8>, Bytes>) {
    let view = store.view().unwrap();
    for key in (0..=40_u8).map(|key| vec![key; 3]) {
        let expected = model.get(&key);
        assert!(view.get(&key).unwrap().as_ref() == expected, "{key:?}");
        let mut lent = None;
        let found = view.get_with(&key, &mut |value| lent = Some(Bytes::copy_from_slice(value))).unwrap();
        assert!(found == expected.is_some() && lent.as_ref() == expected, "{key:?}");
    }
    for scan in [Scan::all(), Scan::all().reverse()] {
        let mut visited = Vec::new();
        let mut take = visitor(|key: &[u8], value: Value<'_>| {
            assert!(value.ready_len().is_none_or(|length| Some(length) == model.get(key).map(Bytes::len)));
            let kept = value.keep()?;
            assert!(value.bytes()? == kept && value.to_bytes()? == kept);
            visited.push((key.to_vec(), kept));
            Ok(Step::Next)
        });
        view.scan(scan, &mut take).unwrap();
        visited.sort_unstable();
        assert!(visited.iter().map(|(key, value)| (key, value)).eq(model), "{scan:?}");
    }
}

fn entries(path: &Path, table: TableDefinition<'static, &'static [u8], &'static [u8]>) -> u64 {
    let txn = redb::ReadOnlyDatabase::open(path).unwrap().begin_read().unwrap();
    txn.open_table(table).unwrap().len().unwrap()
}

#[test]
fn values_of_all_lengths_are_what_was_written_over_what_was_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    let mut store = open(&path, OpenMode::Create);
    let mut model = BTreeMap::new();
    let lengths = lengths();
    let mut random = 1_u64;
    let mut below = |limit: usize| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(random >> 33).unwrap() % limit
    };
    for round in 0..60 {
        let mut batch = WriteBatch::new();
        for _ in 0..6 {
            let key = vec![u8::try_from(below(40)).unwrap(); 3];
            match below(8) {
                0 => {
                    batch.delete(key.clone());
                    model.remove(&key);
                }
                1 => {
                    let end = vec![key[0] + 3; 3];
                    batch.delete_range(Bound::Included(&key), Bound::Excluded(&end));
                    model.retain(|other, _| *other < key || *other >= end);
                }
                _ => {
                    let value = value(lengths[below(lengths.len())], round);
                    batch.put(key.clone(), value.clone());
                    model.insert(key, value);
                }
            }
        }
        store.commit(&batch, Durability::Relaxed).unwrap();
        if round % 10 == 9 {
            assert_reads(&*store, &model);
            drop(store);
            store = open(&path, OpenMode::Create);
            assert_reads(&*store, &model);
        }
    }
    let parts = |value: &Bytes| {
        [PAGE, 2 * PAGE, 4 * PAGE, 8 * PAGE]
            .into_iter()
            .any(|page| (page + 1..=page + page / 2).contains(&(value.len() + 3 + MARGIN)))
    };
    let expected = model.values().filter(|value| parts(value)).count();
    assert!(expected > 0);
    drop(store);
    assert_eq!(entries(&path, RESTS), expected as u64, "no rest outlives its value");
    let store = open(&path, OpenMode::ReadOnly);
    assert_reads(&*store, &model);
}

#[test]
fn what_is_required_is_judged_against_both_parts() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("store.redb"), OpenMode::Create);
    let whole = value(PAGE, 1);
    store.put("key", whole.clone()).unwrap();
    let mut other = whole.to_vec();
    *other.last_mut().unwrap() ^= 1;
    for (expected, holds) in [
        (whole.clone(), true),
        (Bytes::from(other), false),
        (whole.slice(..PAGE - MARGIN - 3), false),
        (Bytes::new(), false),
    ] {
        let mut batch = WriteBatch::new();
        batch.require_equals("key", expected).put("seen", "yes");
        let outcome = store.write(&batch);
        assert_eq!(
            outcome.as_ref().err().map(engine_api::Error::kind),
            (!holds).then_some(ErrorKind::Conflict)
        );
    }
}

#[test]
fn a_view_keeps_both_parts_of_what_it_saw() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("store.redb"), OpenMode::Create);
    let (before, after) = (value(PAGE, 1), value(PAGE, 2));
    store.put("key", before.clone()).unwrap();
    let view = store.view().unwrap();
    store.put("key", after.clone()).unwrap();
    assert!(view.get(b"key").unwrap().unwrap() == before);
    assert!(store.get("key").unwrap().unwrap() == after);
    store.delete("key").unwrap();
    assert!(view.get(b"key").unwrap().unwrap() == before);
    assert!(store.get("key").unwrap().is_none());
}

#[test]
fn a_store_of_whole_values_alone_is_read_and_written_as_ever() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    let mut model = BTreeMap::new();
    {
        let database = redb::Database::create(&path).unwrap();
        let txn = database.begin_write().unwrap();
        {
            let mut table = txn.open_table(VALUES).unwrap();
            for (key, length) in (0..).zip(lengths()) {
                let (key, value) = (vec![key; 3], value(length, 1));
                table.insert(key.as_slice(), &*value).unwrap();
                model.insert(key, value);
            }
        }
        txn.commit().unwrap();
    }
    assert_reads(&*open(&path, OpenMode::ReadOnly), &model);
    let store = open(&path, OpenMode::Create);
    assert_reads(&*store, &model);
    for key in model.keys().cloned().collect::<Vec<_>>() {
        let mut batch = WriteBatch::new();
        let now = value(PAGE, usize::from(key[0]));
        batch.require_equals(key.clone(), model[&key].clone()).put(key.clone(), now.clone());
        store.write(&batch).unwrap();
        model.insert(key, now);
    }
    assert_reads(&*store, &model);
    let mut batch = WriteBatch::new();
    batch.delete_range(Bound::Unbounded, Bound::Unbounded);
    store.write(&batch).unwrap();
    assert_reads(&*store, &BTreeMap::new());
    drop(store);
    assert_eq!(entries(&path, RESTS), 0);
}

#[test]
fn a_power_of_two_and_a_header_take_little_more_than_they_are_long() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    let store = open(&path, OpenMode::Create);
    let mut batch = WriteBatch::new();
    for key in 0..32_u32 {
        batch.put(key.to_be_bytes(), value((512 << 10) + 16, 1));
    }
    store.write(&batch).unwrap();
    drop(store);
    let database = redb::Database::open(&path).unwrap();
    let stats = database.begin_write().unwrap().stats().unwrap();
    let allocated = stats.allocated_pages() * stats.page_size() as u64;
    assert!(allocated < 32 * (520 << 10), "{allocated}");
}
