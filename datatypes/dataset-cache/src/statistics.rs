//! What a cache has done, and what it holds.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts since the cache was opened, and how full it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statistics {
    /// Lookups that found an entry, one that says that there is nothing among them.
    pub hits: u64,
    /// Lookups that found none.
    pub misses: u64,
    /// Misses that waited for another's fetch instead of fetching.
    pub joined: u64,
    /// Entries that were put in.
    pub inserted: u64,
    /// Entries that weren't put in: too long, or changed meanwhile.
    pub rejected: u64,
    /// Entries that made room for others.
    pub evicted: u64,
    /// Entries that turned out to be damaged, and were dropped.
    pub damaged: u64,
    /// Entries that couldn't be put in for an error, where what was fetched was handed on all the same.
    pub failed: u64,
    /// Commits.
    pub commits: u64,
    /// Times that the whole cache was cleared: asked for, or because it was damaged, or had no room to go on.
    pub clears: u64,
    /// The entries that are there. A cache that is open to be read doesn't count them.
    pub entries: u64,
    /// The maximum in bytes; 0 where there is none.
    pub maximum_bytes: u64,
    /// The length of the file.
    pub file_bytes: u64,
    /// The bytes of free chunks in it.
    pub free_bytes: u64,
    /// The longest free chunk.
    pub longest_free: u64,
    /// The blocks that are in it, nodes of its trees too.
    pub blocks: u64,
}

impl Statistics {
    /// How much of the free bytes isn't in the longest free chunk: 0 for none, up to 1.
    #[allow(clippy::cast_precision_loss, reason = "it is a share")]
    pub fn fragmentation(&self) -> f64 {
        if self.free_bytes == 0 { 0.0 } else { 1.0 - self.longest_free as f64 / self.free_bytes as f64 }
    }
}

/// The counts, while they grow.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) hits: AtomicU64,
    pub(crate) misses: AtomicU64,
    pub(crate) joined: AtomicU64,
    pub(crate) inserted: AtomicU64,
    pub(crate) rejected: AtomicU64,
    pub(crate) evicted: AtomicU64,
    pub(crate) damaged: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) commits: AtomicU64,
    pub(crate) clears: AtomicU64,
}

/// One more.
pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Counters {
    pub(crate) fn statistics(&self) -> Statistics {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Statistics {
            hits: get(&self.hits),
            misses: get(&self.misses),
            joined: get(&self.joined),
            inserted: get(&self.inserted),
            rejected: get(&self.rejected),
            evicted: get(&self.evicted),
            damaged: get(&self.damaged),
            failed: get(&self.failed),
            commits: get(&self.commits),
            clears: get(&self.clears),
            ..Statistics::default()
        }
    }
}
