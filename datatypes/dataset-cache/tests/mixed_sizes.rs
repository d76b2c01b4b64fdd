//! Entries of very different sizes, from a byte to nearly the file, in caches that hardly have room for them.
//!
//! `DATASET_CACHE_OPERATIONS=1000000` makes so many lookups of each cache.
#![allow(clippy::unwrap_used, missing_docs)]
#![allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]

mod common;

use std::env;
use std::sync::Arc;

use common::{data, exact, key};
use dataset_cache::{Found, MemoryFile, StorageFile};

/// A cache, and what is looked up in it.
struct Case {
    maximum: u64,
    /// How much of the file the longest entry takes, beside what a cache needs for itself.
    longest: f64,
    keys: i32,
    /// The least share of hits.
    hits: f64,
}

fn run(case: &Case) {
    let operations: u64 = env::var("DATASET_CACHE_OPERATIONS").map_or(8000, |count| count.parse().unwrap());
    let Case { maximum, longest, keys, hits: least } = *case;
    let room = maximum - 96 - 24 * 4096 - maximum / 64;
    let longest = room as f64 * longest;
    let mut random = fastrand::Rng::with_seed(maximum);
    // As many of a byte to ten as of ten to a hundred.
    let sizes: Vec<usize> = (0..keys).map(|_| longest.powf(random.f64()) as usize).collect();
    let file = Arc::new(MemoryFile::default());
    let cache = exact().create_in(file.clone(), maximum).unwrap();
    let mut out = vec![0; longest as usize + 1];
    let mut hits = 0;
    for operation in 0..operations {
        // Some keys are looked up much more often than others.
        let number = (random.f64() * random.f64() * f64::from(keys)) as i32;
        let expected = data(number, 1, sizes[number as usize]);
        match cache.read_into(&key(number), &mut out).unwrap() {
            Found::Bytes(length) => {
                assert!(out[..length] == expected);
                hits += 1;
            }
            Found::Absent => unreachable!("nothing is said to be absent"),
            Found::Missing => assert!(cache.insert(&key(number), &expected).unwrap(), "it can fit"),
        }
        assert!(file.length().unwrap() <= maximum);
        if operation % 200 == 0 {
            // A kill: the file as it is, opened by another.
            let killed = exact().open_in(Arc::new(MemoryFile::new(file.bytes())), false).unwrap();
            assert_eq!((killed.statistics().unwrap().clears, killed.verify().unwrap().damaged), (0, 0));
        }
    }
    let (statistics, share) = (cache.statistics().unwrap(), f64::from(hits) / operations as f64);
    println!(
        "{maximum} bytes, {keys} keys of up to {longest:.0}: {} evicted, {} cleared, {share:.4} hits",
        statistics.evicted, statistics.clears
    );
    assert_eq!(statistics.clears, 0, "what was used lately was dropped with the rest");
    assert!(share >= least, "{share} hits");
    let entries = statistics.entries;
    drop(cache);
    let cache = exact().open_in(Arc::new(MemoryFile::new(file.bytes())), false).unwrap();
    assert_eq!(cache.statistics().unwrap().clears, 0);
    let verified = cache.verify().unwrap();
    assert_eq!((verified.sound, verified.damaged), (entries, 0));
}

#[test]
fn a_tiny_cache_evicts_what_was_used_least_recently_and_is_never_cleared() {
    for (maximum, longest, keys, hits) in [
        (250_000, 0.95, 60, 0.18),
        (250_000, 0.95, 600, 0.03),
        (250_000, 0.25, 600, 0.10),
        (250_000, 0.125, 600, 0.15),
        (300_000, 0.5, 600, 0.075),
        (300_000, 0.25, 60, 0.915),
        (300_000, 0.125, 600, 0.18),
        (500_000, 0.95, 600, 0.035),
        (500_000, 0.125, 600, 0.215),
        (1 << 20, 0.95, 60, 0.36),
        (1 << 20, 0.5, 600, 0.08),
        (4 << 20, 0.95, 600, 0.05),
    ] {
        run(&Case { maximum, longest, keys, hits });
    }
}
