//! The object store, and what its answers mean here.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutPayload};

use crate::buffers::Buffers;
use crate::cache::BlockCache;
use crate::codec::{BlockCodec, CodecRegistry};
use crate::error::{Error, Result};

/// Requests and blocks that one operation has under way at a time.
pub(crate) const CONCURRENCY: usize = 16;

/// The same of a store that is near: what waits to be looked at has left the processor's cache, and more requests at a
/// time bring nothing sooner.
const NEAR_CONCURRENCY: usize = 4;

/// A store that ever answered within this time is near: a folder does so, and nothing beyond a network.
const NEAR: Duration = Duration::from_millis(1);

/// The shortest time that a store took to answer, in nanoseconds.
#[derive(Clone, Debug)]
pub(crate) struct Fastest(Arc<AtomicU64>);

impl Default for Fastest {
    fn default() -> Self {
        Self(Arc::new(AtomicU64::new(u64::MAX)))
    }
}

impl Fastest {
    fn note(&self, began: Instant) {
        let took = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.0.fetch_min(took, Ordering::Relaxed);
    }
}

/// What reading a file needs.
#[derive(Clone, Debug)]
pub(crate) struct Io {
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) cache: Option<Arc<BlockCache>>,
    pub(crate) codec: BlockCodec,
    pub(crate) codecs: CodecRegistry,
    pub(crate) fastest: Fastest,
    pub(crate) buffers: Buffers,
}

impl Io {
    /// How many requests are worth having under way at a time.
    pub(crate) fn concurrency(&self) -> usize {
        if self.is_near() { NEAR_CONCURRENCY } else { CONCURRENCY }
    }

    /// Whether the store answers as fast as a folder does.
    pub(crate) fn is_near(&self) -> bool {
        u128::from(self.fastest.0.load(Ordering::Relaxed)) < NEAR.as_nanos()
    }

    /// Ranges of a layer.
    ///
    /// # Errors
    /// `LayerGone` when there is no such object any more.
    pub(crate) async fn layer_ranges(&self, path: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let began = Instant::now();
        let found = self.store.get_ranges(path, ranges).await;
        self.fastest.note(began);
        let found = found.map_err(|error| match error {
            object_store::Error::NotFound { .. } => Error::LayerGone { path: path.to_string() },
            other => Error::Storage(other),
        })?;
        if found.len() != ranges.len() {
            return Err(Error::corrupt(
                path.to_string(),
                "the store answered fewer ranges than were asked for",
            ));
        }
        Ok(found)
    }

    /// Puts an object where no other is; answers whether none was.
    ///
    /// # Errors
    /// `NoConditionalPut` when the store says that it can't.
    pub(crate) async fn put_new(&self, path: &Path, payload: PutPayload) -> Result<bool> {
        match self.store.put_opts(path, payload, PutMode::Create.into()).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::AlreadyExists { .. }) => Ok(false),
            Err(error @ object_store::Error::NotImplemented { .. }) => {
                Err(self.no_conditional_put(&error.to_string()))
            }
            Err(error) => Err(error.into()),
        }
    }

    pub(crate) fn no_conditional_put(&self, reason: &str) -> Error {
        Error::NoConditionalPut { store: self.store.to_string(), reason: reason.to_owned() }
    }

    /// A whole object, or `None` where there is none.
    pub(crate) async fn object(&self, path: &Path) -> Result<Option<Bytes>> {
        let began = Instant::now();
        match self.store.get(path).await {
            Ok(found) => {
                let bytes = found.bytes().await?;
                self.fastest.note(began);
                Ok(Some(bytes))
            }
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// Runs work that takes a while where it doesn't hold up an executor: on the runtime's pool for blocking work,
/// or at once where there is no runtime.
pub(crate) async fn offload<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    match tokio::runtime::Handle::try_current() {
        Ok(runtime) => match runtime.spawn_blocking(work).await {
            Ok(result) => result,
            Err(error) => Err(Error::Worker(error.to_string())),
        },
        Err(_) => work(),
    }
}
