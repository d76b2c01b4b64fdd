//! A chunk on its way into a layer.

use std::sync::Arc;

use crate::array::Array;
use crate::codec::{BlockCodec, encode_block};
use crate::coord::Coord;
use crate::error::Result;
use crate::pending::PendingChunk;
use crate::stats::ChunkStats;
use crate::wire::narrow;

/// Compresses a chunk as a block of its own; one that holds nothing but the fill value is removed instead.
pub(crate) fn encode_chunk(
    array: &Array,
    coord: &Coord,
    codec: &BlockCodec,
    chunk: &[u8],
) -> Result<PendingChunk> {
    // Without a fill value, zeros that were written are values, and statistics count them.
    if array.meta.fill_value.is_some() && array.is_blank(chunk) {
        return Ok(PendingChunk::Removed);
    }
    Ok(PendingChunk::Block {
        stats: ChunkStats::of(array, coord, chunk)?,
        stored: encode_block(codec, array.shuffle_size, chunk)?,
        raw: narrow("a chunk", chunk.len())?,
    })
}

/// A short chunk that will be packed with others.
#[derive(Debug)]
pub(crate) struct ToPack {
    pub(crate) array: Arc<Array>,
    pub(crate) coord: Coord,
    pub(crate) chunk: Arc<Vec<u8>>,
}

/// A chunk in a packed block: where it begins, its length, and its statistics; `None` where it holds nothing
/// but the fill value.
pub(crate) type Packed = Option<(u32, u32, ChunkStats)>;

/// Compresses chunks into one block, which is empty where none of them has anything to store.
pub(crate) fn pack(
    chunks: &[ToPack],
    codec: &BlockCodec,
    shuffle_size: usize,
) -> Result<(bytes::Bytes, u32, Vec<Packed>)> {
    let mut block = Vec::with_capacity(chunks.iter().map(|chunk| chunk.chunk.len()).sum());
    let mut packed = Vec::with_capacity(chunks.len());
    for ToPack { array, coord, chunk } in chunks {
        if array.meta.fill_value.is_some() && array.is_blank(chunk) {
            packed.push(None);
            continue;
        }
        let at = narrow("a block", block.len())?;
        packed.push(Some((at, narrow("a chunk", chunk.len())?, ChunkStats::of(array, coord, chunk)?)));
        block.extend_from_slice(chunk);
    }
    let raw = narrow("a block", block.len())?;
    let stored =
        if block.is_empty() { bytes::Bytes::new() } else { encode_block(codec, shuffle_size, &block)? };
    Ok((stored, raw, packed))
}
