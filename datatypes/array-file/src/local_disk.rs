//! A folder as an object store that has on the disk what it has answered.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use engine_api::embedded::read_at;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, stream};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result,
};

use crate::buffers::Buffers;
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
    forced: bool,
    /// What was read and is no longer needed. Fresh memory for each range takes as long as reading it.
    read: Buffers,
}

impl LocalDisk {
    /// A folder, which must be there.
    pub fn new(folder: impl AsRef<std::path::Path>) -> Result<Self> {
        Self::with_fsync(folder, true)
    }

    /// A folder, of which nothing is forced to the disk if `forced` is false: what a power cut leaves is anyone's guess then. For what can
    /// be made again.
    pub fn with_fsync(folder: impl AsRef<std::path::Path>, forced: bool) -> Result<Self> {
        let inner = Arc::new(LocalFileSystem::new_with_prefix(folder)?.with_fsync(forced));
        Ok(Self { inner, forced, read: Buffers::default() })
    }
}

/// Deletes objects, and then forces the folders that they were in to the disk.
async fn delete_all(
    inner: Arc<LocalFileSystem>,
    paths: BoxStream<'static, Result<Path>>,
    forced: bool,
) -> Vec<Result<Path>> {
    let deleted: Vec<Result<Path>> = inner.delete_stream(paths).collect().await;
    if !forced {
        return deleted;
    }
    let files = deleted.iter().flatten().filter_map(|path| inner.path_to_filesystem(path).ok());
    let folders: BTreeSet<PathBuf> = files.filter_map(|file| file.parent().map(PathBuf::from)).collect();
    let synced = offload(move || {
        let synced = folders.iter().try_for_each(|folder| sync(folder));
        synced.map_err(|source| failed(source).into())
    });
    let Err(error) = synced.await else { return deleted };
    // Of none of them is it known that it is gone for good.
    deleted.into_iter().map(|path| path.and_then(|_| Err(failed(error.to_string())))).collect()
}

#[cfg(unix)]
fn sync(folder: &std::path::Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Folders can't be forced to the disk elsewhere.
#[cfg(not(unix))]
fn sync(_: &std::path::Path) -> io::Result<()> {
    Ok(())
}

/// Ranges of a file, each as far as the file goes.
fn read_ranges(
    file: &std::path::Path,
    ranges: &[Range<u64>],
    buffers: &Buffers,
    name: String,
) -> Result<Vec<Bytes>> {
    let file = File::open(file).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => Error::NotFound { path: name, source: source.into() },
        _ => failed(source),
    })?;
    let length = file.metadata().map_err(failed)?.len();
    let read = ranges.iter().map(|range| {
        // Memory is asked for only for what is there.
        let bytes = range.end.min(length).saturating_sub(range.start);
        let mut buffer = buffers.take(usize::try_from(bytes).map_err(failed)?).map_err(failed)?;
        let read = read_at(&file, &mut buffer, range.start).map_err(failed)?;
        buffer.truncate(read);
        Ok(buffers.lend(buffer))
    });
    read.collect()
}

fn failed(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::Generic { store: STORE, source: source.into() }
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
        let (file, ranges) = (self.inner.path_to_filesystem(path)?, ranges.to_vec());
        let (name, buffers) = (path.to_string(), self.read.clone());
        let read = offload(move || Ok(read_ranges(&file, &ranges, &buffers, name)));
        read.await.map_err(failed)?
    }

    fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        stream::once(delete_all(Arc::clone(&self.inner), paths, self.forced)).flat_map(stream::iter).boxed()
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

#[cfg(test)]
mod tests {
    use object_store::ObjectStoreExt;

    use super::*;

    #[tokio::test]
    async fn ranges_are_those_of_the_file_system_below() {
        let folder = tempfile::tempdir().unwrap();
        let disk = LocalDisk::new(folder.path()).unwrap();
        let path = Path::from("a/b");
        let data: Bytes = (0..251).cycle().take(5000).collect();
        disk.put(&path, data.into()).await.unwrap();
        let far = u64::MAX;
        for ranges in [
            vec![],
            vec![0..16, 16..32, 1000..3000],
            vec![100..120, 0..5000, 100..120, 40..41],
            vec![4000..6000, 4000..far],
        ] {
            let read = disk.get_ranges(&path, &ranges).await.unwrap();
            let expected: Vec<Range<u64>> =
                ranges.iter().map(|range| range.start..range.end.min(5000)).collect();
            assert_eq!(read, disk.inner.get_ranges(&path, &expected).await.unwrap(), "{ranges:?}");
        }
        assert_eq!(
            disk.get_ranges(&path, &[5000..6000, 7000..8000]).await.unwrap(),
            [Bytes::new(), Bytes::new()]
        );
        let missing = disk.get_ranges(&Path::from("a/c"), &[0..1, 1..2]).await.unwrap_err();
        assert!(matches!(missing, Error::NotFound { .. }), "{missing}");
    }
}
