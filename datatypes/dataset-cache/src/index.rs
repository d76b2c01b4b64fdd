//! The two indices of a cache: entries by their keys, and keys by when they were used last.

use std::collections::HashSet;
use std::sync::atomic::{AtomicI64, Ordering};

use engine_api::{Error, ErrorKind, Result};

use crate::key::{CacheKey, KEY_BYTES};
use crate::node::Layout;
use crate::numbers::{array, i64_at, u32_at, u64_at};
use crate::space::rounded;
use crate::tree::Tree;

/// Entries by their keys.
pub(crate) const PRIMARY: Layout = Layout { kind: 3, key: KEY_BYTES, value: ENTRY_BYTES, marks: true };

/// Keys by the moment at which they were used last, no two at the same.
pub(crate) const LAST_USED: Layout = Layout { kind: 4, key: 8, value: KEY_BYTES, marks: false };

/// The length of an entry in a file, without its key.
pub(crate) const ENTRY_BYTES: usize = 28;

const ABSENT: u32 = 1;

/// No entry was used later, so that there are moments after it.
pub(crate) const LATEST: i64 = i64::MAX / 2;

/// A key as a file has it.
pub(crate) type KeyBytes = [u8; KEY_BYTES];

/// What the primary index says of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Where the bytes are; 0 where there are none.
    pub(crate) block: u64,
    pub(crate) length: u32,
    /// CRC-32C of the key and the bytes.
    pub(crate) checksum: u32,
    pub(crate) last_used: i64,
    /// That there is nothing behind the key in the dataset is what is cached.
    pub(crate) absent: bool,
}

impl Entry {
    pub(crate) fn encode(self) -> [u8; ENTRY_BYTES] {
        let mut bytes = [0; ENTRY_BYTES];
        bytes[..8].copy_from_slice(&self.block.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.length.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.checksum.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.last_used.to_le_bytes());
        bytes[24..].copy_from_slice(&if self.absent { ABSENT } else { 0 }.to_le_bytes());
        bytes
    }

    /// # Errors
    /// `Corrupt` when it can't be one.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self> {
        let entry = Self {
            block: u64_at(bytes, 0),
            length: u32_at(bytes, 8),
            checksum: u32_at(bytes, 12),
            last_used: i64_at(bytes, 16),
            absent: u32_at(bytes, 24) == ABSENT,
        };
        let has_block = entry.block != 0;
        if entry.encode() != *bytes || has_block != (entry.length > 0) || (entry.absent && has_block) {
            return Err(Error::new(ErrorKind::Corrupt, "an entry can't be one"));
        }
        Ok(entry)
    }

    /// The length of the block that it has.
    pub(crate) fn size(&self) -> u64 {
        if self.block == 0 { 0 } else { rounded(self.length.into()).unwrap_or(0) }
    }
}

/// The checksum of an entry: with its key, so that bytes that were meant for another key aren't taken for its own.
pub(crate) fn checksum(key: &KeyBytes, data: &[u8]) -> u32 {
    crate::checksum::crc32c_append(crate::checksum::crc32c(key), data)
}

/// Both indices.
#[derive(Debug)]
pub(crate) struct Index {
    pub(crate) primary: Tree,
    pub(crate) last_used: Tree,
}

impl Index {
    pub(crate) fn new() -> Self {
        Self { primary: Tree::new(PRIMARY), last_used: Tree::new(LAST_USED) }
    }

    /// Indices that were read from a file; `block` says how long a block is.
    ///
    /// # Errors
    /// `Corrupt` when the two don't say the same, or an entry's block isn't its own.
    pub(crate) fn from_trees(
        primary: Tree,
        last_used: Tree,
        block: impl Fn(u64) -> Option<u64>,
    ) -> Result<Self> {
        let corrupt = |message| Error::new(ErrorKind::Corrupt, message);
        let mut blocks = HashSet::new();
        primary.for_each(&mut |key, value| {
            CacheKey::decode(key)?;
            let entry = Entry::decode(value)?;
            if entry.block != 0 && (block(entry.block) != Some(entry.size()) || !blocks.insert(entry.block)) {
                return Err(corrupt("an entry's block isn't its own").with("block", entry.block));
            }
            if last_used.get(&moment_key(entry.last_used)) != Some(key) {
                return Err(corrupt("an entry isn't among those by last use"));
            }
            Ok(())
        })?;
        if primary.len() != last_used.len() {
            return Err(corrupt("the indices aren't of the same length"));
        }
        let index = Self { primary, last_used };
        if index.latest().is_some_and(|latest| latest > LATEST) {
            return Err(corrupt("an entry was used at the end of time"));
        }
        Ok(index)
    }

    /// How many entries have a block.
    pub(crate) fn blocks(&self) -> u64 {
        let mut blocks = 0;
        let counted = self.primary.for_each(&mut |_, value| {
            blocks += u64::from(u64_at(value, 0) != 0);
            Ok(())
        });
        debug_assert!(counted.is_ok(), "the visitor has no error");
        blocks
    }

    pub(crate) fn len(&self) -> usize {
        self.primary.len()
    }

    pub(crate) fn find(&self, key: &KeyBytes) -> Option<Entry> {
        Entry::decode(self.primary.get(key)?).ok()
    }

    /// Puts an entry in whose key isn't there.
    pub(crate) fn put(&mut self, key: &KeyBytes, entry: Entry) {
        self.primary.put(key, &entry.encode());
        self.last_used.put(&moment_key(entry.last_used), key);
    }

    pub(crate) fn remove(&mut self, key: &KeyBytes) -> Option<Entry> {
        let entry = self.find(key)?;
        self.primary.remove(key);
        self.last_used.remove(&moment_key(entry.last_used));
        Some(entry)
    }

    /// Notes that an entry was used, if it is there and no later use was noted; answers whether it did.
    pub(crate) fn touch(&mut self, key: &KeyBytes, moment: i64) -> bool {
        let Some(entry) = self.find(key).filter(|entry| entry.last_used < moment) else { return false };
        self.last_used.remove(&moment_key(entry.last_used));
        self.put(key, Entry { last_used: moment, ..entry });
        true
    }

    /// What there is of a key, and the moment of a later use, which the index doesn't have yet.
    pub(crate) fn find_marked(&self, key: &KeyBytes) -> Option<(Entry, &AtomicI64)> {
        let (value, mark) = self.primary.get_marked(key)?;
        Some((Entry::decode(value).ok()?, mark))
    }

    /// The key that was used least recently as far as the index has it, its entry, and the moment of a later use.
    pub(crate) fn oldest(&self) -> Option<(KeyBytes, Entry, Option<i64>)> {
        let key = self.last_used.first().map(|(_, key)| array(key, 0))?;
        let (entry, mark) = self.find_marked(&key)?;
        let mark = mark.load(Ordering::Relaxed);
        Some((key, entry, (mark > entry.last_used).then_some(mark)))
    }

    /// The keys that were used later than the index has it, and when.
    pub(crate) fn used_later(&self) -> Vec<(KeyBytes, i64)> {
        let mut later = Vec::new();
        self.primary.for_each_marked(&mut |key, value, mark| {
            if Entry::decode(value).is_ok_and(|entry| entry.last_used < mark) {
                later.push((array(key, 0), mark));
            }
        });
        later
    }

    /// The moment of the latest use.
    pub(crate) fn latest(&self) -> Option<i64> {
        self.last_used.last().map(|(key, _)| moment(key))
    }

    /// Keys from one on, so many at most.
    pub(crate) fn keys_from(&self, from: &[u8], most: usize) -> Vec<KeyBytes> {
        let mut keys = Vec::new();
        let mut next = self.primary.ceiling(from);
        while let Some((key, _)) = next.filter(|_| keys.len() < most) {
            let key: KeyBytes = array(key, 0);
            keys.push(key);
            next = self.primary.ceiling(&after(&key));
        }
        keys
    }
}

/// The least bytes that are greater than a key.
pub(crate) fn after(key: &[u8]) -> Vec<u8> {
    [key, &[0]].concat()
}

fn moment_key(moment: i64) -> [u8; 8] {
    (moment.cast_unsigned() ^ 1 << 63).to_be_bytes()
}

fn moment(key: &[u8]) -> i64 {
    (u64::from_be_bytes(array(key, 0)) ^ 1 << 63).cast_signed()
}
