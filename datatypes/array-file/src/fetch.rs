//! Blocks out of the store, restored side by side, a bounded number at a time.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::array::Array;
use crate::buffers::Buffers;
use crate::cache::BlockKey;
use crate::codec::{CompressionCodec, decode_block, plain_block};
use crate::error::{Error, Result};
use crate::io::{Io, offload};
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
    let concurrency = usize::try_from(affordable).unwrap_or(usize::MAX).clamp(1, io.concurrency());
    // Many requests may wait for the store, but few blocks be restored at a time: what is still in the
    // processor's cache when it is copied costs half.
    let most = usize::try_from(largest.unwrap_or(1)).unwrap_or(usize::MAX);
    let restoring = Semaphore::new(chunks::worker_count(batches.len(), most).saturating_add(1));
    let buffers = Buffers::default();
    let source = Source { io, layers, shuffle_size: array.shuffle_size, keep, buffers: &buffers };
    let restores: Vec<_> = batches.into_iter().map(|batch| source.restore(batch, &restoring)).collect();
    let mut arriving = stream::iter(restores).buffer_unordered(concurrency);
    while let Some(batch) = arriving.next().await {
        let (restored, permit) = batch?;
        for (block, restored) in restored {
            for (number, range) in block.chunks {
                let chunk = restored.bytes().get(range);
                sink(number, chunk.ok_or_else(|| Error::corrupt("", "a chunk is beyond its block"))?)?;
            }
            if let Restored::Owned(buffer) = restored {
                buffers.give(buffer);
            }
        }
        drop(permit);
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

/// What restoring a block needs.
struct Source<'a> {
    io: &'a Io,
    layers: &'a [Arc<Layer>],
    shuffle_size: usize,
    /// Whether what is read is left in the cache.
    keep: bool,
    buffers: &'a Buffers,
}

/// Restored blocks, and the permission to hold them.
type Batch<'a> = (Vec<(Block, Restored)>, Option<SemaphorePermit<'a>>);

impl Source<'_> {
    async fn restore<'p>(&self, batch: Vec<Block>, restoring: &'p Semaphore) -> Result<Batch<'p>> {
        let (steps, layer) = self.stored(&batch).await?;
        let (codec, path) = match layer {
            Some(layer) => (layer.root(self.io).await?.codec.clone(), layer.path.to_string()),
            None => (None, String::new()),
        };
        let permit = restoring.acquire().await.ok();
        let (shuffle_size, buffers) = (self.shuffle_size, self.buffers.clone());
        let (batch, restored) = offload(move || {
            let restored = steps.into_iter().zip(&batch).map(|(step, block)| match step {
                Step::Done(bytes) if bytes.len() == block.raw => Ok(Restored::Shared(bytes)),
                Step::Done(_) => Err(Error::corrupt("", "a block has another length than the index says")),
                Step::Decode(stored) => {
                    if let Some(plain) = plain_block(&stored, shuffle_size, block.raw)? {
                        return Ok(Restored::Shared(plain));
                    }
                    let out = buffers.take(block.raw)?;
                    decode(&stored, shuffle_size, codec.as_deref(), out).map(Restored::Owned)
                }
            });
            let restored = restored.collect::<Result<Vec<_>>>().map_err(|error| error.at(&path))?;
            Ok((batch, restored))
        })
        .await?;
        let kept = batch.into_iter().zip(restored).map(|(block, restored)| {
            let restored = self.keep(&block, restored);
            (block, restored)
        });
        Ok((kept.collect(), permit))
    }

    /// The blocks of one layer, or of none, as far as they were found: in the cache or in the store.
    async fn stored(&self, batch: &[Block]) -> Result<(Vec<Step>, Option<&Layer>)> {
        let mut steps: Vec<Option<Step>> = Vec::with_capacity(batch.len());
        let mut ranges = Vec::new();
        let mut of = None;
        for block in batch {
            steps.push(match &block.from {
                From::Memory(stored) => Some(Step::Decode(stored.clone())),
                From::Layer { layer, at } => {
                    let layer = of.insert(&*self.layers[*layer]);
                    let hit = self.cached(&(layer.reference.id, at.at));
                    if hit.is_none() {
                        ranges.push(at.at..at.at.saturating_add(at.stored.into()));
                    }
                    hit
                }
            });
        }
        let mut found = match of {
            Some(layer) if !ranges.is_empty() => self.io.layer_ranges(&layer.path, &ranges).await?,
            _ => Vec::new(),
        }
        .into_iter();
        let steps = steps.into_iter().zip(batch).map(|(step, block)| {
            step.unwrap_or_else(|| {
                let stored = found.next().unwrap_or_default();
                if let (true, Some(cache), Some(layer), From::Layer { at, .. }) =
                    (self.keep, &self.io.cache, of, &block.from)
                {
                    cache.keep_stored((layer.reference.id, at.at), &stored);
                }
                Step::Decode(stored)
            })
        });
        Ok((steps.collect(), of))
    }

    fn cached(&self, key: &BlockKey) -> Option<Step> {
        let cache = self.io.cache.as_ref()?;
        let restored = cache.restored(key).map(Step::Done);
        restored.or_else(|| cache.stored(key).map(Step::Decode))
    }

    fn keep(&self, block: &Block, restored: Restored) -> Restored {
        match (restored, &self.io.cache, &block.from) {
            (Restored::Owned(buffer), Some(cache), From::Layer { layer, at }) if self.keep => {
                let bytes = Bytes::from(buffer);
                cache.keep_restored((self.layers[*layer].reference.id, at.at), &bytes);
                Restored::Shared(bytes)
            }
            (restored, _, _) => restored,
        }
    }
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
