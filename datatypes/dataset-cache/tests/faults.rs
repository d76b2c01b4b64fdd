//! Every call that fails, tears or never happens; every power cut; a full disk; every byte that flips: what is found after
//! is what was put in, or nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]
#![allow(clippy::cast_possible_truncation, reason = "seeds are small")]

mod common;

use std::collections::HashMap;
use std::sync::Arc;

use common::faulty::{Fault, FaultyFile};
use common::{data, exact, key};
use dataset_cache::{DatasetCache, MemoryFile, StorageFile, Value};
use engine_api::{ErrorKind, Result};

const MAXIMUM: u64 = 400_000;
const KEYS: i32 = 120;

fn bytes(number: i32, seed: u64) -> Vec<u8> {
    data(number, seed, 100 + (number.unsigned_abs() as usize * 37 + seed as usize * 101) % 6000)
}

/// A cache that was filled and committed, as its file.
fn filled() -> Vec<u8> {
    let file = Arc::new(MemoryFile::default());
    let cache = exact().create_in(file.clone(), MAXIMUM).unwrap();
    for number in 0..KEYS / 2 {
        cache.insert(&key(number), &bytes(number, 1)).unwrap();
    }
    cache.insert_absent(&key(KEYS)).unwrap();
    drop(cache);
    file.bytes()
}

/// What was done, as far as it went.
#[derive(Default)]
struct Done {
    /// What the last flush that returned has committed, and nothing has changed since.
    kept: HashMap<i32, u64>,
}

/// Changes a cache in every way; what goes wrong ends it.
fn change(cache: &DatasetCache, done: &mut Done) -> Result<()> {
    for number in 0..20 {
        cache.insert(&key(number), &bytes(number, 2))?;
        done.kept.remove(&number);
    }
    cache.flush()?;
    done.kept.extend((0..20).map(|number| (number, 2)));
    for number in 20..30 {
        cache.remove(&key(number))?;
        done.kept.remove(&number);
    }
    cache.flush()?;
    // More than fits: something is evicted, which may be anything of the above.
    done.kept.clear();
    for number in 0..KEYS {
        cache.insert(&key(number), &bytes(number, 3))?;
    }
    cache.flush()?;
    done.kept.clear();
    cache.clear()?;
    for number in 0..10 {
        cache.insert(&key(number), &bytes(number, 2))?;
    }
    cache.flush()?;
    done.kept.extend((0..10).map(|number| (number, 2)));
    Ok(())
}

/// That a file is a cache which has nothing but what was put in; answers how many entries.
fn check(file: Vec<u8>, kept: &HashMap<i32, u64>, what: &str) -> u64 {
    let length = file.len() as u64;
    assert!(length <= MAXIMUM, "{what}: {length} bytes");
    let cache = exact().open_in(Arc::new(MemoryFile::new(file)), false);
    let cache = cache.unwrap_or_else(|error| panic!("{what}: {error:?}"));
    for number in 0..KEYS {
        match cache.get(&key(number)).unwrap() {
            Some(Value::Bytes(found)) => {
                assert!((1..=3).any(|seed| found == bytes(number, seed)), "{what}: {number} has wrong bytes");
                if let Some(seed) = kept.get(&number) {
                    assert!(found == bytes(number, *seed), "{what}: {number} is an older one");
                }
            }
            Some(Value::Absent) => panic!("{what}: {number} was never absent"),
            None => assert!(!kept.contains_key(&number), "{what}: {number} was committed"),
        }
    }
    let entries = cache.statistics().unwrap().entries;
    // And whatever happened, it goes on.
    assert!(cache.insert(&key(7), &bytes(7, 9)).unwrap(), "{what}");
    cache.flush().unwrap();
    assert!(cache.get(&key(7)).unwrap() == Some(Value::Bytes(bytes(7, 9))));
    entries
}

#[test]
fn a_call_that_fails_or_tears_anywhere_is_told_and_leaves_no_wrong_bytes() {
    let start = filled();
    for fault in [Fault::Fails, Fault::Tears, Fault::Dies, Fault::Full] {
        let (mut failed, mut cleared) = (0, 0);
        for call in 1.. {
            let file = Arc::new(FaultyFile::new(start.clone()));
            let cache = exact().open_in(file.clone(), false).unwrap();
            file.arm(call, fault);
            let mut done = Done { kept: (0..KEYS / 2).map(|number| (number, 1)).collect() };
            let changed = change(&cache, &mut done);
            if let Err(error) = &changed {
                assert!(
                    matches!(error.kind(), ErrorKind::Io | ErrorKind::Poisoned | ErrorKind::Full),
                    "{error}"
                );
                failed += 1;
            }
            // It still answers what it has, and nothing wrong.
            for number in 0..KEYS {
                if let Some(Value::Bytes(found)) = cache.get(&key(number)).unwrap() {
                    assert!((1..=3).any(|seed| found == bytes(number, seed)), "{fault:?} {call}: {number}");
                }
            }
            drop(cache);
            // Headers that are torn within a sector are no cache any more, which is told, and cleared.
            let kept = if fault == Fault::Tears { HashMap::new() } else { done.kept };
            let entries = check(file.bytes(), &kept, &format!("{fault:?} {call}"));
            cleared += u64::from(entries == 0);
            if !file.has_met() {
                changed.unwrap();
                break;
            }
        }
        assert!(failed > 5, "{failed} of the calls failed with {fault:?}");
        // It was cleared by the change itself, or headers were torn.
        assert!(cleared > 0 && cleared < failed / 3, "{cleared} of {failed}");
        println!("{fault:?}: {failed} failed, {cleared} cleared");
    }
}

#[test]
fn power_that_goes_at_any_call_takes_nothing_that_was_flushed() {
    let start = filled();
    let mut cuts = 0;
    for seed in 0..4 {
        for call in 1.. {
            let file = Arc::new(FaultyFile::new(start.clone()));
            let cache = exact().open_in(file.clone(), false).unwrap();
            file.arm(call, Fault::Dies);
            let mut done = Done { kept: (0..KEYS / 2).map(|number| (number, 1)).collect() };
            let changed = change(&cache, &mut done);
            drop(cache);
            check(
                file.after_power_loss(seed * 1000 + call),
                &done.kept,
                &format!("seed {seed}, call {call}"),
            );
            cuts += 1;
            if !file.has_met() {
                changed.unwrap();
                break;
            }
        }
    }
    println!("{cuts} cuts");
}

#[test]
fn headers_of_two_commits_are_told_and_cleared() {
    let file = Arc::new(MemoryFile::default());
    let cache = exact().create_in(file.clone(), 0).unwrap();
    let mut headers = Vec::new();
    for seed in 1..4 {
        for number in 0..5 {
            cache.insert(&key(number), &bytes(number, seed)).unwrap();
        }
        cache.flush().unwrap();
        headers.push(file.bytes()[..96].to_vec());
    }
    drop(cache);
    let last = file.bytes();
    let mut cleared = 0;
    for older in &headers {
        for cut in 1..96 {
            for both in [[&older[..cut], &last[cut..96]].concat(), [&last[..cut], &older[cut..]].concat()] {
                let file = MemoryFile::new([both.as_slice(), &last[96..]].concat());
                let cache = exact().open_in(Arc::new(file), false).unwrap();
                let entries = cache.statistics().unwrap().entries;
                if both == last[..96] {
                    assert_eq!(entries, 5);
                } else {
                    assert!(entries == 0 || both == *older, "cut at {cut}: {entries} entries");
                    cleared += 1;
                }
                for number in 0..5 {
                    if let Some(Value::Bytes(found)) = cache.get(&key(number)).unwrap() {
                        assert!((1..4).any(|seed| found == bytes(number, seed)));
                    }
                }
            }
        }
    }
    assert!(cleared > 50, "{cleared} mixtures");
}

#[test]
fn no_byte_that_flips_gives_wrong_bytes() {
    let file = Arc::new(MemoryFile::default());
    let cache = exact().create_in(file.clone(), MAXIMUM).unwrap();
    for number in 0..12 {
        cache.insert(&key(number), &data(number, 1, 40 * number.unsigned_abs() as usize)).unwrap();
    }
    cache.insert_absent(&key(12)).unwrap();
    drop(cache);
    let sound = file.bytes();
    let right = |cache: &DatasetCache| {
        let mut hits = 0;
        for number in 0..20 {
            match cache.get(&key(number)).unwrap() {
                None => {}
                Some(Value::Absent) => assert_eq!(number, 12),
                Some(Value::Bytes(found)) => {
                    assert!(found == data(number, 1, 40 * number.unsigned_abs() as usize));
                    hits += 1;
                }
            }
        }
        hits
    };
    let every_bit = std::env::var_os("DATASET_CACHE_EVERY_BIT").is_some();
    let (mut refused, mut cleared, mut missed, mut whole) = (0, 0, 0, 0);
    for at in 0..sound.len() {
        for bit in 0..8 {
            if !every_bit && bit != at * 5 % 8 {
                continue;
            }
            let mut flipped = sound.clone();
            flipped[at] ^= 1 << bit;
            match exact().open_in(Arc::new(MemoryFile::new(flipped.clone())), true) {
                Ok(reader) => drop((right(&reader), reader.verify().map(drop))),
                Err(error) => assert!(matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Incompatible)),
            }
            match exact().open_in(Arc::new(MemoryFile::new(flipped)), false) {
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Incompatible, "byte {at}: {error}");
                    refused += 1;
                }
                Ok(writer) => match right(&writer) {
                    0 => cleared += 1,
                    12 => whole += 1,
                    11 => {
                        // What was damaged is dropped, and fetched anew.
                        assert_eq!(writer.statistics().unwrap().damaged, 1);
                        assert_eq!(writer.statistics().unwrap().entries, 12);
                        missed += 1;
                    }
                    hits => panic!("byte {at}: {hits} of 12 are there"),
                },
            }
        }
    }
    println!(
        "{refused} refused, {cleared} cleared, {missed} missed, {whole} whole, of {} bytes",
        sound.len()
    );
    assert!(refused > 20 && cleared > 4 * 4000 && missed > 2000);
}

#[test]
fn what_is_behind_an_empty_cache_is_cut_off_when_it_is_opened_to_write() {
    let file = Arc::new(MemoryFile::default());
    drop(exact().create_in(file.clone(), MAXIMUM).unwrap());
    let longer = [file.bytes(), vec![7; 2 * MAXIMUM as usize]].concat();
    let file = Arc::new(MemoryFile::new(longer.clone()));
    drop(exact().open_in(file.clone(), true).unwrap());
    assert!(file.bytes() == longer);
    let cache = exact().open_in(file.clone(), false).unwrap();
    assert_eq!(file.length().unwrap(), 96);
    assert!(cache.insert(&key(1), &bytes(1, 1)).unwrap());
}

#[test]
fn a_file_that_is_cut_off_is_cleared_and_its_reader_is_told() {
    let sound = filled();
    for length in (96..sound.len()).step_by(997) {
        let file = Arc::new(MemoryFile::new(sound[..length].to_vec()));
        if let Ok(reader) = exact().open_in(file.clone(), true) {
            for number in 0..KEYS {
                if let Some(Value::Bytes(found)) = reader.get(&key(number)).unwrap() {
                    assert!(found == bytes(number, 1));
                }
            }
        }
        let cache = exact().open_in(file.clone(), false).unwrap();
        assert_eq!(cache.statistics().unwrap().entries, 0);
        assert_eq!(file.length().unwrap(), 96);
    }
    for length in 0..96 {
        let file = || Arc::new(MemoryFile::new(sound[..length].to_vec()));
        assert_eq!(exact().open_in(file(), true).unwrap_err().kind(), ErrorKind::Corrupt);
        match exact().open_in(file(), false) {
            Err(error) => assert_eq!((error.kind(), length < 64), (ErrorKind::Corrupt, true)),
            Ok(cache) => assert_eq!((cache.statistics().unwrap().entries, length >= 64), (0, true)),
        }
    }
}
