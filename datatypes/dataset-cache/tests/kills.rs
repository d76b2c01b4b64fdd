//! Processes that write a cache and are killed. `DATASET_CACHE_KILLS=200` kills so often.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]
#![allow(clippy::cast_possible_truncation, reason = "seeds are small")]

mod common;

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::Path;

use common::processes::{CACHE, ROLE, lines, program, say};
use common::{data, found, key, place};
use dataset_cache::{CacheOptions, DatasetCache};

const KEYS: i32 = 400;

/// What fits, and what makes entries go all the time.
const MAXIMA: [u64; 2] = [64 << 20, 3 << 20];

fn kills() -> u64 {
    env::var("DATASET_CACHE_KILLS").map_or(12, |kills| kills.parse().unwrap())
}

fn bytes(number: i32, seed: u64) -> Vec<u8> {
    let mut bytes = seed.to_le_bytes().to_vec();
    bytes.extend(data(number, seed, 1 + (number.unsigned_abs() as usize * 7919 + seed as usize) % 30_000));
    bytes
}

/// The seed of what was found, which must be what was put in with it.
fn seed(number: i32, found: &[u8]) -> u64 {
    let seed = u64::from_le_bytes(*found.first_chunk().expect("it begins with its seed"));
    assert!(found == bytes(number, seed), "{number} has wrong bytes");
    seed
}

#[test]
fn a_process_that_is_started_by_the_others() {
    let Ok(role) = env::var(ROLE) else { return };
    let seed = role.strip_prefix("write ").unwrap();
    write(Path::new(&env::var(CACHE).unwrap()), seed.parse().unwrap());
}

/// Puts entries in for ever, and flushes now and then.
fn write(path: &Path, first: u64) {
    let cache = CacheOptions::new().commit_bytes(2 << 20).open(path, false).unwrap();
    let mut random = fastrand::Rng::with_seed(first);
    for seed in first.. {
        let number = random.i32(0..KEYS);
        match random.u8(..20) {
            0 => {
                cache.flush().unwrap();
                say("flushed");
            }
            1 => {
                say(&format!("removing {number}"));
                cache.remove(&key(number)).unwrap();
            }
            2 => drop(cache.get(&key(number)).unwrap()),
            _ => {
                say(&format!("{number} {seed}"));
                assert!(cache.insert(&key(number), &bytes(number, seed)).unwrap());
            }
        }
    }
}

#[test]
fn a_kill_at_any_moment_leaves_what_was_flushed_and_nothing_wrong() {
    let mut random = fastrand::Rng::with_seed(3);
    let mut seen: BTreeMap<&str, u64> = BTreeMap::new();
    for maximum in MAXIMA {
        let (_folder, path) = place();
        drop(DatasetCache::create(&path, maximum).unwrap());
        // What each key may have: what the last flush had, and what was put in or removed since.
        let mut may: BTreeMap<i32, Vec<Option<u64>>> = BTreeMap::new();
        for round in 0..kills() / 2 {
            let role = format!("write {}", 1 + round * 1_000_000);
            let mut child = program(&env::current_exe().unwrap(), &role, &path).spawn().unwrap();
            let mut left = random.usize(1..600);
            let wait = std::time::Duration::from_micros(random.u64(..3000));
            for line in lines(&mut child) {
                if line == "flushed" {
                    may.retain(|_, values| {
                        values.drain(..values.len() - 1);
                        values != &[None]
                    });
                } else {
                    let (number, value) = line.split_once(' ').unwrap();
                    let (number, value) = match number {
                        "removing" => (value.parse().unwrap(), None),
                        _ => (number.parse().unwrap(), Some(value.parse().unwrap())),
                    };
                    may.entry(number).or_insert_with(|| vec![None]).push(value);
                }
                left = left.saturating_sub(1);
                if left == 0 {
                    // Anywhere between two lines.
                    std::thread::sleep(wait);
                    child.kill().unwrap();
                    left = usize::MAX;
                }
            }
            assert!(!child.wait().unwrap().success());
            let mut count = |what| *seen.entry(what).or_insert(0) += 1;
            count("killed");
            assert!(fs::metadata(&path).unwrap().len() <= maximum);
            let cache = DatasetCache::open(&path, false).unwrap();
            assert_eq!(cache.statistics().unwrap().clears, 0, "a kill is no damage");
            assert_eq!(cache.verify().unwrap().damaged, 0);
            let mut now = BTreeMap::new();
            for number in 0..KEYS {
                let values = may.remove(&number).unwrap_or_else(|| vec![None]);
                let found = found(&cache, number).map(|found| seed(number, &found));
                // Where there is room nothing is evicted.
                if maximum == MAXIMA[0] || found.is_some() {
                    assert!(values.contains(&found), "{number} is {found:?}, not {values:?}");
                }
                count(match found {
                    Some(_) if values.last() == Some(&found) => "there",
                    Some(_) => "older",
                    None if values.iter().any(Option::is_some) => "gone",
                    None => "never there",
                });
                if found.is_some() {
                    now.insert(number, vec![found]);
                }
            }
            may = now;
        }
    }
    println!("{seen:?}");
    // A test whose kills hit nothing proves nothing.
    for what in ["killed", "there", "older", "gone"] {
        assert!(seen.get(what).is_some_and(|count| *count > 0), "nothing was {what}: {seen:?}");
    }
}
