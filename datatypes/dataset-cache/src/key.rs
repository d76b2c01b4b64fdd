//! What an entry of a cache is of.

use std::fmt;

use chunks::{Coords, MAX_RANK};
use engine_api::{Error, ErrorKind, Result};
use uuid::Uuid;
use xxhash_rust::xxh3::Xxh3;

use crate::numbers::array;

/// The length of a key in a file.
pub(crate) const KEY_BYTES: usize = 52;

/// Flipped, so that bytes compare as numbers do.
const SIGN: u32 = 1 << 31;
const WIDE_SIGN: u64 = 1 << 63;

/// A dataset at a revision.
///
/// A cache doesn't ask what is behind it: two datasets with one id are one dataset to it, and what changes without a
/// new id is stale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DatasetId {
    /// Which dataset.
    pub guid: Uuid,
    /// Which state of it.
    pub revision: i64,
}

impl DatasetId {
    /// A dataset at a revision.
    pub const fn new(guid: Uuid, revision: i64) -> Self {
        Self { guid, revision }
    }

    /// The id of whatever these parts identify, such as a store's URL, an instance and the UUID of a version, at revision 0.
    ///
    /// It is a UUID of version 8 with the bits of XXH3-128 over each part's length, as `u64` little-endian, and the part: so
    /// `["ab", "c"]` isn't `["a", "bc"]`. It isn't a cryptographic hash: who chooses the parts can make two alike.
    ///
    /// ```
    /// use dataset_cache::DatasetId;
    ///
    /// let id = DatasetId::of_parts(&["redb:brain.redb".as_bytes(), b"grayscale", &[7; 16]]);
    /// assert_eq!(id.guid.get_version_num(), 8);
    /// assert_ne!(id, DatasetId::of_parts(&["redb:brain.redb".as_bytes(), b"grayscale", &[8; 16]]));
    /// ```
    pub fn of_parts(parts: &[&[u8]]) -> Self {
        let mut hash = Xxh3::new();
        for part in parts {
            hash.update(&crate::numbers::wide(part.len()).to_le_bytes());
            hash.update(part);
        }
        Self {
            guid: uuid::Builder::from_custom_bytes(hash.digest128().to_be_bytes()).into_uuid(),
            revision: 0,
        }
    }

    /// The same dataset at another revision.
    #[must_use]
    pub const fn at(self, revision: i64) -> Self {
        Self { guid: self.guid, revision }
    }
}

impl fmt::Display for DatasetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.guid, self.revision)
    }
}

/// What an entry is of: a block of a dataset, of some kind, at a level of detail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CacheKey {
    /// The dataset.
    pub dataset: DatasetId,
    /// What of it: a number of the application's. Chunks are [`CHUNK`](Self::CHUNK).
    pub kind: u16,
    /// The level of detail; 0 is the finest.
    pub lod: i32,
    /// Which block.
    pub block: Coords,
}

impl CacheKey {
    /// The kind of the entries of [`Cached`](crate::Cached): chunks as they are in memory.
    pub const CHUNK: u16 = 1;

    /// A chunk of a dataset at a level of detail.
    pub const fn chunk(dataset: DatasetId, lod: i32, block: Coords) -> Self {
        Self { dataset, kind: Self::CHUNK, lod, block }
    }

    /// The key as a file has it: bytes compare as keys do, dataset first.
    pub(crate) fn encode(&self) -> [u8; KEY_BYTES] {
        let mut key = [0; KEY_BYTES];
        key[..16].copy_from_slice(self.dataset.guid.as_bytes());
        key[16..24].copy_from_slice(&(self.dataset.revision.cast_unsigned() ^ WIDE_SIGN).to_be_bytes());
        key[24..28].copy_from_slice(&(self.lod.cast_unsigned() ^ SIGN).to_be_bytes());
        key[28..30].copy_from_slice(&self.kind.to_be_bytes());
        key[30] = u8::try_from(self.block.len()).unwrap_or(0);
        for (axis, bytes) in self.block.iter().zip(key[32..].chunks_exact_mut(4)) {
            bytes.copy_from_slice(&(axis.cast_unsigned() ^ SIGN).to_be_bytes());
        }
        key
    }

    /// # Errors
    /// `Corrupt` when the bytes aren't a key.
    pub(crate) fn decode(key: &[u8]) -> Result<Self> {
        let corrupt = || Error::new(ErrorKind::Corrupt, "an entry's key can't be one").with_key("key", key);
        let rank = usize::from(*key.get(30).ok_or_else(corrupt)?);
        if key.len() != KEY_BYTES || rank > MAX_RANK {
            return Err(corrupt());
        }
        let mut axes = [0; MAX_RANK];
        for (axis, bytes) in axes.iter_mut().zip(key[32..].chunks_exact(4)) {
            *axis = (u32::from_be_bytes(array(bytes, 0)) ^ SIGN).cast_signed();
        }
        let block = Coords::new(&axes[..rank]).map_err(|_| corrupt())?;
        let found = Self {
            dataset: DatasetId {
                guid: Uuid::from_bytes(array(key, 0)),
                revision: (u64::from_be_bytes(array(key, 16)) ^ WIDE_SIGN).cast_signed(),
            },
            kind: u16::from_be_bytes(array(key, 28)),
            lod: (u32::from_be_bytes(array(key, 24)) ^ SIGN).cast_signed(),
            block,
        };
        if found.encode() == *key { Ok(found) } else { Err(corrupt()) }
    }
}

impl fmt::Display for CacheKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} kind {} lod {} {}", self.dataset, self.kind, self.lod, self.block)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_key_is_as_documented() {
        let dataset = DatasetId::new(Uuid::from_bytes([0xAB; 16]), 3);
        let key = CacheKey { dataset, kind: 7, lod: -1, block: Coords::new(&[1, -2]).unwrap() };
        let mut expected = vec![0xAB; 16];
        expected.extend([0x80, 0, 0, 0, 0, 0, 0, 3]);
        expected.extend([0x7f, 0xff, 0xff, 0xff, 0, 7, 2, 0]);
        expected.extend([0x80, 0, 0, 1, 0x7f, 0xff, 0xff, 0xfe]);
        expected.extend([0; 12]);
        assert_eq!(key.encode().as_slice(), expected);
    }

    #[test]
    fn the_id_of_parts_is_as_documented() {
        let id = DatasetId::of_parts(&[b"a", b"bc"]);
        let plain = xxhash_rust::xxh3::xxh3_128(b"\x01\0\0\0\0\0\0\0a\x02\0\0\0\0\0\0\0bc");
        assert_eq!(id.guid, uuid::Builder::from_custom_bytes(plain.to_be_bytes()).into_uuid());
        assert_eq!((id.revision, id.guid.get_version_num()), (0, 8));
        assert_ne!(id, DatasetId::of_parts(&[b"ab", b"c"]));
    }

    proptest! {
        #[test]
        fn keys_round_trip_and_their_order_is_that_of_their_bytes(
            a in any::<(u8, i64, i32, u16, [i32; 2])>(),
            b in any::<(u8, i64, i32, u16, [i32; 2])>(),
        ) {
            let key = |(guid, revision, lod, kind, axes): (u8, i64, i32, u16, [i32; 2])| CacheKey {
                dataset: DatasetId::new(Uuid::from_bytes([guid; 16]), revision),
                kind,
                lod,
                block: Coords::new(&axes).unwrap(),
            };
            prop_assert_eq!(CacheKey::decode(&key(a).encode()).unwrap(), key(a));
            prop_assert_eq!(a.cmp(&b), key(a).encode().cmp(&key(b).encode()));
        }

        #[test]
        fn other_bytes_are_corrupt_or_a_key(bytes in prop::collection::vec(any::<u8>(), 40..60)) {
            if let Ok(key) = CacheKey::decode(&bytes) {
                prop_assert_eq!(key.encode().to_vec(), bytes);
            }
        }
    }
}
