//! The bytes of a bundle, as `BUNDLE.md` lays them out: its head, sections, entries, the trailer.

use bytes::{Buf, Bytes};

use crate::key::Mark;
use crate::spi::{Error, ErrorKind, Result};

/// What a bundle begins with: its magic, the format's version, and flags, of which there are none yet.
pub(super) const HEAD: [u8; 8] = *b"\x8bKVB\x01\0\0\0";
pub(super) const MAGIC: [u8; 4] = *b"\x8bKVB";

pub(super) const SECTION_HEAD: usize = 24;
const ENTRY_HEAD: usize = 21;
const TRAILER: usize = 20;

/// A section of entries is no longer than this, unless it is one entry that is longer by itself.
pub(super) const SECTION_BYTES: usize = 1 << 20;
/// No section is longer: the longest value that any engine takes, and room for its key.
const LONGEST_SECTION: u64 = (4 << 30) + (1 << 20);
pub(super) const LONGEST_HEADER: u64 = 256 << 20;

/// Stands in place of a version where there are none.
const UNVERSIONED: u32 = u32::MAX;

#[cold]
pub(super) fn corrupt(message: &'static str) -> Error {
    Error::new(ErrorKind::Corrupt, message)
}

/// What a section holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Header = 1,
    Entries = 2,
    Trailer = 3,
}

/// What stands before a section's payload.
#[derive(Clone, Copy, Debug)]
pub(super) struct SectionHead {
    pub(super) kind: Kind,
    pub(super) number: u32,
    pub(super) length: u64,
    crc: u32,
}

impl SectionHead {
    pub(super) fn of(kind: Kind, number: u32, payload: &[u8]) -> Self {
        let length = u64::try_from(payload.len()).unwrap_or(u64::MAX);
        Self { kind, number, length, crc: crc32c::crc32c(payload) }
    }

    pub(super) fn encode(&self) -> [u8; SECTION_HEAD] {
        let mut bytes = [0; SECTION_HEAD];
        bytes[0] = self.kind as u8;
        bytes[4..8].copy_from_slice(&self.number.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.length.to_le_bytes());
        bytes[16..20].copy_from_slice(&self.crc.to_le_bytes());
        let own = crc32c::crc32c(&bytes[..20]);
        bytes[20..].copy_from_slice(&own.to_le_bytes());
        bytes
    }

    /// The checksum of the head itself comes first, so that a damaged length is never followed.
    pub(super) fn decode(bytes: &[u8; SECTION_HEAD]) -> Result<Self> {
        let (mut fields, mut own) = bytes.split_at(SECTION_HEAD - 4);
        if crc32c::crc32c(fields) != own.get_u32_le() {
            return Err(corrupt("the head of a section is damaged"));
        }
        let kind = fields.get_u32_le();
        let (number, length, crc) = (fields.get_u32_le(), fields.get_u64_le(), fields.get_u32_le());
        let (kind, longest) = match kind {
            1 => (Kind::Header, LONGEST_HEADER),
            2 => (Kind::Entries, LONGEST_SECTION),
            3 => (Kind::Trailer, TRAILER as u64),
            _ => {
                return Err(Error::new(ErrorKind::Incompatible, "a section is of an unknown kind")
                    .with("section", number)
                    .with("kind", kind));
            }
        };
        if length > longest {
            return Err(corrupt("a section is longer than one of its kind can be")
                .with("section", number)
                .with("length", length));
        }
        Ok(Self { kind, number, length, crc })
    }

    pub(super) fn check(&self, payload: &[u8]) -> Result<()> {
        if crc32c::crc32c(payload) == self.crc {
            return Ok(());
        }
        Err(corrupt("a section is damaged").with("section", self.number))
    }
}

/// An entry as a bundle carries it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// The instance's place in the header.
    pub(super) instance: u32,
    pub(super) tkey: Bytes,
    /// The version's place in the header; `None` where the instance has no versions.
    pub(super) version: Option<u32>,
    pub(super) mark: Mark,
    pub(super) value: Bytes,
}

impl Entry {
    pub(super) fn length(tkey: &[u8], value: &[u8]) -> usize {
        ENTRY_HEAD + tkey.len() + value.len()
    }

    pub(super) fn write(
        to: &mut Vec<u8>,
        (instance, version): (u32, Option<u32>),
        tkey: &[u8],
        mark: Mark,
        value: &[u8],
    ) -> Result<()> {
        let tkey_length = u32::try_from(tkey.len()).map_err(|error| {
            Error::new(ErrorKind::TooLarge, "the key is longer than a bundle can carry").caused_by(error)
        })?;
        if u64::try_from(value.len()).unwrap_or(u64::MAX) > LONGEST_SECTION - SECTION_BYTES as u64 {
            return Err(Error::new(ErrorKind::TooLarge, "the value is longer than a bundle can carry")
                .with("length", value.len()));
        }
        to.extend_from_slice(&instance.to_le_bytes());
        to.extend_from_slice(&version.unwrap_or(UNVERSIONED).to_le_bytes());
        to.push(mark as u8);
        to.extend_from_slice(&tkey_length.to_le_bytes());
        to.extend_from_slice(&(value.len() as u64).to_le_bytes());
        to.extend_from_slice(tkey);
        to.extend_from_slice(value);
        Ok(())
    }

    /// Takes the next entry from a section's payload.
    pub(super) fn take(payload: &mut Bytes) -> Result<Self> {
        let short = || corrupt("an entry is longer than its section");
        if payload.len() < ENTRY_HEAD {
            return Err(short());
        }
        let (instance, version) = (payload.get_u32_le(), payload.get_u32_le());
        let mark = match payload.get_u8() {
            mark if mark == Mark::Data as u8 => Mark::Data,
            mark if mark == Mark::Tombstone as u8 => Mark::Tombstone,
            mark => return Err(corrupt("an entry has an unknown mark").with("mark", mark)),
        };
        let (tkey_length, value_length) = (payload.get_u32_le(), payload.get_u64_le());
        let mut split = |length: Option<usize>| {
            length.filter(|length| *length <= payload.len()).map(|length| payload.split_to(length))
        };
        let tkey = split(usize::try_from(tkey_length).ok()).ok_or_else(short)?;
        let value = split(usize::try_from(value_length).ok()).ok_or_else(short)?;
        if mark == Mark::Tombstone && !value.is_empty() {
            return Err(corrupt("a tombstone has a value"));
        }
        Ok(Self { instance, tkey, version: (version != UNVERSIONED).then_some(version), mark, value })
    }
}

/// How much a bundle carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BundleCounts {
    /// Entries: values and tombstones.
    pub entries: u64,
    /// Bytes of their keys and values.
    pub bytes: u64,
}

impl BundleCounts {
    pub(super) fn add(&mut self, tkey: &[u8], value: &[u8]) {
        self.entries += 1;
        self.bytes += u64::try_from(tkey.len() + value.len()).unwrap_or(u64::MAX);
    }

    /// The trailer's payload; `heads` is the checksum of all that stands before payloads.
    pub(super) fn trailer(&self, heads: u32) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(TRAILER);
        bytes.extend_from_slice(&self.entries.to_le_bytes());
        bytes.extend_from_slice(&self.bytes.to_le_bytes());
        bytes.extend_from_slice(&heads.to_le_bytes());
        bytes
    }
}
