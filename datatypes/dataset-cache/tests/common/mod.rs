//! Caches for tests.
#![allow(dead_code, unreachable_pub, reason = "each test uses some of it")]

pub mod faulty;
pub mod processes;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chunks::Coords;
use dataset_cache::{CacheKey, CacheOptions, Clock, DatasetCache, DatasetId};
use tempfile::TempDir;
use uuid::Uuid;

/// A folder and the path of a cache in it.
pub fn place() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("test.cache");
    (folder, path)
}

pub fn dataset() -> DatasetId {
    DatasetId::new(Uuid::from_bytes([7; 16]), 1)
}

pub fn key(number: i32) -> CacheKey {
    CacheKey::chunk(dataset(), 0, Coords::new(&[number / 100, number % 100, 0]).unwrap())
}

/// Bytes that no other key and no other seed has.
pub fn data(number: i32, seed: u64, bytes: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(seed << 32 | u64::from(number.unsigned_abs()));
    let mut data = vec![0; bytes];
    random.fill(&mut data);
    data
}

/// A clock that goes on by one microsecond each time it is asked.
pub fn ticking() -> (Clock, Arc<AtomicI64>) {
    let now = Arc::new(AtomicI64::new(1_000_000));
    let clock = Arc::clone(&now);
    (Arc::new(move || clock.fetch_add(1, Ordering::SeqCst)), now)
}

/// Every use is noted, and nothing is committed unless it is asked for or room is needed.
pub fn exact() -> CacheOptions {
    CacheOptions::new()
        .touch_granularity(Duration::ZERO)
        .commit_bytes(u64::MAX)
        .commit_interval(Duration::MAX)
        .clock(ticking().0)
}

pub fn found(cache: &DatasetCache, number: i32) -> Option<Vec<u8>> {
    cache.get(&key(number)).unwrap().and_then(dataset_cache::Value::into_bytes)
}
