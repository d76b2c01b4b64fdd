//! What is compared: something that keeps the entries that were used last, by number.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use crate::Outcome;

/// A commit is made when so many bytes were put in, by all sides.
pub(super) const COMMIT_BYTES: u64 = 64 << 20;

/// Bytes of the entry of a number: its number first, noise behind.
#[derive(Debug)]
pub(super) struct Contents(Vec<u8>);

impl Contents {
    pub(super) fn new(bytes: usize) -> Self {
        let mut noise = vec![0; bytes];
        fastrand::Rng::with_seed(7).fill(&mut noise);
        Self(noise)
    }

    pub(super) fn of(&mut self, number: u64) -> &[u8] {
        self.0[..8].copy_from_slice(&number.to_le_bytes());
        &self.0
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

/// Reads entries, in one thread.
pub(super) trait Reader {
    /// Copies the bytes of an entry into `out`, and notes that it was used; answers whether it is there.
    fn read(&mut self, number: u64, out: &mut [u8]) -> Outcome<bool>;
}

/// A cache, or what is used as one.
pub(super) trait Side: fmt::Debug + Sync {
    fn name(&self) -> &'static str;

    fn reader(&self) -> Outcome<Box<dyn Reader + '_>>;

    /// Puts in the entries of these numbers, with what makes room for them; when it returns they are on the disk.
    fn put(&mut self, numbers: std::ops::Range<u64>, contents: &mut Contents) -> Outcome;

    /// The bytes of its files.
    fn file_bytes(&self) -> Outcome<u64>;
}

/// Uses that aren't written yet, as a cache in memory has them: the last one of each entry.
#[derive(Debug, Default)]
pub(super) struct Uses(Mutex<(i64, HashMap<u64, i64>)>);

impl Uses {
    /// Notes a use, and answers when it was: one moment later than the one before.
    pub(super) fn note(&self, number: u64) {
        let mut uses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        uses.0 += 1;
        let now = uses.0;
        uses.1.insert(number, now);
    }

    pub(super) fn now(&self) -> i64 {
        let mut uses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        uses.0 += 1;
        uses.0
    }

    /// Those that are to be written.
    pub(super) fn take(&self) -> HashMap<u64, i64> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner).1)
    }
}
