//! A store in memory that takes little at once, and can be made to stop as a killed process does.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use engine_api::{
    Capabilities, Durability, Error, ErrorKind, KeyRange, Limits, MemoryStore, Result, Store, StoreExt, View,
    ViewExt, WriteBatch,
};
use kvdag_object_store::Objects;

use futures_util::TryStreamExt;
use object_store::ObjectStore;

/// What a batch of it takes.
pub const BATCH_BYTES: usize = 24_000;
pub const BATCH_OPS: usize = 96;

#[derive(Debug)]
pub struct Limited {
    inner: MemoryStore,
    capabilities: Capabilities,
    left: AtomicU64,
}

impl Limited {
    pub fn new() -> Arc<Self> {
        let inner = MemoryStore::new();
        let limits = Limits::NONE.key_bytes(511).batch_bytes(BATCH_BYTES).batch_ops(BATCH_OPS);
        let capabilities = inner.capabilities().limits(limits);
        Arc::new(Self { inner, capabilities, left: AtomicU64::new(u64::MAX) })
    }

    /// Lets so many commits succeed, and none after that.
    pub fn stop_after(&self, commits: u64) {
        self.left.store(commits, Ordering::SeqCst);
    }

    /// Lets every commit succeed again, as a process that is started anew.
    pub fn go_on(&self) {
        self.stop_after(u64::MAX);
    }
}

impl Store for Limited {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn view(&self) -> Result<Box<dyn View>> {
        self.inner.view()
    }

    fn commit(&self, batch: &WriteBatch, durability: Durability) -> Result<()> {
        batch.check(&self.capabilities, durability)?;
        let left = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if left.is_err() {
            return Err(Error::new(ErrorKind::Io, "the process was killed"));
        }
        self.inner.commit(batch, durability)
    }

    fn flush(&self) -> Result<()> {
        self.inner.flush()
    }
}

/// Objects in a store of their own, in small blocks.
pub fn objects(store: impl Store + 'static) -> Objects {
    Objects::in_store(store, b"").unwrap().with_block_bytes(500)
}

/// Fails when there is a block that belongs to no object, or work that isn't done.
pub async fn assert_nothing_leaked(store: &impl Store, objects: &Objects) {
    let listed: Vec<_> = objects.list(None).try_collect().await.unwrap();
    let generations: Vec<_> = listed.into_iter().map(|meta| meta.e_tag.unwrap()).collect();
    for (key, _) in store.view().unwrap().collect(&KeyRange::ALL).unwrap() {
        match key[0] {
            0 | 1 => {}
            2 => {
                let generation = engine_api::Uuid::from_slice(&key[1..17]).unwrap().simple().to_string();
                assert!(generations.contains(&format!("\"{generation}\"")), "a block of {generation} leaked");
            }
            class => panic!("a key of class {class} leaked"),
        }
    }
}

/// The number of keys.
pub fn keys(store: &impl Store) -> u64 {
    store.count(&KeyRange::ALL).unwrap()
}
