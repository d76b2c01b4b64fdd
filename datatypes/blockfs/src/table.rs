//! The table of a directory file: where each block lies.

use std::fs::File;

use engine_api::embedded::{read_at, write_all_at};
use engine_api::{Error, ErrorKind, Result};

/// Bytes in a block file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    pub(crate) offset: u64,
    pub(crate) size: u32,
}

/// The longest entry.
const MOST_BYTES: usize = 16;

/// An offset is a place in a file, whose numbers are signed.
const MOST_OFFSET_BITS: u32 = 63;
const MOST_SIZE_BITS: u32 = 64;

/// How the table is laid out: entry `i` is the offset, and above its bits the size, little-endian, in as many bytes as
/// hold both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TableLayout {
    /// Where entry 0 is.
    pub(crate) start: u64,
    /// One more than the last block's number.
    pub(crate) blocks: u64,
    pub(crate) offset_bits: u32,
    pub(crate) size_bits: u32,
    pub(crate) entry_bytes: usize,
}

impl TableLayout {
    pub(crate) fn new(start: u64, blocks: u64, offset_bits: u32, size_bits: u32) -> Result<Self> {
        if !(1..=MOST_OFFSET_BITS).contains(&offset_bits) || !(1..=MOST_SIZE_BITS).contains(&size_bits) {
            return Err(Error::new(
                ErrorKind::InvalidArgument,
                "the table has entries of an impossible width",
            )
            .with("offset_bits", offset_bits)
            .with("size_bits", size_bits));
        }
        let entry_bytes = usize::try_from((offset_bits + size_bits).div_ceil(8)).unwrap_or(MOST_BYTES);
        // The file of records has the longer ones.
        let end = blocks
            .checked_mul(crate::records::RECORD_BYTES as u64)
            .and_then(|bytes| bytes.checked_add(start));
        if end.and_then(|end| i64::try_from(end).ok()).is_none() {
            return Err(
                Error::new(ErrorKind::TooLarge, "the table is too long for a file").with("blocks", blocks)
            );
        }
        Ok(Self { start, blocks, offset_bits, size_bits, entry_bytes })
    }

    /// Where an entry is in the directory file.
    pub(crate) fn position(&self, index: u64) -> u64 {
        self.start + index * self.entry_bytes as u64
    }

    /// Whether the table can say where this is.
    pub(crate) fn check(&self, extent: Extent) -> Result<()> {
        let fits = |number: u64, bits: u32| bits >= 64 || number >> bits == 0;
        if !fits(extent.size.into(), self.size_bits) {
            return Err(Error::new(
                ErrorKind::TooLarge,
                "the block is longer than the table's size field can say",
            )
            .with("bytes", extent.size)
            .with("bits", self.size_bits));
        }
        if !fits(extent.offset, self.offset_bits) {
            return Err(Error::new(
                ErrorKind::TooLarge,
                "the block file is longer than the table's offset field can say; compact gives back what was rewritten",
            )
            .with("offset", extent.offset)
            .with("bits", self.offset_bits));
        }
        Ok(())
    }

    /// What an entry's bytes say; nothing where the size is zero.
    pub(crate) fn decode(&self, entry: &[u8]) -> Result<Option<Extent>> {
        let mut bytes = [0; MOST_BYTES];
        for (byte, from) in bytes.iter_mut().zip(entry) {
            *byte = *from;
        }
        let value = u128::from_le_bytes(bytes);
        let mask = |bits: u32| if bits == 128 { u128::MAX } else { (1 << bits) - 1 };
        let size = value >> self.offset_bits & mask(self.size_bits);
        if size == 0 {
            return Ok(None);
        }
        let damaged =
            || Error::new(ErrorKind::Corrupt, "an entry of the table can't be right").with("size", size);
        let size = u32::try_from(size).map_err(|_| damaged())?;
        let offset = u64::try_from(value & mask(self.offset_bits)).map_err(|_| damaged())?;
        if i64::try_from(offset).ok().and_then(|offset| offset.checked_add(size.into())).is_none() {
            return Err(damaged());
        }
        Ok(Some(Extent { offset, size }))
    }

    /// The bytes of an entry; those of `None` are zero.
    pub(crate) fn encode(&self, extent: Option<Extent>) -> Result<([u8; MOST_BYTES], usize)> {
        let value = match extent {
            None => 0,
            Some(extent) => {
                self.check(extent)?;
                u128::from(extent.offset) | u128::from(extent.size) << self.offset_bits
            }
        };
        Ok((value.to_le_bytes(), self.entry_bytes))
    }

    /// Reads an entry; what is beyond the end of the file was never written.
    pub(crate) fn read(&self, file: &File, index: u64) -> Result<Option<Extent>> {
        let mut entry = [0; MOST_BYTES];
        let entry = &mut entry[..self.entry_bytes];
        read_at(file, entry, self.position(index))
            .map_err(|error| Error::from_io(error, "the table can't be read").with("index", index))?;
        self.decode(entry).map_err(|error| error.with("index", index))
    }

    pub(crate) fn write(&self, file: &File, index: u64, extent: Option<Extent>) -> Result<()> {
        let (bytes, length) = self.encode(extent)?;
        write_all_at(file, &bytes[..length], self.position(index))
            .map_err(|error| Error::from_io(error, "the table can't be written").with("index", index))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn entries_come_back(offset_bits in 1u32..=63, size_bits in 1u32..=64, offset in any::<u64>(), size in 1u32..) {
            let table = TableLayout::new(16, 10, offset_bits, size_bits).unwrap();
            let extent = Extent { offset: offset >> (64 - offset_bits), size };
            match table.encode(Some(extent)) {
                Ok((bytes, length)) => {
                    prop_assert_eq!(length, (offset_bits + size_bits).div_ceil(8) as usize);
                    match table.decode(&bytes[..length]) {
                        Ok(found) => prop_assert_eq!(found, Some(extent)),
                        Err(_) => prop_assert!(extent.offset > i64::MAX as u64 - u64::from(size)),
                    }
                }
                Err(error) => {
                    prop_assert_eq!(error.kind(), ErrorKind::TooLarge);
                    prop_assert!(u64::from(size) >> size_bits.min(63) != 0);
                }
            }
        }

        #[test]
        fn no_bytes_make_it_panic(offset_bits in 1u32..=63, size_bits in 1u32..=64, bytes in any::<[u8; 16]>()) {
            let table = TableLayout::new(16, 10, offset_bits, size_bits).unwrap();
            if let Ok(Some(extent)) = table.decode(&bytes[..table.entry_bytes]) {
                prop_assert!(extent.size > 0);
            }
        }
    }
}
