//! Type-specific keys: the keys that a datatype or a user sees.

use std::fmt;

use bytes::Bytes;

use crate::ext::KeyRange;
use crate::spi::{Error, ErrorKind, Result};

/// A class of keys within an instance: the first byte of a [`TKey`]. A datatype gives each kind of thing
/// that it stores a class of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TKeyClass(pub u8);

impl TKeyClass {
    /// The least key of the class: the class byte alone.
    pub fn min_key(self) -> TKey {
        TKey::new(self, b"")
    }

    /// The keys of the class, all of them.
    pub fn range(self) -> KeyRange {
        KeyRange::prefix(&[self.0])
    }
}

/// A type-specific key: any byte string; the first byte is its class.
///
/// ```
/// use engine_api::key::{TKey, TKeyClass};
///
/// let key = TKey::new(TKeyClass(177), b"brain");
/// assert_eq!(key.class().unwrap(), TKeyClass(177));
/// assert_eq!(key.class_bytes().unwrap(), b"brain");
/// assert!(TKeyClass(177).range().contains(key.as_bytes()));
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct TKey(Bytes);

impl TKey {
    /// The key of `class` with `rest` behind it.
    pub fn new(class: TKeyClass, rest: &[u8]) -> Self {
        let mut bytes = Vec::with_capacity(1 + rest.len());
        bytes.push(class.0);
        bytes.extend_from_slice(rest);
        Self(bytes.into())
    }

    /// The key with these bytes, the class first.
    pub fn from_bytes(bytes: impl Into<Bytes>) -> Self {
        Self(bytes.into())
    }

    /// The key's bytes, the class first.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The key's class.
    ///
    /// # Errors
    /// `InvalidArgument` for the empty key, which has none.
    pub fn class(&self) -> Result<TKeyClass> {
        self.split().map(|(class, _)| class)
    }

    /// The bytes behind the class.
    ///
    /// # Errors
    /// `InvalidArgument` for the empty key.
    pub fn class_bytes(&self) -> Result<&[u8]> {
        self.split().map(|(_, rest)| rest)
    }

    fn split(&self) -> Result<(TKeyClass, &[u8])> {
        self.0
            .split_first()
            .map(|(class, rest)| (TKeyClass(*class), rest))
            .ok_or_else(|| Error::new(ErrorKind::InvalidArgument, "the empty key has no class"))
    }
}

impl AsRef<[u8]> for TKey {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl From<&[u8]> for TKey {
    fn from(bytes: &[u8]) -> Self {
        Self(Bytes::copy_from_slice(bytes))
    }
}

impl<const N: usize> From<&[u8; N]> for TKey {
    fn from(bytes: &[u8; N]) -> Self {
        Self::from(bytes.as_slice())
    }
}

impl From<&str> for TKey {
    fn from(text: &str) -> Self {
        Self::from(text.as_bytes())
    }
}

impl From<Vec<u8>> for TKey {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }
}

impl fmt::Debug for TKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TKey(\"{}\")", self.0.escape_ascii())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_its_class_and_what_follows() {
        let key = TKey::new(TKeyClass(7), b"a\0");
        assert_eq!(key.as_bytes(), b"\x07a\0");
        assert_eq!(key.as_ref(), b"\x07a\0");
        assert_eq!(key.class().unwrap(), TKeyClass(7));
        assert_eq!(key.class_bytes().unwrap(), b"a\0");
        assert_eq!(format!("{key:?}"), r#"TKey("\x07a\x00")"#);
        let empty = TKey::default();
        assert_eq!(empty.class().unwrap_err().kind(), ErrorKind::InvalidArgument);
        assert_eq!(empty.class_bytes().unwrap_err().kind(), ErrorKind::InvalidArgument);
    }

    #[test]
    fn every_way_to_a_key_keeps_its_bytes() {
        let key = TKey::new(TKeyClass(b'a'), b"b");
        assert_eq!(TKey::from("ab"), key);
        assert_eq!(TKey::from(b"ab"), key);
        assert_eq!(TKey::from(b"ab".as_slice()), key);
        assert_eq!(TKey::from(b"ab".to_vec()), key);
        assert_eq!(TKey::from_bytes("ab"), key);
    }

    #[test]
    fn a_class_has_its_keys_and_no_others() {
        assert_eq!(TKeyClass(7).min_key().as_bytes(), [7]);
        assert_eq!(TKeyClass(7).range(), KeyRange::new([7_u8]..[8_u8]));
        assert_eq!(TKeyClass(0xFF).range(), KeyRange::new([0xFF_u8]..));
    }
}
