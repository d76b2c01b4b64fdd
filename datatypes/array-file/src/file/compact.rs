//! All layers as one, without what was overwritten or deleted.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use super::ArrayFile;
use super::flush::{Entries, place_encoded};
use super::sweep::Swept;
use crate::array::Array;
use crate::codec::verify_block;
use crate::coord::Coord;
use crate::encode::{ToPack, pack};
use crate::error::{Error, Result};
use crate::fetch::{Portion, Wanted, fetch};
use crate::io::offload;
use crate::layer::{BlockAt, ChunkAt, Entry, Layer, first_block};
use crate::locate::{Found, locate_all};
use crate::pending::ChunkKey;
use crate::wire::{narrow, wide};

/// Stored bytes that are read in one request.
const READ_BYTES: u64 = 8 << 20;

/// The chunks of a block that are still to be read.
type Live = Vec<(ChunkKey, Found)>;

/// A layer that is being made of others.
#[derive(Default)]
struct Rewritten {
    payload: Vec<Bytes>,
    bytes: u64,
    entries: Entries,
    layers: Vec<Arc<Layer>>,
    section: Bytes,
    section_at: Option<crate::manifest::CatalogAt>,
}

impl ArrayFile {
    /// Commits a file whose layers are one, without chunks that were overwritten or deleted, and then sweeps
    /// what was superseded longer ago than [`grace`](crate::FileConfig::grace). What is pending is flushed first.
    /// More than one layer is left where the chunks are more than the write buffer holds.
    ///
    /// Blocks that are whole are copied as they are. Nothing is deleted before the new commit stands, and
    /// readers of the commits before it go on until those are swept.
    ///
    /// # Errors
    /// `Conflict` when another writer commits at the same time; the file is as it was then.
    pub async fn compact(&mut self) -> Result<Swept> {
        self.flush().await?;
        self.refresh().await?;
        let live = self.live_blocks().await?;
        if self.is_compact(&live).await? {
            return self.sweep(self.config.grace).await;
        }
        // The layer that has the table of arrays won't be among the new ones.
        let (section, catalog) = place_encoded(self.catalog.encode()?);
        let mut rewritten = Rewritten { section: section.unwrap_or_default(), ..Rewritten::default() };
        let arrays = self.arrays_by_id();
        let mut to_pack: BTreeMap<usize, Vec<ToPack>> = BTreeMap::new();
        let mut blocks = live.into_iter().peekable();
        while let Some(first) = blocks.next() {
            let layer = first.0.0;
            let mut bytes = u64::from(first.0.1.stored);
            let mut group = vec![first];
            while let Some(next) =
                blocks.next_if(|((of, at), _)| *of == layer && bytes + u64::from(at.stored) <= READ_BYTES)
            {
                bytes += u64::from(next.0.1.stored);
                group.push(next);
            }
            let (whole, cut): (Vec<_>, Vec<_>) = {
                let codec = self.layer_codec(layer).await?;
                group.into_iter().partition(|((_, at), live)| codec && self.is_whole(at, live, &arrays))
            };
            self.copy_blocks(layer, whole, &mut rewritten).await?;
            for (_, live) in cut {
                self.take_apart(live, &arrays, &mut to_pack).await?;
            }
            for chunks in to_pack.values_mut() {
                if packed_bytes(chunks) >= self.config.block_target_size {
                    self.pack_into(std::mem::take(chunks), &mut rewritten).await?;
                }
            }
            self.make_room(&mut rewritten).await?;
        }
        for chunks in to_pack.into_values().filter(|chunks| !chunks.is_empty()) {
            self.pack_into(chunks, &mut rewritten).await?;
        }
        if !rewritten.entries.is_empty() || !rewritten.section.is_empty() {
            self.put_rewritten(&mut rewritten).await?;
        }
        let catalog = catalog.or(rewritten.section_at);
        let catalog = catalog.ok_or_else(|| Error::invalid("the arrays are nowhere", ""))?;
        self.commit_layers(rewritten.layers, catalog).await?;
        self.sweep(self.config.grace).await
    }

    fn arrays_by_id(&self) -> BTreeMap<u64, Arc<Array>> {
        self.catalog.by_id().into_iter().map(|(id, array)| (id, Arc::clone(array))).collect()
    }

    /// The blocks that have chunks that can be read, in the order of the layers.
    async fn live_blocks(&self) -> Result<BTreeMap<(usize, BlockAt), Live>> {
        let mut blocks: BTreeMap<(usize, BlockAt), Live> = BTreeMap::new();
        for array in self.committed.catalog.iter() {
            for (coord, found) in locate_all(&self.io, &self.committed.layers, array).await? {
                let block = blocks.entry((found.layer, found.chunk.block)).or_default();
                block.push(((array.meta.id, coord), found));
            }
        }
        Ok(blocks)
    }

    /// Whether there is one layer, with nothing in it that can't be read.
    async fn is_compact(&self, live: &BTreeMap<(usize, BlockAt), Live>) -> Result<bool> {
        let [layer] = self.committed.layers.as_slice() else {
            return Ok(self.committed.layers.is_empty());
        };
        let root = layer.root(&self.io).await?;
        let arrays = self.catalog.by_id();
        let section = match &self.committed.catalog_at {
            Some(crate::manifest::CatalogAt::Layer { bytes, .. }) => *bytes,
            _ => 0,
        };
        let stored: u64 = live.keys().map(|(_, at)| u64::from(at.stored)).sum();
        let filled = live.iter().all(|((_, at), live)| live_bytes(live) == u64::from(at.raw));
        let known = root.footer.arrays.iter().all(|pages| arrays.contains_key(&pages.array));
        Ok(filled && known && first_block() + stored + section == root.footer.index_at)
    }

    /// Whether blocks of a layer may be copied as they are into one that is made now.
    async fn layer_codec(&self, layer: usize) -> Result<bool> {
        let Some(layer) = self.committed.layers.get(layer) else { return Ok(false) };
        let id = &layer.root(&self.io).await?.footer.codec;
        Ok(id.is_empty() || id == self.config.codec.id())
    }

    /// Whether all of a block can be read, and it isn't one that should share another's.
    fn is_whole(&self, at: &BlockAt, live: &Live, arrays: &BTreeMap<u64, Arc<Array>>) -> bool {
        let packs = live.iter().all(|((id, _), _)| arrays.get(id).is_some_and(|array| self.packs(array)));
        let short = packs && wide(self.config.block_target_size / 2) > u64::from(at.raw);
        live_bytes(live) == u64::from(at.raw) && !short
    }

    async fn copy_blocks(
        &self,
        layer: usize,
        blocks: Vec<((usize, BlockAt), Live)>,
        into: &mut Rewritten,
    ) -> Result<()> {
        let Some(layer) = self.committed.layers.get(layer).filter(|_| !blocks.is_empty()) else {
            return Ok(());
        };
        let ranges: Vec<_> =
            blocks.iter().map(|((_, at), _)| at.at..at.at.saturating_add(at.stored.into())).collect();
        let stored = self.io.layer_ranges(&layer.path, &ranges).await?;
        for (((_, at), live), stored) in blocks.into_iter().zip(stored) {
            // What is damaged must not be given a new home as if it were sound.
            verify_block(&stored).map_err(|error| error.at(layer.path.as_ref()))?;
            let block = BlockAt { at: into.next_block(), ..at };
            for ((array, coord), found) in live {
                let chunk = ChunkAt { block, ..found.chunk };
                let entry = Entry::Stored { chunk, stats: found.stats };
                into.entries.entry(array).or_default().push((coord, entry));
            }
            into.push(stored);
        }
        Ok(())
    }

    /// Restores a block's chunks that can be read.
    async fn take_apart(
        &self,
        live: Live,
        arrays: &BTreeMap<u64, Arc<Array>>,
        to_pack: &mut BTreeMap<usize, Vec<ToPack>>,
    ) -> Result<()> {
        let mut by_array: BTreeMap<u64, Vec<(Coord, Found)>> = BTreeMap::new();
        for ((id, coord), found) in live {
            by_array.entry(id).or_default().push((coord, found));
        }
        for (id, chunks) in by_array {
            let Some(array) = arrays.get(&id) else { continue };
            let (coords, found): (Vec<Coord>, Vec<Found>) = chunks.into_iter().unzip();
            let wanted = found.into_iter().enumerate();
            let wanted = wanted.map(|(number, found)| Wanted::InLayer(number, found)).collect();
            let open = to_pack.entry(array.shuffle_size).or_default();
            fetch(&self.io, &self.committed.layers, array, wanted, Portion::Whole, |number, chunk| {
                let (array, chunk) = (Arc::clone(array), Arc::new(chunk.to_vec()));
                open.push(ToPack { array, coord: coords[number].clone(), chunk });
                Ok(())
            })
            .await?;
        }
        Ok(())
    }

    async fn pack_into(&self, chunks: Vec<ToPack>, into: &mut Rewritten) -> Result<()> {
        let codec = self.config.codec.clone();
        let shuffle_size = chunks.first().map_or(1, |chunk| chunk.array.shuffle_size);
        let (stored, raw, packed, chunks) = offload(move || {
            let (stored, raw, packed) = pack(&chunks, &codec, shuffle_size)?;
            Ok((stored, raw, packed, chunks))
        })
        .await?;
        let block = BlockAt { at: into.next_block(), stored: narrow("a block", stored.len())?, raw };
        for (chunk, packed) in chunks.into_iter().zip(packed) {
            if let Some((at, bytes, stats)) = packed {
                let entry = Entry::Stored { chunk: ChunkAt { block, at, bytes }, stats };
                into.entries.entry(chunk.array.meta.id).or_default().push((chunk.coord, entry));
            }
        }
        into.push(stored);
        Ok(())
    }

    async fn make_room(&self, rewritten: &mut Rewritten) -> Result<()> {
        if rewritten.bytes > wide(self.config.write_buffer_size) {
            self.put_rewritten(rewritten).await?;
        }
        Ok(())
    }

    async fn put_rewritten(&self, rewritten: &mut Rewritten) -> Result<()> {
        let payload = std::mem::take(&mut rewritten.payload);
        let section = std::mem::take(&mut rewritten.section);
        let entries = std::mem::take(&mut rewritten.entries);
        let above = rewritten.layers.last().map(|layer| layer.reference.number.saturating_add(1));
        let (layer, at) = self.put_layer_from(above.unwrap_or(0), payload, section, entries).await?;
        rewritten.bytes = 0;
        rewritten.layers.push(layer);
        rewritten.section_at = rewritten.section_at.take().or(at);
        Ok(())
    }
}

impl Rewritten {
    /// Where the next block will be.
    fn next_block(&self) -> u64 {
        first_block().saturating_add(self.bytes)
    }

    fn push(&mut self, stored: Bytes) {
        self.bytes = self.bytes.saturating_add(wide(stored.len()));
        self.payload.push(stored);
    }
}

fn live_bytes(live: &Live) -> u64 {
    live.iter().map(|(_, found)| u64::from(found.chunk.bytes)).sum()
}

fn packed_bytes(chunks: &[ToPack]) -> usize {
    chunks.iter().map(|chunk| chunk.chunk.len()).sum()
}
