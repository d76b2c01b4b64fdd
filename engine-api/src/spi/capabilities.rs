//! What a store can do, as facts that conformance checks one by one.

use super::durability::{Durability, DurabilityLevels};
use super::limits::Limits;

/// What a view reads from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reads {
    /// The state as it changes: two reads of a view may differ, and a scan may see half of a commit.
    Live,
    /// One state, which the engine may stop keeping: reads then answer `SnapshotExpired`.
    Revision,
    /// One state, kept for as long as the view lives.
    Snapshot,
}

/// How far a batch is all or nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Atomicity {
    /// Each key by itself.
    Row,
    /// The whole batch, on every key of the store.
    Store,
}

/// Whether batches may carry requirements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Conditional {
    /// They may not; one that does is `Unsupported`.
    None,
    /// They may, and are judged atomically with the commit.
    Batch,
}

/// Descending scans.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reverse {
    /// There are none; asking for one is `Unsupported`.
    None,
    /// They are made of ascending windows, and cost more than ascending ones.
    Windowed,
    /// They cost what ascending scans cost.
    Native,
}

/// Deletes of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeleteRange {
    /// There are none; one in a batch is `Unsupported`.
    None,
    /// Each key is found and deleted, within the commit.
    PerKey,
    /// The engine deletes a range as one operation.
    Native,
}

/// Where data lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Persistence {
    /// In this process's memory: it is gone with the store.
    Memory,
    /// On this machine's disk.
    Disk,
    /// On several machines.
    Replicated,
}

/// Who may write at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Writers {
    /// One commit at a time; others wait.
    Single,
    /// One process at a time; a later one fences off an earlier one.
    OneFenced,
    /// Many, which the engine serialises or refuses with `Conflict`.
    Many,
}

/// Which processes may have the store open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Processes {
    /// One; another is refused with `Locked`.
    One,
    /// Several, at the same time.
    Many,
}

/// What a call costs the thread that makes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Execution {
    /// Nothing worth a hop to another thread.
    Inline,
    /// A wait for a disk or a lock: an executor's thread should hand it to a blocking one.
    Blocking,
    /// A wait for a network.
    Async,
}

/// What a store can do. Each fact is checked by conformance, and so is each denial: what isn't declared must
/// answer [`Unsupported`](crate::ErrorKind::Unsupported).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// What a view reads from.
    pub reads: Reads,
    /// How far a batch is all or nothing.
    pub atomicity: Atomicity,
    /// Whether batches may carry requirements.
    pub conditional: Conditional,
    /// Descending scans.
    pub reverse: Reverse,
    /// Deletes of a range.
    pub delete_range: DeleteRange,
    /// Where data lives.
    pub persistence: Persistence,
    /// The durability levels that the engine tells apart.
    pub durability: DurabilityLevels,
    /// Who may write at once.
    pub writers: Writers,
    /// Which processes may have the store open.
    pub processes: Processes,
    /// What a call costs the thread that makes it.
    pub execution: Execution,
    /// Sizes.
    pub limits: Limits,
}

impl Capabilities {
    /// The least that an engine can declare: live reads, rows, memory, no limits. Start here and add.
    pub const MINIMAL: Self = Self {
        reads: Reads::Live,
        atomicity: Atomicity::Row,
        conditional: Conditional::None,
        reverse: Reverse::None,
        delete_range: DeleteRange::None,
        persistence: Persistence::Memory,
        durability: DurabilityLevels::new(&[Durability::Relaxed]),
        writers: Writers::Many,
        processes: Processes::One,
        execution: Execution::Inline,
        limits: Limits::NONE,
    };

    /// The same with other reads.
    #[must_use]
    pub const fn reads(mut self, reads: Reads) -> Self {
        self.reads = reads;
        self
    }

    /// The same with another atomicity.
    #[must_use]
    pub const fn atomicity(mut self, atomicity: Atomicity) -> Self {
        self.atomicity = atomicity;
        self
    }

    /// The same with or without conditional batches.
    #[must_use]
    pub const fn conditional(mut self, conditional: Conditional) -> Self {
        self.conditional = conditional;
        self
    }

    /// The same with other descending scans.
    #[must_use]
    pub const fn reverse(mut self, reverse: Reverse) -> Self {
        self.reverse = reverse;
        self
    }

    /// The same with other range deletes.
    #[must_use]
    pub const fn delete_range(mut self, delete_range: DeleteRange) -> Self {
        self.delete_range = delete_range;
        self
    }

    /// The same with another persistence.
    #[must_use]
    pub const fn persistence(mut self, persistence: Persistence) -> Self {
        self.persistence = persistence;
        self
    }

    /// The same with other durability levels.
    #[must_use]
    pub const fn durability(mut self, levels: DurabilityLevels) -> Self {
        self.durability = levels;
        self
    }

    /// The same with other writers.
    #[must_use]
    pub const fn writers(mut self, writers: Writers) -> Self {
        self.writers = writers;
        self
    }

    /// The same with other processes.
    #[must_use]
    pub const fn processes(mut self, processes: Processes) -> Self {
        self.processes = processes;
        self
    }

    /// The same with another execution.
    #[must_use]
    pub const fn execution(mut self, execution: Execution) -> Self {
        self.execution = execution;
        self
    }

    /// The same with other limits.
    #[must_use]
    pub const fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The facts as (name, value) pairs, in a fixed order, for reports and generated tables.
    pub fn facts(&self) -> Vec<(&'static str, String)> {
        let word = |value: &dyn std::fmt::Debug| format!("{value:?}").to_lowercase();
        let levels: Vec<_> = self.durability.levels().iter().map(|level| level.as_str()).collect();
        vec![
            ("reads", word(&self.reads)),
            ("atomicity", word(&self.atomicity)),
            ("conditional", word(&self.conditional)),
            ("reverse", word(&self.reverse)),
            ("delete_range", word(&self.delete_range).replace("perkey", "per key")),
            ("persistence", word(&self.persistence)),
            ("durability", levels.join(", ")),
            ("writers", word(&self.writers).replace("onefenced", "one, fenced")),
            ("processes", word(&self.processes)),
            ("execution", word(&self.execution)),
        ]
    }
}
