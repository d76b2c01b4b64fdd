//! Bytes that live as long as the program: an action reads in code as it does in a message.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// The bytes, kept for ever, once. There are few keys, so a run keeps some kilobytes.
pub(super) fn bytes(bytes: &[u8]) -> &'static [u8] {
    static KEPT: Mutex<BTreeSet<&'static [u8]>> = Mutex::new(BTreeSet::new());
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(there) = kept.get(bytes) {
        return there;
    }
    let leaked: &'static [u8] = bytes.to_vec().leak();
    kept.insert(leaked);
    leaked
}

/// Bytes as a literal of Rust.
pub(super) fn literal(bytes: &[u8]) -> String {
    format!("b\"{}\"", bytes.escape_ascii())
}

/// One end of a range, as Rust.
pub(super) fn bound(bound: &std::ops::Bound<&'static [u8]>) -> String {
    match bound {
        std::ops::Bound::Included(key) => format!("Bound::Included({})", literal(key)),
        std::ops::Bound::Excluded(key) => format!("Bound::Excluded({})", literal(key)),
        std::ops::Bound::Unbounded => "Bound::Unbounded".to_owned(),
    }
}
