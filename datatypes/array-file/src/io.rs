//! The object store, and what its answers mean here.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutPayload};

use crate::cache::BlockCache;
use crate::codec::{BlockCodec, CodecRegistry};
use crate::error::{Error, Result};

/// Requests and blocks that one operation has under way at a time.
pub(crate) const CONCURRENCY: usize = 16;

/// What reading a file needs.
#[derive(Clone, Debug)]
pub(crate) struct Io {
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) cache: Option<Arc<BlockCache>>,
    pub(crate) codec: BlockCodec,
    pub(crate) codecs: CodecRegistry,
}

impl Io {
    /// Ranges of a layer.
    ///
    /// # Errors
    /// `LayerGone` when there is no such object any more.
    pub(crate) async fn layer_ranges(&self, path: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let found = match ranges {
            [range] => self.store.get_range(path, range.clone()).await.map(|bytes| vec![bytes]),
            _ => self.store.get_ranges(path, ranges).await,
        };
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
        match self.store.get(path).await {
            Ok(found) => Ok(Some(found.bytes().await?)),
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
