//! Misses that fetch: of those that miss one key at once, one does.

use engine_api::Result;

use super::{DatasetCache, Found};
use crate::flight::{Fetched, Flight, Joined, Leader};
use crate::index::KeyBytes;
use crate::key::CacheKey;

impl DatasetCache {
    /// The bytes of a key; those that `fetch` answers, if there is no entry, which are put in. `None` says that there is
    /// nothing behind the key, and is put in too.
    ///
    /// Of those in this process that miss one key at once one fetches, and the others wait for it. What can't be put in,
    /// since it is too long, or the disk is full, or the cache is open to be read, is answered all the same. `fetch` must not
    /// ask for the same key, for it would wait for itself.
    ///
    /// # Errors
    /// Those of `fetch`, of which nothing is put in; the next of those that wait fetches.
    pub fn get_or_insert_with(
        &self,
        key: &CacheKey,
        fetch: impl FnOnce() -> Result<Option<Vec<u8>>>,
    ) -> Result<Option<Vec<u8>>> {
        let key = key.encode();
        let mut has_missed = false;
        loop {
            if let Some(value) = self.look_up_value(&key)? {
                if !has_missed {
                    self.count(|counters| &counters.hits);
                }
                return Ok(value.into_bytes());
            }
            if !has_missed {
                self.count(|counters| &counters.misses);
                has_missed = true;
            }
            match self.flights.join(&key) {
                Joined::Leader(leader) => {
                    // It may have landed since.
                    if let Some(value) = self.look_up_value(&key)? {
                        return Ok(value.into_bytes());
                    }
                    let fetched = fetch()?;
                    self.land(leader, &key, fetched.as_deref());
                    return Ok(fetched);
                }
                Joined::Follower(flight) => {
                    if let Some(fetched) = self.wait(&flight) {
                        return Ok(fetched.map(|bytes| bytes.to_vec()));
                    }
                }
            }
        }
    }

    /// Looks a key up into a buffer that is as long as all its values are, or else has `fetch` fill it, which answers
    /// whether there is anything.
    pub(crate) fn read_or_fetch(
        &self,
        key: &CacheKey,
        out: &mut [u8],
        fetch: impl FnOnce(&mut [u8]) -> Result<bool>,
    ) -> Result<bool> {
        let key = key.encode();
        let mut has_missed = false;
        loop {
            let found = self.look_up_exactly(&key, out);
            if let Some(stored) = found {
                if !has_missed {
                    self.count(|counters| &counters.hits);
                }
                return Ok(stored);
            }
            if !has_missed {
                self.count(|counters| &counters.misses);
                has_missed = true;
            }
            match self.flights.join(&key) {
                Joined::Leader(leader) => {
                    if let Some(stored) = self.look_up_exactly(&key, out) {
                        return Ok(stored);
                    }
                    let stored = fetch(out)?;
                    self.land(leader, &key, stored.then_some(&*out));
                    return Ok(stored);
                }
                Joined::Follower(flight) => {
                    if let Some(stored) = self.wait(&flight).and_then(|fetched| take(&fetched, out)) {
                        return Ok(stored);
                    }
                }
            }
        }
    }

    /// Whether there is anything behind a key, if that is known; an entry of another length than the buffer's isn't of
    /// what it is looked up for.
    pub(crate) fn look_up_exactly(&self, key: &KeyBytes, out: &mut [u8]) -> Option<bool> {
        match self.look_up(key, out) {
            Ok(Found::Absent) => Some(false),
            Ok(Found::Bytes(length)) if length == out.len() => Some(true),
            Ok(_) | Err(_) => None,
        }
    }

    /// Puts in what was fetched, if that can be, and hands it to those who wait.
    pub(crate) fn land(&self, leader: Leader<'_>, key: &KeyBytes, fetched: Option<&[u8]>) {
        self.keep(&leader.flight, key, fetched);
        leader.land(fetched);
    }

    fn keep(&self, flight: &Flight, key: &KeyBytes, fetched: Option<&[u8]>) {
        // Who asks for data doesn't care whether it could be cached.
        if !self.is_read_only() && self.put(key, fetched, Some(flight)).is_err() {
            self.count(|counters| &counters.failed);
        }
    }

    pub(crate) fn wait(&self, flight: &Flight) -> Option<Fetched> {
        self.count(|counters| &counters.joined);
        flight.wait()
    }
}

/// Puts what another has fetched into a buffer of its length.
pub(crate) fn take(fetched: &Fetched, out: &mut [u8]) -> Option<bool> {
    match fetched {
        None => Some(false),
        Some(bytes) if bytes.len() == out.len() => {
            out.copy_from_slice(bytes);
            Some(true)
        }
        Some(_) => None,
    }
}
