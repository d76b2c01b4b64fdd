//! Many threads on one cache: what is found is what was put in, whatever is evicted, replaced and cleared meanwhile.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod common;

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use common::{data, key, place};
use dataset_cache::{CacheOptions, Found};

const KEYS: i32 = 300;

fn bytes(number: i32, seed: u64) -> Vec<u8> {
    let mut bytes = seed.to_le_bytes().to_vec();
    bytes.extend(data(number, seed, 2000 + number.unsigned_abs() as usize * 50));
    bytes
}

/// One writer less, also where it panicked.
struct End<'a>(&'a AtomicU64);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn run(clears: bool, mapped: bool) {
    let (_folder, path) = place();
    let maximum = 1 << 20;
    let options = CacheOptions::new().mapped(mapped).touch_granularity(Duration::ZERO).commit_bytes(200_000);
    let cache = options.create(&path, maximum).unwrap();
    let (hits, seeds, misses) = (AtomicU64::new(0), AtomicU64::new(1), AtomicU64::new(0));
    let writing = AtomicU64::new(2);
    thread::scope(|scope| {
        for thread in 0..2 {
            let (cache, seeds, writing) = (&cache, &seeds, &writing);
            scope.spawn(move || {
                let _end = End(writing);
                let mut random = fastrand::Rng::with_seed(thread);
                for _ in 0..3000 {
                    let number = random.i32(0..KEYS);
                    let seed = seeds.fetch_add(1, Ordering::Relaxed);
                    cache.insert(&key(number), &bytes(number, seed)).unwrap();
                    if random.u8(..100) == 0 {
                        cache.remove(&key(number)).unwrap();
                    }
                    if clears && random.u8(..100) == 0 {
                        cache.clear().unwrap();
                    }
                }
            });
        }
        for thread in 10..14 {
            let (cache, hits, misses, writing) = (&cache, &hits, &misses, &writing);
            scope.spawn(move || {
                let mut random = fastrand::Rng::with_seed(thread);
                let mut out = vec![0; 20_000];
                // Behind the last that is put in there is something to be found, whoever was faster.
                let mut more = 15_000;
                while more > 0 || writing.load(Ordering::Relaxed) > 0 {
                    more -= i32::from(more > 0);
                    let number = random.i32(0..KEYS);
                    match cache.read_into(&key(number), &mut out).unwrap() {
                        Found::Bytes(length) => {
                            let seed = u64::from_le_bytes(*out.first_chunk().unwrap());
                            assert!(out[..length] == bytes(number, seed), "{number} has wrong bytes");
                            hits.fetch_add(1, Ordering::Relaxed);
                        }
                        Found::Absent => panic!("{number} was never absent"),
                        Found::Missing => {
                            misses.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                }
            });
        }
    });
    let statistics = cache.statistics().unwrap();
    // A block that is used again while somebody copies from it would be a checksum that is wrong.
    assert_eq!((statistics.damaged, statistics.failed), (0, 0));
    assert!(statistics.file_bytes <= maximum && statistics.evicted > 100);
    assert!(hits.load(Ordering::Relaxed) > 1000 && misses.load(Ordering::Relaxed) > 100);
    assert_eq!(cache.verify().unwrap().damaged, 0);
    drop(cache);
    let cache = options.open(&path, false).unwrap();
    assert_eq!(cache.statistics().unwrap().clears, 0);
    assert_eq!(cache.verify().unwrap().sound, cache.statistics().unwrap().entries);
}

#[test]
fn hits_are_right_while_others_insert_and_evict() {
    run(false, true);
    run(false, false);
}

#[test]
fn hits_are_right_while_others_clear() {
    run(true, true);
}
