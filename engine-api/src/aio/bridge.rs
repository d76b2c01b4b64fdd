//! A store of an async one: each call is a task on the bridge's own runtime, and the caller waits for it.

use std::fmt;
use std::future::Future;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;

use bytes::Bytes;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

use super::store::{AsyncStore, AsyncView, PageRequest};
use crate::spi::{
    Advance, Capabilities, Direction, Durability, Error, ErrorKind, Result, Reverse, Scan, Store, Value,
    View, Visitor, WriteBatch,
};

/// Makes a [`Store`] of an [`AsyncStore`].
///
/// It runs the store's tasks on a thread of its own, so it may be called from any thread: one of an async
/// executor too, though that thread then waits; use an [`AsyncHandle`](super::AsyncHandle) there.
pub struct Bridge<A> {
    inner: Arc<A>,
    driver: Arc<Driver>,
}

impl<A: fmt::Debug> fmt::Debug for Bridge<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Bridge").field(&self.inner).finish()
    }
}

impl<A: AsyncStore> Bridge<A> {
    /// Bridges to `inner`.
    ///
    /// # Errors
    /// `Io` when the thread can't be started.
    pub fn new(inner: A) -> Result<Self> {
        Ok(Self { inner: Arc::new(inner), driver: Arc::new(Driver::start()?) })
    }

    /// Bridges to the store that `connect` opens, on the bridge's runtime.
    ///
    /// # Errors
    /// `Io` when the thread can't be started; whatever `connect` answers.
    pub fn connect<F>(connect: F) -> Result<Self>
    where
        F: Future<Output = Result<A>> + Send + 'static,
    {
        let driver = Arc::new(Driver::start()?);
        let inner = Arc::new(driver.wait(connect)?);
        Ok(Self { inner, driver })
    }
}

impl<A: AsyncStore> Store for Bridge<A> {
    fn capabilities(&self) -> &Capabilities {
        self.inner.capabilities()
    }

    fn view(&self) -> Result<Box<dyn View>> {
        let inner = Arc::clone(&self.inner);
        let view = self.driver.wait(async move { inner.view().await })?;
        Ok(Box::new(BridgeView {
            inner: view.into(),
            driver: Arc::clone(&self.driver),
            capabilities: *self.inner.capabilities(),
        }))
    }

    fn commit(&self, batch: &WriteBatch, durability: Durability) -> Result<()> {
        batch.check(self.capabilities(), durability)?;
        let (inner, batch) = (Arc::clone(&self.inner), batch.clone());
        self.driver.wait(async move { inner.commit(&batch, durability).await })
    }

    fn flush(&self) -> Result<()> {
        let inner = Arc::clone(&self.inner);
        self.driver.wait(async move { inner.flush().await })
    }
}

struct BridgeView {
    inner: Arc<dyn AsyncView>,
    driver: Arc<Driver>,
    capabilities: Capabilities,
}

impl View for BridgeView {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>> {
        if !self.capabilities.limits.admits_key(key) {
            return Ok(None);
        }
        let (inner, key) = (Arc::clone(&self.inner), Bytes::copy_from_slice(key));
        self.driver.wait(async move { inner.get(&key).await })
    }

    fn scan(&self, scan: Scan<'_>, visitor: &mut dyn Visitor) -> Result<()> {
        if scan.direction == Direction::Reverse && self.capabilities.reverse == Reverse::None {
            return Err(Error::new(ErrorKind::Unsupported, "the engine has no descending scans"));
        }
        if scan.is_empty() {
            return Ok(());
        }
        let mut request = PageRequest::first(&scan);
        loop {
            let inner = Arc::clone(&self.inner);
            let asked = request.clone();
            let page = self.driver.wait(async move { inner.page(&asked).await })?;
            // Where the visitor wants to go, when that isn't the next entry.
            let mut target: Option<Bytes> = None;
            for (key, value) in &page.entries {
                if target.as_ref().is_some_and(|target| is_before(key, target, scan.direction)) {
                    continue;
                }
                target = match scan.advance(key, visitor.visit(key, Value::ready(value))?) {
                    Advance::Next => None,
                    Advance::Stop => return Ok(()),
                    Advance::Seek(to) => Some(Bytes::copy_from_slice(to)),
                };
            }
            let bound = match (&target, page.entries.last()) {
                (Some(target), _) => Bound::Included(target.as_ref()),
                (None, Some((last, _))) => Bound::Excluded(last.as_ref()),
                (None, None) => return Ok(()),
            };
            if !page.more {
                return Ok(());
            }
            request = request.next_from(bound);
        }
    }
}

fn is_before(key: &[u8], target: &[u8], direction: Direction) -> bool {
    match direction {
        Direction::Forward => key < target,
        Direction::Reverse => key > target,
    }
}

/// A thread that runs tasks until the last bridge and view are gone.
struct Driver {
    handle: Handle,
    /// Dropped with the driver, which ends the thread.
    _stop: oneshot::Sender<()>,
}

impl Driver {
    fn start() -> Result<Self> {
        let failed = |error| Error::from_io(error, "the thread for an async engine can't be started");
        let runtime = Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel();
        thread::Builder::new()
            .name("kvdag-bridge".to_owned())
            .spawn(move || {
                // The sender is never used but to be dropped, which is what ends the wait.
                runtime.block_on(async move { stopped.await.unwrap_or(()) });
            })
            .map_err(failed)?;
        Ok(Self { handle, _stop: stop })
    }

    fn wait<T: Send + 'static>(&self, task: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
        let (answer, answered) = mpsc::sync_channel(1);
        self.handle.spawn(async move {
            // A caller that is gone has no use for the answer.
            answer.send(task.await).unwrap_or(());
        });
        answered.recv().unwrap_or_else(|_| {
            Err(Error::new(ErrorKind::Internal, "an async engine's task ended without an answer"))
        })
    }
}
