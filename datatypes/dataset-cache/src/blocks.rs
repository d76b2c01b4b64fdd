//! Blocks of a storage: allocated, freed, made longer and shorter, written and read.

use engine_api::{Error, ErrorKind, Result};

use crate::numbers::{narrow, wide};
use crate::space::rounded;
use crate::storage::BlockStorage;

/// A block or a free chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockInfo {
    /// Where it begins in the file, which for a block is its number too.
    pub start: u64,
    /// Its length.
    pub size: u64,
    /// Whether it is a free chunk.
    pub free: bool,
    /// Whether it is a block that was freed, and waits for the next commit.
    pub passing: bool,
}

impl BlockInfo {
    /// Where it ends.
    pub fn end(&self) -> u64 {
        self.start + self.size
    }
}

impl BlockStorage {
    /// Allocates a block of so many bytes or a few more; `None` where the limit leaves no room for it and for the next
    /// commit.
    ///
    /// # Errors
    /// `TooLarge` beyond any file; `Poisoned`.
    pub fn allocate(&mut self, bytes: u64) -> Result<Option<u64>> {
        self.check()?;
        let size = size_of_block(bytes)?;
        self.reuse();
        let Some(block) = self.reserve(size, self.pages_to_commit(&[], 8)) else { return Ok(None) };
        self.space.keep(block);
        Ok(Some(block))
    }

    /// The number that the next block of so many bytes would get. Nothing is allocated.
    pub fn allocate_next(&self, bytes: u64) -> Option<u64> {
        self.space.next(rounded(bytes)?)
    }

    /// Frees a block. Its room is used again after the next commit.
    ///
    /// # Errors
    /// `NotFound` when there is no such block; `Poisoned`.
    pub fn free(&mut self, block: u64) -> Result<()> {
        self.check()?;
        self.expect(block)?;
        self.release(block);
        Ok(())
    }

    /// Makes a block longer: where it is, if there is room behind it, otherwise in another place, with its bytes.
    /// Answers where it is; `None` where the limit leaves no room, and the block is as it was.
    ///
    /// # Errors
    /// As [`allocate`](Self::allocate) and [`free`](Self::free).
    pub fn grow(&mut self, block: u64, bytes: u64) -> Result<Option<u64>> {
        self.check()?;
        let (found, size) = (self.expect(block)?, size_of_block(bytes)?);
        if size <= found || self.space.extend(block, size) {
            return Ok(Some(block));
        }
        let Some(other) = self.allocate(bytes)? else { return Ok(None) };
        let mut buffer = vec![0; narrow(found.min(1 << 20))?];
        let mut done = 0;
        while done < found {
            let part = narrow((found - done).min(wide(buffer.len())))?;
            self.read(block, done, &mut buffer[..part])?;
            self.write(other, done, &buffer[..part])?;
            done += wide(part);
        }
        self.release(block);
        Ok(Some(other))
    }

    /// Makes a block shorter. What it had beyond is used again after the next commit.
    ///
    /// # Errors
    /// As [`free`](Self::free).
    pub fn shrink(&mut self, block: u64, bytes: u64) -> Result<()> {
        self.check()?;
        self.expect(block)?;
        if let Some(rest) = self.space.split(block, size_of_block(bytes)?) {
            self.waiting.add(rest);
        }
        Ok(())
    }

    /// Writes bytes of a block, from a place in it on.
    ///
    /// # Errors
    /// `NotFound`; `InvalidArgument` beyond the block's end; `Full`.
    pub fn write(&self, block: u64, at: u64, data: &[u8]) -> Result<()> {
        self.check()?;
        let place = self.place(block, at, data.len())?;
        self.file.write_at(data, place).map_err(|error| Error::from_io(error, "a block can't be written"))
    }

    /// Reads bytes of a block, from a place in it on. Those that were never written are zeros, or of an earlier block.
    ///
    /// # Errors
    /// `NotFound`; `InvalidArgument` beyond the block's end.
    pub fn read(&self, block: u64, at: u64, out: &mut [u8]) -> Result<()> {
        let place = self.place(block, at, out.len())?;
        let read = self.file.read_at(out, place);
        let read = read.map_err(|error| Error::from_io(error, "a block can't be read"))?;
        out[read..].fill(0);
        Ok(())
    }

    /// The length of a block.
    pub fn size(&self, block: u64) -> Option<u64> {
        self.space.block(block).filter(|(_, passing)| !passing).map(|(size, _)| size)
    }

    /// Visits blocks and free chunks in the order of their places.
    pub fn blocks(&self, visit: &mut dyn FnMut(BlockInfo) -> Result<()>) -> Result<()> {
        self.space.for_each(&mut |start, size, free, passing| visit(BlockInfo { start, size, free, passing }))
    }

    fn expect(&self, block: u64) -> Result<u64> {
        self.size(block)
            .ok_or_else(|| Error::new(ErrorKind::NotFound, "there is no such block").with("block", block))
    }

    fn place(&self, block: u64, at: u64, bytes: usize) -> Result<u64> {
        let size = self.expect(block)?;
        if at.checked_add(wide(bytes)).is_none_or(|end| end > size) {
            return Err(Error::new(ErrorKind::InvalidArgument, "this is beyond the block's end")
                .with("block", block)
                .with("size", size)
                .with("at", at)
                .with("bytes", bytes));
        }
        Ok(block + at)
    }
}

fn size_of_block(bytes: u64) -> Result<u64> {
    rounded(bytes)
        .ok_or_else(|| Error::new(ErrorKind::TooLarge, "a block can't be so long").with("bytes", bytes))
}
