//! A volume at a version, at all of its scales.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use chunks::{
    ChunkSink, ChunkSource, ChunkStore, Coords, Derived, DerivedChunks, Grid, MultiscaleStore, ScaleReader,
    Scales,
};
use engine_api::key::{DataContext, Mark, VersionId};
use engine_api::version::{Flow, OrderedKeyValue, Resolved, Versioned};
use engine_api::{Error, ErrorKind, Fetch, Result, Store};
use serde::{Deserialize, Serialize};

use crate::archive::Archives;
use crate::keys::{chunk_key, chunk_of_key, chunk_range, scale_range, scales_key};
use crate::properties::Properties;
use crate::scale_at::{ScaleAt, repeat};

/// A volume at a version: what is read is seen there, what is written goes there.
///
/// As a [`ChunkStore`] it is its full resolution; as a [`MultiscaleStore`] it is all of its scales.
pub struct VolumeAt<'s, S> {
    pub(crate) store: &'s Versioned<S>,
    pub(crate) ctx: DataContext,
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
        let archives = Arc::new(Archives::new(properties.archives.clone()));
        let at = |scale| ScaleAt::new(store, ctx, scale, &properties, Arc::clone(&archives));
        let stores = (0u8..).zip(scales.grids()).map(|(scale, grid)| at((scale, *grid))).collect();
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
                let outcome = match self.at_scale(scale.into()) {
                    Ok(store) => store.decode_frame(&chunk, frame.bytes()?, &mut buffer),
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

    /// The same with those scales alone that are made at the version.
    ///
    /// # Errors
    /// As [`scales_made`](Self::scales_made).
    pub fn made_alone(&self) -> Result<Self> {
        let mut properties = self.properties.clone();
        properties.factors.truncate(self.scales_made()?.saturating_sub(1));
        let scales = properties.scales()?;
        Ok(Self::new(self.store, self.ctx, properties, scales))
    }

    /// How many scales the volume has at most, full resolution among them.
    pub fn scale_count(&self) -> usize {
        self.scales.len()
    }

    /// How many scales are made at the version, full resolution among them: the others hold nothing yet.
    ///
    /// # Errors
    /// `Conflict` when versions were merged that say differently.
    pub fn scales_made(&self) -> Result<usize> {
        let made = self.store.resolve(&self.ctx, &scales_key())?.into_value()?;
        match made {
            Some(json) => {
                let Made { scales } = serde_json::from_slice(&json).map_err(|error| {
                    Error::new(ErrorKind::Corrupt, "the number of a volume's scales can't be read")
                        .caused_by(error)
                })?;
                Ok(scales.clamp(1, self.scales.len()))
            }
            None => Ok(1),
        }
    }

    /// Notes that all scales are made at the version.
    pub(crate) fn note_scales(&self) -> Result<()> {
        let now = self.store.resolve(&self.ctx, &scales_key())?;
        let scales = self.scales.len();
        if scales == 1 && now == Resolved::Absent {
            return Ok(());
        }
        let json = serde_json::to_vec(&Made { scales }).map_err(|error| {
            Error::new(ErrorKind::Internal, "the number of scales can't be written as JSON").caused_by(error)
        })?;
        if matches!(&now, Resolved::Found { value, .. } if value[..] == json) {
            return Ok(());
        }
        self.store.put(&self.ctx, &scales_key(), json.into())
    }

    /// The versions that the volume's version was made from.
    pub(crate) fn parents(&self) -> Result<Vec<VersionId>> {
        match self.ctx.version() {
            Some(version) => Ok(self.store.dag()?.version(version)?.parents.clone()),
            None => Ok(Vec::new()),
        }
    }

    /// The chunks of full resolution that another version has otherwise, in C order.
    ///
    /// # Errors
    /// `NotFound` when there is no such version.
    pub fn changed_since(&self, before: VersionId) -> Result<Vec<Coords>> {
        let mut changed = Vec::new();
        let Some(version) = self.ctx.version() else { return Ok(changed) };
        self.store.diff(self.ctx.instance(), (before, version), &scale_range(0), &mut |found| {
            changed.push(chunk_of_key(&found.tkey)?.1);
            Ok(Flow::Continue(()))
        })?;
        Ok(changed)
    }

    /// The chunks of a scale that are in conflict.
    ///
    /// # Errors
    /// `InvalidArgument` when there is no such scale.
    pub fn chunks_in_conflict(&self, scale: usize) -> Result<BTreeSet<Coords>> {
        self.scales.grid(scale)?;
        let mut chunks = BTreeSet::new();
        let (Some(version), Ok(scale)) = (self.ctx.version(), u8::try_from(scale)) else { return Ok(chunks) };
        self.store.conflicts(self.ctx.instance(), &[version], &scale_range(scale), &mut |found| {
            chunks.insert(chunk_of_key(&found.tkey)?.1);
            Ok(Flow::Continue(()))
        })?;
        Ok(chunks)
    }

    /// The chunks that are stored of each scale, as the version shows it, and the bytes that they take.
    ///
    /// # Errors
    /// Those of the store.
    pub fn stored(&self) -> Result<Vec<(u64, u64)>> {
        let mut stored = vec![(0, 0); self.scales.len()];
        self.store.visit(&self.ctx, &chunk_range(), Fetch::Entries, &mut |tkey, resolved| {
            let (scale, _) = chunk_of_key(tkey)?;
            if let Some((chunks, bytes)) = stored.get_mut(usize::from(scale)) {
                *chunks += 1;
                if let Resolved::Found { value, .. } = &resolved {
                    *bytes += u64::try_from(value.len()).unwrap_or(u64::MAX);
                }
            }
            Ok(Flow::Continue(()))
        })?;
        Ok(stored)
    }

    fn at_scale(&self, scale: usize) -> Result<&ScaleAt<'s, S>> {
        self.scales.grid(scale)?;
        self.stores
            .get(scale)
            .ok_or_else(|| Error::new(ErrorKind::Internal, "a scale without a store").with("scale", scale))
    }

    pub(crate) fn full(&self) -> &ScaleAt<'s, S> {
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
            let encoded = target.encode(&Derived::new(source, &reads))?;
            let seen = reads.seen.into_inner().unwrap_or_else(PoisonError::into_inner);
            let required: Vec<_> =
                seen.into_iter().map(|((scale, chunk), was)| (chunk_key(scale, &chunk), was)).collect();
            target.write_once(&encoded, &HashMap::new(), &required)
        })
    }
}

/// What is noted of the scales at a version.
#[derive(Serialize, Deserialize)]
struct Made {
    scales: usize,
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
