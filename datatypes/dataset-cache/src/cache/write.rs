//! What is put in, and what goes for it.

use std::sync::{MutexGuard, PoisonError};
use std::thread;

use engine_api::{Error, ErrorKind, Result};

use super::room::INDEX_BYTES;
use super::{DatasetCache, State, Writer};
use crate::flight::Flight;
use crate::header::CacheHeader;
use crate::index::{Entry, Index, KeyBytes, after, checksum};
use crate::key::{CacheKey, DatasetId};
use crate::pins::Pin;
use crate::space::rounded;

/// The most bytes that are evicted before a commit; a commit costs a wait for the disk.
const MOST_EVICTED: u64 = 16 << 20;

/// A block to write to, and nobody else's.
struct Reservation {
    block: u64,
    /// It holds back a clearing, until the block is written.
    pin: Pin,
    clears: u64,
}

impl DatasetCache {
    /// Puts an entry in, in place of one that is there. Answers false when it is too long for the cache.
    ///
    /// It is on the disk after the next commit: when [`flush`](Self::flush) returns, or after so many bytes or so much time
    /// as the options say.
    ///
    /// # Errors
    /// `ReadOnly`; `Full` when the disk is; `Io`; `Poisoned` after a commit that failed.
    pub fn insert(&self, key: &CacheKey, data: &[u8]) -> Result<bool> {
        self.put(&key.encode(), Some(data), None)
    }

    /// Notes that there is nothing behind a key in the dataset.
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    pub fn insert_absent(&self, key: &CacheKey) -> Result<bool> {
        self.put(&key.encode(), None, None)
    }

    /// Drops an entry; answers whether it was there. A kill before the next commit brings it back.
    ///
    /// # Errors
    /// `ReadOnly`; `Poisoned`.
    pub fn remove(&self, key: &CacheKey) -> Result<bool> {
        self.remove_one(self.writer()?, &key.encode())
    }

    fn remove_one(&self, writer: &Writer, key: &KeyBytes) -> Result<bool> {
        let mut state = writer.write();
        state.storage.check()?;
        let removed = state.drop_entry(key);
        let is_short = removed && !state.has_room(0);
        drop(state);
        if is_short {
            self.commit(false)?;
        }
        Ok(removed)
    }

    /// Drops all entries of a dataset at a revision; answers how many there were.
    ///
    /// # Errors
    /// As [`remove`](Self::remove).
    pub fn remove_dataset(&self, dataset: DatasetId) -> Result<u64> {
        let writer = self.writer()?;
        let whole = CacheKey { dataset, kind: 0, lod: i32::MIN, block: chunks::Coords::new(&[0])? };
        let prefix: [u8; 24] = crate::numbers::array(&whole.encode(), 0);
        let (mut from, mut removed) = (prefix.to_vec(), 0);
        loop {
            let keys = writer.read().index.keys_from(&from, 1024);
            let Some(last) = keys.last() else { return Ok(removed) };
            from = after(last);
            for key in &keys {
                if !key.starts_with(&prefix) {
                    return Ok(removed);
                }
                removed += u64::from(self.remove_one(writer, key)?);
            }
        }
    }

    /// Drops all entries, on the disk too. Others may read and insert meanwhile: what they find is from before or after.
    ///
    /// # Errors
    /// `ReadOnly`; `Io`, after which the cache is `Poisoned`.
    pub fn clear(&self) -> Result<()> {
        let writer = self.writer()?;
        let _one = writer.committing();
        let mut state = writer.write();
        state.storage.check()?;
        self.count(|counters| &counters.clears);
        self.clear_state(&mut state)
    }

    pub(super) fn clear_state(&self, state: &mut State) -> Result<()> {
        // Who holds a pin copies a block or writes one, and needs no lock to finish.
        while !state.storage.waiting.is_unpinned() {
            thread::yield_now();
        }
        state.index = Index::new();
        state.clears += 1;
        state.in_flight = 0;
        state.forget_changes();
        state.storage.reset(&CacheHeader { maximum: self.maximum, ..CacheHeader::default() }.bytes())
    }

    /// Puts an entry in, unless what it was fetched for says that it has changed since.
    pub(crate) fn put(&self, key: &KeyBytes, data: Option<&[u8]>, flight: Option<&Flight>) -> Result<bool> {
        let writer = self.writer()?;
        let bytes = data.unwrap_or_default();
        let Ok(length) = u32::try_from(bytes.len()) else {
            self.count(|counters| &counters.rejected);
            return Ok(false);
        };
        let size = if bytes.is_empty() { 0 } else { rounded(length.into()).unwrap_or(u64::MAX) };
        let Some(Reservation { block, pin, clears }) = self.reserve(writer, size)? else {
            self.count(|counters| &counters.rejected);
            return Ok(false);
        };
        let sum = checksum(key, bytes);
        let written = if block == 0 { Ok(()) } else { self.file.write_at(bytes, block) };
        drop(pin);
        let mut state = writer.write();
        if state.clears != clears {
            self.count(|counters| &counters.rejected);
            return Ok(false);
        }
        state.in_flight -= 1;
        // A write to the dataset marks the fetch before it drops the entry, so one of the two sees the other.
        if written.is_err() || flight.is_some_and(Flight::is_stale) {
            if block != 0 {
                state.storage.space.free(block);
            }
            drop(state);
            self.count(|counters| &counters.rejected);
            return written
                .map(|()| false)
                .map_err(|error| Error::from_io(error, "an entry can't be written").with("bytes", length));
        }
        state.drop_entry(key);
        if block != 0 {
            state.storage.space.keep(block);
        }
        let last_used = writer.moments.next();
        state.index.put(key, Entry { block, length, checksum: sum, last_used, absent: data.is_none() });
        state.changed = true;
        state.uncommitted += size + INDEX_BYTES;
        let now = writer.moments.now();
        let since = *state.since.get_or_insert(now);
        let interval = i64::try_from(writer.options.commit_interval.as_micros()).unwrap_or(i64::MAX);
        let is_due =
            state.uncommitted >= writer.options.commit_bytes || now.saturating_sub(since) >= interval;
        drop(state);
        self.count(|counters| &counters.inserted);
        if is_due {
            self.commit(false)?;
        }
        Ok(true)
    }

    /// Gives a cache all of its file, if it is empty.
    fn begin_anew(&self, writer: &Writer) -> Result<()> {
        let _one = writer.committing();
        let mut state = writer.write();
        state.storage.check()?;
        if state.index.len() > 0 { Ok(()) } else { self.clear_state(&mut state) }
    }

    /// Finds room for a block, or for none if the size is zero, and for the nodes that the entry needs; `None` when there
    /// can't be any.
    fn reserve(&self, writer: &Writer, size: u64) -> Result<Option<Reservation>> {
        let batch = (self.maximum / 16).min(MOST_EVICTED).max(size);
        let mut may_begin_anew = true;
        loop {
            let mut state = writer.write();
            state.storage.check()?;
            state.storage.reuse();
            if let Some(block) = state.reserve(size, writer.spare_pages) {
                state.in_flight += 1;
                return Ok(Some(Reservation { block, pin: state.storage.pin(), clears: state.clears }));
            }
            if !state.could_ever_fit(size, writer.spare_pages) {
                return Ok(None);
            }
            if state.storage.waiting.is_held() {
                // Somebody copies from what was freed, and is done in a moment.
                drop(state);
                thread::yield_now();
                continue;
            }
            // Where everything is committed there is no more room to be had for the nodes of an eviction. If they turn out
            // to need more than there is, the commit clears the cache.
            let is_last_resort = state.storage.waiting.is_empty() && !state.changed;
            for _ in 0..state.evict(batch, size, is_last_resort) {
                self.count(|counters| &counters.evicted);
            }
            if state.storage.waiting.is_empty() && !state.changed {
                // There is nothing to evict: what is left are pieces between the nodes of an empty cache.
                drop(state);
                if !may_begin_anew {
                    return Ok(None);
                }
                may_begin_anew = false;
                self.begin_anew(writer)?;
                continue;
            }
            drop(state);
            self.commit(false)?;
        }
    }
}

impl Writer {
    pub(super) fn committing(&self) -> MutexGuard<'_, ()> {
        self.committing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is asked of a cache whose dataset is about to be written.
impl DatasetCache {
    /// Drops entries so that no kill brings them back, with all that went before.
    pub(crate) fn remove_for_good(&self, keys: &[KeyBytes]) -> Result<()> {
        let writer = self.writer()?;
        let mut state = writer.write();
        state.storage.check()?;
        for key in keys {
            state.drop_entry(key);
            if !state.has_room(0) {
                drop(state);
                self.commit(false)?;
                state = writer.write();
                state.storage.check()?;
            }
        }
        drop(state);
        self.commit_removals()
    }

    pub(crate) fn must_be_writable(&self) -> Result<()> {
        if self.is_read_only() {
            return Err(Error::new(
                ErrorKind::ReadOnly,
                "the cache is open to be read, so what it has of the dataset would be stale",
            ));
        }
        Ok(())
    }
}
