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

/// The stores of one engine.
pub(crate) struct Stage<'c> {
    contender: &'c dyn Contender,
    folder: TempDir,
    /// How much data they hold.
    pub(crate) scale: Scale,
    small: OnceCell<Subject>,
    large: OnceCell<Subject>,
    written: OnceCell<Subject>,
    histories: [OnceCell<History>; VERSIONS.len()],
    large_history: OnceCell<History>,
    written_history: OnceCell<History>,
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
            written: OnceCell::new(),
            histories: [const { OnceCell::new() }; VERSIONS.len()],
            large_history: OnceCell::new(),
            written_history: OnceCell::new(),
        })
    }

    /// Whether the engine has a raw interface, and whether it can commit durably.
    pub(crate) fn abilities(&self) -> Outcome<(bool, bool)> {
        let subject = self.small()?;
        let durable = subject.store.capabilities().durability.strongest() == Durability::Power;
        Ok((subject.peer.is_some(), durable))
    }

    /// A store of small values, which is only read.
    pub(crate) fn small(&self) -> Outcome<&Subject> {
        made(&self.small, || self.filled("small", self.scale.small, SMALL))
    }

    /// A store of large values, which is only read.
    pub(crate) fn large(&self) -> Outcome<&Subject> {
        made(&self.large, || self.filled("large", self.scale.large, LARGE))
    }

    /// A store of small values, which is written.
    pub(crate) fn written(&self) -> Outcome<&Subject> {
        made(&self.written, || self.filled("written", self.scale.small, SMALL))
    }

    /// The history of `VERSIONS[which]` versions, which is only read.
    pub(crate) fn history(&self, which: usize) -> Outcome<&History> {
        let versions = VERSIONS[which];
        made(&self.histories[which], || self.linear(&format!("history-{versions}"), versions))
    }

    /// A history of one version and large values.
    pub(crate) fn large_history(&self) -> Outcome<&History> {
        made(&self.large_history, || {
            History::linear(self.empty("large-history")?, self.scale.large, 1, LARGE)
        })
    }

    /// A history of one version, which is written.
    pub(crate) fn written_history(&self) -> Outcome<&History> {
        made(&self.written_history, || self.linear("written-history", 1))
    }

    fn linear(&self, name: &str, versions: usize) -> Outcome<History> {
        // Ranges need a run of keys; beyond that all histories have as many entries.
        let least = if versions <= 10 { RUN } else { 4 };
        let keys = (self.scale.small / versions).max(least);
        let history = History::linear(self.empty(name)?, keys, versions, SMALL)?;
        history.check()?;
        Ok(history)
    }

    fn empty(&self, name: &str) -> Outcome<Subject> {
        self.contender.create(&self.folder.path().join(name))
    }

    fn filled(&self, name: &str, count: usize, bytes: usize) -> Outcome<Subject> {
        let subject = self.empty(name)?;
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

fn made<T>(cell: &OnceCell<T>, make: impl FnOnce() -> Outcome<T>) -> Outcome<&T> {
    if let Some(made) = cell.get() {
        return Ok(made);
    }
    let made = make()?;
    Ok(cell.get_or_init(|| made))
}
