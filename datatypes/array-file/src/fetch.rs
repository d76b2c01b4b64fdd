//! Blocks out of the store, restored side by side, a bounded number at a time.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::array::Array;
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

/// How much of the chunks is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Portion {
    /// All or most: who reads everything seldom reads it twice.
    Whole,
    /// A part, behind which another one may be wanted soon.
    Part,
}

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
    portion: Portion,
    mut sink: impl FnMut(usize, &[u8]) -> Result<()>,
) -> Result<()> {
    let blocks = blocks_of(layers, array, wanted)?;
    let total: u64 = blocks.iter().map(|block| wide(block.raw)).fold(0, u64::saturating_add);
    let keep = match &io.cache {
        Some(cache) if cache.admits(total) && portion == Portion::Whole && cache.keeps_stored() => {
            Keep::Again
        }
        Some(cache) if cache.admits(total) => Keep::All,
        _ => Keep::Nothing,
    };
    let batches = batches_of(blocks);
    let largest = batches.iter().map(|batch| batch.iter().map(|block| wide(block.raw)).sum()).max();
    let affordable = IN_FLIGHT_BYTES / largest.unwrap_or(1).max(1);
    let concurrency = usize::try_from(affordable).unwrap_or(usize::MAX).clamp(1, io.concurrency());
    // Many requests may wait for the store, but few blocks be restored at a time: what is still in the
    // processor's cache when it is copied costs half.
    let most = usize::try_from(largest.unwrap_or(1)).unwrap_or(usize::MAX);
    let restoring = Semaphore::new(chunks::worker_count(batches.len(), most).saturating_add(1));
    let _end = io.buffers.shrink_at_end();
    let source = Source { io, layers, shuffle_size: array.shuffle_size, keep };
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
                io.buffers.give(buffer);
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

/// A block on its way.
enum Step {
    /// It was found restored.
    Done(Bytes),
    /// It was found as it is stored: `plain` where there is nothing to restore and only a checksum is compared, `again` where
    /// it was in the cache.
    Decode { stored: Bytes, plain: bool, again: bool },
}

/// What is left in the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keep {
    Nothing,
    /// Blocks as they are stored, and restored ones that were asked for before.
    Again,
    All,
}

/// What restoring a block needs.
struct Source<'a> {
    io: &'a Io,
    layers: &'a [Arc<Layer>],
    shuffle_size: usize,
    keep: Keep,
}

/// Restored blocks, and the permission to hold them.
type Batch<'a> = (Vec<(Block, Restored)>, Option<SemaphorePermit<'a>>);

impl Source<'_> {
    async fn restore<'p>(&self, batch: Vec<Block>, restoring: &'p Semaphore) -> Result<Batch<'p>> {
        let layer = batch.first().and_then(|block| match block.from {
            From::Layer { layer, .. } => Some(&*self.layers[layer]),
            From::Memory(_) => None,
        });
        let (codec, path) = match layer {
            Some(layer) => (layer.root(self.io).await?.codec.clone(), layer.path.to_string()),
            // What waits for a flush is as this writer compresses.
            None => (self.io.codec.custom(), String::new()),
        };
        let steps = self.stored(&batch, layer, codec.is_some()).await?;
        let permit = restoring.acquire().await.ok();
        let again: Vec<bool> =
            steps.iter().map(|step| matches!(step, Step::Decode { again: true, .. })).collect();
        let (shuffle_size, buffers) = (self.shuffle_size, self.io.buffers.clone());
        let quick = batch.iter().map(|block| wide(block.raw)).sum::<u64>() <= BATCH_BYTES
            && steps.iter().all(|step| !matches!(step, Step::Decode { plain: false, .. }));
        let work = move || {
            let restored = steps.into_iter().zip(&batch).map(|(step, block)| match step {
                Step::Done(bytes) if bytes.len() == block.raw => Ok(Restored::Shared(bytes)),
                Step::Done(_) => Err(Error::corrupt("", "a block has another length than the index says")),
                Step::Decode { stored, .. } => {
                    if let Some(plain) = plain_block(&stored, shuffle_size, block.raw)? {
                        return Ok(Restored::Shared(plain));
                    }
                    let out = buffers.take(block.raw)?;
                    decode(&stored, shuffle_size, codec.as_deref(), out).map(Restored::Owned)
                }
            });
            let restored = restored.collect::<Result<Vec<_>>>().map_err(|error| error.at(&path))?;
            Ok((batch, restored))
        };
        // Another thread takes longer to begin than a checksum takes.
        let (batch, restored) = if quick { work()? } else { offload(work).await? };
        let kept = batch.into_iter().zip(restored).zip(again).map(|((block, restored), again)| {
            let restored = self.keep(&block, restored, again);
            (block, restored)
        });
        Ok((kept.collect(), permit))
    }

    /// The blocks of one layer, or of none, as they were found: in the cache or in the store. `custom` says that a program's
    /// own codec restores them.
    async fn stored(&self, batch: &[Block], layer: Option<&Layer>, custom: bool) -> Result<Vec<Step>> {
        let mut steps: Vec<Option<Step>> = Vec::with_capacity(batch.len());
        let mut ranges = Vec::new();
        for block in batch {
            steps.push(match (&block.from, layer) {
                (From::Memory(stored), _) => {
                    let plain = !custom && stored.len() > block.raw;
                    Some(Step::Decode { stored: stored.clone(), plain, again: false })
                }
                (From::Layer { .. }, None) => None,
                (From::Layer { at, .. }, Some(layer)) => {
                    let hit = self.cached(&(layer.reference.id, at.at), block.raw, custom);
                    if hit.is_none() {
                        ranges.push(at.at..at.at.saturating_add(at.stored.into()));
                    }
                    hit
                }
            });
        }
        let mut found = match layer {
            Some(layer) if !ranges.is_empty() => self.io.layer_ranges(&layer.path, &ranges).await?,
            _ => Vec::new(),
        }
        .into_iter();
        let steps = steps.into_iter().zip(batch).map(|(step, block)| {
            step.unwrap_or_else(|| {
                let stored = found.next().unwrap_or_default();
                let plain = !custom && stored.len() > block.raw;
                let keeps = match self.keep {
                    Keep::Nothing => false,
                    // A copy of what the system has in memory saves little more than a call.
                    Keep::Again => !(plain && self.io.is_near()),
                    Keep::All => true,
                };
                if keeps
                    && let (Some(cache), Some(layer), From::Layer { at, .. }) =
                        (&self.io.cache, layer, &block.from)
                {
                    cache.keep_stored((layer.reference.id, at.at), &stored);
                }
                Step::Decode { stored, plain, again: false }
            })
        });
        Ok(steps.collect())
    }

    fn cached(&self, key: &BlockKey, raw: usize, custom: bool) -> Option<Step> {
        let cache = self.io.cache.as_ref()?;
        let restored = cache.restored(key).map(Step::Done);
        restored.or_else(|| {
            let stored = cache.stored(key)?;
            let plain = !custom && stored.len() > raw;
            Some(Step::Decode { stored, plain, again: true })
        })
    }

    fn keep(&self, block: &Block, restored: Restored, again: bool) -> Restored {
        let keeps = self.keep == Keep::All || self.keep == Keep::Again && again;
        match (restored, &self.io.cache, &block.from) {
            (Restored::Owned(buffer), Some(cache), From::Layer { layer, at }) if keeps => {
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
