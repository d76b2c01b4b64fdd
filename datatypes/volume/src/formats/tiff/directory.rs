//! A look at the first directory of a TIFF, before the decoder sees it.

use std::io::{Read, Seek, SeekFrom};

use engine_api::{Error, ErrorKind, Result};

use crate::formats::bytes::ByteOrder;
use crate::formats::linear::read_failed;

/// Refuses a file whose first directory lists more values than the file has bytes.
///
/// The decoder reads that directory before it takes limits, and up to 256 MiB for a list of values, however
/// short the file. What isn't a TIFF is left to the decoder.
pub(super) fn check_first(file: &mut (impl Read + Seek), length: u64) -> Result<()> {
    let mut input = Input { file, order: ByteOrder::Little };
    let start: [u8; 4] = input.bytes()?;
    input.order = if start.starts_with(b"MM") { ByteOrder::Big } else { ByteOrder::Little };
    let big = start[2] == 43 || start[3] == 43;
    let directory = if big {
        input.skip(4)?;
        input.u64()?
    } else {
        input.u32()?.into()
    };
    input.file.seek(SeekFrom::Start(directory)).map_err(read_failed)?;
    let entries = if big { input.u64()? } else { input.u16()?.into() };
    if entries > length {
        return Err(lies().with("entries", entries));
    }
    for _ in 0..entries {
        let tag = input.u16()?;
        let size = size_of_type(input.u16()?);
        let count = if big { input.u64()? } else { input.u32()?.into() };
        if count.checked_mul(size).is_none_or(|bytes| bytes > length) {
            return Err(lies().with("tag", tag).with("values", count));
        }
        input.skip(if big { 8 } else { 4 })?;
    }
    input.file.rewind().map_err(read_failed)
}

fn lies() -> Error {
    Error::new(ErrorKind::Corrupt, "the TIFF lists more values than it has bytes")
}

/// The bytes of a value, by the field types of TIFF 6.0 and `BigTIFF`.
fn size_of_type(code: u16) -> u64 {
    match code {
        3 | 8 => 2,
        4 | 9 | 11 | 13 => 4,
        5 | 10 | 12 | 16..=18 => 8,
        _ => 1,
    }
}

struct Input<'a, R> {
    file: &'a mut R,
    order: ByteOrder,
}

impl<R: Read> Input<'_, R> {
    /// The next bytes, those of a number in little-endian order.
    fn bytes<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        self.file.read_exact(&mut bytes).map_err(read_failed)?;
        if self.order == ByteOrder::Big {
            bytes.reverse();
        }
        Ok(bytes)
    }

    fn skip(&mut self, bytes: usize) -> Result<()> {
        let mut skipped = [0; 8];
        self.file.read_exact(&mut skipped[..bytes]).map_err(read_failed)
    }

    fn u16(&mut self) -> Result<u16> {
        self.bytes().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Result<u32> {
        self.bytes().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64> {
        self.bytes().map(u64::from_le_bytes)
    }
}
