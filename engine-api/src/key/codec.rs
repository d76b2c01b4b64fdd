//! Encoding, parsing and rewriting of full keys.

use std::borrow::Cow;

use super::id::{ClientId, InstanceId, VersionId};
use super::tkey::TKey;
use crate::spi::{Error, ErrorKind, Result};

/// The first byte of metadata keys.
pub(super) const METADATA: u8 = 0x00;
/// The first byte of data keys.
pub(super) const DATA: u8 = 0x01;

const HEAD_BYTES: usize = 5;
/// The bytes behind the terminator: version, client, mark.
pub(crate) const SUFFIX_BYTES: usize = 9;

const ESCAPED_ZERO: [u8; 2] = [0x00, 0xFF];
const TERMINATOR: [u8; 2] = [0x00, 0x01];
/// Above every entry of the key that it follows, below the entries of every greater key.
const AFTER_TERMINATOR: [u8; 2] = [0x00, 0x02];

/// What an entry is: the last byte of a data key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Mark {
    /// A value.
    Data = 0x03,
    /// The statement that the key was deleted at this version.
    Tombstone = 0x4F,
}

impl Mark {
    fn parse(byte: u8) -> Result<Self> {
        match byte {
            0x03 => Ok(Self::Data),
            0x4F => Ok(Self::Tombstone),
            _ => Err(Error::new(ErrorKind::Corrupt, "a data key ends in an unknown mark")
                .with("mark", format_args!("{byte:#04x}"))),
        }
    }
}

/// A full key of the data space, in parts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DataKey {
    /// The data instance.
    pub instance: InstanceId,
    /// The key within the instance.
    pub tkey: TKey,
    /// The version at which the entry was written.
    pub version: VersionId,
    /// Reserved.
    pub client: ClientId,
    /// Value or tombstone.
    pub mark: Mark,
}

impl DataKey {
    /// The full key's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut key = group_start(self.instance, self.tkey.as_bytes());
        let suffix = Suffix { version: self.version, client: self.client, mark: self.mark };
        key.extend_from_slice(&suffix.to_bytes());
        key
    }

    /// The same key in another instance.
    #[must_use]
    pub fn in_instance(self, instance: InstanceId) -> Self {
        Self { instance, ..self }
    }

    /// The same key at another version.
    #[must_use]
    pub fn at_version(self, version: VersionId) -> Self {
        Self { version, ..self }
    }

    /// Rewrites the bytes of a full key to another instance and version; key, client and mark are kept.
    ///
    /// # Errors
    /// `Corrupt` for bytes that no data key has.
    pub fn rewrite(key: &[u8], instance: InstanceId, version: VersionId) -> Result<Vec<u8>> {
        Ok(Self::parse(key)?.in_instance(instance).at_version(version).encode())
    }

    /// Parses a full key of the data space.
    ///
    /// # Errors
    /// `Corrupt` for bytes that no data key has.
    pub fn parse(key: &[u8]) -> Result<Self> {
        match FullKey::parse(key)? {
            FullKey::Data(key) => Ok(key),
            FullKey::Metadata(_) => Err(malformed(key, "a metadata key stands where a data key belongs")),
        }
    }
}

/// A full key, in parts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum FullKey {
    /// A key of the metadata space.
    Metadata(TKey),
    /// A key of the data space.
    Data(DataKey),
}

impl FullKey {
    /// Parses a full key.
    ///
    /// # Errors
    /// `Corrupt` for bytes that no full key has.
    pub fn parse(key: &[u8]) -> Result<Self> {
        match key.split_first() {
            Some((&METADATA, tkey)) => Ok(Self::Metadata(TKey::from(tkey))),
            Some((&DATA, _)) => {
                let (group, suffix) = Suffix::split(key)?;
                let (head, escaped) = group
                    .split_at_checked(HEAD_BYTES)
                    .ok_or_else(|| malformed(key, "a data key is too short"))?;
                let instance = InstanceId::from_be_bytes([head[1], head[2], head[3], head[4]]);
                let escaped = escaped
                    .strip_suffix(&TERMINATOR)
                    .ok_or_else(|| malformed(key, "a data key has no terminator"))?;
                let tkey = unescape(escaped)
                    .ok_or_else(|| malformed(key, "a data key has a zero byte that isn't escaped"))?;
                let tkey = TKey::from(tkey.as_ref());
                let Suffix { version, client, mark } = suffix;
                Ok(Self::Data(DataKey { instance, tkey, version, client, mark }))
            }
            _ => Err(malformed(key, "a key belongs to no key space")),
        }
    }

    /// The full key's bytes.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Metadata(tkey) => metadata_key(tkey),
            Self::Data(key) => key.encode(),
        }
    }
}

pub(super) fn metadata_key(tkey: &TKey) -> Vec<u8> {
    let mut key = Vec::with_capacity(1 + tkey.as_bytes().len());
    key.push(METADATA);
    key.extend_from_slice(tkey.as_bytes());
    key
}

/// What stands behind the terminator of a data key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Suffix {
    pub(crate) version: VersionId,
    pub(crate) client: ClientId,
    pub(crate) mark: Mark,
}

impl Suffix {
    pub(crate) fn to_bytes(self) -> [u8; SUFFIX_BYTES] {
        let [v0, v1, v2, v3] = (!self.version.0).to_be_bytes();
        let [c0, c1, c2, c3] = self.client.to_be_bytes();
        [v0, v1, v2, v3, c0, c1, c2, c3, self.mark as u8]
    }

    /// Splits a data key into its group (all up to and with the terminator) and its suffix.
    #[inline]
    pub(crate) fn split(key: &[u8]) -> Result<(&[u8], Self)> {
        let Some((group, &[v0, v1, v2, v3, c0, c1, c2, c3, mark])) = key.split_last_chunk::<SUFFIX_BYTES>()
        else {
            return Err(malformed(key, "a data key is too short"));
        };
        let version = VersionId(!u32::from_be_bytes([v0, v1, v2, v3]));
        let client = ClientId::from_be_bytes([c0, c1, c2, c3]);
        Ok((group, Self { version, client, mark: Mark::parse(mark)? }))
    }
}

/// The bytes that every entry of a key begins with: `01 | instance | esc(tkey) 00 01`. There is room for a
/// suffix behind them.
pub(crate) fn group_start(instance: InstanceId, tkey: &[u8]) -> Vec<u8> {
    let mut key = Vec::with_capacity(HEAD_BYTES + tkey.len() + TERMINATOR.len() + SUFFIX_BYTES);
    key.push(DATA);
    key.extend_from_slice(&instance.to_be_bytes());
    if has_zero(tkey) {
        for (at, part) in tkey.split(|byte| *byte == 0x00).enumerate() {
            if at > 0 {
                key.extend_from_slice(&ESCAPED_ZERO);
            }
            key.extend_from_slice(part);
        }
    } else {
        key.extend_from_slice(tkey);
    }
    key.extend_from_slice(&TERMINATOR);
    key
}

/// The least bytes above every entry of the key whose entries begin with `group`.
pub(crate) fn group_end(group: &[u8]) -> Vec<u8> {
    let mut end = Vec::with_capacity(group.len());
    write_group_end(group, &mut end);
    end
}

/// The same in place of what `end` holds.
pub(crate) fn write_group_end(group: &[u8], end: &mut Vec<u8>) {
    end.clear();
    end.extend_from_slice(group.strip_suffix(&TERMINATOR).unwrap_or(group));
    end.extend_from_slice(&AFTER_TERMINATOR);
}

/// The key that a group belongs to: borrowed from the group, unless a byte of it was escaped.
#[inline]
pub(crate) fn group_tkey(group: &[u8]) -> Result<Cow<'_, [u8]>> {
    group
        .get(HEAD_BYTES..)
        .and_then(|rest| rest.strip_suffix(&TERMINATOR))
        .and_then(unescape)
        .ok_or_else(|| malformed(group, "a data key isn't well formed"))
}

/// Whether a byte is zero. It reads eight at once, and the last eight again where they aren't a whole number of times
/// eight: it is asked of each key of a range, and most are short.
#[inline]
fn has_zero(bytes: &[u8]) -> bool {
    /// Not zero where a byte is: the lowest such byte, and perhaps others above it, have their high bit set.
    const fn zeros(word: [u8; 8]) -> u64 {
        let word = u64::from_le_bytes(word);
        word.wrapping_sub(0x0101_0101_0101_0101) & !word & 0x8080_8080_8080_8080
    }
    let Some(last) = bytes.last_chunk() else { return bytes.contains(&0x00) };
    let words = bytes.as_chunks().0;
    words.iter().fold(zeros(*last), |found, word| found | zeros(*word)) != 0
}

#[inline]
fn unescape(escaped: &[u8]) -> Option<Cow<'_, [u8]>> {
    if !has_zero(escaped) {
        return Some(Cow::Borrowed(escaped));
    }
    let mut plain = Vec::with_capacity(escaped.len());
    let mut bytes = escaped.iter();
    while let Some(&byte) = bytes.next() {
        plain.push(byte);
        if byte == 0x00 && bytes.next() != Some(&0xFF) {
            return None;
        }
    }
    Some(Cow::Owned(plain))
}

#[cold]
fn malformed(key: &[u8], message: &'static str) -> Error {
    Error::new(ErrorKind::Corrupt, message).with_key("key", key)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn data(instance: u32, tkey: &[u8], version: u32) -> DataKey {
        DataKey {
            instance: InstanceId(instance),
            tkey: TKey::from(tkey),
            version: VersionId(version),
            client: ClientId(0),
            mark: Mark::Data,
        }
    }

    #[test]
    fn the_layout_to_the_byte() {
        let key = data(23, &[0x08, 0x33, 0x71, 0x00, 0x00, 0xFF], 3);
        let expected = [
            0x01, 0, 0, 0, 23, // data space, instance
            0x08, 0x33, 0x71, 0x00, 0xFF, 0x00, 0xFF, 0xFF, 0x00, 0x01, // key, escaped and terminated
            0xFF, 0xFF, 0xFF, 0xFC, 0, 0, 0, 0, 0x03, // version, client, mark
        ];
        assert_eq!(key.encode(), expected);
        assert_eq!(DataKey::parse(&expected).unwrap(), key);
        let metadata = FullKey::Metadata(TKey::from(b"\x08\x00"));
        assert_eq!(metadata.encode(), [0x00, 0x08, 0x00]);
    }

    #[test]
    fn a_zero_is_found_wherever_it_is() {
        for length in 0..40 {
            for other in [0x01, 0x7F, 0x80, 0x81, 0xFF] {
                let mut bytes = vec![other; length];
                assert!(!has_zero(&bytes), "{length} of {other}");
                for at in 0..length {
                    bytes[at] = 0x00;
                    assert!(has_zero(&bytes), "{length} of {other}, at {at}");
                    bytes[at] = other;
                }
            }
        }
    }

    #[test]
    fn malformed_keys_are_errors() {
        let good = data(1, b"a\0b", 7).encode();
        for end in 0..good.len() {
            assert_eq!(DataKey::parse(&good[..end]).unwrap_err().kind(), ErrorKind::Corrupt, "{end}");
        }
        assert_eq!(DataKey::parse(&[0x00, 0x01]).unwrap_err().kind(), ErrorKind::Corrupt);
        assert_eq!(FullKey::parse(&[0x02; 20]).unwrap_err().kind(), ErrorKind::Corrupt);
        let mut mark = good.clone();
        *mark.last_mut().unwrap() = 0x04;
        assert_eq!(FullKey::parse(&mark).unwrap_err().kind(), ErrorKind::Corrupt);
    }

    proptest! {
        #[test]
        fn full_keys_round_trip(instance: u32, tkey: Vec<u8>, version: u32, client: u32, tombstone: bool) {
            let mark = if tombstone { Mark::Tombstone } else { Mark::Data };
            let key = DataKey { client: ClientId(client), mark, ..data(instance, &tkey, version) };
            prop_assert_eq!(FullKey::parse(&key.encode()).unwrap(), FullKey::Data(key));
        }

        #[test]
        fn full_keys_are_in_the_order_of_keys_then_newest_version(
            a in prop::collection::vec(prop::sample::select(vec![0u8, 1, 2, 0xFE, 0xFF]), 0..6),
            b in prop::collection::vec(prop::sample::select(vec![0u8, 1, 2, 0xFE, 0xFF]), 0..6),
            v: u32, w: u32,
        ) {
            let (left, right) = (data(1, &a, v).encode(), data(1, &b, w).encode());
            prop_assert_eq!(left.cmp(&right), a.cmp(&b).then(w.cmp(&v)));
            if a < b {
                prop_assert!(group_end(&group_start(InstanceId(1), &a)) < right);
            }
        }

        #[test]
        fn rewriting_changes_instance_and_version_alone(tkey: Vec<u8>, from: (u32, u32), to: (u32, u32)) {
            let key = DataKey { mark: Mark::Tombstone, ..data(from.0, &tkey, from.1) };
            let rewritten = DataKey::rewrite(&key.encode(), InstanceId(to.0), VersionId(to.1)).unwrap();
            let expected = DataKey { mark: Mark::Tombstone, ..data(to.0, &tkey, to.1) };
            prop_assert_eq!(DataKey::parse(&rewritten).unwrap(), expected);
        }

        #[test]
        fn parsing_any_bytes_never_panics(bytes: Vec<u8>) {
            let _ = FullKey::parse(&bytes);
        }
    }
}
