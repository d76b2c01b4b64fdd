//! What the index of a layer says of a chunk, and the pages that entries lie in.

use std::cmp::Ordering;

use bytes::Bytes;

use crate::coord::Coord;
use crate::error::{Error, Result};
use crate::stats::{ChunkStats, Slot};
use crate::wire::{Reader, Writer, narrow, to_usize};

/// The bytes of an entry behind its coordinates.
const FIXED_BYTES: usize = 45;

const REMOVED: u8 = 1;
const HAS_BOUNDS: u8 = 2;
const MIN_CUT: u8 = 4;
const MAX_CUT: u8 = 8;
/// The bounds are texts or bytes: the slots say where in the page's heap they are.
const IN_HEAP: u8 = 16;

/// Where a chunk's bytes are in a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ChunkAt {
    pub(crate) block: BlockAt,
    /// Where the chunk begins in the restored block.
    pub(crate) at: u32,
    /// The chunk's length.
    pub(crate) bytes: u32,
}

/// Where a block is in a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct BlockAt {
    pub(crate) at: u64,
    pub(crate) stored: u32,
    pub(crate) raw: u32,
}

/// What a layer says of a chunk.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Entry {
    /// It is as if it had never been written.
    Removed,
    Stored {
        chunk: ChunkAt,
        stats: ChunkStats,
    },
}

/// Entries of one array, sorted by coordinates, of equal widths; behind them a heap of bounds.
#[derive(Debug)]
pub(crate) struct Page {
    bytes: Bytes,
    rank: usize,
    count: usize,
}

impl Page {
    pub(crate) fn encode(entries: &[(Coord, Entry)]) -> Result<Bytes> {
        let mut out = Writer::default();
        let mut heap = Writer::default();
        for (coord, entry) in entries {
            coord.iter().for_each(|axis| out.u32(*axis));
            match entry {
                Entry::Removed => {
                    out.raw(&[0; 24]);
                    out.u8(REMOVED);
                    out.raw(&[0; 20]);
                }
                Entry::Stored { chunk, stats } => {
                    out.u64(chunk.block.at);
                    out.u32(chunk.block.stored);
                    out.u32(chunk.block.raw);
                    out.u32(chunk.at);
                    out.u32(chunk.bytes);
                    encode_stats(stats, &mut out, &mut heap)?;
                }
            }
        }
        out.raw(&heap.bytes);
        Ok(out.seal().into())
    }

    /// # Errors
    /// `Corrupt` when the checksum doesn't match, or there aren't as many entries or they are out of order.
    pub(crate) fn decode(bytes: Bytes, rank: usize, count: usize) -> Result<Self> {
        let reader = Reader::sealed(&bytes)?;
        if count.checked_mul(entry_bytes(rank)).is_none_or(|least| least > reader.left()) {
            return Err(Error::corrupt("", "an index page has too few entries"));
        }
        let page = Self { bytes, rank, count };
        for index in 1..count {
            if page.compare_coords(index - 1, &page.coord(index)?)? != Ordering::Less {
                return Err(Error::corrupt("", "an index page is out of order"));
            }
        }
        Ok(page)
    }

    pub(crate) fn len(&self) -> usize {
        self.count
    }

    pub(crate) fn coord(&self, index: usize) -> Result<Coord> {
        let mut reader = self.reader(index)?;
        (0..self.rank).map(|_| reader.u32()).collect()
    }

    pub(crate) fn entry(&self, index: usize) -> Result<Entry> {
        let mut reader = self.reader(index)?;
        reader.take(self.rank.saturating_mul(4))?;
        let block = BlockAt { at: reader.u64()?, stored: reader.u32()?, raw: reader.u32()? };
        let chunk = ChunkAt { block, at: reader.u32()?, bytes: reader.u32()? };
        let flags = reader.u8()?;
        if flags & REMOVED != 0 {
            return Ok(Entry::Removed);
        }
        let valid = reader.u32()?;
        let (min, max) = (reader.u64()?, reader.u64()?);
        let bounds = match flags & HAS_BOUNDS {
            0 => None,
            _ => Some((self.slot(flags, min)?, self.slot(flags, max)?)),
        };
        let stats = ChunkStats {
            valid,
            bounds,
            min_is_exact: flags & MIN_CUT == 0,
            max_is_exact: flags & MAX_CUT == 0,
        };
        Ok(Entry::Stored { chunk, stats })
    }

    /// Where an entry is, or would be.
    pub(crate) fn find(&self, coord: &[u32]) -> Result<Result<usize, usize>> {
        let (mut low, mut high) = (0, self.count);
        while low < high {
            let middle = low.midpoint(high);
            match self.compare_coords(middle, coord)? {
                Ordering::Less => low = middle + 1,
                Ordering::Greater => high = middle,
                Ordering::Equal => return Ok(Ok(middle)),
            }
        }
        Ok(Err(low))
    }

    fn compare_coords(&self, index: usize, coord: &[u32]) -> Result<Ordering> {
        let mut reader = self.reader(index)?;
        for axis in coord {
            match reader.u32()?.cmp(axis) {
                Ordering::Equal => {}
                unequal => return Ok(unequal),
            }
        }
        Ok(Ordering::Equal)
    }

    fn reader(&self, index: usize) -> Result<Reader<'_>> {
        let mut reader = Reader::new(&self.bytes);
        reader.take(index.saturating_mul(entry_bytes(self.rank)))?;
        Ok(reader)
    }

    fn slot(&self, flags: u8, slot: u64) -> Result<Slot> {
        if flags & IN_HEAP == 0 {
            return Ok(Slot::Number(slot));
        }
        let mut heap = self.reader(self.count)?;
        heap.take(to_usize("a bound", slot & u64::from(u32::MAX))?)?;
        Ok(Slot::Bytes(heap.take(to_usize("a bound", slot >> 32)?)?.to_vec()))
    }
}

fn entry_bytes(rank: usize) -> usize {
    rank.saturating_mul(4).saturating_add(FIXED_BYTES)
}

fn encode_stats(stats: &ChunkStats, out: &mut Writer, heap: &mut Writer) -> Result<()> {
    let mut flags = 0;
    if !stats.min_is_exact {
        flags |= MIN_CUT;
    }
    if !stats.max_is_exact {
        flags |= MAX_CUT;
    }
    let mut slots = [0, 0];
    if let Some((min, max)) = &stats.bounds {
        flags |= HAS_BOUNDS;
        for (slot, bound) in slots.iter_mut().zip([min, max]) {
            *slot = match bound {
                Slot::Number(number) => *number,
                Slot::Bytes(bytes) => {
                    flags |= IN_HEAP;
                    let at = narrow("the bounds of an index page", heap.bytes.len())?;
                    heap.raw(bytes);
                    u64::from(at) | u64::from(narrow("a bound", bytes.len())?) << 32
                }
            };
        }
    }
    out.u8(flags);
    out.u32(stats.valid);
    out.u64(slots[0]);
    out.u64(slots[1]);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use smallvec::smallvec;

    fn entries() -> Vec<(Coord, Entry)> {
        let chunk = ChunkAt { block: BlockAt { at: 16, stored: 9, raw: 12 }, at: 4, bytes: 8 };
        let stats = |bounds| ChunkStats { valid: 3, bounds, min_is_exact: true, max_is_exact: false };
        let text = |text: &str| Slot::Bytes(text.as_bytes().to_vec());
        vec![
            (
                smallvec![0, 7],
                Entry::Stored { chunk, stats: stats(Some((Slot::Number(1), Slot::Number(9)))) },
            ),
            (smallvec![1, 2], Entry::Removed),
            (smallvec![1, 3], Entry::Stored { chunk, stats: stats(Some((text("a"), text("bcd")))) }),
            (smallvec![9, 0], Entry::Stored { chunk, stats: stats(None) }),
        ]
    }

    #[test]
    fn entries_are_found_by_their_coordinates() {
        let page = Page::decode(Page::encode(&entries()).unwrap(), 2, 4).unwrap();
        for (index, (coord, entry)) in entries().iter().enumerate() {
            assert_eq!(page.find(coord).unwrap(), Ok(index));
            assert_eq!(page.coord(index).unwrap(), *coord);
            assert_eq!(page.entry(index).unwrap(), *entry);
        }
        assert_eq!(page.find(&[1, 0]).unwrap(), Err(1));
        assert_eq!(page.find(&[9, 1]).unwrap(), Err(4));
    }

    #[test]
    fn pages_out_of_order_are_refused() {
        let mut turned = entries();
        turned.swap(0, 1);
        assert!(Page::decode(Page::encode(&turned).unwrap(), 2, 4).is_err());
        assert!(Page::decode(Page::encode(&entries()).unwrap(), 2, 40).is_err());
    }
}
