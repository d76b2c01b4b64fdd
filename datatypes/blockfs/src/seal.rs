//! The seal between the head and the table: that there are records of what was committed, and where.
//!
//! BlockFS of Python starts at the table's offset, which the head has, and never sees it.

use engine_api::{Error, ErrorKind, Result};
use uuid::Uuid;

const MAGIC: [u8; 4] = [0x8B, b'K', b'B', b'D'];
const VERSION: u32 = 1;

/// The bytes before the name, and those after it.
const FIXED: usize = 4 + 4 + 16 + 4 + 2;
const SUM: usize = 4;

/// Names the file of records, beside the directory file, that belongs to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seal {
    /// The records repeat it.
    pub(crate) id: Uuid,
    /// A name without a folder.
    pub(crate) records: String,
}

impl Seal {
    /// The longest seal.
    pub(crate) const MOST_BYTES: u64 = 1024;

    pub(crate) fn new(records: String) -> Result<Self> {
        if records.len() > 255 || !is_name(&records) {
            return Err(Error::new(ErrorKind::InvalidArgument, "the name of the records is too long")
                .with("name", records));
        }
        Ok(Self { id: Uuid::new_v4(), records })
    }

    pub(crate) fn length(&self) -> u64 {
        (FIXED + self.records.len() + SUM) as u64
    }

    /// The seal of a head, which is given in parts.
    pub(crate) fn bytes(&self, head: &[&[u8]]) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(self.id.as_bytes());
        bytes.extend_from_slice(&sum(head).to_le_bytes());
        // A name has at most 255 bytes.
        bytes.extend_from_slice(&u16::try_from(self.records.len()).unwrap_or(u16::MAX).to_le_bytes());
        bytes.extend_from_slice(self.records.as_bytes());
        let sum = crc32c::crc32c(&bytes);
        bytes.extend_from_slice(&sum.to_le_bytes());
        bytes
    }

    /// The seal at the start of the gap behind a head; none where the gap doesn't begin with its magic.
    pub(crate) fn read(gap: &[u8], head: &[&[u8]]) -> Result<Option<Self>> {
        let Some(rest) = gap.strip_prefix(&MAGIC) else { return Ok(None) };
        let damaged = || Error::new(ErrorKind::Corrupt, "the seal of the directory file is damaged");
        let (version, rest) = rest.split_first_chunk::<4>().ok_or_else(damaged)?;
        if u32::from_le_bytes(*version) != VERSION {
            return Err(Error::new(
                ErrorKind::Incompatible,
                "the volume's seal is of a version that isn't known",
            )
            .with("version", u32::from_le_bytes(*version)));
        }
        let (id, rest) = rest.split_first_chunk::<16>().ok_or_else(damaged)?;
        let (head_sum, rest) = rest.split_first_chunk::<4>().ok_or_else(damaged)?;
        let (length, rest) = rest.split_first_chunk::<2>().ok_or_else(damaged)?;
        let (name, rest) = rest.split_at_checked(u16::from_le_bytes(*length).into()).ok_or_else(damaged)?;
        let found = rest.first_chunk::<4>().ok_or_else(damaged)?;
        let sealed = gap.get(..FIXED + name.len()).ok_or_else(damaged)?;
        if crc32c::crc32c(sealed).to_le_bytes() != *found {
            return Err(damaged());
        }
        if sum(head).to_le_bytes() != *head_sum {
            return Err(Error::new(
                ErrorKind::Corrupt,
                "the head of the directory file isn't what was sealed",
            ));
        }
        let records = std::str::from_utf8(name).ok().filter(|name| is_name(name)).ok_or_else(damaged)?;
        Ok(Some(Self { id: Uuid::from_bytes(*id), records: records.to_owned() }))
    }
}

fn sum(parts: &[&[u8]]) -> u32 {
    parts.iter().fold(0, |sum, part| crc32c::crc32c_append(sum, part))
}

/// Whether it names a file, and nothing outside of the folder.
fn is_name(name: &str) -> bool {
    !name.is_empty() && name != "." && name != ".." && !name.contains(['/', '\\', '\0'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flipped_bit_is_found() {
        let seal = Seal::new("a.blockfs.records".into()).unwrap();
        let (head, bytes) = (b"head".as_slice(), seal.bytes(&[b"he", b"ad"]));
        assert_eq!(wide(bytes.len()), seal.length());
        assert_eq!(Seal::read(&bytes, &[head]).unwrap(), Some(seal));
        assert_eq!(Seal::read(&bytes[..10], &[head]).unwrap_err().kind(), ErrorKind::Corrupt);
        assert_eq!(Seal::read(&bytes, &[b"heat"]).unwrap_err().kind(), ErrorKind::Corrupt);
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            // Without its magic there is no seal.
            assert!(!matches!(Seal::read(&damaged, &[head]), Ok(Some(_))), "bit {bit}");
        }
        assert!(Seal::new("../records".into()).is_err());
    }

    fn wide(length: usize) -> u64 {
        length as u64
    }
}
