//! A store in memory that fails from some call on.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::{self, BoxStream};
use futures_util::{FutureExt, StreamExt};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

/// What happens at the call that fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It fails, and has done nothing; later ones work.
    Once,
    /// It is done, and its answer is lost; later ones work.
    AnswerLost,
    /// It fails, and so does every later one: the process is gone.
    Death,
    /// It is done, and nothing after it.
    DeathAfter,
}

/// Calls are counted from the last [`arm`](Failing::arm) on.
#[derive(Debug)]
pub struct Failing {
    inner: Arc<InMemory>,
    calls: AtomicU64,
    fails_at: AtomicU64,
    failure: Failure,
}

impl Failing {
    pub fn new(inner: Arc<InMemory>, failure: Failure) -> Self {
        Self { inner, calls: AtomicU64::new(0), fails_at: AtomicU64::new(u64::MAX), failure }
    }

    /// The call of this number, the first being 0, is the one that fails.
    pub fn arm(&self, at: u64) {
        self.calls.store(0, Ordering::SeqCst);
        self.fails_at.store(at, Ordering::SeqCst);
    }

    /// Whether the call that was to fail was made.
    pub fn has_failed(&self) -> bool {
        self.calls.load(Ordering::SeqCst) > self.fails_at.load(Ordering::SeqCst)
    }

    /// Whether this call is done, and whether its answer arrives.
    fn next(&self) -> (bool, bool) {
        let (call, at) = (self.calls.fetch_add(1, Ordering::SeqCst), self.fails_at.load(Ordering::SeqCst));
        match (call.cmp(&at), self.failure) {
            (std::cmp::Ordering::Less, _)
            | (std::cmp::Ordering::Greater, Failure::Once | Failure::AnswerLost) => (true, true),
            (std::cmp::Ordering::Equal, Failure::AnswerLost | Failure::DeathAfter) => (true, false),
            _ => (false, false),
        }
    }

    async fn call<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let (done, answered) = self.next();
        if !done {
            return Err(failed());
        }
        let answer = work.await;
        if answered { answer } else { Err(failed()) }
    }
}

fn failed() -> Error {
    Error::Generic { store: "failing", source: "it fails here".into() }
}

impl fmt::Display for Failing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("failing")
    }
}

#[async_trait]
impl ObjectStore for Failing {
    async fn put_opts(&self, path: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.call(self.inner.put_opts(path, payload, options)).await
    }

    async fn put_multipart_opts(
        &self,
        path: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.call(self.inner.put_multipart_opts(path, options)).await
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        self.call(self.inner.get_opts(path, options)).await
    }

    async fn get_ranges(&self, path: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.call(self.inner.get_ranges(path, ranges)).await
    }

    fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let (done, answered) = self.next();
        if !done {
            return stream::iter([Err(failed())]).boxed();
        }
        let deleted = self.inner.delete_stream(paths);
        if answered {
            return deleted;
        }
        let gone: Vec<_> = deleted.collect::<Vec<_>>().now_or_never().unwrap_or_default();
        stream::iter(gone.into_iter().map(|_| Err(failed()))).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.next() {
            (true, true) => self.inner.list(prefix),
            _ => stream::iter([Err(failed())]).boxed(),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.call(self.inner.list_with_delimiter(prefix)).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.call(self.inner.copy_opts(from, to, options)).await
    }
}
