//! The stores of one engine that operations are measured on, each made when it is first asked for.

use std::cell::OnceCell;

use engine_api::{Bytes, Durability, Store, WriteBatch};
use tempfile::TempDir;

use super::Outcome;
use super::contenders::{Contender, Subject};
use super::data;
use super::history::History;

/// How much data there is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale {
    /// Entries of 100 bytes; of a history, over all versions.
    pub(crate) small: usize,
    /// Entries of 64 KiB.
    pub(crate) large: usize,
}

impl Scale {
    /// For figures to go by.
    pub(crate) const FULL: Self = Self { small: 100_000, large: 256 };
    /// For seeing that everything runs.
    pub(crate) const QUICK: Self = Self { small: 4_000, large: 8 };
}

/// The bytes of a small value.
pub(crate) const SMALL: usize = 100;
/// The bytes of a large value.
pub(crate) const LARGE: usize = 64 << 10;
/// The entries of a scan, and of a batch.
pub(crate) const RUN: usize = 1000;
/// The lengths of the histories.
pub(crate) const VERSIONS: [usize; 4] = [1, 10, 100, 1000];

/// What stores that are only read are filled with, before they are flushed.
const READ: Durability = Durability::Relaxed;

/// The stores of one engine.
pub(crate) struct Stage<'c> {
    /// The engine.
    pub(crate) contender: &'c dyn Contender,
    folder: TempDir,
    /// How much data they hold.
    pub(crate) scale: Scale,
    small: OnceCell<Subject>,
    large: OnceCell<Subject>,
    written: [OnceCell<Subject>; 2],
    histories: [OnceCell<History>; VERSIONS.len()],
    large_history: OnceCell<History>,
    written_history: [OnceCell<History>; 2],
}

impl std::fmt::Debug for Stage<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stage")
            .field("folder", &self.folder)
            .field("scale", &self.scale)
            .finish_non_exhaustive()
    }
}

impl<'c> Stage<'c> {
    /// Of an engine, in a temporary folder.
    pub(crate) fn new(contender: &'c dyn Contender, scale: Scale) -> Outcome<Self> {
        Ok(Self {
            contender,
            folder: tempfile::tempdir()?,
            scale,
            small: OnceCell::new(),
            large: OnceCell::new(),
            written: [const { OnceCell::new() }; 2],
            histories: [const { OnceCell::new() }; VERSIONS.len()],
            large_history: OnceCell::new(),
            written_history: [const { OnceCell::new() }; 2],
        })
    }

    /// A store of small values, which is only read.
    pub(crate) fn small(&self) -> Outcome<&Subject> {
        made(&self.small, || self.filled("small", self.scale.small, SMALL, READ))
    }

    /// A store of large values, which is only read.
    pub(crate) fn large(&self) -> Outcome<&Subject> {
        made(&self.large, || self.filled("large", self.scale.large, LARGE, READ))
    }

    /// A store of small values, which is written with commits of this durability.
    pub(crate) fn written(&self, durability: Durability) -> Outcome<&Subject> {
        let name = format!("written-{durability}");
        made(by(durability, &self.written), || self.filled(&name, self.scale.small, SMALL, durability))
    }

    /// The history of `VERSIONS[which]` versions, which is only read.
    pub(crate) fn history(&self, which: usize) -> Outcome<&History> {
        let versions = VERSIONS[which];
        made(&self.histories[which], || self.linear(&format!("history-{versions}"), versions, READ))
    }

    /// A history of one version and large values.
    pub(crate) fn large_history(&self) -> Outcome<&History> {
        made(&self.large_history, || {
            History::linear(self.empty("large-history", READ)?, self.scale.large, 1, LARGE)
        })
    }

    /// A history of one version, which is written with commits of this durability.
    pub(crate) fn written_history(&self, durability: Durability) -> Outcome<&History> {
        let name = format!("written-history-{durability}");
        made(by(durability, &self.written_history), || self.linear(&name, 1, durability))
    }

    fn linear(&self, name: &str, versions: usize, durability: Durability) -> Outcome<History> {
        // Ranges need a run of keys; beyond that all histories have as many entries.
        let least = if versions <= 10 { RUN } else { 4 };
        let keys = (self.scale.small / versions).max(least);
        let history = History::linear(self.empty(name, durability)?, keys, versions, SMALL)?;
        history.check()?;
        Ok(history)
    }

    fn empty(&self, name: &str, durability: Durability) -> Outcome<Subject> {
        self.contender.create(&self.folder.path().join(name), durability)
    }

    fn filled(&self, name: &str, count: usize, bytes: usize, durability: Durability) -> Outcome<Subject> {
        let subject = self.empty(name, durability)?;
        let numbers: Vec<_> = (0..count).collect();
        for numbers in numbers.chunks(RUN) {
            let mut batch = WriteBatch::new();
            for &number in numbers {
                batch.put(data::key(number), Bytes::from(data::value(number, 0, bytes)));
            }
            subject.store.commit(&batch, Durability::Relaxed)?;
        }
        subject.store.flush()?;
        Ok(subject)
    }
}

/// For each of the two kinds of commits that are measured, one.
fn by<T>(durability: Durability, cells: &[OnceCell<T>; 2]) -> &OnceCell<T> {
    &cells[usize::from(durability == Durability::Power)]
}

fn made<T>(cell: &OnceCell<T>, make: impl FnOnce() -> Outcome<T>) -> Outcome<&T> {
    if let Some(made) = cell.get() {
        return Ok(made);
    }
    let made = make()?;
    Ok(cell.get_or_init(|| made))
}
