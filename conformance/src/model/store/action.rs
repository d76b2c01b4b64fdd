//! One step of a program.

use std::fmt;
use std::ops::Bound;

use engine_api::{Direction, Durability};

use crate::model::interned::{bound, literal};

/// One step of a program for [`replay`](crate::replay). Its `Debug` form is Rust that makes it again.
///
/// Reads name the view that they read: 0 is one that is taken for the read alone, as is a view that
/// [`View`](Self::View) hasn't taken.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Puts a value of so many bytes, each of them the second number, under a key.
    Put(&'static [u8], usize, u8),
    /// Deletes a key.
    Delete(&'static [u8]),
    /// Deletes the keys between two bounds.
    DeleteRange(Bound<&'static [u8]>, Bound<&'static [u8]>),
    /// Requires that a key is absent; in a batch, of the whole of it.
    RequireAbsent(&'static [u8]),
    /// Requires that a key is there.
    RequirePresent(&'static [u8]),
    /// Requires that a key has this value, which is given as in [`Put`](Self::Put).
    RequireEquals(&'static [u8], usize, u8),
    /// Commits several of the above as one batch, this durably. Outside of one, each is a batch of its own.
    Batch(Durability, &'static [Action]),
    /// Takes a view and keeps it under a number above 0.
    View(usize),
    /// Gives a kept view back.
    Drop(usize),
    /// Reads a key.
    Get(usize, &'static [u8]),
    /// Asks whether a key is there.
    Exists(usize, &'static [u8]),
    /// Scans between two bounds.
    Scan(usize, Bound<&'static [u8]>, Bound<&'static [u8]>, Direction),
    /// Scans between two bounds, and seeks to one key after another, each after a visit.
    Seek(usize, Bound<&'static [u8]>, Bound<&'static [u8]>, Direction, &'static [&'static [u8]]),
    /// Moves a cursor between two bounds so many times, then seeks it to a key, and goes on to the end.
    Cursor(usize, Bound<&'static [u8]>, Bound<&'static [u8]>, Direction, usize, &'static [u8]),
    /// Flushes.
    Flush,
    /// Gives all views back, flushes, closes the store and opens it again; nothing, where data doesn't
    /// outlive the store.
    Reopen,
}

impl fmt::Debug for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let range = |low, high| format!("{}, {}", bound(low), bound(high));
        match self {
            Self::Put(key, length, byte) => write!(f, "Put({}, {length}, {byte})", literal(key)),
            Self::Delete(key) => write!(f, "Delete({})", literal(key)),
            Self::DeleteRange(low, high) => write!(f, "DeleteRange({})", range(low, high)),
            Self::RequireAbsent(key) => write!(f, "RequireAbsent({})", literal(key)),
            Self::RequirePresent(key) => write!(f, "RequirePresent({})", literal(key)),
            Self::RequireEquals(key, length, byte) => {
                write!(f, "RequireEquals({}, {length}, {byte})", literal(key))
            }
            Self::Batch(durability, inner) => {
                let inner: Vec<_> = inner.iter().map(|action| format!("Action::{action:?}")).collect();
                write!(f, "Batch(Durability::{durability:?}, &[{}])", inner.join(", "))
            }
            Self::View(view) => write!(f, "View({view})"),
            Self::Drop(view) => write!(f, "Drop({view})"),
            Self::Get(view, key) => write!(f, "Get({view}, {})", literal(key)),
            Self::Exists(view, key) => write!(f, "Exists({view}, {})", literal(key)),
            Self::Scan(view, low, high, direction) => {
                write!(f, "Scan({view}, {}, Direction::{direction:?})", range(low, high))
            }
            Self::Seek(view, low, high, direction, targets) => {
                let targets: Vec<_> = targets.iter().map(|target| literal(target)).collect();
                let targets = targets.join(", ");
                write!(f, "Seek({view}, {}, Direction::{direction:?}, &[{targets}])", range(low, high))
            }
            Self::Cursor(view, low, high, direction, moves, target) => {
                let target = literal(target);
                write!(f, "Cursor({view}, {}, Direction::{direction:?}, {moves}, {target})", range(low, high))
            }
            Self::Flush => f.write_str("Flush"),
            Self::Reopen => f.write_str("Reopen"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each action beside the code that made it, without spaces.
    macro_rules! beside_their_code {
        ($($action:expr),+ $(,)?) => {
            [$(($action, stringify!($action).split_whitespace().collect::<String>())),+]
        };
    }

    #[test]
    fn an_action_reads_as_the_code_that_makes_it() {
        let actions = beside_their_code![
            Action::Put(b"a\x00\"", 3, 7),
            Action::Delete(b""),
            Action::DeleteRange(Bound::Excluded(b"a"), Bound::Unbounded),
            Action::RequireAbsent(b"a"),
            Action::RequirePresent(b"a"),
            Action::RequireEquals(b"a", 1, 2),
            Action::Batch(Durability::Power, &[Action::Delete(b"a"), Action::Put(b"b", 0, 0)]),
            Action::View(1),
            Action::Drop(1),
            Action::Get(0, b"\xff"),
            Action::Exists(1, b"a"),
            Action::Scan(0, Bound::Included(b"a"), Bound::Excluded(b"b"), Direction::Forward),
            Action::Seek(0, Bound::Unbounded, Bound::Unbounded, Direction::Reverse, &[b"a", b"b"]),
            Action::Cursor(2, Bound::Unbounded, Bound::Unbounded, Direction::Forward, 3, b"a"),
            Action::Flush,
            Action::Reopen,
        ];
        for (action, code) in actions {
            let printed = format!("Action::{action:?}");
            assert_eq!(printed.split_whitespace().collect::<String>(), code);
        }
    }
}
