//! One step of a history.

use std::fmt;
use std::ops::Bound;

use crate::model::interned::{bound, literal};

/// One step of a program for [`replay_versions`](crate::replay_versions). Its `Debug` form is Rust that makes
/// it again.
///
/// Versions are numbered in the order in which they are made; 1 is the root.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum VersionAction {
    /// Puts a value under a key at a version.
    Put(usize, &'static [u8], &'static [u8]),
    /// Deletes a key at a version.
    Delete(usize, &'static [u8]),
    /// Deletes the keys between two bounds at a version.
    DeleteRange(usize, Bound<&'static [u8]>, Bound<&'static [u8]>),
    /// Puts values and (`None`) deletes keys at a version, in one batch.
    Batch(usize, &'static [(&'static [u8], Option<&'static [u8]>)]),
    /// Resolves a key in conflict at a version by the side that another version sees.
    Resolve(usize, &'static [u8], usize),
    /// Commits a version: nothing is written at it any more.
    Commit(usize),
    /// Makes the next version on a version's branch.
    NewVersion(usize),
    /// Makes a version on a branch of its own.
    Branch(usize),
    /// Merges versions, on a branch of its own.
    Merge(&'static [usize]),
    /// Reads a key at a version.
    Get(usize, &'static [u8]),
    /// Visits the keys between two bounds at a version.
    Range(usize, Bound<&'static [u8]>, Bound<&'static [u8]>),
    /// Lists the conflicts of a version, or those that a merge of several would have.
    Conflicts(&'static [usize]),
    /// Flushes, closes the store and opens it again; nothing, where data doesn't outlive the store.
    Reopen,
}

impl fmt::Debug for VersionAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Put(node, key, value) => write!(f, "Put({node}, {}, {})", literal(key), literal(value)),
            Self::Delete(node, key) => write!(f, "Delete({node}, {})", literal(key)),
            Self::DeleteRange(node, low, high) => {
                write!(f, "DeleteRange({node}, {}, {})", bound(low), bound(high))
            }
            Self::Batch(node, edits) => {
                let edit = |(key, value): &(&[u8], Option<&'static [u8]>)| match value {
                    Some(value) => format!("({}, Some({}))", literal(key), literal(value)),
                    None => format!("({}, None)", literal(key)),
                };
                let edits: Vec<_> = edits.iter().map(edit).collect();
                write!(f, "Batch({node}, &[{}])", edits.join(", "))
            }
            Self::Resolve(node, key, side) => write!(f, "Resolve({node}, {}, {side})", literal(key)),
            Self::Commit(node) => write!(f, "Commit({node})"),
            Self::NewVersion(node) => write!(f, "NewVersion({node})"),
            Self::Branch(node) => write!(f, "Branch({node})"),
            Self::Merge(nodes) => write!(f, "Merge(&{nodes:?})"),
            Self::Get(node, key) => write!(f, "Get({node}, {})", literal(key)),
            Self::Range(node, low, high) => write!(f, "Range({node}, {}, {})", bound(low), bound(high)),
            Self::Conflicts(nodes) => write!(f, "Conflicts(&{nodes:?})"),
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
            VersionAction::Put(1, b"a\xff", b"v1"),
            VersionAction::Delete(1, b""),
            VersionAction::DeleteRange(1, Bound::Excluded(b"a"), Bound::Unbounded),
            VersionAction::Batch(1, &[(b"a", Some(b"v2")), (b"b", None)]),
            VersionAction::Resolve(3, b"a", 1),
            VersionAction::Commit(1),
            VersionAction::NewVersion(1),
            VersionAction::Branch(1),
            VersionAction::Merge(&[2, 3]),
            VersionAction::Get(1, b"a"),
            VersionAction::Range(1, Bound::Included(b"a"), Bound::Unbounded),
            VersionAction::Conflicts(&[2]),
            VersionAction::Reopen,
        ];
        for (action, code) in actions {
            let printed = format!("VersionAction::{action:?}");
            assert_eq!(printed.split_whitespace().collect::<String>(), code);
        }
    }
}
