//! A memory store that commits wrongly.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use engine_api::{
    Capabilities, Durability, Error, ErrorKind, MemoryStore, Op, Result, Store, StoreExt as _, View,
    WriteBatch,
};

use crate::engine::{Flaw, LONGEST_KEY, declared};
use crate::view::MutantView;

#[derive(Debug)]
pub(crate) struct Mutant {
    inner: Arc<MemoryStore>,
    flaw: Flaw,
    capabilities: Capabilities,
    views: AtomicUsize,
    broken: AtomicBool,
    one_at_a_time: Mutex<()>,
    /// The state as it was before the latest commit.
    before: Arc<MemoryStore>,
    latest: Mutex<WriteBatch>,
}

impl Mutant {
    pub(crate) fn new(inner: Arc<MemoryStore>, flaw: Flaw) -> Self {
        Self {
            inner,
            flaw,
            capabilities: declared(flaw),
            views: AtomicUsize::new(0),
            broken: AtomicBool::new(false),
            one_at_a_time: Mutex::default(),
            before: Arc::default(),
            latest: Mutex::default(),
        }
    }

    fn check(&self, batch: &WriteBatch, durability: Durability) -> Result<()> {
        let mut declared = self.capabilities;
        let mut durability = durability;
        match self.flaw {
            Flaw::AcceptsAnyDurability => durability = Durability::Relaxed,
            Flaw::KeepsNoLimits => declared.limits = engine_api::Limits::NONE,
            Flaw::LimitIsOffByOne => declared.limits = declared.limits.key_bytes(LONGEST_KEY),
            Flaw::DeniesConditional | Flaw::DeniesDeleteRange => {
                declared = crate::engine::declared(Flaw::None);
            }
            _ => {}
        }
        batch.check(&declared, durability)
    }

    /// The batch as the flaw has it.
    fn twisted(&self, batch: &WriteBatch) -> WriteBatch {
        let mut twisted = WriteBatch::new();
        let skipped = match self.flaw {
            Flaw::IgnoresRequirements => batch.requirements().len(),
            Flaw::JudgesOneRequirement => batch.requirements().len().saturating_sub(1),
            _ => 0,
        };
        for requirement in batch.requirements().iter().skip(skipped) {
            twisted.require(&requirement.key, requirement.expected.clone());
        }
        let mut ops = batch.ops().to_vec();
        match self.flaw {
            Flaw::DeletesFirst => ops.sort_by_key(|op| !matches!(op, Op::Delete { .. })),
            Flaw::DeletesRangesLast => ops.sort_by_key(|op| matches!(op, Op::DeleteRange { .. })),
            Flaw::FirstOperationWins => {
                let mut seen = HashSet::new();
                ops.retain(|op| match op {
                    Op::Put { key, .. } | Op::Delete { key } => seen.insert(key.clone()),
                    Op::DeleteRange { .. } => true,
                });
            }
            _ => {}
        }
        for op in ops {
            if let Some(op) = self.twisted_op(op) {
                twisted.push(op);
            }
        }
        twisted
    }

    fn twisted_op(&self, op: Op) -> Option<Op> {
        Some(match (self.flaw, op) {
            (Flaw::DropsDeletes, Op::Delete { .. }) => return None,
            (Flaw::DeleteStoresEmpty, Op::Delete { key }) => Op::Put { key, value: Bytes::new() },
            (Flaw::EmptyIsAbsent, Op::Put { key, value }) if value.is_empty() => Op::Delete { key },
            (Flaw::CutsValues, Op::Put { key, value }) => {
                Op::Put { key, value: value.slice(..value.len().min(65_535)) }
            }
            (Flaw::DeletesOnePage, Op::DeleteRange { start, end }) => {
                let scan = engine_api::Scan::of_range(&start, &end);
                let mut last = None;
                let mut seen = 0;
                let mut page = engine_api::visitor(|key: &[u8], _: engine_api::Value<'_>| {
                    last = Some(Bytes::copy_from_slice(key));
                    seen += 1;
                    Ok(if seen == 1000 { engine_api::Step::Stop } else { engine_api::Step::Next })
                });
                self.inner.view().ok()?.scan(scan, &mut page).ok()?;
                Op::DeleteRange { start, end: std::ops::Bound::Included(last?) }
            }
            (_, op) => op,
        })
    }

    fn apply(&self, batch: &WriteBatch) -> Result<()> {
        let relaxed = Durability::Relaxed;
        let mut writes = WriteBatch::new();
        for op in batch.ops() {
            writes.push(op.clone());
        }
        match self.flaw {
            Flaw::JudgesAfterwards => {
                self.inner.commit(&writes, relaxed)?;
                let mut requirements = WriteBatch::new();
                for requirement in batch.requirements() {
                    requirements.require(&requirement.key, requirement.expected.clone());
                }
                self.inner.commit(&requirements, relaxed)
            }
            Flaw::JudgesApart => {
                let view = self.inner.view()?;
                for requirement in batch.requirements() {
                    requirement.judge(view.get(&requirement.key)?.as_deref())?;
                }
                thread::sleep(Duration::from_millis(1));
                self.inner.commit(&writes, relaxed)
            }
            Flaw::LeavesHalf => {
                let outcome = self.inner.commit(batch, relaxed);
                if outcome.is_err()
                    && let Some(first) = batch.ops().first()
                {
                    let mut half = WriteBatch::new();
                    half.push(first.clone());
                    self.inner.commit(&half, relaxed)?;
                }
                outcome
            }
            Flaw::ShowsHalf => {
                let (first, rest) = batch.ops().split_at(batch.ops().len() / 2);
                for half in [first, rest] {
                    let mut part = WriteBatch::new();
                    for op in half {
                        part.push(op.clone());
                    }
                    self.inner.commit(&part, relaxed)?;
                    thread::sleep(Duration::from_micros(100));
                }
                Ok(())
            }
            Flaw::SkipsEmptyBatches if batch.ops().is_empty() => Ok(()),
            Flaw::ConflictIsBusy => self.inner.commit(batch, relaxed).map_err(|error| match error.kind() {
                ErrorKind::Conflict => Error::new(ErrorKind::Busy, "another was faster"),
                _ => error,
            }),
            // Past the memory store's own limits, which are wider.
            Flaw::KeepsNoLimits => self.inner.commit(batch, relaxed).or(Ok(())),
            _ => self.inner.commit(batch, relaxed),
        }
    }
}

impl Store for Mutant {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn view(&self) -> Result<Box<dyn View>> {
        if self.flaw == Flaw::LeaksViews && self.views.fetch_add(1, Ordering::SeqCst) >= 126 {
            return Err(Error::new(ErrorKind::TooLarge, "there are too many views"));
        }
        let pinned = if self.flaw == Flaw::StaleViews { self.before.view()? } else { self.inner.view()? };
        Ok(Box::new(MutantView::new(pinned, Arc::clone(&self.inner), self.flaw)))
    }

    fn commit(&self, batch: &WriteBatch, durability: Durability) -> Result<()> {
        let _one = (self.flaw != Flaw::JudgesApart)
            .then(|| self.one_at_a_time.lock().unwrap_or_else(PoisonError::into_inner));
        if self.broken.load(Ordering::SeqCst) {
            return Err(Error::new(ErrorKind::Poisoned, "an earlier failure broke the store"));
        }
        let outcome = self.check(batch, durability).and_then(|()| self.apply(&self.twisted(batch)));
        if outcome.is_err() && self.flaw == Flaw::BreaksOnError {
            self.broken.store(true, Ordering::SeqCst);
        }
        if self.flaw == Flaw::StaleViews && outcome.is_ok() {
            let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
            let mut writes = WriteBatch::new();
            for op in batch.ops() {
                writes.push(op.clone());
            }
            self.before.write(&std::mem::replace(&mut *latest, writes))?;
        }
        outcome
    }

    fn flush(&self) -> Result<()> {
        if self.flaw == Flaw::FlushHangs {
            loop {
                thread::park();
            }
        }
        Ok(())
    }
}
