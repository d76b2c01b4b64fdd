//! The async contract, exercised by an engine that answers from another thread: what an engine across a
//! network looks like from here.
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod threaded;

use std::sync::Arc;
use std::thread;

use async_trait::async_trait;
use engine_api::aio::{AsyncHandle, AsyncStore, AsyncView, Bridge};
use engine_api::key::{DataContext, TKey};
use engine_api::version::{NewInstance, OrderedKeyValue, Versioned};
use engine_api::{
    Capabilities, Direction, Durability, ErrorKind, Execution, KeyRange, MemoryStore, Registry, Result, Step,
    Store, StoreExt, Value, View, ViewExt, WriteBatch, visitor,
};
use threaded::{Threaded, ThreadedEngine};

#[test]
fn an_async_engine_is_opened_like_any_other() {
    static THREADED: ThreadedEngine = ThreadedEngine;
    let opened = Registry::new().with(&THREADED).unwrap().open("threaded:").unwrap();
    assert!(opened.created);
    opened.store.put("k", "v").unwrap();
    assert_eq!(opened.store.get("k").unwrap().as_deref(), Some(b"v".as_slice()));
}

fn numbered(count: u32) -> WriteBatch {
    let mut batch = WriteBatch::new();
    for number in 0..count {
        batch.put(format!("key/{number:05}"), vec![7; 100]);
    }
    batch
}

#[test]
fn a_bridged_store_scans_over_many_pages_in_both_directions() {
    let store = Bridge::new(Threaded::start()).unwrap();
    store.write(&numbered(5_000)).unwrap();
    let view = store.view().unwrap();
    let keys = |direction| {
        let mut keys = Vec::new();
        let mut take = visitor(|key: &[u8], _: Value<'_>| {
            keys.push(key.to_vec());
            Ok(Step::Next)
        });
        view.scan(KeyRange::ALL.scan().in_direction(direction), &mut take).unwrap();
        keys
    };
    let forward = keys(Direction::Forward);
    let mut reverse = keys(Direction::Reverse);
    reverse.reverse();
    assert_eq!(forward.len(), 5_000);
    assert_eq!(forward, reverse);
}

#[test]
fn a_bridged_scan_seeks_within_a_page_and_past_it() {
    struct EveryHundredth {
        seen: Vec<Vec<u8>>,
        target: Vec<u8>,
    }
    impl engine_api::Visitor for EveryHundredth {
        fn visit(&mut self, key: &[u8], _: Value<'_>) -> Result<Step<'_>> {
            self.seen.push(key.to_vec());
            self.target = format!("key/{:05}", self.seen.len() * 100).into_bytes();
            Ok(Step::SeekTo(&self.target))
        }
    }
    let store = Bridge::new(Threaded::start()).unwrap();
    store.write(&numbered(1_000)).unwrap();
    let mut visitor = EveryHundredth { seen: Vec::new(), target: Vec::new() };
    store.view().unwrap().scan(KeyRange::ALL.scan(), &mut visitor).unwrap();
    let expected: Vec<_> = (0..10).map(|n| format!("key/{:05}", n * 100).into_bytes()).collect();
    assert_eq!(visitor.seen, expected);
}

#[test]
fn versions_run_on_a_bridged_store() {
    let store = Versioned::create(Bridge::new(Threaded::start()).unwrap()).unwrap();
    let repo = store.create_repo("r", None).unwrap();
    let instance = store.create_instance(repo.id, &NewInstance::new("kv", "keyvalue")).unwrap().id;
    let key = TKey::from("k");
    let first = DataContext::versioned(instance, repo.root);
    store.put(&first, &key, "old".into()).unwrap();
    store.commit_version(repo.root, "").unwrap();
    let next = store.new_version(repo.root, None).unwrap();
    let second = DataContext::versioned(instance, next.id);
    store.delete(&second, &key).unwrap();
    assert_eq!(store.get(&first, &key).unwrap().as_deref(), Some(b"old".as_slice()));
    assert_eq!(store.get(&second, &key).unwrap(), None);
}

#[test]
fn a_bridge_may_be_called_on_a_thread_of_an_executor() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let store = Bridge::new(Threaded::start()).unwrap();
        store.put("k", "v").unwrap();
        assert!(store.exists("k").unwrap());
    });
}

#[test]
fn a_counter_loses_no_step_to_another_thread() {
    let store = Arc::new(Bridge::new(Threaded::start()).unwrap());
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..25 {
                    store
                        .update(|txn| {
                            let count = txn.get(b"count")?.map_or(0, |value| value.len());
                            txn.put("count", vec![b'|'; count + 1]);
                            Ok(())
                        })
                        .unwrap();
                }
            });
        }
    });
    assert_eq!(store.get("count").unwrap().unwrap().len(), 100);
}

#[tokio::test]
async fn a_handle_reads_remote_inline_and_blocking_stores_alike() {
    #[derive(Debug)]
    struct Blocking(MemoryStore, Capabilities);
    impl Store for Blocking {
        fn capabilities(&self) -> &Capabilities {
            &self.1
        }
        fn view(&self) -> Result<Box<dyn View>> {
            self.0.view()
        }
        fn commit(&self, batch: &WriteBatch, durability: Durability) -> Result<()> {
            self.0.commit(batch, durability)
        }
        fn flush(&self) -> Result<()> {
            self.0.flush()
        }
    }
    let memory = MemoryStore::new();
    let blocking = memory.capabilities().execution(Execution::Blocking);
    let handles = [
        AsyncHandle::remote(Arc::new(Threaded::start())),
        AsyncHandle::new(Arc::new(memory)),
        AsyncHandle::new(Arc::new(Blocking(MemoryStore::new(), blocking))),
        AsyncHandle::new(Arc::new(Bridge::new(Threaded::start()).unwrap())),
    ];
    for handle in handles {
        handle.write(numbered(2_000)).await.unwrap();
        assert_eq!(handle.get("key/00007").await.unwrap().map(|value| value.len()), Some(100));
        let many = handle.get_many(vec!["key/00001".into(), "nosuch".into()]).await.unwrap();
        assert_eq!(many.iter().map(Option::is_some).collect::<Vec<_>>(), [true, false]);
        let mut pages = handle.pages(KeyRange::prefix(b"key/")).await.unwrap();
        let (mut entries, mut count) = (0, 0);
        while let Some(page) = pages.next().await.unwrap() {
            entries += page.len();
            count += 1;
        }
        assert_eq!(entries, 2_000);
        assert!(count > 2, "{count} pages");
        handle.flush().await.unwrap();
    }
}

#[test]
fn a_task_that_panics_is_an_error_and_the_bridge_goes_on() {
    #[derive(Debug)]
    struct Panics(Threaded);
    #[async_trait]
    impl AsyncStore for Panics {
        fn capabilities(&self) -> &Capabilities {
            self.0.capabilities()
        }
        async fn view(&self) -> Result<Box<dyn AsyncView>> {
            self.0.view().await
        }
        async fn commit(&self, batch: &WriteBatch, durability: Durability) -> Result<()> {
            self.0.commit(batch, durability).await
        }
        async fn flush(&self) -> Result<()> {
            panic!("a defect of the engine")
        }
    }
    let store = Bridge::new(Panics(Threaded::start())).unwrap();
    assert_eq!(store.flush().unwrap_err().kind(), ErrorKind::Internal);
    store.put("k", "v").unwrap();
    assert_eq!(store.view().unwrap().count(&KeyRange::ALL).unwrap(), 1);
}
