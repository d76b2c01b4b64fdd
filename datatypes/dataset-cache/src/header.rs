//! The two headers, as Tinman 3D documents them.

use engine_api::{Error, ErrorKind, Result};

use crate::file::StorageFile;
use crate::numbers::{i64_at, u16_at, wide};

/// The length of a cache's header; its storage begins behind it.
pub(crate) const CACHE_HEADER: usize = 64;

/// The length of a storage's header.
pub(crate) const STORAGE_HEADER: usize = 32;

const CACHE_MAGIC: [u8; 8] = *b"\x89HGC\r\n\x1a\n";
const STORAGE_MAGIC: [u8; 8] = *b"\x89BST\r\n\x1a\n";
const VERSION: u16 = 1;

/// What the header of a cache says: the maximum in bytes, 0 for none, and where the roots of its indices are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CacheHeader {
    pub(crate) maximum: u64,
    pub(crate) primary: u64,
    pub(crate) last_used: u64,
}

impl CacheHeader {
    pub(crate) fn bytes(self) -> [u8; CACHE_HEADER] {
        let mut bytes = [0; CACHE_HEADER];
        bytes[..8].copy_from_slice(&CACHE_MAGIC);
        bytes[8..10].copy_from_slice(&VERSION.to_le_bytes());
        bytes[10..18].copy_from_slice(&self.maximum.to_le_bytes());
        bytes[40..48].copy_from_slice(&self.primary.to_le_bytes());
        bytes[56..].copy_from_slice(&self.last_used.to_le_bytes());
        bytes
    }

    /// # Errors
    /// `Incompatible` when it is no cache, or one of another version; `Corrupt` when it can't be right.
    pub(crate) fn read(file: &dyn StorageFile) -> Result<Self> {
        let mut bytes = [0; CACHE_HEADER];
        let read =
            file.read_at(&mut bytes, 0).map_err(|error| Error::from_io(error, "the header can't be read"))?;
        let bytes = bytes.get(..read).unwrap_or_default();
        check_start(bytes, CACHE_MAGIC, CACHE_HEADER, "the file isn't a dataset cache")?;
        if is_set(&bytes[18..40]) || is_set(&bytes[48..56]) {
            return Err(unknown("a reserved byte of the cache's header isn't zero"));
        }
        let maximum = address(bytes, 10)?;
        if maximum > 0 && maximum < wide(CACHE_HEADER + STORAGE_HEADER) {
            return Err(
                Error::new(ErrorKind::Corrupt, "the maximum is less than the headers").with("bytes", maximum)
            );
        }
        Ok(Self { maximum, primary: address(bytes, 40)?, last_used: address(bytes, 56)? })
    }
}

/// Whether bytes are the beginning of a cache, even if what follows isn't known or was cut off.
pub(crate) fn begins_a_cache(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().zip(CACHE_MAGIC).all(|(byte, magic)| *byte == magic)
}

/// What the header of a storage says: where the roots of its trees are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct StorageHeader {
    pub(crate) allocations: u64,
    pub(crate) free: u64,
}

impl StorageHeader {
    pub(crate) fn bytes(self) -> [u8; STORAGE_HEADER] {
        let mut bytes = [0; STORAGE_HEADER];
        bytes[..8].copy_from_slice(&STORAGE_MAGIC);
        bytes[8..10].copy_from_slice(&VERSION.to_le_bytes());
        bytes[10..18].copy_from_slice(&self.allocations.to_le_bytes());
        bytes[18..26].copy_from_slice(&self.free.to_le_bytes());
        bytes
    }

    /// # Errors
    /// As [`CacheHeader::read`].
    pub(crate) fn read(file: &dyn StorageFile, offset: u64) -> Result<Self> {
        let mut bytes = [0; STORAGE_HEADER];
        let read = file
            .read_at(&mut bytes, offset)
            .map_err(|error| Error::from_io(error, "the header can't be read"))?;
        let bytes = bytes.get(..read).unwrap_or_default();
        check_start(bytes, STORAGE_MAGIC, STORAGE_HEADER, "there is no block storage here")?;
        if is_set(&bytes[26..]) {
            return Err(unknown("a reserved byte of the storage's header isn't zero"));
        }
        Ok(Self { allocations: address(bytes, 10)?, free: address(bytes, 18)? })
    }
}

fn check_start(bytes: &[u8], magic: [u8; 8], length: usize, foreign: &'static str) -> Result<()> {
    let begins = bytes.starts_with(&magic) || (bytes.len() < 8 && magic.starts_with(bytes));
    if !begins {
        return Err(unknown(foreign));
    }
    if bytes.len() < length {
        return Err(
            Error::new(ErrorKind::Corrupt, "the file ends within the header").with("bytes", bytes.len())
        );
    }
    match u16_at(bytes, 8) {
        VERSION => Ok(()),
        version => Err(unknown("the version isn't known").with("version", version)),
    }
}

fn address(bytes: &[u8], at: usize) -> Result<u64> {
    let found = i64_at(bytes, at);
    u64::try_from(found).map_err(|_| {
        Error::new(ErrorKind::Corrupt, "a number of the header is negative").with("number", found)
    })
}

fn is_set(bytes: &[u8]) -> bool {
    bytes.iter().any(|byte| *byte != 0)
}

fn unknown(message: &'static str) -> Error {
    Error::new(ErrorKind::Incompatible, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::MemoryFile;

    #[test]
    fn an_empty_cache_is_96_bytes_as_documented() {
        let cache = CacheHeader { maximum: 1 << 20, ..CacheHeader::default() };
        let bytes = [cache.bytes().as_slice(), &StorageHeader::default().bytes()].concat();
        let mut expected = vec![0; 96];
        expected[..18].copy_from_slice(b"\x89\x48\x47\x43\x0d\x0a\x1a\x0a\x01\0\0\0\x10\0\0\0\0\0");
        expected[64..74].copy_from_slice(b"\x89\x42\x53\x54\x0d\x0a\x1a\x0a\x01\0");
        assert_eq!(bytes, expected);
    }

    #[test]
    fn headers_are_read_back_and_nothing_else_is() {
        let cache = CacheHeader { maximum: 1 << 20, primary: 96, last_used: 4192 };
        let storage = StorageHeader { allocations: 8288, free: 12384 };
        let bytes = [cache.bytes().as_slice(), &storage.bytes()].concat();
        let file = MemoryFile::new(bytes.clone());
        assert_eq!(CacheHeader::read(&file).unwrap(), cache);
        assert_eq!(StorageHeader::read(&file, 64).unwrap(), storage);
        let known = [10..18, 40..48, 56..64, 74..90];
        for at in (0..96).filter(|at| !known.iter().any(|known| known.contains(at))) {
            let mut bytes = bytes.clone();
            bytes[at] ^= 4;
            let file = MemoryFile::new(bytes);
            let error = CacheHeader::read(&file).and_then(|_| StorageHeader::read(&file, 64)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Incompatible, "byte {at}");
        }
        for at in [17, 47, 63, 81, 89] {
            let mut bytes = bytes.clone();
            bytes[at] ^= 0x80;
            let file = MemoryFile::new(bytes);
            let error = CacheHeader::read(&file).and_then(|_| StorageHeader::read(&file, 64)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt, "byte {at}");
        }
        for (maximum, is_right) in [(0, true), (1, false), (95, false), (96, true)] {
            let file = MemoryFile::new(CacheHeader { maximum, ..cache }.bytes().to_vec());
            assert_eq!(CacheHeader::read(&file).is_ok(), is_right, "{maximum} bytes");
        }
        for length in 0..96 {
            let file = MemoryFile::new(bytes[..length].to_vec());
            let read = CacheHeader::read(&file).and_then(|_| StorageHeader::read(&file, 64));
            assert_eq!(read.unwrap_err().kind(), ErrorKind::Corrupt, "{length} bytes");
        }
    }
}
