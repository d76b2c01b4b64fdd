//! The file of records: of each block what was begun, and what was committed, with the frame's checksum.
//!
//! Records are 64 bytes and begin at 64, so that none crosses a page or a sector.

use std::fs::File;

use engine_api::embedded::{read_at, write_all_at};
use engine_api::{Error, ErrorKind, Result};
use uuid::Uuid;

use crate::table::Extent;

const MAGIC: [u8; 4] = [0x8B, b'K', b'B', b'R'];
const VERSION: u32 = 1;
const HEADER_BYTES: usize = 64;
pub(crate) const RECORD_BYTES: usize = 64;

/// Where in a record the commit is.
const COMMIT_AT: usize = 32;
const COMMIT_BYTES: usize = 24;
const BEGUN_BYTES: usize = 16;

/// The commit of a block that was deleted.
const DELETED: u32 = 1;

/// What was committed of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Commit {
    /// Where the frame is. Of a deleted block, where the block file ended.
    pub(crate) extent: Extent,
    /// The CRC-32C of the frame.
    pub(crate) sum: u32,
    pub(crate) deleted: bool,
}

/// What is known of a block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) begun: Option<Extent>,
    pub(crate) committed: Option<Commit>,
}

impl Record {
    /// Whether a write was begun after what was committed.
    pub(crate) fn is_interrupted(&self) -> bool {
        match (self.begun, self.committed) {
            (Some(begun), Some(committed)) => begun.offset > committed.extent.offset,
            (Some(_), None) => true,
            (None, _) => false,
        }
    }

    /// What 64 bytes say of the block of this number.
    pub(crate) fn decode(bytes: &[u8; RECORD_BYTES], index: u64) -> Result<Self> {
        let damaged =
            || Error::new(ErrorKind::Corrupt, "the record of a block is damaged").with("index", index);
        let number = |at: usize| -> u32 {
            bytes.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |number| u32::from_le_bytes(*number))
        };
        let extent = |at: usize| Extent {
            offset: u64::from(number(at)) | u64::from(number(at + 4)) << 32,
            size: number(at + 8),
        };
        let mut record = Self::default();
        if bytes[..BEGUN_BYTES] != [0; BEGUN_BYTES] {
            let begun = extent(0);
            if *encode_begun(index, begun) != bytes[..BEGUN_BYTES] {
                return Err(damaged());
            }
            record.begun = Some(begun);
        }
        if bytes[COMMIT_AT..COMMIT_AT + COMMIT_BYTES] != [0; COMMIT_BYTES] {
            let (sum, flags) = (number(COMMIT_AT + 12), number(COMMIT_AT + 16));
            let commit = Commit { extent: extent(COMMIT_AT), sum, deleted: flags == DELETED };
            if *encode_commit(index, &commit) != bytes[COMMIT_AT..COMMIT_AT + COMMIT_BYTES] {
                return Err(damaged());
            }
            record.committed = Some(commit);
        }
        Ok(record)
    }
}

fn encode_begun(index: u64, extent: Extent) -> Box<[u8]> {
    sealed(index, *b"BEGN", &[&extent.offset.to_le_bytes(), &extent.size.to_le_bytes()])
}

fn encode_commit(index: u64, commit: &Commit) -> Box<[u8]> {
    let flags = if commit.deleted { DELETED } else { 0 };
    sealed(
        index,
        *b"DONE",
        &[
            &commit.extent.offset.to_le_bytes(),
            &commit.extent.size.to_le_bytes(),
            &commit.sum.to_le_bytes(),
            &flags.to_le_bytes(),
        ],
    )
}

/// The parts, and a checksum of them that holds for this block and this kind only.
fn sealed(index: u64, kind: [u8; 4], parts: &[&[u8]]) -> Box<[u8]> {
    let mut bytes = parts.concat();
    let sum =
        crc32c::crc32c_append(crc32c::crc32c_append(crc32c::crc32c(&kind), &index.to_le_bytes()), &bytes);
    bytes.extend_from_slice(&sum.to_le_bytes());
    bytes.into_boxed_slice()
}

/// The bytes that begin a file of records.
pub(crate) fn encode_header(id: Uuid, blocks: u64) -> [u8; HEADER_BYTES] {
    let mut bytes = [0; HEADER_BYTES];
    bytes[..4].copy_from_slice(&MAGIC);
    bytes[4..8].copy_from_slice(&VERSION.to_le_bytes());
    bytes[8..24].copy_from_slice(id.as_bytes());
    bytes[24..32].copy_from_slice(&blocks.to_le_bytes());
    let sum = crc32c::crc32c(&bytes[..HEADER_BYTES - 4]);
    bytes[HEADER_BYTES - 4..].copy_from_slice(&sum.to_le_bytes());
    bytes
}

/// An open file of records.
#[derive(Debug)]
pub(crate) struct Records(File);

impl Records {
    /// Checks that the file is the one that the directory file was sealed with.
    pub(crate) fn new(file: File, id: Uuid, blocks: u64) -> Result<Self> {
        let mut found = [0; HEADER_BYTES];
        let read = read_at(&file, &mut found, 0)
            .map_err(|error| Error::from_io(error, "the records can't be read"))?;
        if found == encode_header(id, blocks) {
            return Ok(Self(file));
        }
        if read == HEADER_BYTES
            && found[..4] == MAGIC
            && crc32c::crc32c(&found[..HEADER_BYTES - 4]).to_le_bytes() == found[HEADER_BYTES - 4..]
            && found[4..8] != VERSION.to_le_bytes()
        {
            return Err(Error::new(ErrorKind::Incompatible, "the records are of a version that isn't known"));
        }
        Err(Error::new(ErrorKind::Corrupt, "the records aren't those of this volume, or are damaged"))
    }

    pub(crate) fn file(&self) -> &File {
        &self.0
    }

    fn position(index: u64) -> u64 {
        HEADER_BYTES as u64 + index * RECORD_BYTES as u64
    }

    pub(crate) fn read(&self, index: u64) -> Result<Record> {
        let mut bytes = [0; RECORD_BYTES];
        read_at(&self.0, &mut bytes, Self::position(index))
            .map_err(|error| Error::from_io(error, "a record can't be read").with("index", index))?;
        Record::decode(&bytes, index)
    }

    pub(crate) fn begin(&self, index: u64, extent: Option<Extent>) -> Result<()> {
        let bytes = extent
            .map_or_else(|| vec![0; BEGUN_BYTES].into_boxed_slice(), |extent| encode_begun(index, extent));
        self.write(index, 0, &bytes)
    }

    pub(crate) fn commit(&self, index: u64, commit: &Commit) -> Result<()> {
        self.write(index, COMMIT_AT, &encode_commit(index, commit))
    }

    fn write(&self, index: u64, at: usize, bytes: &[u8]) -> Result<()> {
        write_all_at(&self.0, bytes, Self::position(index) + at as u64)
            .map_err(|error| Error::from_io(error, "a record can't be written").with("index", index))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flipped_bit_or_another_place_is_found() {
        let begun = Extent { offset: 1 << 40, size: 5 };
        let commit = Commit { extent: Extent { offset: 7, size: 9 }, sum: 0xDEAD_BEEF, deleted: false };
        let mut bytes = [0; RECORD_BYTES];
        bytes[..BEGUN_BYTES].copy_from_slice(&encode_begun(3, begun));
        bytes[COMMIT_AT..COMMIT_AT + COMMIT_BYTES].copy_from_slice(&encode_commit(3, &commit));
        let record = Record { begun: Some(begun), committed: Some(commit) };
        assert_eq!(Record::decode(&bytes, 3).unwrap(), record);
        assert!(record.is_interrupted());
        assert_eq!(Record::decode(&bytes, 4).unwrap_err().kind(), ErrorKind::Corrupt);
        for bit in (0..BEGUN_BYTES * 8).chain(COMMIT_AT * 8..(COMMIT_AT + COMMIT_BYTES) * 8) {
            let mut damaged = bytes;
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Record::decode(&damaged, 3).unwrap_err().kind(), ErrorKind::Corrupt, "bit {bit}");
        }
        assert_eq!(Record::decode(&[0; RECORD_BYTES], 3).unwrap(), Record::default());
    }
}
