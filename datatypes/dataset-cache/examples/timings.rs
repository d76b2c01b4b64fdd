//! What a hit costs beside a plain read, and an insertion into a cache that is full.
//!
//! `cargo run --release -p dataset-cache --example timings -- FOLDER`
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::cast_precision_loss, missing_docs)]

use std::fs::File;
use std::hint::black_box;
use std::path::PathBuf;
use std::time::Instant;

use chunks::Coords;
use dataset_cache::{CacheKey, DatasetCache, DatasetId};

const BLOCK: usize = 65_536;
const BLOCKS: i32 = 1024;

fn key(number: i32) -> CacheKey {
    CacheKey::chunk(
        DatasetId::of_parts(&[b"timings"]),
        0,
        Coords::new(&[number / 32, number % 32, 0]).unwrap(),
    )
}

/// The best of several rounds of each, in microseconds a call; they take turns, so that both have the same machine.
fn best(calls: i32, mut first: impl FnMut(), mut second: impl FnMut()) -> (f64, f64) {
    let mut best = (f64::MAX, f64::MAX);
    let timed = |round: &mut dyn FnMut()| {
        let start = Instant::now();
        round();
        start.elapsed().as_secs_f64() * 1e6 / f64::from(calls)
    };
    for _ in 0..25 {
        best.0 = best.0.min(timed(&mut first));
        best.1 = best.1.min(timed(&mut second));
    }
    best
}

fn main() {
    let folder = PathBuf::from(std::env::args().nth(1).expect("a folder is named"));
    let (path, plain_path) = (folder.join("timings.cache"), folder.join("timings.plain"));
    let mut random = fastrand::Rng::with_seed(1);
    let mut block = vec![0; BLOCK];
    let cache = DatasetCache::create(&path, 512 << 20).unwrap();
    let mut all = Vec::new();
    for number in 0..BLOCKS {
        random.fill(&mut block);
        cache.insert(&key(number), &block).unwrap();
        all.extend_from_slice(&block);
    }
    cache.flush().unwrap();
    std::fs::write(&plain_path, &all).unwrap();
    let mut order: Vec<i32> = (0..BLOCKS).collect();
    random.shuffle(&mut order);
    let plain = File::open(&plain_path).unwrap();
    let mut other = block.clone();
    let mut compare = |cache: &DatasetCache, what: &str| {
        let (raw, hit) = best(
            BLOCKS,
            || {
                for number in &order {
                    use std::os::unix::fs::FileExt;
                    let at = u64::try_from(*number).unwrap() * BLOCK as u64;
                    plain.read_exact_at(&mut other, at).unwrap();
                    black_box(&other);
                }
            },
            || {
                for number in &order {
                    cache.read_into(&key(*number), &mut block).unwrap();
                    black_box(&block);
                }
            },
        );
        println!("{what}: pread {raw:.2} us, hit {hit:.2} us, {:.2} of it", hit / raw);
    };
    compare(&cache, "who writes");
    drop(cache);
    let reader = DatasetCache::open(&path, true).unwrap();
    compare(&reader, "who reads ");
    drop(reader);
    for (maximum, bytes) in [(64_u64 << 20, BLOCK), (64 << 20, 4096)] {
        let cache = DatasetCache::create(&path, maximum).unwrap();
        let count = i32::try_from(maximum / bytes as u64).unwrap();
        let mut next = 0;
        let mut fill = |count: i32| {
            let start = Instant::now();
            for _ in 0..count {
                next += 1;
                cache.insert(&key(next), &all[..bytes]).unwrap();
            }
            start.elapsed().as_secs_f64()
        };
        let first = fill(count);
        let full = fill(4 * count);
        let rate = |seconds: f64, count: i32| f64::from(count) * bytes as f64 / seconds / 1e6;
        println!(
            "insert {bytes:6}  first {:.1} us {:.0} MB/s, full {:.1} us {:.0} MB/s  {:?}",
            first * 1e6 / f64::from(count),
            rate(first, count),
            full * 1e6 / f64::from(4 * count),
            rate(full, 4 * count),
            cache.statistics().unwrap()
        );
    }
    for path in [path, plain_path] {
        std::fs::remove_file(path).unwrap();
    }
}
