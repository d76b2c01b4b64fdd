//! A folder as an object store that has on the disk what it has answered.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::File;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, stream};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result,
};

use crate::io::offload;

const STORE: &str = "LocalDisk";

/// A folder on the local disk whose objects, once put or deleted, are so after a power cut too.
///
/// [`LocalFileSystem`] forces what is put to the disk where it is told to, and never a deletion. A sweep deletes
/// commits and then the layers that they named: without the first on the disk, a power cut may bring back commits
/// whose layers are gone.
#[derive(Debug)]
pub struct LocalDisk {
    inner: Arc<LocalFileSystem>,
}

impl LocalDisk {
    /// A folder, which must be there.
    pub fn new(folder: impl AsRef<std::path::Path>) -> Result<Self> {
        Ok(Self { inner: Arc::new(LocalFileSystem::new_with_prefix(folder)?.with_fsync(true)) })
    }
}

/// Deletes objects, and then forces the folders that they were in to the disk.
async fn delete_all(
    inner: Arc<LocalFileSystem>,
    paths: BoxStream<'static, Result<Path>>,
) -> Vec<Result<Path>> {
    let deleted: Vec<Result<Path>> = inner.delete_stream(paths).collect().await;
    let files = deleted.iter().flatten().filter_map(|path| inner.path_to_filesystem(path).ok());
    let folders: BTreeSet<PathBuf> = files.filter_map(|file| file.parent().map(PathBuf::from)).collect();
    let synced = offload(move || {
        let synced = folders.iter().try_for_each(|folder| sync(folder));
        synced.map_err(|source| Error::Generic { store: STORE, source: source.into() }.into())
    });
    let Err(error) = synced.await else { return deleted };
    // Of none of them is it known that it is gone for good.
    let failed = || Err(Error::Generic { store: STORE, source: error.to_string().into() });
    deleted.into_iter().map(|path| path.and_then(|_| failed())).collect()
}

#[cfg(unix)]
fn sync(folder: &std::path::Path) -> std::io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Folders can't be forced to the disk elsewhere.
#[cfg(not(unix))]
fn sync(_: &std::path::Path) -> std::io::Result<()> {
    Ok(())
}

impl fmt::Display for LocalDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

#[async_trait]
impl ObjectStore for LocalDisk {
    async fn put_opts(&self, path: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
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
        self.inner.get_opts(path, options).await
    }

    async fn get_ranges(&self, path: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.inner.get_ranges(path, ranges).await
    }

    fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        stream::once(delete_all(Arc::clone(&self.inner), paths)).flat_map(stream::iter).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.inner.rename_opts(from, to, options).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
