//! What waits for a flush.

use std::collections::BTreeMap;
use std::sync::MutexGuard;

use engine_api::Result;

use super::BlockWriter;
use crate::opened::Place;
use crate::records::Commit;

/// What was written and isn't committed.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    pub(super) commits: BTreeMap<u64, Commit>,
    /// What a flush that is under way has taken; it is still to be read from here.
    pub(super) flushing: BTreeMap<u64, Commit>,
    pub(super) bytes: u64,
}

impl Waiting {
    pub(super) fn own(&self, index: u64) -> Option<Commit> {
        self.commits.get(&index).or_else(|| self.flushing.get(&index)).copied()
    }
}

/// A writer whose blocks nobody else hands over.
#[derive(Debug)]
pub(crate) struct Held<'a> {
    pub(super) writer: &'a BlockWriter,
    pub(super) waiting: MutexGuard<'a, Waiting>,
}

impl Held<'_> {
    pub(crate) fn hand_over(&mut self, commits: impl IntoIterator<Item = (u64, Commit)>) {
        for (index, commit) in commits {
            let other = self.waiting.commits.get(&index);
            if other.is_none_or(|other| other.extent.offset <= commit.extent.offset) {
                self.waiting.commits.insert(index, commit);
                self.waiting.bytes += u64::from(commit.extent.size);
            }
        }
    }

    /// Where a block is, as this writer sees it.
    pub(crate) fn place(&self, index: u64) -> Result<Place> {
        match self.waiting.own(index) {
            Some(commit) if commit.deleted => Ok(Place::Missing),
            Some(commit) => Ok(Place::Committed(commit)),
            None => self.writer.opened.place(index),
        }
    }
}
