//! What goes in comes out, after closing and opening too, and who may open what.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod common;

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use common::{data, dataset, exact, found, key, place};
use dataset_cache::{CacheKey, CacheOptions, DatasetCache, Found, Value};
use engine_api::ErrorKind;

#[test]
fn what_goes_in_comes_out_after_opening_too() {
    let (_folder, path) = place();
    let cache = DatasetCache::create(&path, 4 << 20).unwrap();
    for number in 0..20 {
        assert!(cache.insert(&key(number), &data(number, 1, 1000 + number.unsigned_abs() as usize)).unwrap());
    }
    assert!(cache.insert(&key(3), &data(3, 2, 70_000)).unwrap());
    assert!(cache.insert(&key(4), &[]).unwrap());
    assert!(cache.insert_absent(&key(5)).unwrap());
    assert!(cache.remove(&key(6)).unwrap() && !cache.remove(&key(6)).unwrap());
    let check = |cache: &DatasetCache| {
        for number in (0..20).filter(|number| !(3..=6).contains(number)) {
            let expected = data(number, 1, 1000 + number.unsigned_abs() as usize);
            assert_eq!(found(cache, number).unwrap(), expected);
        }
        assert_eq!(found(cache, 3).unwrap(), data(3, 2, 70_000));
        assert_eq!(cache.get(&key(4)).unwrap(), Some(Value::Bytes(vec![])));
        assert_eq!(cache.get(&key(5)).unwrap(), Some(Value::Absent));
        assert_eq!(cache.get(&key(6)).unwrap(), None);
        let mut out = vec![0xEE; 70_010];
        assert_eq!(cache.read_into(&key(3), &mut out).unwrap(), Found::Bytes(70_000));
        assert_eq!((&out[..70_000], &out[70_000..]), (data(3, 2, 70_000).as_slice(), [0xEE; 10].as_slice()));
        assert_eq!(cache.read_into(&key(5), &mut out).unwrap(), Found::Absent);
        assert_eq!(cache.read_into(&key(6), &mut out).unwrap(), Found::Missing);
        let error = cache.read_into(&key(3), &mut out[..69_999]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        let verified = cache.verify().unwrap();
        assert_eq!((verified.sound, verified.damaged), (19, 0));
        let mut keys = Vec::new();
        cache
            .entries(&mut |entry| {
                keys.push((entry.key, entry.bytes));
                Ok(())
            })
            .unwrap();
        assert_eq!(keys.len(), 19);
        assert!(keys.contains(&(key(3), Some(70_000))) && keys.contains(&(key(5), None)));
    };
    check(&cache);
    drop(cache);
    for read_only in [true, false, true] {
        let cache = DatasetCache::open(&path, read_only).unwrap();
        assert_eq!((cache.is_read_only(), cache.maximum_bytes()), (read_only, 4 << 20));
        check(&cache);
        assert_eq!(cache.statistics().unwrap().clears, 0);
        if read_only {
            assert_eq!(cache.insert(&key(1), &[1]).unwrap_err().kind(), ErrorKind::ReadOnly);
            assert_eq!(cache.clear().unwrap_err().kind(), ErrorKind::ReadOnly);
            assert_eq!(cache.remove(&key(1)).unwrap_err().kind(), ErrorKind::ReadOnly);
            cache.flush().unwrap();
        }
    }
}

#[test]
fn one_may_write_or_many_may_read() {
    let (_folder, path) = place();
    let writer = DatasetCache::create(&path, 1 << 20).unwrap();
    writer.insert(&key(1), &[1; 100]).unwrap();
    for error in [
        DatasetCache::open(&path, false).unwrap_err(),
        DatasetCache::open(&path, true).unwrap_err(),
        DatasetCache::create(&path, 7 << 20).unwrap_err(),
        DatasetCache::create_or_open(&path, 7 << 20).unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Locked, "{error}");
        assert!(error.to_string().contains("close"), "{error}");
    }
    drop(writer);
    let readers = [(); 3].map(|()| DatasetCache::open(&path, true).unwrap());
    assert_eq!(DatasetCache::create_or_open(&path, 1 << 20).unwrap_err().kind(), ErrorKind::Locked);
    for reader in &readers {
        assert_eq!(found(reader, 1), Some(vec![1; 100]));
    }
    drop(readers);
    DatasetCache::open(&path, false).unwrap();
}

#[test]
fn a_cache_is_opened_if_its_maximum_is_the_one_asked_for_and_made_anew_otherwise() {
    let (_folder, path) = place();
    let big = data(1, 1, 600_000);
    DatasetCache::create_or_open(&path, 1 << 20).unwrap().insert(&key(1), &big).unwrap();
    let cache = DatasetCache::create_or_open(&path, 1 << 20).unwrap();
    assert!(found(&cache, 1) == Some(big));
    drop(cache);
    // Smaller than what is in it.
    let cache = DatasetCache::create_or_open(&path, 500_000).unwrap();
    assert_eq!((found(&cache, 1), cache.maximum_bytes()), (None, 500_000));
    assert_eq!(fs::metadata(&path).unwrap().len(), 96);
    cache.insert(&key(1), &[1; 10]).unwrap();
    drop(cache);
    assert_eq!(DatasetCache::create(&path, 500_000).unwrap().statistics().unwrap().entries, 0);
}

#[test]
fn what_is_no_cache_is_left_as_it_is() {
    let (_folder, path) = place();
    for bytes in [b"{}".as_slice(), b"\x89HGD\r\n\x1a\n and more", &[0; 4096]] {
        fs::write(&path, bytes).unwrap();
        for opened in [
            DatasetCache::create(&path, 1 << 20),
            DatasetCache::create_or_open(&path, 1 << 20),
            DatasetCache::open(&path, true),
            DatasetCache::open(&path, false),
        ] {
            assert_eq!(opened.unwrap_err().kind(), ErrorKind::Incompatible);
        }
        assert_eq!(fs::read(&path).unwrap(), bytes);
    }
    // An empty file is nobody's, and the beginning of a header is what a creation that was cut short has left.
    for bytes in [b"".as_slice(), b"\x89HGC\r\n", b"\x89HGC\r\n\x1a\n\x01\0\0\0"] {
        fs::write(&path, bytes).unwrap();
        assert!(DatasetCache::open(&path, false).is_err());
        assert!(DatasetCache::create_or_open(&path, 1 << 20).unwrap().insert(&key(1), &[1]).unwrap());
    }
    let error = DatasetCache::create(&path, 95).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    fs::remove_file(&path).unwrap();
    assert_eq!(DatasetCache::open(&path, false).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(DatasetCache::open(&path, true).unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn another_version_and_reserved_bytes_are_refused_and_left() {
    let (_folder, path) = place();
    for at in [8, 9, 18, 39, 48, 55, 72, 73, 90, 95] {
        DatasetCache::create(&path, 1 << 20).unwrap().insert(&key(1), &[1; 100]).unwrap();
        let mut bytes = fs::read(&path).unwrap();
        bytes[at] ^= 2;
        fs::write(&path, &bytes).unwrap();
        for opened in [
            DatasetCache::create_or_open(&path, 1 << 20),
            DatasetCache::open(&path, true),
            DatasetCache::open(&path, false),
        ] {
            assert_eq!(opened.unwrap_err().kind(), ErrorKind::Incompatible, "byte {at}");
        }
        assert_eq!(fs::read(&path).unwrap(), bytes, "byte {at}");
    }
}

#[test]
fn the_least_recently_used_goes_first() {
    let (_folder, path) = place();
    let cache = exact().create(&path, 1 << 20).unwrap();
    let size = 60_000;
    let mut fit = 0;
    while cache.statistics().unwrap().evicted == 0 {
        assert!(cache.insert(&key(fit), &data(fit, 1, size)).unwrap());
        fit += 1;
    }
    assert!((10..=17).contains(&fit), "{fit} entries of 60,000 bytes in 1 MiB");
    cache.clear().unwrap();
    for number in 0..fit - 1 {
        cache.insert(&key(number), &data(number, 1, size)).unwrap();
    }
    // All but two are used, in another order than that in which they came.
    let order: Vec<i32> = (0..fit - 1).rev().filter(|number| ![2, 5].contains(number)).collect();
    for number in &order {
        assert!(found(&cache, *number).is_some());
    }
    let mut expected = vec![2, 5];
    expected.extend(&order);
    // Each that comes makes the next one go; what is left is always what was used last.
    let mut newest = 1000;
    while !expected.is_empty() {
        let evicted = cache.statistics().unwrap().evicted;
        newest += 1;
        cache.insert(&key(newest), &data(newest, 1, size)).unwrap();
        for _ in evicted..cache.statistics().unwrap().evicted {
            let gone = expected.remove(0);
            assert!(!cache.contains(&key(gone)), "{gone} was used least recently");
        }
        assert!(expected.iter().all(|number| cache.contains(&key(*number))), "{expected:?}");
        assert!(fs::metadata(&path).unwrap().len() <= 1 << 20);
    }
}

#[test]
fn what_can_not_fit_is_not_cached_and_drops_nothing() {
    let (_folder, path) = place();
    let cache = DatasetCache::create(&path, 1 << 20).unwrap();
    cache.insert(&key(1), &[1; 1000]).unwrap();
    assert!(!cache.insert(&key(2), &vec![2; 1 << 20]).unwrap());
    assert_eq!(
        cache.get_or_insert_with(&key(2), || Ok(Some(vec![2; 1 << 20]))).unwrap().unwrap().len(),
        1 << 20
    );
    assert_eq!(found(&cache, 1), Some(vec![1; 1000]));
    assert_eq!(cache.statistics().unwrap().rejected, 2);
    let tiny = DatasetCache::create(path.with_extension("tiny"), 96).unwrap();
    assert!(!tiny.insert(&key(1), &[1]).unwrap() && !tiny.insert_absent(&key(1)).unwrap());
}

#[test]
fn of_those_that_miss_at_once_one_fetches() {
    let (_folder, path) = place();
    let cache = DatasetCache::create(&path, 1 << 20).unwrap();
    let (fetches, start) = (AtomicUsize::new(0), Barrier::new(8));
    // One that is cached and one that is too long to be.
    for (number, bytes) in [(1, 5000), (2, 2 << 20)] {
        fetches.store(0, Ordering::SeqCst);
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    start.wait();
                    let value = cache.get_or_insert_with(&key(number), || {
                        fetches.fetch_add(1, Ordering::SeqCst);
                        // All others wait, or come when it is there.
                        while cache.statistics().unwrap().joined < 7 * u64::from(number.unsigned_abs()) {
                            thread::yield_now();
                        }
                        Ok(Some(data(number, 1, bytes)))
                    });
                    assert!(value.unwrap() == Some(data(number, 1, bytes)));
                });
            }
        });
        assert_eq!(fetches.load(Ordering::SeqCst), 1);
    }
    // A fetch that fails is another's to repeat, and nothing is cached of it.
    let error = cache
        .get_or_insert_with(&key(3), || Err(engine_api::Error::new(ErrorKind::Unavailable, "no")))
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(cache.get_or_insert_with(&key(3), || Ok(None)).unwrap(), None);
    assert_eq!(cache.get(&key(3)).unwrap(), Some(Value::Absent));
}

#[test]
fn all_entries_of_a_dataset_are_removed_and_no_others() {
    let (_folder, path) = place();
    let cache = CacheOptions::new().create(&path, 4 << 20).unwrap();
    let of = |revision, number| {
        let key = key(number);
        CacheKey { dataset: dataset().at(revision), lod: number - 50, ..key }
    };
    for revision in [-1, 0, 1] {
        for number in 0..100 {
            cache.insert(&of(revision, number), &data(number, 1, 100)).unwrap();
        }
    }
    assert_eq!(cache.remove_dataset(dataset().at(0)).unwrap(), 100);
    assert_eq!(cache.remove_dataset(dataset().at(0)).unwrap(), 0);
    for number in 0..100 {
        assert!(!cache.contains(&of(0, number)));
        assert!(cache.contains(&of(-1, number)) && cache.contains(&of(1, number)));
    }
}

#[test]
fn commits_are_made_after_so_many_bytes_and_after_so_long() {
    let (_folder, path) = place();
    let (_, now) = common::ticking();
    let clock = now.clone();
    let options = CacheOptions::new()
        .commit_bytes(100_000)
        .commit_interval(Duration::from_secs(5))
        .clock(Arc::new(move || clock.load(Ordering::SeqCst)));
    let cache = options.create(&path, 8 << 20).unwrap();
    let commits = || cache.statistics().unwrap().commits;
    for number in 0..9 {
        cache.insert(&key(number), &[1; 10_000]).unwrap();
    }
    assert_eq!(commits(), 0);
    cache.insert(&key(9), &[1; 10_000]).unwrap();
    assert_eq!(commits(), 1, "a hundred thousand bytes");
    cache.insert(&key(10), &[1; 10]).unwrap();
    now.fetch_add(4_999_999, Ordering::SeqCst);
    cache.insert(&key(11), &[1; 10]).unwrap();
    assert_eq!(commits(), 1);
    now.fetch_add(1, Ordering::SeqCst);
    cache.insert(&key(12), &[1; 10]).unwrap();
    assert_eq!(commits(), 2, "five seconds");
    cache.flush().unwrap();
    cache.flush().unwrap();
    assert_eq!(commits(), 2, "there is nothing to commit");
}

#[test]
fn a_use_is_noted_once_in_a_while() {
    let (_folder, path) = place();
    let (_, now) = common::ticking();
    let clock = now.clone();
    let options = CacheOptions::new().clock(Arc::new(move || clock.load(Ordering::SeqCst)));
    let options = options.touch_granularity(Duration::from_mins(1));
    let cache = options.create(&path, 8 << 20).unwrap();
    cache.insert(&key(1), &[1]).unwrap();
    let used = || {
        let mut used = 0;
        cache.flush().unwrap();
        cache
            .entries(&mut |entry| {
                used = entry.last_used;
                Ok(())
            })
            .unwrap();
        used
    };
    let first = used();
    now.fetch_add(59_000_000, Ordering::SeqCst);
    assert!(found(&cache, 1).is_some());
    assert_eq!(used(), first);
    now.fetch_add(1_000_000, Ordering::SeqCst);
    assert!(found(&cache, 1).is_some());
    assert_eq!(used(), first + 60_000_000);
    // A clock that was put back doesn't make it older, nor two moments the same.
    now.fetch_sub(1_000_000_000, Ordering::SeqCst);
    cache.insert(&key(1), &[2]).unwrap();
    assert_eq!(used(), first + 60_000_001);
}
