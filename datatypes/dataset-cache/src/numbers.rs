//! Sizes, and little-endian numbers at a place.

use engine_api::{Error, ErrorKind, Result};

/// A size as 64 bits; no platform has wider ones.
pub(crate) fn wide(size: usize) -> u64 {
    u64::try_from(size).unwrap_or(u64::MAX)
}

/// A size that memory can have.
pub(crate) fn narrow(size: u64) -> Result<usize> {
    usize::try_from(size)
        .map_err(|_| Error::new(ErrorKind::TooLarge, "a size is beyond memory").with("bytes", size))
}

/// The bytes at a place, and zeros where there are none.
pub(crate) fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut found = [0; N];
    if let Some(from) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
        found = *from;
    }
    found
}

pub(crate) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(array(bytes, at))
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(array(bytes, at))
}

pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(array(bytes, at))
}

pub(crate) fn i64_at(bytes: &[u8], at: usize) -> i64 {
    i64::from_le_bytes(array(bytes, at))
}
