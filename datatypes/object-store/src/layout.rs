//! Where the bytes of an object lie: parts, each cut into blocks.

use std::ops::Range;

use engine_api::Result;

use crate::fields::{Fields, damaged};

/// Parts of one length in neighbouring slots, one after the other in the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    /// The slot of the first part.
    pub(crate) slot: u64,
    /// How many parts there are; at least one.
    pub(crate) parts: u32,
    /// The length of each, in bytes; at least one.
    pub(crate) length: u64,
}

/// The parts of an object, in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    block_bytes: u32,
    runs: Vec<Run>,
    /// Where each run begins in the object.
    starts: Vec<u64>,
    size: u64,
}

/// A block, and the bytes of the object that it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) slot: u64,
    pub(crate) number: u32,
    pub(crate) extent: Range<u64>,
}

impl Layout {
    /// No parts yet, for blocks of so many bytes (at least one).
    pub(crate) fn new(block_bytes: u32) -> Self {
        Self { block_bytes, runs: Vec::new(), starts: Vec::new(), size: 0 }
    }

    /// One part, in the first slot.
    pub(crate) fn of_one(block_bytes: u32, length: u64) -> Result<Self> {
        let mut layout = Self::new(block_bytes);
        layout.push(Run { slot: 0, parts: 1, length })?;
        Ok(layout)
    }

    /// Adds a run at the end; one without bytes isn't kept.
    pub(crate) fn push(&mut self, run: Run) -> Result<()> {
        if run.length == 0 || run.parts == 0 {
            return Ok(());
        }
        let blocks = run.length.div_ceil(self.block_bytes.into());
        let size = run.length.checked_mul(run.parts.into()).and_then(|bytes| self.size.checked_add(bytes));
        let last = run.slot.checked_add(u64::from(run.parts) - 1);
        let (Some(size), Some(_), true) = (size, last, blocks < u64::from(u32::MAX)) else {
            return Err(damaged("has more bytes than can be counted"));
        };
        let start = self.size;
        self.size = size;
        if let Some(before) = self.runs.last_mut()
            && before.length == run.length
            && before.slot.checked_add(before.parts.into()) == Some(run.slot)
            && let Some(parts) = before.parts.checked_add(run.parts)
        {
            before.parts = parts;
            return Ok(());
        }
        self.runs.push(run);
        self.starts.push(start);
        Ok(())
    }

    /// The length of the object.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// The block that holds the object's byte at `position`; `None` behind the end.
    pub(crate) fn block_at(&self, position: u64) -> Option<Block> {
        if position >= self.size {
            return None;
        }
        let index = self.starts.partition_point(|start| *start <= position).checked_sub(1)?;
        let (run, start) = (self.runs.get(index)?, self.starts.get(index)?);
        let part = (position - start) / run.length;
        let part_start = start + part * run.length;
        let block_bytes = u64::from(self.block_bytes);
        let number = (position - part_start) / block_bytes;
        let block_start = part_start + number * block_bytes;
        let end = (block_start + block_bytes).min(part_start + run.length);
        Some(Block { slot: run.slot + part, number: u32::try_from(number).ok()?, extent: block_start..end })
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>) -> Result<()> {
        let runs =
            u32::try_from(self.runs.len()).map_err(|_| damaged("has more runs than can be counted"))?;
        out.extend_from_slice(&self.block_bytes.to_le_bytes());
        out.extend_from_slice(&runs.to_le_bytes());
        for run in &self.runs {
            out.extend_from_slice(&run.slot.to_le_bytes());
            out.extend_from_slice(&run.parts.to_le_bytes());
            out.extend_from_slice(&run.length.to_le_bytes());
        }
        Ok(())
    }

    pub(crate) fn read(fields: &mut Fields<'_>) -> Result<Self> {
        let block_bytes = fields.u32()?;
        if block_bytes == 0 {
            return Err(damaged("has blocks without bytes"));
        }
        let mut layout = Self::new(block_bytes);
        for _ in 0..fields.u32()? {
            let run = Run { slot: fields.u64()?, parts: fields.u32()?, length: fields.u64()? };
            if run.parts == 0 || run.length == 0 {
                return Err(damaged("has parts without bytes"));
            }
            layout.push(run)?;
        }
        Ok(layout)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_lies_in_the_block_that_holds_it() {
        let mut layout = Layout::new(4);
        let parts: [(u64, u64); 6] = [(0, 10), (1, 10), (2, 10), (3, 3), (9, 8), (u64::MAX, 1)];
        for (slot, length) in parts {
            layout.push(Run { slot, parts: 1, length }).unwrap();
        }
        assert_eq!(layout.runs.len(), 4, "equal neighbours are one run");
        let mut expected = Vec::new();
        let mut start = 0;
        for (slot, length) in parts {
            for at in 0..length {
                let number = u32::try_from(at / 4).unwrap();
                let begin = u64::from(number) * 4;
                expected.push(Block { slot, number, extent: start + begin..start + (begin + 4).min(length) });
            }
            start += length;
        }
        assert_eq!(layout.size(), start);
        for (position, block) in (0..).zip(&expected) {
            assert_eq!(layout.block_at(position).as_ref(), Some(block), "{position}");
        }
        assert_eq!(layout.block_at(start), None);
        let mut bytes = Vec::new();
        layout.write(&mut bytes).unwrap();
        let mut fields = Fields(&bytes);
        assert_eq!(Layout::read(&mut fields).unwrap(), layout);
        fields.end().unwrap();
    }

    #[test]
    fn sizes_that_no_number_holds_are_refused() {
        let refused = |run| Layout::new(1 << 20).push(run).is_err();
        assert!(refused(Run { slot: 0, parts: 2, length: u64::MAX / 2 + 1 }));
        assert!(refused(Run { slot: u64::MAX, parts: 2, length: 1 }));
        assert!(refused(Run { slot: 0, parts: 1, length: u64::from(u32::MAX) << 20 }));
        assert!(!refused(Run { slot: 0, parts: 1, length: u64::from(u32::MAX - 1) << 20 }));
    }
}
