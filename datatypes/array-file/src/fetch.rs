//! Blocks out of the store, restored side by side, a bounded number at a time.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::{StreamExt, stream};

use crate::array::Array;
use crate::codec::{CompressionCodec, decode_block};
use crate::error::{Error, Result};
use crate::io::{CONCURRENCY, Io, offload};
use crate::layer::{BlockAt, ChunkAt, Layer};
use crate::locate::Found;
use crate::wire::{to_usize, wide};

/// Restored bytes that are read in one request.
const BATCH_BYTES: u64 = 1 << 20;
/// Restored bytes that are under way at a time, unless one block has more.
const IN_FLIGHT_BYTES: u64 = 256 << 20;

/// A chunk that was asked for: by which number, and where it is.
pub(crate) enum Wanted {
    InLayer(usize, Found),
    Pending { number: usize, stored: Bytes, raw: u32 },
}

/// A block, and the chunks wanted of it.
struct Block {
    from: From,
    raw: usize,
    chunks: Vec<(usize, Range<usize>)>,
}

enum From {
    Layer { layer: usize, at: BlockAt },
    Memory(Bytes),
}

/// Buffers that are used again: fresh memory costs more than what is done with it.
#[derive(Clone, Default)]
pub(crate) struct Buffers(Arc<Mutex<Vec<Vec<u8>>>>);

impl Buffers {
    /// A buffer of this length, whose contents are unspecified.
    pub(crate) fn take(&self, length: usize) -> Result<Vec<u8>> {
        let mut buffer = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
        if buffer.len() > length {
            buffer.truncate(length);
        } else if buffer.capacity() < length {
            buffer = chunks::zeroed(length).map_err(|_| Error::TooLarge {
                what: "a block",
                size: wide(length),
                limit: wide(chunks::MAX_CHUNK_BYTES),
            })?;
        } else {
            buffer.resize(length, 0);
        }
        Ok(buffer)
    }

    pub(crate) fn give(&self, buffer: Vec<u8>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < CONCURRENCY {
            kept.push(buffer);
        }
    }
}

/// Hands chunks to `sink` as they arrive, with the numbers they were asked for by.
pub(crate) async fn fetch(
    io: &Io,
    layers: &[Arc<Layer>],
    array: &Array,
    wanted: Vec<Wanted>,
    mut sink: impl FnMut(usize, &[u8]) -> Result<()>,
) -> Result<()> {
    let blocks = blocks_of(layers, array, wanted)?;
    let total: u64 = blocks.iter().map(|block| wide(block.raw)).fold(0, u64::saturating_add);
    let keep = io.cache.as_ref().is_some_and(|cache| cache.admits(total));
    let batches = batches_of(blocks);
    let largest = batches.iter().map(|batch| batch.iter().map(|block| wide(block.raw)).sum()).max();
    let affordable = IN_FLIGHT_BYTES / largest.unwrap_or(1).max(1);
    let concurrency = usize::try_from(affordable).unwrap_or(CONCURRENCY).clamp(1, CONCURRENCY);
    let buffers = Buffers::default();
    let restores: Vec<_> = batches
        .into_iter()
        .map(|batch| restore(io, layers, array.shuffle_size, batch, keep, buffers.clone()))
        .collect();
    let mut arriving = stream::iter(restores).buffer_unordered(concurrency);
    while let Some(batch) = arriving.next().await {
        for (block, restored) in batch? {
            for (number, range) in block.chunks {
                let chunk = restored.bytes().get(range);
                sink(number, chunk.ok_or_else(|| Error::corrupt("", "a chunk is beyond its block"))?)?;
            }
            if let Restored::Owned(buffer) = restored {
                buffers.give(buffer);
            }
        }
    }
    Ok(())
}

fn blocks_of(layers: &[Arc<Layer>], array: &Array, wanted: Vec<Wanted>) -> Result<Vec<Block>> {
    let mut stored: Vec<(usize, usize, ChunkAt)> = Vec::new();
    let mut blocks = Vec::new();
    for chunk in wanted {
        match chunk {
            Wanted::InLayer(number, found) => stored.push((found.layer, number, found.chunk)),
            Wanted::Pending { number, stored, raw } => {
                let raw = to_usize("a chunk", raw.into())?;
                blocks.push(Block { from: From::Memory(stored), raw, chunks: vec![(number, 0..raw)] });
            }
        }
    }
    stored.sort_unstable_by_key(|(layer, number, chunk)| (*layer, chunk.block, chunk.at, *number));
    let mut last = None;
    for (layer, number, chunk) in stored {
        let range = check(&layers[layer], array, &chunk)?;
        match blocks.last_mut() {
            Some(block) if last == Some((layer, chunk.block)) => block.chunks.push((number, range)),
            _ => {
                last = Some((layer, chunk.block));
                blocks.push(Block {
                    from: From::Layer { layer, at: chunk.block },
                    raw: to_usize("a block", chunk.block.raw.into())?,
                    chunks: vec![(number, range)],
                });
            }
        }
    }
    Ok(blocks)
}

/// Where in its block a chunk is, after what the index says was found possible.
fn check(layer: &Layer, array: &Array, chunk: &ChunkAt) -> Result<Range<usize>> {
    let corrupt = |reason: &str| Error::corrupt(layer.path.to_string(), reason);
    let BlockAt { at, stored, raw } = chunk.block;
    if at.checked_add(stored.into()).is_none_or(|end| end > layer.reference.footer_at) {
        return Err(corrupt("a block is beyond the layer's end"));
    }
    let raw = to_usize("a block", raw.into())?;
    let from = to_usize("a chunk", chunk.at.into())?;
    let bytes = to_usize("a chunk", chunk.bytes.into())?;
    let end = from.checked_add(bytes).filter(|end| *end <= raw && raw <= chunks::MAX_CHUNK_BYTES);
    let end = end.ok_or_else(|| corrupt("a chunk is beyond its block"))?;
    if array.chunk_bytes().is_some_and(|expected| expected != bytes) {
        return Err(corrupt("a chunk has another length than its array's"));
    }
    Ok(from..end)
}

/// Puts blocks of one layer that lie behind each other into one request.
fn batches_of(blocks: Vec<Block>) -> Vec<Vec<Block>> {
    let layer = |block: &Block| match block.from {
        From::Layer { layer, .. } => Some(layer),
        From::Memory(_) => None,
    };
    let mut batches: Vec<Vec<Block>> = Vec::new();
    let mut bytes = 0;
    for block in blocks {
        let raw = wide(block.raw);
        match batches.last_mut() {
            Some(batch)
                if bytes + raw <= BATCH_BYTES
                    && batch.first().is_some_and(|first| layer(first) == layer(&block)) =>
            {
                bytes += raw;
                batch.push(block);
            }
            _ => {
                bytes = raw;
                batches.push(vec![block]);
            }
        }
    }
    batches
}

enum Restored {
    Owned(Vec<u8>),
    Shared(Bytes),
}

impl Restored {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Owned(buffer) => buffer,
            Self::Shared(bytes) => bytes,
        }
    }
}

/// A block on its way: found restored, or found as it is stored.
enum Step {
    Done(Bytes),
    Decode(Bytes),
}

async fn restore(
    io: &Io,
    layers: &[Arc<Layer>],
    shuffle_size: usize,
    batch: Vec<Block>,
    keep: bool,
    buffers: Buffers,
) -> Result<Vec<(Block, Restored)>> {
    let mut steps: Vec<Option<Step>> = Vec::with_capacity(batch.len());
    let mut ranges = Vec::new();
    let mut layer = None;
    for block in &batch {
        let step = match &block.from {
            From::Memory(stored) => Some(Step::Decode(stored.clone())),
            From::Layer { layer: number, at } => {
                let of = &layers[*number];
                layer = Some(of);
                let key = (of.reference.id, at.at);
                let cache = io.cache.as_ref();
                let hit = cache.and_then(|cache| cache.restored(&key)).map(Step::Done);
                let hit = hit.or_else(|| cache.and_then(|cache| cache.stored(&key)).map(Step::Decode));
                if hit.is_none() {
                    ranges.push(at.at..at.at.saturating_add(at.stored.into()));
                }
                hit
            }
        };
        steps.push(step);
    }
    let mut codec = None;
    let mut path = String::new();
    if let Some(layer) = layer {
        codec.clone_from(&layer.root(io).await?.codec);
        path = layer.path.to_string();
        if !ranges.is_empty() {
            let mut found = io.layer_ranges(&layer.path, &ranges).await?.into_iter();
            for (step, block) in steps.iter_mut().zip(&batch) {
                if step.is_none() {
                    let stored = found.next().unwrap_or_default();
                    if let (true, Some(cache), From::Layer { at, .. }) = (keep, &io.cache, &block.from) {
                        cache.keep_stored((layer.reference.id, at.at), &stored);
                    }
                    *step = Some(Step::Decode(stored));
                }
            }
        }
    }
    let (batch, restored) = offload(move || {
        let restored = steps.into_iter().zip(&batch).map(|(step, block)| match step {
            Some(Step::Done(bytes)) if bytes.len() == block.raw => Ok(Restored::Shared(bytes)),
            Some(Step::Decode(stored)) => {
                decode(&stored, shuffle_size, codec.as_deref(), buffers.take(block.raw)?).map(Restored::Owned)
            }
            _ => Err(Error::corrupt("", "a block has another length than the index says")),
        });
        let restored = restored.collect::<Result<Vec<_>>>().map_err(|error| error.at(&path))?;
        Ok((batch, restored))
    })
    .await?;
    let shared = batch.into_iter().zip(restored).map(|(block, restored)| {
        let restored = match (restored, &io.cache, &block.from) {
            (Restored::Owned(buffer), Some(cache), From::Layer { layer, at }) if keep => {
                let bytes = Bytes::from(buffer);
                cache.keep_restored((layers[*layer].reference.id, at.at), &bytes);
                Restored::Shared(bytes)
            }
            (restored, _, _) => restored,
        };
        (block, restored)
    });
    Ok(shared.collect())
}

fn decode(
    stored: &[u8],
    shuffle_size: usize,
    codec: Option<&dyn CompressionCodec>,
    mut out: Vec<u8>,
) -> Result<Vec<u8>> {
    decode_block(stored, shuffle_size, codec, &mut out)?;
    Ok(out)
}
