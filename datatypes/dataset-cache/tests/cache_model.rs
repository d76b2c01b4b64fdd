//! A cache beside a naive one: values by their keys, and keys by their last use.
//!
//! `DATASET_CACHE_OPERATIONS=1000000` makes so many operations.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]
#![allow(clippy::too_many_lines, clippy::cast_precision_loss, reason = "one list of operations, and shares")]

mod common;

use std::collections::HashMap;
use std::env;
use std::fs;
use std::sync::Arc;

use common::{data, exact, found, key, place};
use dataset_cache::{DatasetCache, Found, MemoryFile, Value};

fn operations() -> u64 {
    env::var("DATASET_CACHE_OPERATIONS").map_or(30_000, |count| count.parse().unwrap())
}

/// What a key has: the seed and the length of its bytes, or that there is nothing.
type Bytes = Option<(u64, usize)>;

#[derive(Clone, Default)]
struct Model {
    values: HashMap<i32, Bytes>,
    /// The least recently used first.
    order: Vec<i32>,
}

impl Model {
    fn used(&mut self, number: i32) {
        self.order.retain(|other| *other != number);
        self.order.push(number);
    }

    fn put(&mut self, number: i32, value: Bytes) {
        self.values.insert(number, value);
        self.used(number);
    }

    fn remove(&mut self, number: i32) -> bool {
        self.order.retain(|other| *other != number);
        self.values.remove(&number).is_some()
    }
}

fn value(number: i32, value: Bytes) -> Value {
    value.map_or(Value::Absent, |(seed, bytes)| Value::Bytes(data(number, seed, bytes)))
}

fn run(maximum: u64, longest: usize, operations: u64) {
    let mut random = fastrand::Rng::with_seed(maximum);
    let (_folder, path) = place();
    let mut cache = exact().create(&path, maximum).unwrap();
    let mut model = Model::default();
    let mut out = vec![0; longest];
    let (mut evicted, mut clears, mut gave_up, mut kills, mut worst) = (0, 0, 0, 0, 0.0_f64);
    let mut flushed = None;
    for operation in 0..operations {
        let number = random.i32(0..600);
        match random.u16(..1000) {
            0..450 => {
                let bytes =
                    if random.bool() { random.usize(..longest) } else { random.usize(..longest / 16) };
                let new = if random.u8(..20) == 0 { None } else { Some((operation, bytes)) };
                let before = cache.statistics().unwrap();
                let inserted = match new {
                    Some((seed, bytes)) => cache.insert(&key(number), &data(number, seed, bytes)).unwrap(),
                    None => cache.insert_absent(&key(number)).unwrap(),
                };
                let after = cache.statistics().unwrap();
                flushed = flushed.filter(|_| after.commits == before.commits);
                if after.clears > clears {
                    clears = after.clears;
                    gave_up += 1;
                    model = Model::default();
                    flushed = None;
                } else {
                    for _ in before.evicted..after.evicted {
                        let oldest = model.order.remove(0);
                        model.values.remove(&oldest);
                        evicted += 1;
                    }
                }
                if inserted {
                    model.put(number, new);
                }
            }
            450..900 => {
                let expected = model.values.get(&number).copied();
                match cache.read_into(&key(number), &mut out).unwrap() {
                    Found::Missing => assert_eq!(expected, None, "{number} was there"),
                    Found::Absent => assert_eq!(expected, Some(None)),
                    Found::Bytes(length) => {
                        let (seed, bytes) = expected.unwrap().unwrap();
                        assert_eq!(length, bytes);
                        assert!(out[..length] == data(number, seed, bytes));
                    }
                }
                if expected.is_some() {
                    model.used(number);
                }
            }
            900..980 => assert_eq!(cache.remove(&key(number)).unwrap(), model.remove(number)),
            980..992 => {
                cache.flush().unwrap();
                flushed = Some(model.clone());
            }
            992..996 => {
                // A kill: the file as it is, opened by another.
                let killed = Arc::new(MemoryFile::new(fs::read(&path).unwrap()));
                let opened = exact().open_in(killed, false).unwrap();
                assert_eq!(opened.statistics().unwrap().clears, 0, "it was whole");
                kills += 1;
                if let Some(flushed) = &flushed {
                    assert_eq!(opened.statistics().unwrap().entries, flushed.values.len() as u64);
                    for (number, expected) in &flushed.values {
                        assert!(opened.get(&key(*number)).unwrap() == Some(value(*number, *expected)));
                    }
                }
                assert_eq!(opened.verify().unwrap().damaged, 0);
            }
            996..999 => {
                drop(cache);
                cache = exact().open(&path, false).unwrap();
                assert_eq!(cache.maximum_bytes(), maximum);
                clears = 0;
                assert_eq!(cache.statistics().unwrap().clears, 0);
                let mut order = Vec::new();
                cache
                    .entries(&mut |entry| {
                        let block = entry.key.block;
                        order.push((entry.last_used, block[0] * 100 + block[1]));
                        Ok(())
                    })
                    .unwrap();
                order.sort_unstable();
                let order: Vec<i32> = order.into_iter().map(|(_, number)| number).collect();
                // A small cache may have no room for the nodes of all uses; then some are lost when it is closed.
                assert!(maximum < 1 << 20 || order == model.order, "uses were lost");
                model.order = order;
                flushed = Some(model.clone());
            }
            _ => {
                if random.u8(..4) == 0 {
                    cache.clear().unwrap();
                    clears += 1;
                    model = Model::default();
                    flushed = Some(model.clone());
                    assert_eq!(fs::metadata(&path).unwrap().len(), 96);
                }
            }
        }
        let length = fs::metadata(&path).unwrap().len();
        assert!(length <= maximum, "{length} bytes of {maximum}");
        let statistics = cache.statistics().unwrap();
        assert_eq!(statistics.entries, model.values.len() as u64, "operation {operation}");
        assert_eq!(statistics.damaged + statistics.failed, 0);
        if evicted > 0 {
            worst = worst.max(statistics.free_bytes as f64 / maximum as f64);
        }
    }
    for (number, expected) in &model.values {
        assert!(cache.get(&key(*number)).unwrap() == Some(value(*number, *expected)));
    }
    println!(
        "{maximum}: {evicted} evicted, {gave_up} times given up, {kills} kills, {worst:.2} of it free at worst"
    );
    assert!(evicted > operations / 100 && kills > 5, "{evicted} evicted, {kills} kills");
}

#[test]
fn a_cache_is_what_a_naive_one_is_and_never_longer_than_its_maximum() {
    for (maximum, longest) in [(300_000, 4000), (1 << 20, 60_000), (4 << 20, 30_000)] {
        run(maximum, longest, operations() / 3);
    }
}

#[test]
fn a_cache_without_a_maximum_keeps_all() {
    let (_folder, path) = place();
    let cache = DatasetCache::create(&path, 0).unwrap();
    for number in 0..3000 {
        cache.insert(&key(number), &data(number, 1, 2000)).unwrap();
    }
    drop(cache);
    let cache = DatasetCache::create_or_open(&path, 0).unwrap();
    assert!((0..3000).all(|number| found(&cache, number) == Some(data(number, 1, 2000))));
    for number in 0..3000 {
        cache.remove(&key(number)).unwrap();
    }
    cache.flush().unwrap();
    cache.flush().unwrap();
    let length = fs::metadata(&path).unwrap().len();
    assert!(length < 3_000_000, "{length} bytes are left of nothing");
}
