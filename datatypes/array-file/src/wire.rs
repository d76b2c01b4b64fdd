//! Numbers and strings as bytes, little-endian; nothing that is read decides about an allocation unchecked.

use crate::error::{Error, Result};

/// Appends values to a buffer.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    pub(crate) bytes: Vec<u8>,
}

impl Writer {
    pub(crate) fn u8(&mut self, value: u8) {
        self.bytes.push(value);
    }

    pub(crate) fn u16(&mut self, value: u16) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    pub(crate) fn u32(&mut self, value: u32) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    pub(crate) fn u64(&mut self, value: u64) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The number of items that follow.
    pub(crate) fn count(&mut self, count: usize) -> Result<()> {
        self.u32(narrow("a list", count)?);
        Ok(())
    }

    /// A length, and the bytes.
    pub(crate) fn blob(&mut self, bytes: &[u8]) -> Result<()> {
        self.count(bytes.len())?;
        self.raw(bytes);
        Ok(())
    }

    pub(crate) fn lengths(&mut self, values: &[u64]) {
        for value in values {
            self.u64(*value);
        }
    }

    /// Appends the CRC-32C of everything so far.
    pub(crate) fn seal(mut self) -> Vec<u8> {
        let sum = crc32c::crc32c(&self.bytes);
        self.u32(sum);
        self.bytes
    }
}

/// A size as 32 bits, or the error that says what is too large.
pub(crate) fn narrow(what: &'static str, size: usize) -> Result<u32> {
    u32::try_from(size).map_err(|_| Error::TooLarge {
        what,
        size: u64::try_from(size).unwrap_or(u64::MAX),
        limit: u64::from(u32::MAX),
    })
}

/// A size as 64 bits; no platform has wider ones.
pub(crate) fn wide(size: usize) -> u64 {
    u64::try_from(size).unwrap_or(u64::MAX)
}

/// A size that memory can have, or the error that says what is too large.
pub(crate) fn to_usize(what: &'static str, size: u64) -> Result<usize> {
    usize::try_from(size).map_err(|_| Error::TooLarge { what, size, limit: wide(usize::MAX) })
}

/// Takes values from the front of bytes that may be damaged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(rest: &'a [u8]) -> Self {
        Self { rest }
    }

    /// Checks the CRC-32C in the last four bytes, and reads what is before it.
    pub(crate) fn sealed(bytes: &'a [u8]) -> Result<Self> {
        let Some((body, sum)) = bytes.split_last_chunk::<4>() else {
            return Err(short());
        };
        if crc32c::crc32c(body) != u32::from_le_bytes(*sum) {
            return Err(Error::corrupt("", "the checksum doesn't match"));
        }
        Ok(Self::new(body))
    }

    pub(crate) fn left(&self) -> usize {
        self.rest.len()
    }

    pub(crate) fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or_else(short)?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or_else(short)?;
        self.rest = rest;
        Ok(*taken)
    }

    pub(crate) fn u8(&mut self) -> Result<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(crate) fn u16(&mut self) -> Result<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub(crate) fn bytes<const N: usize>(&mut self) -> Result<[u8; N]> {
        self.array()
    }

    /// A number of items, each of which takes at least `least` bytes of what is left.
    pub(crate) fn count(&mut self, least: usize) -> Result<usize> {
        let count = usize::try_from(self.u32()?).map_err(|_| short())?;
        if count.checked_mul(least.max(1)).is_none_or(|bytes| bytes > self.left()) {
            return Err(short());
        }
        Ok(count)
    }

    pub(crate) fn blob(&mut self) -> Result<&'a [u8]> {
        let length = self.count(1)?;
        self.take(length)
    }

    pub(crate) fn text(&mut self) -> Result<String> {
        let bytes = self.blob()?;
        let text = std::str::from_utf8(bytes).map_err(|_| Error::corrupt("", "a text isn't UTF-8"))?;
        Ok(text.to_owned())
    }

    pub(crate) fn lengths(&mut self, rank: usize) -> Result<Vec<u64>> {
        let mut values = Vec::new();
        for _ in 0..rank {
            values.push(self.u64()?);
        }
        Ok(values)
    }

    /// That nothing is left.
    pub(crate) fn end(&self) -> Result<()> {
        if self.rest.is_empty() { Ok(()) } else { Err(Error::corrupt("", "there are bytes left over")) }
    }
}

fn short() -> Error {
    Error::corrupt("", "the bytes end too early")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_beyond_the_bytes_are_refused_before_they_are_used() {
        let mut writer = Writer::default();
        writer.u32(u32::MAX);
        writer.u8(1);
        assert!(Reader::new(&writer.bytes).count(1).is_err());
        assert!(Reader::new(&writer.bytes).blob().is_err());
    }

    #[test]
    fn a_flipped_bit_breaks_the_seal() {
        let mut writer = Writer::default();
        writer.u64(7);
        let sealed = writer.seal();
        for bit in 0..sealed.len() * 8 {
            let mut damaged = sealed.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(Reader::sealed(&damaged).is_err(), "bit {bit}");
        }
        assert_eq!(Reader::sealed(&sealed).unwrap().u64().unwrap(), 7);
    }
}
