//! A cache in front of a store of chunks.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use chunks::{ChunkSink, ChunkSource, ChunkStore, Coords, Grid, for_each_parallel};
use engine_api::Result;

use crate::cache::DatasetCache;
use crate::flight::{Flight, Joined, Leader};
use crate::index::KeyBytes;
use crate::key::{CacheKey, DatasetId};

/// A store of chunks that is read through a cache. Chunks that aren't stored are cached too.
///
/// The id says which dataset the store's chunks are of, and at which state. Give each state that doesn't change, such as a
/// committed version, an id of its own: [`DatasetId::of_parts`] makes one. Of a store that changes, what is written
/// through this is never stale, after a kill neither; what others write is, until its entries are removed.
///
/// ```
/// use std::sync::Arc;
///
/// use chunks::{ChunkStore, Codec, Coords, DType, Grid, MemoryChunks};
/// use dataset_cache::{Cached, DatasetCache, DatasetId};
///
/// # fn main() -> engine_api::Result<()> {
/// # let folder = tempfile::tempdir().unwrap();
/// let cache = Arc::new(DatasetCache::create(folder.path().join("brain.cache"), 16 << 20)?);
/// let store = MemoryChunks::new(Grid::new(&[100, 100], &[64, 64], DType::U16)?, Codec::default());
/// let cached = Cached::new(store, cache.clone(), DatasetId::of_parts(&[b"brain", b"v7"]), 0);
/// let mut chunk = vec![0; cached.grid().chunk_bytes()];
/// for _ in 0..3 {
///     assert!(!cached.read_chunk(&Coords::new(&[1, 1])?, &mut chunk)?);
/// }
/// assert_eq!((cache.statistics()?.misses, cache.statistics()?.hits), (1, 2));
/// # Ok(())
/// # }
/// ```
pub struct Cached<S> {
    store: S,
    cache: Arc<DatasetCache>,
    dataset: DatasetId,
    lod: i32,
}

impl<S: ChunkStore> Cached<S> {
    /// A store behind a cache, with the id of its dataset and its level of detail.
    pub fn new(store: S, cache: Arc<DatasetCache>, dataset: DatasetId, lod: i32) -> Self {
        Self { store, cache, dataset, lod }
    }

    /// The store.
    pub fn store(&self) -> &S {
        &self.store
    }

    /// The cache.
    pub fn cache(&self) -> &Arc<DatasetCache> {
        &self.cache
    }

    fn key(&self, chunk: &Coords) -> CacheKey {
        CacheKey::chunk(self.dataset, self.lod, *chunk)
    }

    /// Writes to the store so that the cache never has what was there before, whenever this process is killed.
    fn write(&self, chunks: &[Coords], write: impl FnOnce() -> Result<()>) -> Result<()> {
        self.cache.must_be_writable()?;
        let keys: Vec<KeyBytes> = chunks.iter().map(|chunk| self.key(chunk).encode()).collect();
        // What is fetched from here on may be of before or after, so it isn't cached.
        let bar = self.cache.flights.bar(keys.clone());
        self.cache.remove_for_good(&keys)?;
        let written = write();
        drop(bar);
        written
    }
}

/// A chunk that is being fetched, and where it is in the list that was asked for.
struct Fetching<'a> {
    index: usize,
    leader: Mutex<Option<Leader<'a>>>,
}

impl<S: ChunkStore> ChunkStore for Cached<S> {
    fn grid(&self) -> &Grid {
        self.store.grid()
    }

    fn read_chunk(&self, chunk: &Coords, out: &mut [u8]) -> Result<bool> {
        self.grid().check_buffer(out.len())?;
        self.grid().chunk_region(chunk)?;
        let stored =
            self.cache.read_or_fetch(&self.key(chunk), out, |out| self.store.read_chunk(chunk, out))?;
        if !stored {
            self.grid().fill().write(out);
        }
        Ok(stored)
    }

    fn write_chunks(&self, source: &dyn ChunkSource) -> Result<()> {
        let chunks: Vec<Coords> = (0..source.len()).map(|index| source.coords(index)).collect();
        self.write(&chunks, || self.store.write_chunks(source))
    }

    fn delete_chunks(&self, chunks: &[Coords]) -> Result<()> {
        self.write(chunks, || self.store.delete_chunks(chunks))
    }

    fn list_chunks(&self, visit: &mut dyn FnMut(&Coords) -> Result<()>) -> Result<()> {
        self.store.list_chunks(visit)
    }

    /// Hits are read in parallel; what is missing is read by the store's own `read_chunks`, all at once.
    fn read_chunks(&self, chunks: &[Coords], sink: &ChunkSink<'_>) -> Result<()> {
        let bytes = self.grid().chunk_bytes();
        let missing = Mutex::new(Vec::new());
        for_each_parallel(
            chunks.len(),
            bytes.saturating_mul(2),
            || vec![0; bytes],
            |buffer, index| {
                self.grid().chunk_region(&chunks[index])?;
                let key = self.key(&chunks[index]).encode();
                match self.cache.look_up_exactly(&key, buffer) {
                    Some(stored) => {
                        self.cache.count(|counters| &counters.hits);
                        sink(index, stored.then_some(buffer.as_slice()))
                    }
                    None => {
                        self.cache.count(|counters| &counters.misses);
                        missing.lock().unwrap_or_else(PoisonError::into_inner).push(index);
                        Ok(())
                    }
                }
            },
        )?;
        let mut missing = missing.into_inner().unwrap_or_else(PoisonError::into_inner);
        missing.sort_unstable();
        self.fetch(chunks, &missing, sink)
    }

    fn exclusively(&self, work: &mut dyn FnMut() -> Result<()>) -> Result<()> {
        self.store.exclusively(work)
    }
}

impl<S: ChunkStore> Cached<S> {
    /// Reads chunks from the store, but those that another fetches already, for which it waits when its own have landed.
    fn fetch(&self, chunks: &[Coords], missing: &[usize], sink: &ChunkSink<'_>) -> Result<()> {
        let mut own: Vec<Fetching<'_>> = Vec::new();
        let mut others: Vec<(usize, Arc<Flight>)> = Vec::new();
        for &index in missing {
            match self.cache.flights.join(&self.key(&chunks[index]).encode()) {
                Joined::Leader(leader) => own.push(Fetching { index, leader: Mutex::new(Some(leader)) }),
                Joined::Follower(flight) => others.push((index, flight)),
            }
        }
        if !own.is_empty() {
            let list: Vec<Coords> = own.iter().map(|fetching| chunks[fetching.index]).collect();
            self.store.read_chunks(&list, &|at, data| {
                let Some(fetching) = own.get(at) else { return Ok(()) };
                let leader = fetching.leader.lock().unwrap_or_else(PoisonError::into_inner).take();
                if let Some(leader) = leader {
                    self.cache.land(leader, &self.key(&list[at]).encode(), data);
                }
                sink(fetching.index, data)
            })?;
        }
        drop(own);
        let bytes = self.grid().chunk_bytes();
        for_each_parallel(
            others.len(),
            bytes.saturating_mul(2),
            || vec![0; bytes],
            |buffer, at| {
                let (index, flight) = &others[at];
                if let Some(fetched) = self.cache.wait(flight) {
                    return sink(*index, fetched.as_deref());
                }
                let stored = self.read_chunk(&chunks[*index], buffer)?;
                sink(*index, stored.then_some(buffer.as_slice()))
            },
        )
    }
}

impl<S: fmt::Debug> fmt::Debug for Cached<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cached")
            .field("store", &self.store)
            .field("dataset", &self.dataset)
            .field("lod", &self.lod)
            .finish_non_exhaustive()
    }
}
