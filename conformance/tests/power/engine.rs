//! One engine for each flaw, each under a scheme of its own: a child process knows by it which one is meant.

use engine_api::semver::Version;
use engine_api::{
    Atomicity, Capabilities, Config, Descriptor, Durability, DurabilityLevels, Engine, Opened, Persistence,
    Processes, Reads, Result, Reverse, Writers, embedded,
};

use crate::log::LogStore;

/// A way to forget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    None,
    /// A batch that was torn is applied as far as it goes.
    ChecksNoSums,
    /// What is declared to survive the process is kept in it.
    BuffersInTheProcess,
    FlushesNothing,
    /// A sync that failed is tried again, and what it has dropped is taken for written.
    GoesOnAfterFailedSyncs,
    IgnoresFailedSyncs,
    IgnoresFailedWrites,
    /// What a full disk has cut short stays in the way of what comes after it.
    LeavesHalfARecord,
    NeverSyncs,
    SyncsNoFolder,
    /// And cuts the log off there.
    TakesFailedReadsForTheEnd,
    /// A weaker commit is written after the stronger one that follows it.
    WritesLater,
    /// The rest of a short write is forgotten.
    WritesOnce,
}

/// A store that is a log of batches.
#[derive(Debug)]
pub(crate) struct LogEngine {
    pub(crate) flaw: Flaw,
    descriptor: Descriptor,
}

pub(crate) const CAPABILITIES: Capabilities = Capabilities::MINIMAL
    .reads(Reads::Snapshot)
    .atomicity(Atomicity::Store)
    .reverse(Reverse::Native)
    .persistence(Persistence::Disk)
    .durability(DurabilityLevels::new(&[Durability::Relaxed, Durability::Process, Durability::Power]))
    .writers(Writers::Single)
    .processes(Processes::One);

const fn engine(flaw: Flaw, schemes: &'static [&'static str]) -> LogEngine {
    let version = Version::new(0, 0, 0);
    let descriptor =
        Descriptor::new("log", schemes, version, "A log of batches that may forget.", CAPABILITIES);
    LogEngine { flaw, descriptor }
}

pub(crate) static ENGINES: &[LogEngine] = &[
    engine(Flaw::None, &["log-a"]),
    engine(Flaw::ChecksNoSums, &["log-b"]),
    engine(Flaw::BuffersInTheProcess, &["log-c"]),
    engine(Flaw::FlushesNothing, &["log-d"]),
    engine(Flaw::GoesOnAfterFailedSyncs, &["log-e"]),
    engine(Flaw::IgnoresFailedSyncs, &["log-f"]),
    engine(Flaw::IgnoresFailedWrites, &["log-g"]),
    engine(Flaw::LeavesHalfARecord, &["log-h"]),
    engine(Flaw::NeverSyncs, &["log-i"]),
    engine(Flaw::SyncsNoFolder, &["log-j"]),
    engine(Flaw::TakesFailedReadsForTheEnd, &["log-k"]),
    engine(Flaw::WritesLater, &["log-l"]),
    engine(Flaw::WritesOnce, &["log-m"]),
];

impl Engine for LogEngine {
    fn descriptor(&self) -> &'static Descriptor {
        // Each is in a static.
        &ENGINES.iter().find(|engine| engine.flaw == self.flaw).unwrap().descriptor
    }

    fn open(&self, config: &Config) -> Result<Opened> {
        let create = |path: &std::path::Path| LogStore::create(path, self.flaw);
        let open = |path: &std::path::Path| LogStore::open(path, self.flaw);
        let (store, created) = embedded::open_or_create(config, create, open)?;
        Ok(Opened { store: Box::new(store), created })
    }

    fn destroy(&self, config: &Config) -> Result<()> {
        embedded::destroy(config, |path| embedded::remove_files([path]))
    }
}
