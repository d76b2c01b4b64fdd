//! A store whose readers may see half of a commit: the record of an object, and none of its blocks yet.
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use common::limited::assert_nothing_leaked;
use engine_api::{
    Bytes, Capabilities, Durability, ErrorKind, MemoryStore, Reads, Result, Scan, Step, Store, Value, View,
    Visitor, WriteBatch,
};
use kvdag_object_store::Objects;
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt};

#[derive(Debug)]
struct HalfSeen {
    inner: MemoryStore,
    capabilities: Capabilities,
    /// The views to come that see no blocks.
    blind: AtomicU64,
}

impl HalfSeen {
    fn new() -> Arc<Self> {
        let inner = MemoryStore::new();
        let capabilities = inner.capabilities().reads(Reads::Live);
        Arc::new(Self { inner, capabilities, blind: AtomicU64::new(0) })
    }

    fn hide_blocks(&self, views: u64) {
        self.blind.store(views, Ordering::SeqCst);
    }
}

impl Store for HalfSeen {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn view(&self) -> Result<Box<dyn View>> {
        let blind = self.blind.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        let inner = self.inner.view()?;
        Ok(if blind.is_ok() { Box::new(Blind(inner)) } else { inner })
    }

    fn commit(&self, batch: &WriteBatch, durability: Durability) -> Result<()> {
        self.inner.commit(batch, durability)
    }

    fn flush(&self) -> Result<()> {
        self.inner.flush()
    }
}

struct Blind(Box<dyn View>);

impl View for Blind {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>> {
        if key[0] == 2 { Ok(None) } else { self.0.get(key) }
    }

    fn scan(&self, scan: Scan<'_>, visitor: &mut dyn Visitor) -> Result<()> {
        self.0.scan(scan, &mut BlindVisitor(visitor))
    }
}

struct BlindVisitor<'a>(&'a mut dyn Visitor);

impl Visitor for BlindVisitor<'_> {
    fn visit(&mut self, key: &[u8], value: Value<'_>) -> Result<Step<'_>> {
        if key[0] == 2 { Ok(Step::Next) } else { self.0.visit(key, value) }
    }
}

fn body(letter: u8) -> Vec<u8> {
    vec![letter; 50_000]
}

#[tokio::test]
async fn a_reader_waits_for_the_other_half() {
    let store = HalfSeen::new();
    let objects = Objects::in_store(Arc::clone(&store), b"").unwrap();
    let path = Path::from("p");
    objects.put(&path, body(b'1').into()).await.unwrap();
    store.hide_blocks(5);
    assert_eq!(objects.get(&path).await.unwrap().bytes().await.unwrap(), body(b'1'));
    store.hide_blocks(5);
    assert_eq!(objects.get_ranges(&path, std::slice::from_ref(&(3..6))).await.unwrap(), ["111"]);
    // What never comes is missing.
    store.hide_blocks(u64::MAX);
    let error = objects.get(&path).await.unwrap_err();
    let Error::Generic { source, .. } = &error else { panic!("{error}") };
    assert_eq!(source.downcast_ref::<engine_api::Error>().unwrap().kind(), ErrorKind::Corrupt);
}

#[tokio::test]
async fn a_writer_removes_the_half_that_it_did_not_see() {
    let store = HalfSeen::new();
    let objects = Objects::in_store(Arc::clone(&store), b"").unwrap().with_block_bytes(1000);
    let (one, two) = (Path::from("one"), Path::from("two"));
    for change in 0..4 {
        objects.put(&one, body(b'1').into()).await.unwrap();
        objects.put(&two, body(b'2').into()).await.unwrap();
        store.hide_blocks(4);
        match change {
            0 => _ = objects.put(&one, body(b'3').into()).await.unwrap(),
            1 => objects.delete(&one).await.unwrap(),
            2 => objects.rename(&one, &two).await.unwrap(),
            _ => objects.copy(&one, &two).await.unwrap(),
        }
        store.hide_blocks(0);
        assert_nothing_leaked(&store, &objects).await;
    }
}
