//! An engine that answers from another thread: what an engine across a network looks like from here.

use std::sync::{Arc, mpsc};
use std::thread;

use async_trait::async_trait;
use engine_api::aio::{AsyncStore, AsyncView, Bridge, Page, PageRequest};
use engine_api::semver::Version;
use engine_api::{
    Bytes, Capabilities, Config, Descriptor, Durability, Engine, Error, ErrorKind, Execution, MemoryStore,
    OpenMode, Opened, Result, Step, Store, Value, View, WriteBatch, visitor,
};
use tokio::sync::oneshot;

/// The engine; each open is a store of its own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ThreadedEngine;

static DESCRIPTOR: Descriptor = Descriptor::new(
    "threaded",
    &["threaded"],
    Version::new(0, 1, 0),
    "The memory engine on a thread of its own, asked by messages and bridged back.",
    CAPABILITIES,
);

const CAPABILITIES: Capabilities = MemoryStore::CAPABILITIES.execution(Execution::Async);

impl Engine for ThreadedEngine {
    fn descriptor(&self) -> &'static Descriptor {
        &DESCRIPTOR
    }

    fn open(&self, config: &Config) -> Result<Opened> {
        match (config.mode(), config.path()) {
            (OpenMode::Create | OpenMode::New, None) => {
                Ok(Opened { store: Box::new(Bridge::new(Threaded::start())?), created: true })
            }
            (_, None) => Err(Error::new(ErrorKind::NotFound, "there is no store to open")),
            (_, Some(_)) => Err(Error::new(ErrorKind::InvalidConfig, "the engine has no paths")),
        }
    }

    fn destroy(&self, _: &Config) -> Result<()> {
        Ok(())
    }
}

/// A request, with the way back for its answer.
type Message = Box<dyn FnOnce(&MemoryStore) + Send>;

/// A store whose data belongs to one thread, which is asked by messages.
#[derive(Debug)]
pub(crate) struct Threaded {
    requests: mpsc::Sender<Message>,
    capabilities: Capabilities,
}

impl Threaded {
    pub(crate) fn start() -> Self {
        let (requests, inbox) = mpsc::channel::<Message>();
        thread::spawn(move || {
            let store = MemoryStore::new();
            while let Ok(message) = inbox.recv() {
                message(&store);
            }
        });
        Self { requests, capabilities: CAPABILITIES }
    }
}

async fn ask<T: Send + 'static>(
    requests: &mpsc::Sender<Message>,
    question: impl FnOnce(&MemoryStore) -> Result<T> + Send + 'static,
) -> Result<T> {
    let (answer, answered) = oneshot::channel();
    let gone = || Error::new(ErrorKind::Unavailable, "the engine's thread is gone");
    requests
        .send(Box::new(move |store| {
            let _ = answer.send(question(store));
        }))
        .map_err(|_| gone())?;
    answered.await.map_err(|_| gone())?
}

#[async_trait]
impl AsyncStore for Threaded {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn view(&self) -> Result<Box<dyn AsyncView>> {
        let view = ask(&self.requests, Store::view).await?;
        Ok(Box::new(ThreadedView {
            requests: self.requests.clone(),
            view: Arc::new(std::sync::Mutex::new(view)),
        }))
    }

    async fn commit(&self, batch: &WriteBatch, durability: Durability) -> Result<()> {
        let batch = batch.clone();
        ask(&self.requests, move |store| store.commit(&batch, durability)).await
    }

    async fn flush(&self) -> Result<()> {
        ask(&self.requests, Store::flush).await
    }
}

struct ThreadedView {
    requests: mpsc::Sender<Message>,
    view: Arc<std::sync::Mutex<Box<dyn View>>>,
}

#[async_trait]
impl AsyncView for ThreadedView {
    async fn get(&self, key: &[u8]) -> Result<Option<Bytes>> {
        let (view, key) = (Arc::clone(&self.view), key.to_vec());
        ask(&self.requests, move |_| view.lock().unwrap().get(&key)).await
    }

    async fn page(&self, request: &PageRequest) -> Result<Page> {
        let (view, request) = (Arc::clone(&self.view), request.clone());
        ask(&self.requests, move |_| {
            let mut page = Page::default();
            let mut bytes = 0;
            let mut scan = request.range.scan().in_direction(request.direction);
            scan.fetch = request.fetch;
            let mut take = visitor(|key: &[u8], value: Value<'_>| {
                bytes += key.len() + value.bytes()?.len();
                page.entries.push((Bytes::copy_from_slice(key), value.to_bytes()?));
                page.more = bytes >= request.bytes;
                Ok(if page.more { Step::Stop } else { Step::Next })
            });
            view.lock().unwrap().scan(scan, &mut take)?;
            Ok(page)
        })
        .await
    }
}
