//! A store in memory that counts the bytes that go in and out, and the requests that wait at a time.

use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

#[derive(Debug, Default)]
pub struct Counting {
    inner: InMemory,
    read: AtomicU64,
    written: AtomicU64,
    /// How long a read takes at least.
    delay: Option<Duration>,
    waiting: AtomicU64,
    most: AtomicU64,
}

impl Counting {
    /// Beyond a network.
    pub fn far(delay: Duration) -> Self {
        Self { delay: Some(delay), ..Self::default() }
    }

    /// The most reads that were under way at a time.
    pub fn most(&self) -> u64 {
        self.most.load(Ordering::SeqCst)
    }

    async fn wait(&self) {
        self.most.fetch_max(self.waiting.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        match self.delay {
            Some(delay) => tokio::time::sleep(delay).await,
            None => tokio::task::yield_now().await,
        }
        self.waiting.fetch_sub(1, Ordering::SeqCst);
    }

    pub fn reset(&self) {
        self.read.store(0, Ordering::SeqCst);
        self.written.store(0, Ordering::SeqCst);
    }

    /// Read, and written.
    pub fn bytes(&self) -> (u64, u64) {
        (self.read.load(Ordering::SeqCst), self.written.load(Ordering::SeqCst))
    }
}

impl fmt::Display for Counting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("counting")
    }
}

#[async_trait]
impl ObjectStore for Counting {
    async fn put_opts(&self, path: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.written.fetch_add(payload.content_length() as u64, Ordering::SeqCst);
        self.inner.put_opts(path, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        path: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(path, options).await
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        self.wait().await;
        let found = self.inner.get_opts(path, options).await?;
        self.read.fetch_add(found.range.end - found.range.start, Ordering::SeqCst);
        Ok(found)
    }

    async fn get_ranges(&self, path: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.wait().await;
        let bytes: u64 = ranges.iter().map(|range| range.end - range.start).sum();
        self.read.fetch_add(bytes, Ordering::SeqCst);
        self.inner.get_ranges(path, ranges).await
    }

    fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(paths)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
