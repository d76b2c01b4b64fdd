//! A map in memory over a log, which commits wrongly.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use engine_api::graph::Graph;
use engine_api::{
    Capabilities, Durability, Error, ErrorKind, KeyRange, MemoryStore, Op, Result, Store, StoreExt as _,
    View, ViewExt as _, WriteBatch,
};

use super::flaw::Flaw;
use super::graph::NativeGraph;
use super::log::Log;
use super::twist::{operations, twisted};
use super::view::MutantView;

#[derive(Debug)]
pub(super) struct MutantStore {
    memory: Arc<MemoryStore>,
    log: Mutex<Log>,
    flaw: Flaw,
    capabilities: Capabilities,
    read_only: bool,
    broken: AtomicBool,
    one_at_a_time: Mutex<()>,
    /// How many views were taken.
    taken: AtomicUsize,
    /// A share of it is with each view that is open.
    open: Arc<()>,
    /// The state as it was before the latest commit, and that commit.
    before: MemoryStore,
    latest: Mutex<WriteBatch>,
    /// Every key that was ever deleted.
    dead: Mutex<HashSet<Bytes>>,
    /// Graphs of its own, where they are what is wrong.
    graph: Option<NativeGraph>,
}

impl MutantStore {
    pub(super) fn new(
        memory: Arc<MemoryStore>,
        log: Log,
        flaw: Flaw,
        capabilities: Capabilities,
        read_only: bool,
    ) -> Result<Self> {
        let before = MemoryStore::new();
        if flaw == Flaw::StaleViews {
            for (key, value) in memory.view()?.collect(&KeyRange::ALL)? {
                before.put(key, value)?;
            }
        }
        Ok(Self {
            memory,
            log: Mutex::new(log),
            flaw,
            capabilities,
            read_only,
            broken: AtomicBool::new(false),
            one_at_a_time: Mutex::default(),
            taken: AtomicUsize::new(0),
            open: Arc::default(),
            before,
            latest: Mutex::default(),
            dead: Mutex::default(),
            graph: match flaw {
                Flaw::Graph(flaw) => Some(NativeGraph::new(flaw)),
                _ => None,
            },
        })
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The turn of a commit; `None` where the flaw takes none.
    fn turn(&self) -> Option<MutexGuard<'_, ()>> {
        match self.flaw {
            Flaw::JudgesApart => None,
            Flaw::DropsBesideOthers => self.one_at_a_time.try_lock().ok(),
            _ => Some(self.one_at_a_time.lock().unwrap_or_else(PoisonError::into_inner)),
        }
    }

    fn check(&self, batch: &WriteBatch, durability: Durability) -> Result<()> {
        if self.read_only {
            return Err(Error::new(ErrorKind::ReadOnly, "the store is open for reading"));
        }
        if self.broken.load(Ordering::SeqCst) {
            return Err(Error::new(ErrorKind::Poisoned, "an earlier failure broke the store"));
        }
        let durability =
            if self.flaw == Flaw::AcceptsAnyDurability { Durability::Relaxed } else { durability };
        batch.check(&self.flaw.keeps(), durability)
    }

    fn apply(&self, batch: &WriteBatch, durability: Durability) -> Result<()> {
        let mut batch = twisted(batch, self.flaw, &self.memory)?;
        if self.flaw == Flaw::TombstonesStay {
            batch = self.without_the_dead(&batch);
        }
        if self.flaw == Flaw::LogsWhatIsRefused {
            self.log().append(batch.ops(), durability)?;
            return self.remember(&batch);
        }
        self.remember(&batch)?;
        self.log().append(batch.ops(), durability)
    }

    /// Commits to the memory.
    fn remember(&self, batch: &WriteBatch) -> Result<()> {
        let commit = |batch: &WriteBatch| self.memory.commit(batch, Durability::Relaxed);
        match self.flaw {
            Flaw::JudgesAfterwards => {
                commit(&operations(batch.ops()))?;
                self.judge(batch)
            }
            Flaw::JudgesApart => {
                self.judge(batch)?;
                thread::sleep(Duration::from_millis(1));
                commit(&operations(batch.ops()))
            }
            Flaw::LeavesHalf => commit(batch).inspect_err(|_| {
                commit(&operations(batch.ops().get(..1).unwrap_or_default())).unwrap_or(());
            }),
            Flaw::ShowsHalf => {
                self.judge(batch)?;
                let (first, rest) = batch.ops().split_at(batch.ops().len() / 2);
                commit(&operations(first))?;
                thread::sleep(Duration::from_micros(100));
                commit(&operations(rest))
            }
            Flaw::SkipsEmptyBatches if batch.ops().is_empty() => Ok(()),
            Flaw::ConflictIsBusy => commit(batch).map_err(|error| match error.kind() {
                ErrorKind::Conflict => Error::new(ErrorKind::Busy, "another was faster"),
                _ => error,
            }),
            // Past the memory store's own limits, which are wider.
            Flaw::KeepsNoLimits => commit(batch).or(Ok(())),
            _ => commit(batch),
        }
    }

    fn judge(&self, batch: &WriteBatch) -> Result<()> {
        let view = self.memory.view()?;
        batch
            .requirements()
            .iter()
            .try_for_each(|requirement| requirement.judge(view.get(&requirement.key)?.as_deref()))
    }

    /// The batch without puts of keys that were once deleted.
    fn without_the_dead(&self, batch: &WriteBatch) -> WriteBatch {
        let mut dead = self.dead.lock().unwrap_or_else(PoisonError::into_inner);
        let mut ops = batch.ops().to_vec();
        ops.retain(|op| match op {
            Op::Put { key, .. } => !dead.contains(key),
            Op::Delete { key } => {
                dead.insert(key.clone());
                true
            }
            Op::DeleteRange { .. } => true,
        });
        let mut living = operations(&ops);
        for requirement in batch.requirements() {
            living.require(&requirement.key, requirement.expected.clone());
        }
        living
    }

    /// Brings the state before the latest commit up to it, which becomes the one before.
    fn turn_the_page(&self, batch: &WriteBatch) -> Result<()> {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        self.before.write(&std::mem::replace(&mut *latest, operations(batch.ops())))
    }
}

impl Store for MutantStore {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn view(&self) -> Result<Box<dyn View>> {
        let taken = self.taken.fetch_add(1, Ordering::SeqCst);
        if self.flaw == Flaw::LeaksViews && taken >= 126 {
            return Err(Error::new(ErrorKind::TooLarge, "there are too many views"));
        }
        let spare = usize::from(self.flaw == Flaw::ClaimsMoreViews);
        let room =
            self.capabilities.limits.views.is_none_or(|most| Arc::strong_count(&self.open) + spare <= most);
        if !room {
            return Err(Error::new(ErrorKind::Busy, "there are as many views as there may be"));
        }
        let pinned = if self.flaw == Flaw::StaleViews { self.before.view()? } else { self.memory.view()? };
        Ok(Box::new(MutantView::new(pinned, Arc::clone(&self.memory), Arc::clone(&self.open), self.flaw)))
    }

    fn commit(&self, batch: &WriteBatch, durability: Durability) -> Result<()> {
        let turn = self.turn();
        if turn.is_none() && self.flaw == Flaw::DropsBesideOthers {
            return Ok(());
        }
        let outcome = self.check(batch, durability).and_then(|()| self.apply(batch, durability));
        match self.flaw {
            Flaw::BreaksOnError if outcome.is_err() => self.broken.store(true, Ordering::SeqCst),
            Flaw::StaleViews if outcome.is_ok() => self.turn_the_page(batch)?,
            // Others come meanwhile.
            Flaw::DropsBesideOthers => thread::yield_now(),
            _ => {}
        }
        outcome
    }

    fn flush(&self) -> Result<()> {
        if self.flaw == Flaw::FlushHangs {
            loop {
                thread::park();
            }
        }
        self.log().flush()
    }

    fn compact(&self) -> Result<()> {
        if self.flaw == Flaw::CompactionDrops
            && let Some((key, _)) = self.first(&KeyRange::ALL)?
        {
            self.delete(key)?;
        }
        Ok(())
    }

    fn verify(&self) -> Result<()> {
        if self.flaw == Flaw::VerifyCriesWolf {
            return Err(Error::new(ErrorKind::Corrupt, "a checksum is wrong"));
        }
        Ok(())
    }

    fn graph(&self) -> Option<&dyn Graph> {
        self.graph.as_ref().map(|graph| graph as &dyn Graph)
    }
}
