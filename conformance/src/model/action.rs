//! One step of a program.

use std::fmt;

/// One step of a program for [`replay`](crate::replay). Its `Debug` form is Rust that makes it again.
#[derive(Clone, PartialEq, Eq)]
pub enum Action {
    /// Puts a value of so many bytes, each of them the second number, under a key.
    Put(&'static [u8], usize, u8),
    /// Deletes a key.
    Delete(&'static [u8]),
    /// Deletes the keys from the first, included, to the second, excluded.
    DeleteRange(&'static [u8], &'static [u8]),
    /// Commits several puts, deletes and range deletes as one batch.
    Batch(&'static [Action]),
    /// Reads a key.
    Get(&'static [u8]),
    /// Scans from the first key, included, to the second, excluded.
    Scan(&'static [u8], &'static [u8]),
    /// The same, descending.
    ScanReverse(&'static [u8], &'static [u8]),
    /// Scans everything from the first key on, and seeks to the second after the first visit.
    Seek(&'static [u8], &'static [u8]),
    /// Flushes.
    Flush,
    /// Closes the store and opens it again, where the player can.
    Reopen,
}

impl fmt::Debug for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |key: &&'static [u8]| format!("b\"{}\"", key.escape_ascii());
        match self {
            Self::Put(key, length, byte) => write!(f, "Put({}, {length}, {byte})", text(key)),
            Self::Delete(key) => write!(f, "Delete({})", text(key)),
            Self::DeleteRange(low, high) => write!(f, "DeleteRange({}, {})", text(low), text(high)),
            Self::Batch(inner) => {
                let inner: Vec<_> = inner.iter().map(|action| format!("Action::{action:?}")).collect();
                write!(f, "Batch(&[{}])", inner.join(", "))
            }
            Self::Get(key) => write!(f, "Get({})", text(key)),
            Self::Scan(low, high) => write!(f, "Scan({}, {})", text(low), text(high)),
            Self::ScanReverse(low, high) => write!(f, "ScanReverse({}, {})", text(low), text(high)),
            Self::Seek(from, to) => write!(f, "Seek({}, {})", text(from), text(to)),
            Self::Flush => f.write_str("Flush"),
            Self::Reopen => f.write_str("Reopen"),
        }
    }
}
