//! An engine for each mutant.

use std::path::Path;
use std::sync::{Arc, LazyLock};

use engine_api::embedded::{destroy, open_or_create, repair};
use engine_api::semver::Version;
use engine_api::{
    Config, Descriptor, Durability, Engine, MemoryStore, Op, OpenMode, Opened, Reads, Repaired, Result,
    Store as _, WriteBatch,
};

use super::Mutant;
use super::flaw::{Flaw, LONGEST_KEY};
use super::log::Log;
use super::store::MutantStore;

/// The engine of a mutant; its scheme is the mutant's name.
#[derive(Debug)]
pub(super) struct MutantEngine {
    pub(super) mutant: &'static Mutant,
    descriptor: &'static Descriptor,
}

impl MutantEngine {
    pub(super) fn new(mutant: &'static Mutant) -> Self {
        let declared = mutant.flaw.declares();
        let described =
            if mutant.flaw == Flaw::DescribedOtherwise { declared.reads(Reads::Live) } else { declared };
        let schemes = std::slice::from_ref(&mutant.name);
        let descriptor =
            Descriptor::new(mutant.name, schemes, Version::new(0, 1, 0), mutant.wrong, described);
        // There is one of each mutant, for as long as the program runs.
        Self { mutant, descriptor: Box::leak(Box::new(descriptor)) }
    }

    /// A store over a log, with what its batches left.
    fn store(&self, log: Log, batches: &[WriteBatch], config: &Config, created: bool) -> Result<Opened> {
        let flaw = self.mutant.flaw;
        let memory = if flaw == Flaw::OneStoreForAll { Arc::clone(&SHARED) } else { Arc::default() };
        for batch in replayed(batches, flaw) {
            memory.commit(&batch, Durability::Relaxed)?;
        }
        let mut capabilities = flaw.declares();
        if flaw == Flaw::ChangesCapabilities && !created {
            capabilities.limits = capabilities.limits.key_bytes(LONGEST_KEY - 1);
        }
        let read_only = config.mode() == OpenMode::ReadOnly && flaw != Flaw::AcceptsWritesWhenReadOnly;
        let store = MutantStore::new(memory, log, flaw, capabilities, read_only)?;
        Ok(Opened { store: Box::new(store), created: created && flaw != Flaw::NeverCreated })
    }
}

static SHARED: LazyLock<Arc<MemoryStore>> = LazyLock::new(Arc::default);

/// The batches of a log as the flaw has them.
fn replayed(batches: &[WriteBatch], flaw: Flaw) -> Vec<WriteBatch> {
    let mut replayed = batches.to_vec();
    match flaw {
        Flaw::ForgetsOnClose => replayed.clear(),
        Flaw::ReplaysOutOfOrder => replayed.chunks_mut(2).for_each(<[_]>::reverse),
        Flaw::ReplaysDeletesFirst => {
            replayed.sort_by_key(|batch| !matches!(batch.ops(), [Op::Delete { .. }]));
        }
        _ => {}
    }
    replayed
}

impl Engine for MutantEngine {
    fn descriptor(&self) -> &'static Descriptor {
        self.descriptor
    }

    fn open(&self, config: &Config) -> Result<Opened> {
        let flaw = self.mutant.flaw;
        let mode = match config.mode() {
            OpenMode::New if flaw == Flaw::NewOpensWhatIsThere => OpenMode::Create,
            OpenMode::Existing | OpenMode::ReadOnly if flaw == Flaw::CreatesMissing => OpenMode::Create,
            mode => mode,
        };
        let create = |path: &Path| Ok((Log::create(path, flaw)?, Vec::new()));
        let open = |path: &Path| Log::open(path, flaw);
        let ((log, batches), created) = open_or_create(&config.clone().with_mode(mode), create, open)?;
        self.store(log, &batches, config, created)
    }

    fn destroy(&self, config: &Config) -> Result<()> {
        let flaw = self.mutant.flaw;
        if flaw == Flaw::DestroyIsNothing {
            return Ok(());
        }
        destroy(config, |path| {
            if flaw == Flaw::DestroysNeighbours {
                for neighbour in path.parent().into_iter().flat_map(std::fs::read_dir).flatten().flatten() {
                    std::fs::remove_file(neighbour.path()).unwrap_or(());
                }
                return Ok(());
            }
            Log::destroy(path, flaw)
        })
    }

    fn repair(&self, config: &Config) -> Result<Repaired> {
        repair(config, |path| {
            let (mut log, batches) = Log::open(path, self.mutant.flaw)?;
            if let (Flaw::RepairDrops, Some(first)) = (self.mutant.flaw, batches.first()) {
                let keys = first.ops().iter().filter_map(|op| match op {
                    Op::Put { key, .. } => Some(Op::Delete { key: key.clone() }),
                    _ => None,
                });
                log.append(&keys.collect::<Vec<_>>(), Durability::Process)?;
            }
            Ok(Repaired::Sound)
        })
    }
}
