//! A store in memory that takes little at once, and can be made to stop as a killed process does.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

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

/// What is done before a commit, and how many commits are made before it.
type Intrusion = (u64, Box<dyn FnOnce() + Send>);

pub struct Limited {
    inner: MemoryStore,
    capabilities: Capabilities,
    left: AtomicU64,
    intrusion: Mutex<Option<Intrusion>>,
}

impl fmt::Debug for Limited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Limited")
    }
}

impl Limited {
    pub fn new() -> Arc<Self> {
        let inner = MemoryStore::new();
        let limits = Limits::NONE.key_bytes(511).batch_bytes(BATCH_BYTES).batch_ops(BATCH_OPS);
        let capabilities = inner.capabilities().limits(limits);
        Arc::new(Self { inner, capabilities, left: AtomicU64::new(u64::MAX), intrusion: Mutex::default() })
    }

    /// Lets so many commits succeed, and none after that.
    pub fn stop_after(&self, commits: u64) {
        self.left.store(commits, Ordering::SeqCst);
    }

    /// Does something else between what a commit was made from and the commit, after so many others.
    pub fn intrude(&self, after: u64, intrusion: impl FnOnce() + Send + 'static) {
        *self.intrusion.lock().unwrap() = Some((after, Box::new(intrusion)));
    }

    /// Whether an intrusion was made.
    pub fn was_intruded(&self) -> bool {
        self.intrusion.lock().unwrap().is_none()
    }

    fn let_in(&self) {
        let mut waiting = self.intrusion.lock().unwrap();
        match waiting.take() {
            Some((0, intrusion)) => {
                drop(waiting);
                intrusion();
            }
            Some((after, intrusion)) => *waiting = Some((after - 1, intrusion)),
            None => {}
        }
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
        self.let_in();
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
