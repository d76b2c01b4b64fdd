//! Which bytes of a file belong to whom: every byte of the data area is in a block or in a free chunk.

use engine_api::{Error, ErrorKind, Result};

use crate::node::{Layout, PAGE_BYTES};
use crate::numbers::{array, u64_at, wide};
use crate::tree::Tree;

/// Blocks begin at multiples of this from where the data area does, and are as long as multiples.
pub(crate) const GRAIN: u64 = 64;

/// Blocks by their start; the value is the length, and the mark of those that the next opener frees.
pub(crate) const ALLOCATIONS: Layout = Layout { kind: 1, key: 8, value: 8, marks: false };

/// Free chunks by length and start.
pub(crate) const FREE_CHUNKS: Layout = Layout { kind: 2, key: 16, value: 0, marks: false };

/// The mark of a block that was reserved and not kept, or freed and not yet reusable.
const PASSING: u64 = 1 << 63;

/// The length of a block that holds so many bytes.
pub(crate) fn rounded(bytes: u64) -> Option<u64> {
    bytes.max(1).checked_next_multiple_of(GRAIN).filter(|size| *size < 1 << 62)
}

/// The blocks and free chunks of a data area, best fit.
#[derive(Debug)]
pub(crate) struct Space {
    start: u64,
    end: u64,
    limit: u64,
    pub(crate) allocations: Tree,
    pub(crate) free: Tree,
    /// How many nodes the free chunks have room for.
    free_pages: u64,
    free_bytes: u64,
}

impl Space {
    /// An empty area.
    pub(crate) fn new(start: u64, limit: u64) -> Self {
        let (allocations, free) = (Tree::new(ALLOCATIONS), Tree::new(FREE_CHUNKS));
        Self { start, end: start, limit, allocations, free, free_pages: 0, free_bytes: 0 }
    }

    /// An area whose trees were read from a file.
    ///
    /// # Errors
    /// `Corrupt` when blocks overlap, or free chunks aren't what is between them.
    pub(crate) fn from_trees(start: u64, limit: u64, allocations: Tree, free: Tree) -> Result<Self> {
        let corrupt = |message, at: u64| Error::new(ErrorKind::Corrupt, message).with("address", at);
        let right = |at: u64, size: u64, end: u64| {
            size > 0
                && at >= end
                && (at - start).is_multiple_of(GRAIN)
                && size.is_multiple_of(GRAIN)
                && at.checked_add(size).is_some_and(|end| end < 1 << 62)
        };
        let (mut end, mut gaps) = (start, 0);
        allocations.for_each(&mut |key, value| {
            let (at, size) = (number(key), u64_at(value, 0) & !PASSING);
            if !right(at, size, end) {
                return Err(corrupt("a block overlaps another, or can't be one", at));
            }
            if at > end {
                gaps += 1;
                if free.get(&chunk_key(end, at - end)).is_none() {
                    return Err(corrupt("what is between two blocks isn't a free chunk", end));
                }
            }
            end = at + size;
            Ok(())
        })?;
        // What is behind the last block is free, if there is something.
        let (blocks_end, mut free_pages, mut free_bytes) = (end, 0, 0);
        free.for_each(&mut |key, _| {
            let (at, size) = (number(key.get(8..).unwrap_or_default()), number(key));
            if at == blocks_end {
                if !right(at, size, end) {
                    return Err(corrupt("a free chunk can't be one", at));
                }
                gaps += 1;
                end += size;
            } else if !right(at, size, start) || at > blocks_end {
                return Err(corrupt("a free chunk can't be one", at));
            }
            free_pages = u64::saturating_add(free_pages, size / PAGE_BYTES);
            free_bytes = u64::saturating_add(free_bytes, size);
            Ok(())
        })?;
        if gaps != free.len() {
            return Err(corrupt("a free chunk isn't between blocks", end));
        }
        Ok(Self { start, end, limit, allocations, free, free_pages, free_bytes })
    }

    pub(crate) fn start(&self) -> u64 {
        self.start
    }

    /// Where the last block or free chunk ends.
    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    pub(crate) fn limit(&self) -> u64 {
        self.limit
    }

    pub(crate) fn set_limit(&mut self, limit: u64) {
        self.limit = limit;
    }

    pub(crate) fn free_bytes(&self) -> u64 {
        self.free_bytes
    }

    /// The longest free chunk.
    pub(crate) fn longest_free(&self) -> u64 {
        self.free.last().map_or(0, |(key, _)| number(key))
    }

    /// How many nodes there is room for, at least.
    pub(crate) fn room_for_pages(&self) -> u64 {
        self.free_pages + self.limit.saturating_sub(self.end) / PAGE_BYTES
    }

    /// Takes the shortest free chunk that is long enough, or makes the area longer; `None` beyond the limit.
    /// The block is passing: whoever opens the file next frees it, unless it was kept.
    pub(crate) fn reserve(&mut self, size: u64) -> Option<u64> {
        let at = if let Some((key, _)) = self.free.ceiling(&chunk_key(0, size)) {
            let (found, at) = (number(key), number(&key[8..]));
            self.take_free(at, found);
            self.add_free(at + size, found - size);
            at
        } else {
            let (at, tail) = self.tail();
            let end = at.checked_add(size)?;
            if end > self.limit {
                return None;
            }
            self.take_free(at, tail);
            self.end = end;
            at
        };
        self.set(at, size | PASSING);
        Some(at)
    }

    /// What [`reserve`](Self::reserve) would answer.
    pub(crate) fn next(&self, size: u64) -> Option<u64> {
        if let Some((key, _)) = self.free.ceiling(&chunk_key(0, size)) {
            return Some(number(&key[8..]));
        }
        let (at, _) = self.tail();
        at.checked_add(size).is_some_and(|end| end <= self.limit).then_some(at)
    }

    /// The length of a block, and whether it is passing.
    pub(crate) fn block(&self, at: u64) -> Option<(u64, bool)> {
        let value = u64_at(self.allocations.get(&at.to_be_bytes())?, 0);
        Some((value & !PASSING, value & PASSING != 0))
    }

    /// Lets a reserved block outlive this opener.
    pub(crate) fn keep(&mut self, at: u64) {
        if let Some((size, true)) = self.block(at) {
            self.set(at, size);
        }
    }

    /// Marks a block that is to be free once nobody can need it any more; answers whether it wasn't yet.
    pub(crate) fn retire(&mut self, at: u64) -> bool {
        match self.block(at) {
            Some((size, false)) => {
                self.set(at, size | PASSING);
                true
            }
            _ => false,
        }
    }

    /// Frees a block, and joins it with the free chunks on both sides.
    pub(crate) fn free(&mut self, at: u64) {
        let Some((size, _)) = self.block(at) else { return };
        self.allocations.remove(&at.to_be_bytes());
        let before = self.allocations.below(&at.to_be_bytes());
        let low = before.map_or(self.start, |(key, value)| number(key) + (u64_at(value, 0) & !PASSING));
        let high = self.allocations.ceiling(&at.to_be_bytes()).map_or(self.end, |(key, _)| number(key));
        self.take_free(low, at - low);
        self.take_free(at + size, high - at - size);
        self.add_free(low, high - low);
    }

    /// Cuts a block in two; the second half is passing, and answered.
    pub(crate) fn split(&mut self, at: u64, size: u64) -> Option<u64> {
        let (found, passing) = self.block(at)?;
        let rest = found.checked_sub(size).filter(|rest| *rest > 0)?;
        self.set(at, if passing { size | PASSING } else { size });
        self.set(at + size, rest | PASSING);
        Some(at + size)
    }

    /// Makes a block longer where it is; answers whether there was room behind it.
    pub(crate) fn extend(&mut self, at: u64, size: u64) -> bool {
        let Some((found, passing)) = self.block(at) else { return false };
        let Some(more) = size.checked_sub(found) else { return false };
        let behind = at + found;
        let next = self.allocations.ceiling(&behind.to_be_bytes()).map(|(key, _)| number(key));
        let high = next.unwrap_or(self.end);
        if high - behind >= more {
            self.take_free(behind, high - behind);
            self.add_free(behind + more, high - behind - more);
        } else if next.is_none() && behind.checked_add(more).is_some_and(|end| end <= self.limit) {
            self.take_free(behind, high - behind);
            self.end = behind + more;
        } else {
            return false;
        }
        self.set(at, if passing { size | PASSING } else { size });
        true
    }

    /// Whether a block and what is free or passing on both sides of it is so long together, with what the area may grow.
    pub(crate) fn is_in_run(&self, at: u64, size: u64) -> bool {
        let Some((found, _)) = self.block(at) else { return false };
        let (mut low, mut high) = (at, at + found);
        while high - low < size {
            let Some((key, value)) = self.allocations.below(&low.to_be_bytes()) else {
                low = self.start;
                break;
            };
            let (before, value) = (number(key), u64_at(value, 0));
            low = before + (value & !PASSING);
            if value & PASSING == 0 {
                break;
            }
            low = before;
        }
        while high - low < size {
            let Some((key, value)) = self.allocations.ceiling(&high.to_be_bytes()) else {
                high = self.limit.max(self.end);
                break;
            };
            let value = u64_at(value, 0);
            high = number(key);
            if value & PASSING == 0 {
                break;
            }
            high += value & !PASSING;
        }
        high - low >= size
    }

    /// Gives up the free chunk at the end.
    pub(crate) fn trim(&mut self) {
        let (at, tail) = self.tail();
        self.take_free(at, tail);
        self.end = at;
    }

    /// Frees what the last opener has left passing.
    pub(crate) fn free_passing(&mut self) {
        let mut passing = Vec::new();
        let collected = self.allocations.for_each(&mut |key, value| {
            if u64_at(value, 0) & PASSING != 0 {
                passing.push(number(key));
            }
            Ok(())
        });
        debug_assert!(collected.is_ok(), "the visitor has no error");
        for at in passing {
            self.free(at);
        }
    }

    /// Visits blocks and free chunks by their places: start, length, whether it is free, whether it is passing.
    pub(crate) fn for_each(&self, visit: &mut dyn FnMut(u64, u64, bool, bool) -> Result<()>) -> Result<()> {
        let mut end = self.start;
        self.allocations.for_each(&mut |key, value| {
            let (at, value) = (number(key), u64_at(value, 0));
            if at > end {
                visit(end, at - end, true, false)?;
            }
            end = at + (value & !PASSING);
            visit(at, value & !PASSING, false, value & PASSING != 0)
        })?;
        if end < self.end { visit(end, self.end - end, true, false) } else { Ok(()) }
    }

    /// The number of blocks.
    pub(crate) fn blocks(&self) -> u64 {
        wide(self.allocations.len())
    }

    /// Where the free chunk at the end begins, and its length.
    fn tail(&self) -> (u64, u64) {
        let last = self.allocations.last();
        let at = last.map_or(self.start, |(key, value)| number(key) + (u64_at(value, 0) & !PASSING));
        (at, self.end - at)
    }

    fn set(&mut self, at: u64, value: u64) {
        self.allocations.put(&at.to_be_bytes(), &value.to_le_bytes());
    }

    fn add_free(&mut self, at: u64, size: u64) {
        if size > 0 {
            self.free.put(&chunk_key(at, size), &[]);
            self.free_pages += size / PAGE_BYTES;
            self.free_bytes += size;
        }
    }

    fn take_free(&mut self, at: u64, size: u64) {
        if size > 0 && self.free.remove(&chunk_key(at, size)) {
            self.free_pages -= size / PAGE_BYTES;
            self.free_bytes -= size;
        }
    }
}

fn chunk_key(at: u64, size: u64) -> [u8; 16] {
    let mut key = [0; 16];
    key[..8].copy_from_slice(&size.to_be_bytes());
    key[8..].copy_from_slice(&at.to_be_bytes());
    key
}

/// A big-endian number, as keys have them.
fn number(key: &[u8]) -> u64 {
    u64::from_be_bytes(array(key, 0))
}
