//! The store: the current map behind a lock.

use std::sync::{PoisonError, RwLock};

use bytes::Bytes;

use super::view::{Map, MemoryView};
use crate::spi::{
    Atomicity, Capabilities, Conditional, DeleteRange, Durability, DurabilityLevels, Limits, Op, Reads,
    Result, Reverse, Scan, Store, View, WriteBatch, Writers,
};

/// A store of the memory engine; made directly in tests, or opened as `memory:`.
#[derive(Debug, Default)]
pub struct MemoryStore {
    current: RwLock<Map>,
}

impl MemoryStore {
    /// What every store of this engine declares.
    pub const CAPABILITIES: Capabilities = Capabilities::MINIMAL
        .reads(Reads::Snapshot)
        .atomicity(Atomicity::Store)
        .conditional(Conditional::Batch)
        .reverse(Reverse::Native)
        .delete_range(DeleteRange::PerKey)
        .durability(DurabilityLevels::new(&[Durability::Relaxed]))
        .writers(Writers::Single)
        .limits(Limits::NONE.key_bytes(65_535).value_bytes(1 << 30));

    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Store for MemoryStore {
    fn capabilities(&self) -> &Capabilities {
        &Self::CAPABILITIES
    }

    fn view(&self) -> Result<Box<dyn View>> {
        // The map is replaced whole, so a writer that panicked has left a sound one behind.
        let map = self.current.read().unwrap_or_else(PoisonError::into_inner).clone();
        Ok(Box::new(MemoryView::new(map)))
    }

    fn commit(&self, batch: &WriteBatch, durability: Durability) -> Result<()> {
        batch.check(&Self::CAPABILITIES, durability)?;
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        for requirement in batch.requirements() {
            requirement.judge(current.get(&requirement.key).map(Bytes::as_ref))?;
        }
        let mut next = current.clone();
        for op in batch.ops() {
            apply(&mut next, op);
        }
        *current = next;
        Ok(())
    }

    fn flush(&self) -> Result<()> {
        Ok(())
    }

    fn verify(&self) -> Result<()> {
        Ok(())
    }
}

fn apply(map: &mut Map, op: &Op) {
    match op {
        Op::Put { key, value } => {
            map.insert(key.clone(), value.clone());
        }
        Op::Delete { key } => {
            map.remove(key);
        }
        Op::DeleteRange { start, end } => {
            let range = Scan::of_range(start, end);
            if range.is_empty() {
                return;
            }
            let doomed: Vec<Bytes> =
                map.range::<_, [u8]>((range.start, range.end)).map(|(key, _)| key.clone()).collect();
            for key in doomed {
                map.remove(&key);
            }
        }
    }
}
