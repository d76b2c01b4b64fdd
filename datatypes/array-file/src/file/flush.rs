//! From what is pending to a commit.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::join;
use futures_util::{StreamExt, TryStreamExt, stream};

use super::ArrayFile;
use crate::array::Array;
use crate::codec::BlockCodec;
use crate::commits::{check_newest, put_commit};
use crate::coord::Coord;
use crate::encode::{Packed, ToPack, pack};
use crate::error::{Error, Result};
use crate::io::offload;
use crate::layer::{ArrayEntries, BlockAt, BuiltLayer, ChunkAt, Entry, Layer, build_layer, first_block};
use crate::locate::locate;
use crate::manifest::{CatalogAt, LayerRef, Manifest, checksum};
use crate::pending::{ChunkKey, PendingChunk};
use crate::snapshot::Snapshot;
use crate::stats::ChunkStats;
use crate::wire::wide;

/// A table of arrays that is longer is in a layer, and a commit that doesn't change it needn't write it again.
const CATALOG_IN_MANIFEST: usize = 16 << 10;
/// What a manifest has of layers' indexes, all together.
const INDEXES_IN_MANIFEST: usize = 64 << 10;
/// Names that are taken when a layer is put: those of crashed writers, and of writers at the same time.
const TAKEN_NAMES: u64 = 10_000;

/// The entries of a layer that is being made, by arrays.
pub(super) type Entries = BTreeMap<u64, Vec<(Coord, Entry)>>;

/// A part of a layer: a block that is ready, or chunks to be packed into one.
enum Unit {
    Ready { key: ChunkKey, stored: Bytes, raw: u32, stats: ChunkStats },
    Pack { shuffle_size: usize, chunks: Vec<ToPack> },
}

impl Unit {
    async fn into_block(self, codec: BlockCodec) -> Result<Block> {
        match self {
            Self::Ready { key, stored, raw, stats } => Ok((stored, raw, vec![(key, Some((0, raw, stats)))])),
            Self::Pack { shuffle_size, chunks } => {
                offload(move || {
                    let (stored, raw, packed) = pack(&chunks, &codec, shuffle_size)?;
                    let keys = chunks.into_iter().map(|chunk| (chunk.array.meta.id, chunk.coord));
                    Ok((stored, raw, keys.zip(packed).collect()))
                })
                .await
            }
        }
    }
}

/// A block, with the chunks in it.
type Block = (Bytes, u32, Vec<(ChunkKey, Packed)>);

impl ArrayFile {
    /// Commits all that is pending, at once; answers the number of the commit. Where nothing is pending, it
    /// is that of the commit that is open.
    ///
    /// When it returns, the commit is as durable as the store makes what it has put. After a crash at any
    /// moment the file is at this commit or at the one before.
    ///
    /// # Errors
    /// `Conflict` when another writer has committed since this file was opened. After this and any other error
    /// everything is pending as it was, and may be flushed again.
    pub async fn flush(&mut self) -> Result<u64> {
        self.check_writable()?;
        self.settle_attempts().await?;
        if self.pending.is_empty() {
            return Ok(self.committed.commit);
        }
        let (section, catalog) = self.place_catalog()?;
        let spilled_at = self.spill(section).await?;
        let catalog = catalog.or(spilled_at).ok_or_else(|| Error::invalid("the arrays are nowhere", ""))?;
        let layers = self.layers();
        self.commit_layers(layers, catalog).await?;
        Ok(self.committed.commit)
    }

    /// The table of arrays: to be put into the next layer, or where it is.
    pub(super) fn place_catalog(&self) -> Result<(Option<Bytes>, Option<CatalogAt>)> {
        match &self.committed.catalog_at {
            Some(at) if !self.pending.catalog => Ok((None, Some(at.clone()))),
            _ => Ok(place_encoded(self.catalog.encode()?)),
        }
    }

    /// Puts a manifest of these layers, and goes on from it.
    pub(super) async fn commit_layers(&mut self, layers: Vec<Arc<Layer>>, catalog: CatalogAt) -> Result<()> {
        let commit = self.committed.commit.saturating_add(1);
        let next_layer = layers.iter().map(|layer| layer.reference.number.saturating_add(1)).max();
        let next_layer = next_layer.unwrap_or(0).max(self.committed.next_layer);
        let manifest = Manifest {
            commit,
            base: self.committed.checksum,
            next_layer,
            next_array: self.next_array,
            layers: references(&layers),
            snapshots: self.snapshots.clone(),
            catalog,
        };
        let bytes = manifest.encode()?;
        let committed = Snapshot {
            commit,
            checksum: checksum(&bytes),
            next_layer,
            next_array: self.next_array,
            layers,
            snapshots: self.snapshots.clone(),
            catalog: self.catalog.clone(),
            catalog_at: match manifest.catalog {
                CatalogAt::Here(_) => None,
                at @ CatalogAt::Layer { .. } => Some(at),
            },
        };
        let statistics = self.next_statistics(&committed).await;
        self.attempts.push((bytes.clone(), committed.clone()));
        // Side by side, since a disk that is synced takes its time for each.
        let put = put_commit(&self.io, &self.names, commit, &bytes);
        let (made, ()) = join(put, self.put_statistics(&committed, &statistics)).await;
        made?;
        self.attempts.clear();
        self.committed = committed;
        self.pending.spilled.clear();
        self.pending.touched.clear();
        self.pending.catalog = false;
        *self.stats.get_mut() = statistics;
        Ok(())
    }

    /// Finds out whether a commit that failed was made nevertheless, as where only the answer was lost, and
    /// goes on from it then. What has become pending since stays so.
    pub(super) async fn settle_attempts(&mut self) -> Result<()> {
        if self.attempts.is_empty() {
            return Ok(());
        }
        let path = self.names.manifest(self.committed.commit.saturating_add(1));
        let there = self.io.object(&path).await?;
        let ours = |(bytes, _): &&(Bytes, Snapshot)| there.as_ref() == Some(bytes);
        let Some((_, made)) = self.attempts.iter().find(ours) else { return Ok(()) };
        let made = made.clone();
        check_newest(&self.io, &self.names, made.commit, made.checksum).await?;
        self.pending
            .spilled
            .retain(|layer| made.layers.iter().all(|named| named.reference.number != layer.reference.number));
        self.committed = made;
        self.attempts.clear();
        *self.stats.get_mut() = super::KnownStats::default();
        Ok(())
    }

    /// Puts the pending chunks, and a section, into a layer, which no manifest names yet; answers where the
    /// section is.
    pub(super) async fn spill(&mut self, section: Option<Bytes>) -> Result<Option<CatalogAt>> {
        let (units, mut removed) = self.units();
        let codec = self.config.codec.clone();
        let workers = chunks::worker_count(units.len(), self.config.block_target_size.saturating_mul(3));
        let made: Vec<_> = units.into_iter().map(|unit| unit.into_block(codec.clone())).collect();
        let blocks: Vec<Block> = stream::iter(made).buffered(workers.saturating_add(1)).try_collect().await?;
        let mut entries = Entries::new();
        let mut payload = Vec::new();
        let mut at = first_block();
        for (stored, raw, chunks) in blocks {
            let block = BlockAt { at, stored: crate::wire::narrow("a block", stored.len())?, raw };
            for ((array, coord), packed) in chunks {
                match packed {
                    None => removed.push((array, coord)),
                    Some((at, bytes, stats)) => {
                        let chunk = ChunkAt { block, at, bytes };
                        entries.entry(array).or_default().push((coord, Entry::Stored { chunk, stats }));
                    }
                }
            }
            at = at.saturating_add(wide(stored.len()));
            payload.push(stored);
        }
        self.add_removed(&mut entries, removed).await?;
        if entries.is_empty() && section.is_none() {
            self.pending.forget_chunks();
            return Ok(None);
        }
        let (layer, section) = self.put_layer(payload, section.unwrap_or_default(), entries).await?;
        self.pending.chunks_are_in(layer);
        Ok(section)
    }

    /// Builds a layer and puts it where no other is; answers where its section is, if it has one.
    async fn put_layer(
        &self,
        blocks: Vec<Bytes>,
        section: Bytes,
        entries: Entries,
    ) -> Result<(Arc<Layer>, Option<CatalogAt>)> {
        let last = self.pending.spilled.last().map(|layer| layer.reference.number.saturating_add(1));
        self.put_layer_from(last.unwrap_or(0), blocks, section, entries).await
    }

    /// The same, with a number from `first` on.
    pub(super) async fn put_layer_from(
        &self,
        first: u64,
        blocks: Vec<Bytes>,
        section: Bytes,
        entries: Entries,
    ) -> Result<(Arc<Layer>, Option<CatalogAt>)> {
        let arrays = entries
            .into_iter()
            .map(|(array, mut entries)| {
                entries.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
                let rank = entries.first().map_or(0, |(coord, _)| coord.len());
                ArrayEntries { array, rank, entries }
            })
            .collect();
        let bytes = wide(section.len());
        let BuiltLayer { payload, mut reference, section_at } =
            build_layer(self.config.codec.id(), blocks, section, arrays)?;
        let first = first.max(self.committed.next_layer);
        for number in first..first.saturating_add(TAKEN_NAMES) {
            let path = self.names.layer(number);
            let payload = payload.iter().cloned().collect();
            if self.io.put_new(&path, payload).await? {
                reference.number = number;
                let section = (bytes > 0).then_some(CatalogAt::Layer { number, at: section_at, bytes });
                return Ok((Arc::new(Layer::new(reference, path)), section));
            }
        }
        Err(Error::TooLarge {
            what: "the number of layers without a commit",
            size: TAKEN_NAMES,
            limit: TAKEN_NAMES,
        })
    }

    /// The pending chunks as blocks to be, in the order of their keys; and those that are removed.
    fn units(&self) -> (Vec<Unit>, Vec<ChunkKey>) {
        let arrays = self.catalog.by_id();
        let mut units = Vec::new();
        let mut removed = Vec::new();
        // A block has elements of one size, whose bytes are regrouped together.
        let mut open: BTreeMap<usize, (usize, Vec<ToPack>)> = BTreeMap::new();
        for (key, chunk) in &self.pending.chunks {
            let Some(array) = arrays.get(&key.0) else { continue };
            match chunk {
                PendingChunk::Removed => removed.push(key.clone()),
                PendingChunk::Block { stored, raw, stats } => units.push(Unit::Ready {
                    key: key.clone(),
                    stored: stored.clone(),
                    raw: *raw,
                    stats: stats.clone(),
                }),
                PendingChunk::Raw(chunk) => {
                    let shuffle_size = array.shuffle_size;
                    let to_pack =
                        ToPack { array: Arc::clone(array), coord: key.1.clone(), chunk: Arc::clone(chunk) };
                    if chunk.len() >= self.config.block_target_size / 2 {
                        units.push(Unit::Pack { shuffle_size, chunks: vec![to_pack] });
                        continue;
                    }
                    let (bytes, chunks) = open.entry(shuffle_size).or_default();
                    *bytes += chunk.len();
                    chunks.push(to_pack);
                    if *bytes >= self.config.block_target_size {
                        units.push(Unit::Pack { shuffle_size, chunks: std::mem::take(chunks) });
                        *bytes = 0;
                    }
                }
            }
        }
        for (shuffle_size, (_, chunks)) in open {
            if !chunks.is_empty() {
                units.push(Unit::Pack { shuffle_size, chunks });
            }
        }
        (units, removed)
    }

    /// Says of chunks that they are gone, where a layer below has them.
    async fn add_removed(&self, entries: &mut Entries, removed: Vec<ChunkKey>) -> Result<()> {
        let mut by_array: BTreeMap<u64, Vec<Coord>> = BTreeMap::new();
        for (array, coord) in removed {
            by_array.entry(array).or_default().push(coord);
        }
        let arrays: BTreeMap<u64, &Arc<Array>> = self.catalog.by_id();
        for (id, mut coords) in by_array {
            let Some(array) = arrays.get(&id) else { continue };
            coords.sort_unstable();
            let below = locate(&self.io, &self.layers(), array, &coords).await?;
            for (coord, found) in coords.into_iter().zip(below) {
                if found.is_some() {
                    entries.entry(id).or_default().push((coord, Entry::Removed));
                }
            }
        }
        Ok(())
    }
}

/// Where a table of arrays goes that is written now: into the next layer, or into the manifest.
pub(super) fn place_encoded(catalog: Bytes) -> (Option<Bytes>, Option<CatalogAt>) {
    if catalog.len() <= CATALOG_IN_MANIFEST {
        (None, Some(CatalogAt::Here(catalog)))
    } else {
        (Some(catalog), None)
    }
}

/// How a manifest names layers: with their indexes, as far as there is room for those of the newest.
fn references(layers: &[Arc<Layer>]) -> Vec<LayerRef> {
    let mut room = INDEXES_IN_MANIFEST;
    let mut references: Vec<LayerRef> = layers
        .iter()
        .rev()
        .map(|layer| {
            let mut reference = layer.reference.clone();
            match reference.index.as_ref().and_then(|index| room.checked_sub(index.len())) {
                Some(left) => room = left,
                None => reference.index = None,
            }
            reference
        })
        .collect();
    references.reverse();
    references
}
