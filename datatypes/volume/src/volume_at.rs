//! A volume at a version, at all of its scales.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::{Mutex, PoisonError};

use chunks::{
    ChunkSink, ChunkSource, ChunkStore, Coords, DerivedChunks, Grid, MultiscaleStore, ScaleReader, Scales,
    decode_chunk,
};
use engine_api::key::{DataContext, Mark, VersionId};
use engine_api::version::{Flow, OrderedKeyValue, Resolved, Versioned};
use engine_api::{Error, ErrorKind, Fetch, Result, Store};
use serde::{Deserialize, Serialize};

use crate::keys::{chunk_key, chunk_of_key, chunk_range, label_of_key, label_range, scale_range, scales_key};
use crate::labels::{Counts, LabelSize, LabelVisitor, count_labels, voxels_of};
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
            .map(|(scale, grid)| ScaleAt::new(store, ctx, (scale, *grid), &properties))
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

    /// The same with those scales alone that are made at the version.
    ///
    /// # Errors
    /// As [`scales_made`](Self::scales_made).
    pub fn made_alone(mut self) -> Result<Self> {
        let made = self.scales_made()?;
        self.properties.factors.truncate(made.saturating_sub(1));
        self.scales = self.properties.scales()?;
        self.stores.truncate(made);
        Ok(self)
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

    /// Calls `visit` with each label that the volume holds, with its voxels; background isn't among them.
    ///
    /// # Errors
    /// `InvalidArgument` when the volume isn't one of labels; `Conflict` when a chunk with a label is in conflict.
    pub fn labels(&self, visit: &mut LabelVisitor<'_>) -> Result<()> {
        let mut last: Option<LabelSize> = None;
        let mut flow = Flow::Continue(());
        self.visit_index(None, &mut |label, _, voxels| {
            match &mut last {
                Some(size) if size.label == label => {
                    size.voxels += voxels;
                    size.chunks += 1;
                }
                _ => {
                    if let Some(size) = last.replace(LabelSize { label, voxels, chunks: 1 }) {
                        flow = visit(size)?;
                    }
                }
            }
            Ok(flow)
        })?;
        match last {
            Some(size) if flow.is_continue() => visit(size).map(|_| ()),
            _ => Ok(()),
        }
    }

    /// The chunks that hold a label, in C order, with the number of its voxels in each.
    ///
    /// # Errors
    /// As [`labels`](Self::labels).
    pub fn chunks_of_label(&self, label: u64) -> Result<Vec<(Coords, u64)>> {
        let mut chunks = Vec::new();
        self.visit_index(Some(label), &mut |_, chunk, voxels| {
            chunks.push((chunk, voxels));
            Ok(Flow::Continue(()))
        })?;
        Ok(chunks)
    }

    /// Makes the index of labels fit some chunks, as they are stored: after a conflict of theirs was settled key by key.
    ///
    /// # Errors
    /// `InvalidArgument` when the volume isn't one of labels; `Conflict` when one of the chunks is in conflict;
    /// `ReadOnly` when the version is committed.
    pub fn reindex(&self, chunks: &BTreeSet<Coords>) -> Result<()> {
        self.check_labels()?;
        if chunks.is_empty() {
            return Ok(());
        }
        let mut indexed: BTreeMap<Coords, BTreeMap<u64, Option<u64>>> = BTreeMap::new();
        self.store.visit(&self.ctx, &label_range(None), Fetch::Entries, &mut |tkey, resolved| {
            let (label, chunk) = label_of_key(tkey)?;
            if chunks.contains(&chunk) && resolved.is_visible() {
                // What is in conflict counts as wrong.
                let voxels = resolved.into_value().ok().flatten().and_then(|value| voxels_of(&value).ok());
                indexed.entry(chunk).or_default().insert(label, voxels);
            }
            Ok(Flow::Continue(()))
        })?;
        for chunk in chunks {
            let of_chunk = indexed.remove(chunk).unwrap_or_default();
            repeat(&mut || self.full().reindex(chunk, &of_chunk))?;
        }
        Ok(())
    }

    /// The chunks of full resolution whose labels the index has otherwise, in C order.
    ///
    /// # Errors
    /// As [`labels`](Self::labels).
    pub fn chunks_misindexed(&self) -> Result<Vec<Coords>> {
        let mut indexed: BTreeMap<Coords, Counts> = BTreeMap::new();
        self.visit_index(None, &mut |label, chunk, voxels| {
            indexed.entry(chunk).or_default().insert(label, voxels);
            Ok(Flow::Continue(()))
        })?;
        let mut wrong = BTreeSet::new();
        let mut data = vec![0; self.grid().chunk_bytes()];
        for chunk in chunks::stored_chunks(self)? {
            self.read_chunk(&chunk, &mut data)?;
            if indexed.remove(&chunk).unwrap_or_default() != count_labels(self.grid(), &chunk, &data)? {
                wrong.insert(chunk);
            }
        }
        // What the index has of chunks that aren't stored.
        wrong.extend(indexed.into_keys());
        Ok(wrong.into_iter().collect())
    }

    /// The versions that the volume's version was made from.
    pub(crate) fn parents(&self) -> Result<Vec<VersionId>> {
        match self.ctx.version() {
            Some(version) => Ok(self.store.dag()?.version(version)?.parents.clone()),
            None => Ok(Vec::new()),
        }
    }

    fn check_labels(&self) -> Result<()> {
        if self.properties.labels {
            return Ok(());
        }
        Err(Error::new(ErrorKind::InvalidArgument, "the volume isn't one of labels"))
    }

    fn visit_index(
        &self,
        label: Option<u64>,
        visit: &mut dyn FnMut(u64, Coords, u64) -> Result<Flow>,
    ) -> Result<()> {
        self.check_labels()?;
        self.store.visit(&self.ctx, &label_range(label), Fetch::Entries, &mut |tkey, resolved| {
            let (label, chunk) = label_of_key(tkey)?;
            match resolved.into_value().map_err(|error| error.with("label", label).with("chunk", chunk))? {
                Some(value) => visit(label, chunk, voxels_of(&value)?),
                None => Ok(Flow::Continue(())),
            }
        })
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
            let encoded = target.encode(&Derived { source, reads: &reads })?;
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

/// Derived chunks as a source.
struct Derived<'a, 's, S> {
    source: &'a dyn DerivedChunks,
    reads: &'a Reads<'a, 's, S>,
}

impl<S: Store> ChunkSource for Derived<'_, '_, S> {
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
