//! A volume at a version, at all of its scales.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Mutex, PoisonError};

use chunks::{
    ChunkSink, ChunkSource, ChunkStore, Coords, DerivedChunks, Grid, MultiscaleStore, ScaleReader, Scales,
    decode_chunk, encode_chunks,
};
use engine_api::key::{DataContext, Mark, VersionId};
use engine_api::version::{Flow, OrderedKeyValue, Resolved, Versioned};
use engine_api::{Error, ErrorKind, Result, Store};

use crate::keys::{chunk_key, chunk_of_key, chunk_range};
use crate::properties::Properties;
use crate::scale_at::{ScaleAt, repeat};

/// A volume at a version: what is read is seen there, what is written goes there.
///
/// As a [`ChunkStore`] it is its full resolution; as a [`MultiscaleStore`] it is all of its scales.
pub struct VolumeAt<'s, S> {
    store: &'s Versioned<S>,
    ctx: DataContext,
    properties: Properties,
    scales: Scales,
    stores: Vec<ScaleAt<'s, S>>,
}

/// A chunk that is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredChunk {
    /// The scale; 0 is full resolution.
    pub scale: u8,
    /// Where it is in the scale's grid.
    pub chunk: Coords,
    /// The version at which it was written.
    pub version: VersionId,
}

impl<S: fmt::Debug> fmt::Debug for VolumeAt<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VolumeAt").field("ctx", &self.ctx).field("store", &self.store).finish_non_exhaustive()
    }
}

impl<'s, S: Store> VolumeAt<'s, S> {
    pub(crate) fn new(
        store: &'s Versioned<S>,
        ctx: DataContext,
        properties: Properties,
        scales: Scales,
    ) -> Self {
        let stores = (0u8..)
            .zip(scales.grids())
            .map(|(scale, grid)| ScaleAt::new(store, ctx, scale, *grid, properties.codec))
            .collect();
        Self { store, ctx, properties, scales, stores }
    }

    /// What the volume says of itself.
    pub fn properties(&self) -> &Properties {
        &self.properties
    }

    /// The version.
    pub fn version(&self) -> Option<VersionId> {
        self.ctx.version()
    }

    /// Reads and decodes every chunk that is stored at any version and scale, to compare checksums; answers how
    /// many there were. `each` is called for every one, with the error where there is one.
    ///
    /// # Errors
    /// Those of the store; a damaged chunk is handed to `each` instead.
    pub fn check(&self, each: &mut dyn FnMut(&StoredChunk, Result<()>)) -> Result<u64> {
        let mut buffer = vec![0; self.grid().chunk_bytes()];
        let mut count = 0;
        self.store.visit_raw(&self.ctx, &chunk_range(), &mut |key, frame| {
            let (scale, chunk) = chunk_of_key(&key.tkey)?;
            if key.mark == Mark::Data {
                count += 1;
                let outcome = match self.scales.grid(scale.into()) {
                    Ok(grid) => decode_chunk(grid, &chunk, frame.bytes()?, &mut buffer),
                    Err(error) => {
                        Err(Error::new(ErrorKind::Corrupt, "a chunk of a scale that the volume hasn't")
                            .caused_by(error))
                    }
                };
                each(&StoredChunk { scale, chunk, version: key.version }, outcome);
            }
            Ok(Flow::Continue(()))
        })?;
        Ok(count)
    }

    fn at_scale(&self, scale: usize) -> Result<&ScaleAt<'s, S>> {
        self.scales.grid(scale)?;
        self.stores
            .get(scale)
            .ok_or_else(|| Error::new(ErrorKind::Internal, "a scale without a store").with("scale", scale))
    }

    fn full(&self) -> &ScaleAt<'s, S> {
        // There is always full resolution.
        &self.stores[0]
    }
}

impl<S: Store> ChunkStore for VolumeAt<'_, S> {
    fn grid(&self) -> &Grid {
        self.full().grid()
    }

    fn read_chunk(&self, chunk: &Coords, out: &mut [u8]) -> Result<bool> {
        self.full().read_chunk(chunk, out)
    }

    fn write_chunks(&self, source: &dyn ChunkSource) -> Result<()> {
        self.full().write_chunks(source)
    }

    fn delete_chunks(&self, chunks: &[Coords]) -> Result<()> {
        self.full().delete_chunks(chunks)
    }

    fn list_chunks(&self, visit: &mut dyn FnMut(&Coords) -> Result<()>) -> Result<()> {
        self.full().list_chunks(visit)
    }

    fn read_chunks(&self, chunks: &[Coords], sink: &ChunkSink<'_>) -> Result<()> {
        self.full().read_chunks(chunks, sink)
    }

    fn exclusively(&self, work: &mut dyn FnMut() -> Result<()>) -> Result<()> {
        self.full().exclusively(work)
    }
}

impl<S: Store> MultiscaleStore for VolumeAt<'_, S> {
    fn scales(&self) -> &Scales {
        &self.scales
    }

    fn scale(&self, scale: usize) -> Result<&dyn ChunkStore> {
        self.at_scale(scale).map(|store| store as &dyn ChunkStore)
    }

    fn derive(&self, scale: usize, source: &dyn DerivedChunks) -> Result<()> {
        let target = self.at_scale(scale)?;
        repeat(&mut || {
            let reads = Reads { volume: self, seen: Mutex::default() };
            let encoded = encode_chunks(target.grid(), target.codec(), &Made { source, reads: &reads })?;
            let seen = reads.seen.into_inner().unwrap_or_else(PoisonError::into_inner);
            let required: Vec<_> =
                seen.into_iter().map(|((scale, chunk), was)| (chunk_key(scale, &chunk), was)).collect();
            target.write_once(&encoded, &HashMap::new(), &required)
        })
    }
}

/// What chunks were derived from.
struct Reads<'a, 's, S> {
    volume: &'a VolumeAt<'s, S>,
    seen: Mutex<BTreeMap<(u8, Coords), Resolved>>,
}

impl<S: Store> ScaleReader for Reads<'_, '_, S> {
    fn read_chunk(&self, scale: usize, chunk: &Coords, out: &mut [u8]) -> Result<bool> {
        let store = self.volume.at_scale(scale)?;
        store.grid().chunk_region(chunk)?;
        let resolved = store.resolve(chunk)?;
        let key = (u8::try_from(scale).unwrap_or(u8::MAX), *chunk);
        {
            // The first read is required to hold; should a second one differ, the batch doesn't land.
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.entry(key).or_insert_with(|| resolved.clone());
        }
        store.decode(chunk, resolved, out)
    }
}

/// Derived chunks as a source.
struct Made<'a, 's, S> {
    source: &'a dyn DerivedChunks,
    reads: &'a Reads<'a, 's, S>,
}

impl<S: Store> ChunkSource for Made<'_, '_, S> {
    fn len(&self) -> usize {
        self.source.len()
    }

    fn coords(&self, index: usize) -> Coords {
        self.source.coords(index)
    }

    fn read(&self, index: usize, out: &mut [u8]) -> Result<()> {
        self.source.make(index, self.reads, out)
    }
}
