//! The stores of one engine that operations are measured on, each made when it is first asked for.

use std::cell::OnceCell;

use engine_api::{Bytes, Durability, Store, WriteBatch};
use tempfile::TempDir;

use super::Outcome;
use super::contenders::{Contender, Subject};
use super::data::{self, SMALL};
use super::history::{History, in_memory};
use super::room;
use super::tangle::{Shape, Tangle};

/// How much data there is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale {
    /// Entries of 100 bytes; of a history, over all versions.
    pub(crate) small: usize,
    /// Entries of 64 KiB.
    pub(crate) large: usize,
    /// Keys of 2 MiB, each at every one of [`HEAVY_VERSIONS`].
    pub(crate) heavy: usize,
    /// The lengths of the histories; of the first three ranges are read.
    pub(crate) versions: [usize; 5],
    /// The histories in which the reader's entries lie behind others.
    pub(crate) shapes: [Shape; 7],
}

impl Scale {
    /// For figures to go by.
    pub(crate) const FULL: Self = Self {
        small: 100_000,
        large: 256,
        heavy: 16,
        versions: [1, 10, 100, 1000, 10_000],
        shapes: [
            Shape::Branches(100),
            Shape::Branches(1000),
            Shape::Run(100),
            Shape::Run(1000),
            Shape::Alternating { entries: 1000, apart: 2 },
            Shape::Alternating { entries: 100, apart: 10 },
            Shape::Diamonds(30),
        ],
    };
    /// The same with 24 GiB of large values.
    pub(crate) const HUGE: Self = Self { heavy: 1024, ..Self::FULL };
    /// For seeing that everything runs.
    pub(crate) const QUICK: Self = Self {
        small: 4_000,
        large: 8,
        heavy: 2,
        versions: [1, 4, 10, 40, 100],
        shapes: [
            Shape::Branches(10),
            Shape::Branches(40),
            Shape::Run(10),
            Shape::Run(40),
            Shape::Alternating { entries: 40, apart: 2 },
            Shape::Alternating { entries: 4, apart: 10 },
            Shape::Diamonds(30),
        ],
    };
}

/// The bytes of a large value.
pub(crate) const LARGE: usize = 64 << 10;
/// The bytes of the values of which only the reader's may be read.
pub(crate) const HEAVY: usize = 2 << 20;
/// At how many versions each of them is written.
pub(crate) const HEAVY_VERSIONS: usize = 12;
/// The entries of a scan, and of a batch.
pub(crate) const RUN: usize = 1000;
/// What stores that are only read are filled with, before they are flushed.
const READ: Durability = Durability::Relaxed;

/// The stores of one engine.
pub(crate) struct Stage<'c> {
    /// The engine.
    pub(crate) contender: &'c dyn Contender,
    folder: TempDir,
    /// The longest history, in memory.
    source: &'c OnceCell<History>,
    /// How much data they hold.
    pub(crate) scale: Scale,
    small: OnceCell<Subject>,
    large: OnceCell<Subject>,
    written: [OnceCell<Subject>; 2],
    histories: [OnceCell<History>; 5],
    tangles: [OnceCell<Tangle>; 7],
    large_history: OnceCell<History>,
    heavy_history: OnceCell<History>,
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
    /// Of an engine, in a temporary folder. To make the longest history takes longer than all others do, so
    /// the first engine makes it in memory, in `source`, and all copy it.
    pub(crate) fn new(
        contender: &'c dyn Contender,
        scale: Scale,
        source: &'c OnceCell<History>,
    ) -> Outcome<Self> {
        Ok(Self {
            contender,
            folder: tempfile::tempdir()?,
            scale,
            source,
            small: OnceCell::new(),
            large: OnceCell::new(),
            written: [const { OnceCell::new() }; 2],
            histories: [const { OnceCell::new() }; 5],
            tangles: [const { OnceCell::new() }; 7],
            large_history: OnceCell::new(),
            heavy_history: OnceCell::new(),
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

    /// The history of `versions[which]` in the scale versions, which is only read.
    pub(crate) fn history(&self, which: usize) -> Outcome<&History> {
        let versions = self.scale.versions[which];
        let name = format!("history-{versions}");
        made(&self.histories[which], || {
            if which + 1 < self.histories.len() {
                return self.linear(&name, versions, READ);
            }
            let source = made(self.source, || self.filled_history(in_memory(), versions))?;
            let history = source.copied(self.empty(&name, READ)?)?;
            history.check()?;
            Ok(history)
        })
    }

    /// A history of one version and large values.
    pub(crate) fn large_history(&self) -> Outcome<&History> {
        made(&self.large_history, || {
            History::linear(self.empty("large-history", READ)?, self.scale.large, 1, LARGE)
        })
    }

    /// A history of values so large that to read those that aren't asked for would show.
    pub(crate) fn heavy_history(&self) -> Outcome<&History> {
        made(&self.heavy_history, || {
            room::check(self.folder.path(), (self.scale.heavy * HEAVY_VERSIONS * HEAVY) as u64)?;
            History::linear(self.empty("heavy-history", READ)?, self.scale.heavy, HEAVY_VERSIONS, HEAVY)
        })
    }

    /// The history of `shapes[which]` in the scale, which is only read.
    pub(crate) fn tangle(&self, which: usize) -> Outcome<&Tangle> {
        let shape = self.scale.shapes[which];
        let keys = (self.scale.small / shape.entries().max(100)).max(4);
        made(&self.tangles[which], || {
            Tangle::grow(self.empty(&format!("tangle-{which}"), READ)?, shape, keys)
        })
    }

    /// A history of one version, which is written with commits of this durability.
    pub(crate) fn written_history(&self, durability: Durability) -> Outcome<&History> {
        let name = format!("written-history-{durability}");
        made(by(durability, &self.written_history), || self.linear(&name, 1, durability))
    }

    fn linear(&self, name: &str, versions: usize, durability: Durability) -> Outcome<History> {
        self.filled_history(self.empty(name, durability)?, versions)
    }

    fn filled_history(&self, subject: Subject, versions: usize) -> Outcome<History> {
        // Ranges need a run of keys; beyond that all histories have as many entries.
        let least = if versions <= self.scale.versions[2] { RUN } else { 4 };
        let keys = (self.scale.small / versions).max(least);
        let history = History::linear(subject, keys, versions, SMALL)?;
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
    &cells[usize::from(durability > Durability::Relaxed)]
}

fn made<T>(cell: &OnceCell<T>, make: impl FnOnce() -> Outcome<T>) -> Outcome<&T> {
    if let Some(made) = cell.get() {
        return Ok(made);
    }
    let made = make()?;
    Ok(cell.get_or_init(|| made))
}
