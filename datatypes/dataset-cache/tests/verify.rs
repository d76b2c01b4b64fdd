//! What a verification tells while it runs, and how it is ended.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::fs;

use common::{data, key, place};
use dataset_cache::{BlockStorage, DatasetCache, DiskFile, Progress};
use engine_api::{Error, ErrorKind};

const ENTRIES: i32 = 500;

fn told(cache: &DatasetCache) -> Vec<Progress> {
    let mut told = Vec::new();
    let verified = cache.verify_with(&mut |progress| {
        told.push(progress);
        Ok(())
    });
    assert_eq!(verified.unwrap(), cache.verify().unwrap());
    told
}

#[test]
fn each_entry_is_told_and_an_error_ends_it() {
    let (_folder, path) = place();
    let cache = DatasetCache::create(&path, 16 << 20).unwrap();
    assert_eq!(told(&cache), []);
    drop(cache);
    assert_eq!(told(&DatasetCache::open(&path, true).unwrap()), []);
    let cache = DatasetCache::open(&path, false).unwrap();
    for number in 0..ENTRIES {
        cache.insert(&key(number), &data(number, 1, 1000)).unwrap();
    }
    drop(cache);
    for read_only in [false, true] {
        let cache = DatasetCache::open(&path, read_only).unwrap();
        let told: Vec<_> = told(&cache).into_iter().map(|told| (told.done, told.total)).collect();
        let all = u64::from(ENTRIES.unsigned_abs());
        assert_eq!(told, (1..=all).map(|done| (done, all)).collect::<Vec<_>>());
        let error = cache.verify_with(&mut |progress| {
            if progress.done == 7 { Err(Error::new(ErrorKind::Unavailable, "enough")) } else { Ok(()) }
        });
        assert_eq!(error.unwrap_err().message(), "enough");
        assert_eq!(cache.verify().unwrap().sound, all);
    }
}

#[test]
fn an_entry_that_is_damaged_is_told_too() {
    let (_folder, path) = place();
    let cache = DatasetCache::create(&path, 16 << 20).unwrap();
    for number in 0..ENTRIES {
        cache.insert(&key(number), &data(number, 1, 1000)).unwrap();
    }
    drop(cache);
    let mut bytes = fs::read(&path).unwrap();
    let entry = data(77, 1, 1000);
    let at = bytes.windows(entry.len()).position(|part| part == entry).unwrap();
    bytes[at] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let cache = DatasetCache::open(&path, true).unwrap();
    let mut done = 0;
    let verified = cache.verify_with(&mut |progress| {
        done = progress.done;
        Ok(())
    });
    let verified = verified.unwrap();
    assert_eq!((verified.sound, verified.damaged, done), (499, 1, 500));
}

#[test]
fn the_storage_is_where_the_cache_says() {
    let (_folder, path) = place();
    let cache = DatasetCache::create(&path, 16 << 20).unwrap();
    cache.insert(&key(1), &[1; 1000]).unwrap();
    cache.flush().unwrap();
    let blocks = cache.statistics().unwrap().blocks;
    drop(cache);
    let file = DiskFile::new(fs::File::open(&path).unwrap(), false).unwrap();
    let storage = BlockStorage::open(std::sync::Arc::new(file), DatasetCache::STORAGE_OFFSET).unwrap();
    let mut found = 0;
    storage
        .blocks(&mut |block| {
            found += u64::from(!block.free);
            Ok(())
        })
        .unwrap();
    assert_eq!(found, blocks);
}
