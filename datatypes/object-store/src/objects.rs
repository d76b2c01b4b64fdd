//! Objects as an `object_store::ObjectStore`.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use bytes::Bytes;
use engine_api::aio::hop;
use engine_api::{Result, Store};
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt, TryStreamExt, future};
use object_store::path::{DELIMITER, Path};
use object_store::{
    CopyMode, CopyOptions, Extensions, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload,
    ObjectMeta, ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions,
    RenameTargetMode,
};

use crate::core::Core;
use crate::error::generic;
use crate::generation::Generation;
use crate::intent::Work;
use crate::list::{After, Listed, Listing};
use crate::multipart::Upload;
use crate::plain::PlainSpace;
use crate::read::Found;
use crate::remove::Swept;
use crate::space::Space;

/// The objects of a page of a listing.
const LISTED_AT_ONCE: usize = 1000;
/// The objects that are deleted together.
const DELETED_AT_ONCE: usize = 256;

/// Objects in a store, or in a data instance at a version: an [`ObjectStore`]. Clones share it.
///
/// ```
/// use engine_api::MemoryStore;
/// use kvdag_object_store::Objects;
/// use object_store::path::Path;
/// use object_store::{ObjectStoreExt, PutMode};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let objects = Objects::in_store(MemoryStore::new(), b"")?;
/// let path = Path::from("scans/7/zarr.json");
/// objects.put(&path, "{}".into()).await?;
/// assert_eq!(objects.get(&path).await?.bytes().await?, "{}");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Objects {
    core: Arc<Core>,
    name: Arc<str>,
}

/// An upload, or a large put, that is under way or was abandoned.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pending {
    /// Its id: that of the upload, where [`is_upload`](Self::is_upload).
    pub id: String,
    /// Where the object will be.
    pub path: Path,
    /// When it was begun.
    pub begun: SystemTime,
    /// Whether it is an upload in parts, and not one put that takes several batches.
    pub is_upload: bool,
}

impl Objects {
    /// The objects in a store without versions, under a prefix of its keys. Where there are no keys yet, they are made
    /// objects'.
    ///
    /// # Errors
    /// `Incompatible` when there are keys under the prefix that aren't objects'; `Unsupported` when the engine lacks
    /// atomic or conditional batches.
    pub fn in_store(store: impl Store + 'static, prefix: &[u8]) -> Result<Self> {
        let name = format!("kvdag({})", prefix.escape_ascii());
        Ok(Self::of_space(Arc::new(PlainSpace::open(store, prefix)?), &name))
    }

    pub(crate) fn of_space(space: Arc<dyn Space>, name: &str) -> Self {
        Self { core: Arc::new(Core::new(space)), name: name.into() }
    }

    /// The same with blocks of so many bytes, or of as many as the engine takes, for what is written from now on. A
    /// range is read in whole blocks; an object takes an entry for each.
    #[must_use]
    pub fn with_block_bytes(self, bytes: usize) -> Self {
        let Self { core, name } = self;
        // Clones keep the blocks that they had.
        let mut core = Arc::try_unwrap(core).unwrap_or_else(|shared| shared.as_ref().clone());
        core.set_block_bytes(bytes);
        Self { core: Arc::new(core), name }
    }

    /// Uploads and large puts that are under way or were abandoned.
    ///
    /// # Errors
    /// The first that can't be read.
    pub async fn pending(&self) -> Result<Vec<Pending>> {
        self.hop(|core| {
            let all = core.underway()?.into_iter().filter_map(|underway| {
                let underway = match underway {
                    Ok(underway) => underway,
                    Err(error) => return Some(Err(error)),
                };
                let (target, is_upload) = match underway.intent.work {
                    Work::Put(target) => (target, false),
                    Work::Upload(target) => (target, true),
                    Work::Removal => return None,
                };
                Some(Ok(Pending {
                    id: underway.held.generation.to_string(),
                    path: Path::from(target.path),
                    begun: underway.intent.begun.into(),
                    is_upload,
                }))
            });
            all.collect()
        })
        .await?
    }

    /// Takes back the uploads and large puts that were begun before a moment and aren't complete, and goes on with
    /// removals that were cut short. One that is still at work gets an error at its next step.
    ///
    /// # Errors
    /// The first failure; what else there is to sweep is swept all the same. It may be called again.
    pub async fn sweep(&self, begun_before: SystemTime) -> Result<Swept> {
        self.hop(move |core| core.sweep(begun_before.into())).await?
    }

    async fn hop<T: Send + 'static>(&self, call: impl FnOnce(&Core) -> T + Send + 'static) -> Result<T> {
        let core = Arc::clone(&self.core);
        hop(self.core.execution(), move || call(&core)).await
    }

    pub(crate) async fn call<T: Send + 'static>(
        &self,
        call: impl FnOnce(&Core) -> object_store::Result<T> + Send + 'static,
    ) -> object_store::Result<T> {
        self.hop(call).await.map_err(generic)?
    }

    /// The rest of an object, a page at a time.
    fn rest(&self, path: Path, found: Found, from: u64) -> BoxStream<'static, object_store::Result<Bytes>> {
        let Found { record, range, first } = found;
        let state = (self.clone(), path, Arc::new(record), from);
        let pages = stream::try_unfold(state, move |(objects, path, record, at)| async move {
            if at >= range.end {
                return Ok(None);
            }
            let (of, read) = (path.clone(), Arc::clone(&record));
            let page = objects
                .call(move |core| {
                    let page = u64::try_from(core.page_bytes()).unwrap_or(u64::MAX);
                    core.read_on(&of, &read, at..range.end.min(at.saturating_add(page)))
                })
                .await?;
            let at = at.saturating_add(page.len() as u64);
            Ok(Some((page, (objects, path, record, at))))
        });
        stream::once(future::ready(Ok(first))).chain(pages).boxed()
    }

    /// The pages of a listing, each of one state.
    fn pages(&self, listing: Listing) -> BoxStream<'static, object_store::Result<Listed>> {
        stream::try_unfold(Some((self.clone(), listing)), |state| async move {
            let Some((objects, listing)) = state else { return Ok(None) };
            let asked = listing.clone();
            let mut page = objects.call(move |core| core.list(&asked)).await?;
            let next = page.next.take().map(|after| (objects, Listing { after: Some(after), ..listing }));
            Ok(Some((page, next)))
        })
        .boxed()
    }

    fn list_after(
        &self,
        prefix: Option<&Path>,
        after: Option<After>,
    ) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        let listing = Listing { prefix: below(prefix), delimiter: None, after, most: LISTED_AT_ONCE };
        self.pages(listing).map_ok(|page| stream::iter(page.objects)).try_flatten().boxed()
    }
}

/// What the paths below a path begin with.
fn below(prefix: Option<&Path>) -> String {
    match prefix {
        Some(prefix) if !prefix.is_root() => format!("{prefix}{DELIMITER}"),
        _ => String::new(),
    }
}

pub(crate) fn put_result(generation: Generation) -> PutResult {
    PutResult { e_tag: Some(generation.e_tag()), version: None, extensions: Extensions::default() }
}

pub(crate) fn list_result(listed: Listed) -> object_store::Result<ListResult> {
    Ok(ListResult {
        objects: listed.objects.into_iter().collect::<object_store::Result<_>>()?,
        common_prefixes: listed
            .common_prefixes
            .into_iter()
            .map(|p| Ok(Path::parse(p)?))
            .collect::<object_store::Result<_>>()?,
        extensions: Extensions::default(),
    })
}

impl fmt::Display for Objects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

#[async_trait]
impl ObjectStore for Objects {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        opts: PutOptions,
    ) -> object_store::Result<PutResult> {
        let path = location.clone();
        self.call(move |core| core.put(&path, payload, &opts.mode, opts.attributes)).await.map(put_result)
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> object_store::Result<Box<dyn MultipartUpload>> {
        let path = location.clone();
        let generation = self.call(move |core| core.create_upload(&path, opts.attributes)).await?;
        Ok(Box::new(Upload::new(self.clone(), location.clone(), generation)))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> object_store::Result<GetResult> {
        let path = location.clone();
        let head = options.head;
        let found = self.call(move |core| core.get(&path, &options)).await?;
        let (meta, range) = (found.record.meta(location.clone()), found.range.clone());
        let attributes = found.record.attributes.clone();
        let read = range.start.saturating_add(found.first.len() as u64);
        let bytes = if head || read >= range.end {
            stream::once(future::ready(Ok(found.first))).boxed()
        } else {
            self.rest(location.clone(), found, read)
        };
        let payload = GetResultPayload::Stream(bytes);
        Ok(GetResult { payload, meta, range, attributes, extensions: Extensions::default() })
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> object_store::Result<Vec<Bytes>> {
        let (path, ranges) = (location.clone(), ranges.to_vec());
        self.call(move |core| core.get_ranges(&path, &ranges)).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, object_store::Result<Path>>,
    ) -> BoxStream<'static, object_store::Result<Path>> {
        let objects = self.clone();
        locations
            .ready_chunks(DELETED_AT_ONCE)
            .then(move |group| {
                let objects = objects.clone();
                async move {
                    let paths: Vec<_> = group.iter().filter_map(|path| path.as_ref().ok().cloned()).collect();
                    let outcomes = objects.call(move |core| Ok(core.delete_many(&paths))).await;
                    let mut outcomes = match outcomes {
                        Ok(outcomes) => outcomes.into_iter(),
                        Err(error) => return stream::iter(vec![Err(error)]),
                    };
                    let each = group.into_iter().map(|path| {
                        let path = path?;
                        outcomes.next().unwrap_or(Ok(())).map(|()| path)
                    });
                    stream::iter(each.collect::<Vec<_>>())
                }
            })
            .flatten()
            .boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        self.list_after(prefix, None)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        self.list_after(prefix, Some(After::Path(offset.to_string())))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> object_store::Result<ListResult> {
        let listing = Listing {
            prefix: below(prefix),
            delimiter: Some(DELIMITER.to_owned()),
            after: None,
            most: usize::MAX,
        };
        self.call(move |core| core.list(&listing)).await.and_then(list_result)
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> object_store::Result<()> {
        let (from, to) = (from.clone(), to.clone());
        let mode = match options.mode {
            CopyMode::Overwrite => PutMode::Overwrite,
            CopyMode::Create => PutMode::Create,
        };
        self.call(move |core| core.copy(&from, &to, &mode)).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> object_store::Result<()> {
        let (from, to) = (from.clone(), to.clone());
        let mode = match options.target_mode {
            RenameTargetMode::Overwrite => PutMode::Overwrite,
            RenameTargetMode::Create => PutMode::Create,
        };
        self.call(move |core| core.rename(&from, &to, &mode)).await
    }
}
