//! Volumes that are read through a [dataset cache](dataset_cache): a bounded file that is faster than what is behind it.
//!
//! A committed version never changes, so its chunks may be in a cache for as long as there is room. An open one changes,
//! and has no [`dataset_of`] it.
//!
//! ```
//! use std::sync::Arc;
//!
//! use kvdag::cache::{CachedScales, dataset_of, identity};
//! use kvdag::chunks::{DType, Grid, MultiscaleStore, read_region};
//! use kvdag::dataset_cache::DatasetCache;
//! use kvdag::volume::{Properties, Volume};
//!
//! # fn main() -> kvdag::Result<()> {
//! # let folder = tempfile::tempdir().unwrap();
//! let store = kvdag::open_versioned("memory:")?;
//! let repo = store.create_repo("atlas", None)?;
//! let grid = Grid::new(&[100, 100], &[64, 64], DType::U8)?;
//! let volume = Volume::create(&store, repo.id, "slide", Properties::new(grid)?)?;
//! let root = store.find("main")?;
//! assert_eq!(dataset_of(&identity("memory:")?, volume.instance(), &root), None, "it is open");
//!
//! store.commit_version(repo.root, "")?;
//! let root = store.find("main")?;
//! let dataset = dataset_of(&identity("memory:")?, volume.instance(), &root).expect("it is committed");
//! let cache = Arc::new(DatasetCache::create(folder.path().join("atlas.cache"), 16 << 20)?);
//! let at = volume.at(root.id);
//! let cached = CachedScales::new(&at, &cache, dataset)?;
//! for _ in 0..2 {
//!     read_region(cached.scale(0)?, &grid.bounds(), &mut [0; 10_000])?;
//! }
//! assert_eq!((cache.statistics()?.misses, cache.statistics()?.hits), (4, 4));
//! # Ok(())
//! # }
//! ```

use std::path;
use std::sync::Arc;

use chunks::{ChunkStore, DerivedChunks, MultiscaleStore, Scales};
use dataset_cache::{Cached, DatasetCache, DatasetId};
use engine_api::version::{Instance, Version};
use engine_api::{Error, ErrorKind, Result};

/// What tells the store of a URL from others: its engine, and where it is, with links resolved.
///
/// # Errors
/// Those of [`Registry::config`](crate::Registry::config); `Io` when the current folder isn't known.
pub fn identity(url: &str) -> Result<String> {
    let config = crate::stores()?.config(url)?;
    let scheme = config.engine().schemes.first().copied().unwrap_or_default();
    let authority = config.authority().unwrap_or_default();
    let place = match config.path() {
        None => String::new(),
        Some(path) => path
            .canonicalize()
            // What isn't a file here has a name all the same.
            .or_else(|_| path::absolute(path))
            .map_err(|error| Error::from_io(error, "the path can't be resolved"))?
            .display()
            .to_string(),
    };
    Ok(format!("{scheme}://{authority}{place}"))
}

/// The id of what an instance of a store holds at a version, which is right for ever; `None` while the version is open.
///
/// It is of the store's [`identity`], the instance with the time when it was made, and the version with that of its commit:
/// so a copy of a store that was committed otherwise than the first, and then put in its place, isn't taken for it.
pub fn dataset_of(identity: &str, instance: &Instance, version: &Version) -> Option<DatasetId> {
    let committed = version.committed?;
    Some(DatasetId::of_parts(&[
        b"kvdag: an instance at a committed version",
        identity.as_bytes(),
        instance.name.as_bytes(),
        &instance.created.to_le_bytes(),
        version.uuid.as_bytes(),
        &committed.to_le_bytes(),
    ]))
}

/// The id of a precomputed volume at a URL, in the state that its description is of.
///
/// The format has no versions: whoever changes chunks in place, and leaves the description as it is, leaves the id as it is,
/// and the cache keeps what it has. A URL of `kvdag serve` with the UUID of a committed version is right for ever.
#[cfg(feature = "http")]
pub fn dataset_of_source(source: &volume::PrecomputedSource) -> DatasetId {
    let [url, description, tag] = source.identity();
    DatasetId::of_parts(&[b"kvdag: a precomputed volume at a URL", &url, &description, &tag])
}

/// All scales of a volume, read through a cache. Nothing is written through it.
#[derive(Debug)]
pub struct CachedScales<'a> {
    scales: &'a Scales,
    stores: Vec<Cached<&'a dyn ChunkStore>>,
}

impl<'a> CachedScales<'a> {
    /// Scales behind a cache, with the id of their dataset at the state that they are of.
    ///
    /// # Errors
    /// Those of the volume.
    pub fn new(
        volume: &'a dyn MultiscaleStore,
        cache: &Arc<DatasetCache>,
        dataset: DatasetId,
    ) -> Result<Self> {
        let scales = volume.scales();
        let stores = (0..scales.len()).zip(0..).map(|(scale, lod)| {
            let store: &'a dyn ChunkStore = volume.scale(scale)?;
            Ok(Cached::new(store, Arc::clone(cache), dataset, lod))
        });
        Ok(Self { scales, stores: stores.collect::<Result<_>>()? })
    }
}

impl MultiscaleStore for CachedScales<'_> {
    fn scales(&self) -> &Scales {
        self.scales
    }

    fn scale(&self, scale: usize) -> Result<&dyn ChunkStore> {
        self.scales.grid(scale)?;
        self.stores
            .get(scale)
            .map(|store| store as &dyn ChunkStore)
            .ok_or_else(|| Error::new(ErrorKind::Internal, "a scale without a store").with("scale", scale))
    }

    fn derive(&self, _: usize, _: &dyn DerivedChunks) -> Result<()> {
        Err(Error::new(ErrorKind::ReadOnly, "nothing is written through a cache of a committed version"))
    }
}
