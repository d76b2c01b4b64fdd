//! Files under test, so that what was written once is read for ever.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chunks::Coords;
use common::exact;
use dataset_cache::{CacheKey, CacheOptions, DatasetCache, DatasetId, MemoryFile, Value};
use uuid::Uuid;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

/// What `entries.cache` has, in the order in which it was put in.
fn entries() -> Vec<(CacheKey, Option<Vec<u8>>)> {
    let dataset = |guid, revision| DatasetId::new(Uuid::from_bytes([guid; 16]), revision);
    let key = |dataset, kind, lod, block: &[i32]| CacheKey {
        dataset,
        kind,
        lod,
        block: Coords::new(block).unwrap(),
    };
    vec![
        (key(dataset(7, 3), 1, 0, &[1, 2, 3]), Some((0..=255).collect())),
        (key(dataset(7, 3), 1, 0, &[1, 2, -3]), Some(vec![5; 64])),
        (key(dataset(7, 2), 1, 4, &[0]), Some(vec![])),
        (key(dataset(1, 0), 9, -1, &[1, 2, 3, 4, 5]), None),
        (key(DatasetId::of_parts(&[b"store", b"7"]), 1, 0, &[0, 0, 0]), Some(b"hello".to_vec())),
    ]
}

fn options() -> CacheOptions {
    let now = AtomicI64::new(1_700_000_000_000_000);
    exact().clock(Arc::new(move || now.load(Ordering::SeqCst)))
}

fn update() {
    let empty = Arc::new(MemoryFile::default());
    drop(options().create_in(empty.clone(), 1 << 20).unwrap());
    fs::write(golden("empty.cache"), empty.bytes()).unwrap();
    let file = Arc::new(MemoryFile::default());
    let cache = options().create_in(file.clone(), 1 << 20).unwrap();
    let gone = CacheKey { kind: 2, ..entries()[0].0 };
    cache.insert(&gone, &[1; 1000]).unwrap();
    for (key, value) in entries() {
        match value {
            Some(bytes) => cache.insert(&key, &bytes).unwrap(),
            None => cache.insert_absent(&key).unwrap(),
        };
    }
    cache.flush().unwrap();
    cache.remove(&gone).unwrap();
    drop(cache);
    fs::write(golden("entries.cache"), file.bytes()).unwrap();
}

fn read(name: &str) -> Vec<u8> {
    if std::env::var_os("DATASET_CACHE_UPDATE_GOLDEN").is_some() {
        static ONCE: std::sync::Once = std::sync::Once::new();
        ONCE.call_once(update);
    }
    fs::read(golden(name)).unwrap()
}

#[test]
fn an_empty_cache_is_what_it_was_to_the_byte() {
    let mut expected = vec![0; 96];
    expected[..18]
        .copy_from_slice(&[0x89, 0x48, 0x47, 0x43, 0x0D, 0x0A, 0x1A, 0x0A, 1, 0, 0, 0, 0x10, 0, 0, 0, 0, 0]);
    expected[64..74].copy_from_slice(&[0x89, 0x42, 0x53, 0x54, 0x0D, 0x0A, 0x1A, 0x0A, 1, 0]);
    assert_eq!(read("empty.cache"), expected);
    let (_folder, path) = common::place();
    drop(DatasetCache::create(&path, 1 << 20).unwrap());
    assert_eq!(fs::read(&path).unwrap(), expected);
    let cache = DatasetCache::open(golden("empty.cache"), true).unwrap();
    assert_eq!(cache.get(&entries()[0].0).unwrap(), None);
    assert_eq!(cache.verify().unwrap().sound, 0);
}

#[test]
fn entries_that_were_written_once_are_read() {
    let bytes = read("entries.cache");
    for read_only in [true, false] {
        let cache = exact().open_in(Arc::new(MemoryFile::new(bytes.clone())), read_only).unwrap();
        for (key, value) in entries() {
            let value = value.map_or(Value::Absent, Value::Bytes);
            assert_eq!(cache.get(&key).unwrap(), Some(value), "{key}");
        }
        assert_eq!(cache.verify().unwrap().sound, 5);
        assert_eq!(cache.statistics().unwrap().clears, 0);
        let mut keys = Vec::new();
        cache
            .entries(&mut |entry| {
                assert!(entry.last_used >= 1_700_000_000_000_000);
                keys.push(entry.key);
                Ok(())
            })
            .unwrap();
        let mut expected: Vec<CacheKey> = entries().iter().map(|(key, _)| *key).collect();
        expected.sort_by_key(|key| (key.dataset, key.lod, key.kind, key.block.to_vec()));
        assert_eq!(keys, expected);
    }
}

#[test]
fn the_bytes_are_where_the_format_says() {
    let file = read("entries.cache");
    let number = |at: usize| u64::from_le_bytes(*file[at..].first_chunk().unwrap());
    let at = |at: u64| usize::try_from(at).unwrap();
    let roots = [(74, 1), (82, 2), (40, 3), (56, 4)].map(|(header, tree)| {
        let root = at(number(header));
        assert_eq!(file[root..root + 4], [b'B', b'N', tree, 0]);
        assert_eq!(file[root + 6..root + 8], [1, 0], "it is a root");
        assert_eq!(number(root + 16), number(header), "its own address");
        let rest = [&file[root..root + 28], &file[root + 32..root + 4096]].concat();
        assert_eq!(file[root + 28..root + 32], crc32c::crc32c(&rest).to_le_bytes());
        root
    });
    let commits = roots.map(|root| number(root + 8));
    assert!(commits.iter().all(|commit| *commit == commits[0]));
    // The third entry of the primary index: by the keys, that with -3.
    let primary = roots[2];
    assert_eq!(file[primary + 4..primary + 6], [5, 0]);
    let entry = &file[primary + 32..primary + 32 + 5 * 80];
    let entry = entry.chunks(80).find(|entry| entry[40..44] == [0x7f, 0xff, 0xff, 0xfd]).unwrap();
    let expected = [[7; 16].as_slice(), &[0x80, 0, 0, 0, 0, 0, 0, 3], &[0x80, 0, 0, 0, 0, 1, 3, 0]].concat();
    assert_eq!(entry[..32], expected);
    let block = at(u64::from_le_bytes(*entry[52..].first_chunk().unwrap()));
    assert_eq!(file[block..block + 64], [5; 64]);
    assert_eq!(entry[60..64], [64, 0, 0, 0]);
    let sum = crc32c::crc32c(&[&entry[..52], &[5; 64]].concat());
    assert_eq!(entry[64..68], sum.to_le_bytes());
    assert_eq!(entry[76..], [0; 4]);
}
