//! What a raw engine must be able to do to be compared with.

use std::fmt;
use std::rc::Rc;

use engine_api::{Direction, Durability};

use super::Outcome;
use super::contest::Side;

/// Keys to read, one at a time.
pub(crate) type Keys = Rc<[Vec<u8>]>;

/// Ranges to scan, each from a first key to one that is past it.
pub(crate) type Ranges = Rc<[(Vec<u8>, Vec<u8>)]>;

/// Batches to write.
pub(crate) type Batches = Rc<[Batch]>;

/// The entries of one batch.
pub(crate) type Batch = Vec<(Vec<u8>, Vec<u8>)>;

/// Which state reads are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Snapshot {
    /// One that is taken before, and serves every read.
    Held,
    /// One that each read takes for itself.
    Each,
}

/// A raw engine over the same pages as a store, called as its own users would call it.
pub(crate) trait Peer: fmt::Debug {
    /// Reads a value without copying it, every byte.
    fn get(&self, keys: Keys, snapshot: Snapshot) -> Outcome<Side<'_>>;

    /// Reads the entries of a range, in every way that there is, of one snapshot that is held.
    fn scans(&self, ranges: Ranges, direction: Direction) -> Outcome<Vec<Side<'_>>>;

    /// Reads the first entry at or after each of some keys, of one snapshot that is held.
    fn seeks(&self, runs: Rc<[Vec<Vec<u8>>]>) -> Outcome<Side<'_>>;

    /// Commits a batch.
    fn puts(&self, batches: Batches, durability: Durability) -> Outcome<Side<'_>>;
}
