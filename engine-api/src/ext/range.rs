//! A range of keys that owns its bounds.

use std::ops::{Bound, RangeBounds};

use crate::spi::Scan;

/// A range of keys.
///
/// ```
/// use engine_api::KeyRange;
///
/// assert!(KeyRange::prefix(b"a\xff").contains(b"a\xff\xff\xff"));
/// assert!(KeyRange::new(b"a".to_vec()..b"c".to_vec()).contains(b"bb"));
/// assert!(!KeyRange::new(b"a".to_vec()..b"c".to_vec()).contains(b"c"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KeyRange {
    start: Bound<Vec<u8>>,
    end: Bound<Vec<u8>>,
}

impl KeyRange {
    /// Every key.
    pub const ALL: Self = Self { start: Bound::Unbounded, end: Bound::Unbounded };

    /// The keys of a Rust range.
    pub fn new<K: AsRef<[u8]>>(range: impl RangeBounds<K>) -> Self {
        let own = |bound: Bound<&K>| bound.map(|key| key.as_ref().to_vec());
        Self { start: own(range.start_bound()), end: own(range.end_bound()) }
    }

    /// The keys between two bounds.
    pub const fn between(start: Bound<Vec<u8>>, end: Bound<Vec<u8>>) -> Self {
        Self { start, end }
    }

    /// The keys that begin with `prefix`, however many 0xFF bytes follow it.
    pub fn prefix(prefix: &[u8]) -> Self {
        let end = successor(prefix).map_or(Bound::Unbounded, Bound::Excluded);
        Self { start: Bound::Included(prefix.to_vec()), end }
    }

    /// One key.
    pub fn one(key: &[u8]) -> Self {
        Self { start: Bound::Included(key.to_vec()), end: Bound::Included(key.to_vec()) }
    }

    /// The lower bound.
    pub fn start(&self) -> Bound<&[u8]> {
        self.start.as_ref().map(Vec::as_slice)
    }

    /// The upper bound.
    pub fn end(&self) -> Bound<&[u8]> {
        self.end.as_ref().map(Vec::as_slice)
    }

    /// Whether `key` lies between the bounds.
    pub fn contains(&self, key: &[u8]) -> bool {
        let scan = self.scan();
        !scan.is_past(key) && !scan.reverse().is_past(key)
    }

    /// An ascending scan of the range.
    pub fn scan(&self) -> Scan<'_> {
        Scan::between(self.start(), self.end())
    }
}

/// The least key above every key that begins with `prefix`; `None` where there is none.
fn successor(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte != 0xFF)?;
    let mut end = prefix[..=last].to_vec();
    end[last] += 1;
    Some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_successor_of_a_prefix_drops_trailing_ff() {
        assert_eq!(successor(b"a"), Some(b"b".to_vec()));
        assert_eq!(successor(b"a\xff\xff"), Some(b"b".to_vec()));
        assert_eq!(successor(b"\xff\xff"), None);
        assert_eq!(successor(b""), None);
    }
}
