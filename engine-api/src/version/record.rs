//! How the DAG is stored: one metadata key per repo, version and instance.
//!
//! A record is `01 | crc32c u32 LE of what follows | JSON`, the first byte being the version of this format.
//! The keys are a class byte and a number, big-endian:
//!
//! | class | key | value |
//! |---|---|---|
//! | 1 | – | the format marker: `kvdag` 00, and the version of the layout as u16 BE |
//! | 2 | – | the counters: next numbers, and how often the DAG has changed |
//! | 3 | repo | a [`Repo`](super::Repo) |
//! | 4 | version | a [`Version`](super::Version) |
//! | 5 | version | when it was committed, in milliseconds since 1970 as u64 BE; absent while it is open |
//! | 6 | instance | an [`Instance`](super::Instance) |
//! | 7 | version | when its data was cleaned away, in milliseconds since 1970 as u64 BE; absent while it can be read |
//! | 8 | repo, name in UTF-8 | a [`Tag`](super::Tag) |
//! | 9 | repo, name in UTF-8 | nothing: the branch of this name is hidden |
//! | 10 | number | [`Work`](super::Work) that is under way |
//! | 11 | version, moment u64, sequence u32 | a [`LogLine`](super::LogLine) of the version |
//! | 12 | instance | the stores of an instance, where there are [several](super::tiers) |
//! | 13 | – | the set of stores that a store belongs to, and its name there |
//! | 14 | instance, version | nothing: what the instance has at the version was archived |
//!
//! Classes below 16 are reserved.

use std::sync::LazyLock;

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::ext::KeyRange;
use crate::key::{Context, MetadataContext, RepoId, TKey, TKeyClass, VersionId};
use crate::spi::{Error, ErrorKind, Result};

pub(super) const FORMAT: TKeyClass = TKeyClass(1);
pub(super) const COUNTERS: TKeyClass = TKeyClass(2);
pub(super) const REPO: TKeyClass = TKeyClass(3);
pub(super) const VERSION: TKeyClass = TKeyClass(4);
pub(super) const COMMITTED: TKeyClass = TKeyClass(5);
pub(super) const INSTANCE: TKeyClass = TKeyClass(6);
pub(super) const CLEANED: TKeyClass = TKeyClass(7);
pub(super) const TAG: TKeyClass = TKeyClass(8);
pub(super) const HIDDEN: TKeyClass = TKeyClass(9);
pub(super) const WORK: TKeyClass = TKeyClass(10);
pub(super) const LOG: TKeyClass = TKeyClass(11);
pub(super) const PLACED: TKeyClass = TKeyClass(12);
pub(super) const MEMBER: TKeyClass = TKeyClass(13);
pub(super) const ARCHIVED: TKeyClass = TKeyClass(14);

/// Classes below this one belong to the version layer.
pub(super) const FIRST_FREE_CLASS: u8 = 16;

const MAGIC: &[u8] = b"kvdag\0";
const LAYOUT: u16 = 1;
const RECORD_FORMAT: u8 = 1;
const RECORD_HEAD: usize = 5;

/// Next numbers to hand out; every change of the DAG replaces them, which is how two changes exclude
/// each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Counters {
    pub(super) next_repo: u32,
    pub(super) next_version: u32,
    pub(super) next_instance: u32,
    pub(super) changes: u64,
}

impl Counters {
    pub(super) const FIRST: Self = Self { next_repo: 1, next_version: 1, next_instance: 1, changes: 0 };
}

/// The full key of a class that has one key.
pub(super) fn single(class: TKeyClass) -> Vec<u8> {
    MetadataContext.construct_key(&class.min_key())
}

/// Where the counters are, which is looked at with each read that another process may have come before.
pub(super) static COUNTERS_KEY: LazyLock<Vec<u8>> = LazyLock::new(|| single(COUNTERS));

/// The full key of a numbered record.
pub(super) fn numbered(class: TKeyClass, number: u32) -> Vec<u8> {
    MetadataContext.construct_key(&TKey::new(class, &number.to_be_bytes()))
}

/// The full key of a record of two numbers.
pub(super) fn numbered_twice(class: TKeyClass, first: u32, second: u32) -> Vec<u8> {
    MetadataContext.construct_key(&TKey::new(class, &[first.to_be_bytes(), second.to_be_bytes()].concat()))
}

/// The two numbers of a record's key.
pub(super) fn pair(tkey: &TKey) -> Result<(u32, u32)> {
    let both = u64::from_be_bytes(tkey.class_bytes()?.try_into().map_err(|_| malformed(tkey))?);
    let [first, second] =
        [both >> 32, both & u64::from(u32::MAX)].map(|half| u32::try_from(half).unwrap_or(0));
    Ok((first, second))
}

/// The full key of something that has a name in a repo.
pub(super) fn named(class: TKeyClass, repo: RepoId, name: &str) -> Vec<u8> {
    MetadataContext.construct_key(&TKey::new(class, &[&repo.0.to_be_bytes(), name.as_bytes()].concat()))
}

/// The repo and the name of a named record's key.
pub(super) fn name(tkey: &TKey) -> Result<(RepoId, String)> {
    let parsed = tkey.class_bytes()?.split_first_chunk().and_then(|(repo, name)| {
        Some((RepoId(u32::from_be_bytes(*repo)), std::str::from_utf8(name).ok()?.to_owned()))
    });
    parsed.ok_or_else(|| malformed(tkey))
}

/// The key that is there once a version is committed.
pub(super) fn committed(version: VersionId) -> Vec<u8> {
    numbered(COMMITTED, version.0)
}

/// The full key of a line of a version's log.
pub(super) fn log_line(version: VersionId, moment: u64, sequence: u32) -> Vec<u8> {
    let rest = [&version.to_be_bytes()[..], &moment.to_be_bytes(), &sequence.to_be_bytes()].concat();
    MetadataContext.construct_key(&TKey::new(LOG, &rest))
}

/// The full keys of a version's log.
pub(super) fn log(version: VersionId) -> KeyRange {
    KeyRange::prefix(&numbered(LOG, version.0))
}

/// The number of a numbered record's key.
pub(super) fn number(tkey: &TKey) -> Result<u32> {
    tkey.class_bytes()?.try_into().map(u32::from_be_bytes).map_err(|_| malformed(tkey))
}

fn malformed(tkey: &TKey) -> Error {
    Error::new(ErrorKind::Corrupt, "a metadata key isn't well formed").with_key("key", tkey.as_ref())
}

/// A moment, in milliseconds since 1970.
pub(super) fn moment(stored: &[u8]) -> Result<u64> {
    stored
        .try_into()
        .map(u64::from_be_bytes)
        .map_err(|_| Error::new(ErrorKind::Corrupt, "the record of a moment is damaged"))
}

/// The value of the format marker.
pub(super) fn marker() -> Bytes {
    [MAGIC, &LAYOUT.to_be_bytes()].concat().into()
}

/// Refuses a store of another program, or of a layout that this build doesn't know.
pub(super) fn check_marker(stored: Option<&[u8]>) -> Result<()> {
    match stored {
        None => {
            Err(Error::new(ErrorKind::Incompatible, "the store isn't one of kvdag; make one with `init`"))
        }
        Some(value) => match value.strip_prefix(MAGIC).map(<[u8; 2]>::try_from) {
            Some(Ok(layout)) if u16::from_be_bytes(layout) == LAYOUT => Ok(()),
            Some(Ok(layout)) => {
                Err(Error::new(ErrorKind::Incompatible, "the store's layout is of another version")
                    .with("layout", u16::from_be_bytes(layout))
                    .with("known", LAYOUT))
            }
            _ => Err(Error::new(ErrorKind::Incompatible, "the store holds another program's data")),
        },
    }
}

pub(super) fn encode<T: Serialize>(record: &T) -> Result<Bytes> {
    let json = serde_json::to_vec(record).map_err(|error| {
        Error::new(ErrorKind::InvalidArgument, "a record can't be written as JSON").caused_by(error)
    })?;
    let mut bytes = Vec::with_capacity(RECORD_HEAD + json.len());
    bytes.push(RECORD_FORMAT);
    bytes.extend_from_slice(&crc32c::crc32c(&json).to_le_bytes());
    bytes.extend_from_slice(&json);
    Ok(bytes.into())
}

pub(super) fn decode<T: DeserializeOwned>(stored: &[u8]) -> Result<T> {
    let damaged = || Error::new(ErrorKind::Corrupt, "a metadata record is damaged");
    match stored.split_first_chunk::<RECORD_HEAD>() {
        Some(([RECORD_FORMAT, crc @ ..], json)) => {
            if *crc != crc32c::crc32c(json).to_le_bytes() {
                return Err(damaged());
            }
            serde_json::from_slice(json).map_err(|error| damaged().caused_by(error))
        }
        Some(([format, ..], _)) => {
            Err(Error::new(ErrorKind::Incompatible, "a metadata record is of an unknown format")
                .with("format", format))
        }
        None => Err(damaged()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_marker_and_the_counters_to_the_byte() {
        assert_eq!(marker(), &b"kvdag\0\0\x01"[..]);
        let golden = b"\x01r7i\xa7{\"next_repo\":1,\"next_version\":1,\"next_instance\":1,\"changes\":0}";
        assert_eq!(encode(&Counters::FIRST).unwrap(), &golden[..]);
        assert_eq!(decode::<Counters>(golden).unwrap(), Counters::FIRST);
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let sound = encode(&Counters::FIRST).unwrap();
        for bit in 0..sound.len() * 8 {
            let mut bytes = sound.to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(decode::<Counters>(&bytes).is_err(), "bit {bit}");
        }
        for end in 0..sound.len() {
            assert!(decode::<Counters>(&sound[..end]).is_err(), "cut at {end}");
        }
    }

    #[test]
    fn foreign_and_newer_stores_are_refused() {
        for stored in [None, Some(&b"kvdag\0\0\x02"[..]), Some(b"other"), Some(b"kvdag\0")] {
            assert_eq!(check_marker(stored).unwrap_err().kind(), ErrorKind::Incompatible);
        }
    }
}
