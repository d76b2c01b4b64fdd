//! Hits and misses.

use std::sync::atomic::{AtomicI64, Ordering};

use engine_api::{Error, ErrorKind, Result};

use super::{DatasetCache, Mode, Writer};
use crate::index::{ENTRY_BYTES, Entry, KeyBytes};
use crate::key::CacheKey;
use crate::numbers::narrow;
use crate::pins::Pin;

/// What a lookup into a buffer has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Nothing is known of the key.
    Missing,
    /// There is nothing behind the key in the dataset.
    Absent,
    /// So many bytes, which are at the start of the buffer.
    Bytes(usize),
}

/// What an entry says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// There is nothing behind the key in the dataset.
    Absent,
    /// The bytes.
    Bytes(Vec<u8>),
}

impl Value {
    /// The bytes, if there are any.
    pub fn into_bytes(self) -> Option<Vec<u8>> {
        match self {
            Self::Absent => None,
            Self::Bytes(bytes) => Some(bytes),
        }
    }
}

/// An entry whose block isn't used again while this is held.
struct Held {
    entry: Entry,
    pin: Option<Pin>,
}

impl DatasetCache {
    /// Looks a key up, and puts the bytes into `out`, which may be longer. Nothing is allocated.
    ///
    /// An entry that turns out to be damaged is missing, and is dropped; what `out` has is unspecified then.
    ///
    /// # Errors
    /// `InvalidArgument` when the entry is longer than `out`.
    pub fn read_into(&self, key: &CacheKey, out: &mut [u8]) -> Result<Found> {
        let found = self.look_up(&key.encode(), out)?;
        self.count(|counters| if found == Found::Missing { &counters.misses } else { &counters.hits });
        Ok(found)
    }

    /// Looks a key up; `None` when nothing is known of it.
    ///
    /// # Errors
    /// `TooLarge` when the entry is beyond memory.
    pub fn get(&self, key: &CacheKey) -> Result<Option<Value>> {
        let found = self.look_up_value(&key.encode())?;
        self.count(|counters| if found.is_none() { &counters.misses } else { &counters.hits });
        Ok(found)
    }

    /// Whether there is an entry for a key. Its bytes aren't looked at, and it isn't used by this.
    pub fn contains(&self, key: &CacheKey) -> bool {
        self.hold(&key.encode(), false).is_some()
    }

    pub(crate) fn look_up(&self, key: &KeyBytes, out: &mut [u8]) -> Result<Found> {
        let Some(held) = self.hold(key, true) else { return Ok(Found::Missing) };
        if held.entry.absent {
            return Ok(Found::Absent);
        }
        let length = narrow(held.entry.length.into())?;
        let room = out.len();
        let Some(out) = out.get_mut(..length) else {
            return Err(Error::new(ErrorKind::InvalidArgument, "the entry is longer than the buffer")
                .with("entry", length)
                .with("buffer", room));
        };
        Ok(if self.copy(key, held, out) { Found::Bytes(length) } else { Found::Missing })
    }

    pub(crate) fn look_up_value(&self, key: &KeyBytes) -> Result<Option<Value>> {
        let Some(held) = self.hold(key, true) else { return Ok(None) };
        if held.entry.absent {
            return Ok(Some(Value::Absent));
        }
        // Of a file that is only read nobody has compared its entries with its length.
        let end = held.entry.block.saturating_add(held.entry.length.into());
        if self.is_read_only() && self.file.length().is_ok_and(|length| end > length) {
            self.drop_damaged(key, held);
            return Ok(None);
        }
        let mut bytes = vec![0; narrow(held.entry.length.into())?];
        Ok(self.copy(key, held, &mut bytes).then_some(Value::Bytes(bytes)))
    }

    /// What there is of a key; `is_use` says whether it is used by this.
    fn hold(&self, key: &KeyBytes, is_use: bool) -> Option<Held> {
        match &self.mode {
            Mode::Writer(writer) => {
                let state = writer.read();
                let (entry, mark) = state.index.find_marked(key)?;
                if is_use {
                    writer.note(&entry, mark);
                }
                Some(Held { entry, pin: Some(state.storage.pin()) })
            }
            Mode::Reader(reader) => {
                let found = reader.as_ref()?.primary.find::<ENTRY_BYTES>(&*self.file, key);
                match found.and_then(|found| found.map(|bytes| Entry::decode(&bytes)).transpose()) {
                    Ok(entry) => entry.map(|entry| Held { entry, pin: None }),
                    Err(_) => {
                        self.count(|counters| &counters.damaged);
                        None
                    }
                }
            }
        }
    }

    /// Copies an entry's bytes, and compares their checksum.
    fn copy(&self, key: &KeyBytes, held: Held, out: &mut [u8]) -> bool {
        let sum = self.file.read_summed(out, held.entry.block, crate::checksum::crc32c(key));
        if sum.is_ok_and(|sum| sum == Some(held.entry.checksum)) {
            return true;
        }
        self.drop_damaged(key, held);
        false
    }

    fn drop_damaged(&self, key: &KeyBytes, held: Held) {
        self.count(|counters| &counters.damaged);
        let Held { entry, pin } = held;
        drop(pin);
        if let Mode::Writer(writer) = &self.mode {
            let mut state = writer.write();
            let found = state.index.find(key);
            if found.is_some_and(|found| (found.block, found.checksum) == (entry.block, entry.checksum)) {
                state.drop_entry(key);
            }
        }
    }
}

impl Writer {
    /// Notes a use in memory, unless one was noted a moment ago. The index has it when it has to.
    fn note(&self, entry: &Entry, mark: &AtomicI64) {
        let granularity = i64::try_from(self.options.touch_granularity.as_micros()).unwrap_or(i64::MAX);
        let last = entry.last_used.max(mark.load(Ordering::Relaxed));
        if granularity == 0 || self.moments.now().saturating_sub(last) >= granularity {
            mark.fetch_max(self.moments.next(), Ordering::Relaxed);
        }
    }
}
