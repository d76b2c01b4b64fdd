//! Coarser scales made anew from what is stored.

use std::collections::BTreeSet;

use chunks::{Coords, DerivedChunks, MultiscaleStore, Region, ScaleReader};
use engine_api::{Error, ErrorKind, Result};

use crate::Reducer;
use crate::coarse_chunk::CoarseChunks;

/// The uncompressed bytes of one atomic batch.
const BATCH_BYTES: usize = 16 << 20;

/// How far a walk over the scales has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScaleProgress {
    /// The scale that is being walked.
    pub scale: usize,
    /// Its chunks that are done.
    pub done: u64,
    /// Its chunks that there are to do.
    pub chunks: u64,
}

/// Called now and then; an error from it ends the work and is returned.
pub type WatchScales<'a> = dyn FnMut(ScaleProgress) -> Result<()> + 'a;

/// Makes all coarser scales of a region of full resolution anew, from scale `first` on, finest first; those before are
/// taken as they are.
///
/// It goes over stored chunks alone, so that empty space costs nothing, and writes a bounded number of them in each
/// atomic batch. What others write at the same time is taken in or left to their own [`Mutation`](crate::Mutation).
///
/// # Errors
/// `InvalidArgument` when the region is out of bounds or `first` is 0 or no scale; `Conflict` when chunks of the finest
/// scale that is read are in conflict between versions; those of the store.
pub fn recompute(
    store: &dyn MultiscaleStore,
    reducer: Reducer,
    region: &Region,
    first: usize,
    watch: &mut WatchScales<'_>,
) -> Result<()> {
    for (scale, part) in scale_regions(store, region, first)? {
        let chunks = stored_parents(store, scale, &part)?;
        in_batches(store, reducer, scale, &chunks, &mut |done| {
            watch(ScaleProgress { scale, done: count(done), chunks: count(chunks.len()) })
        })?;
    }
    Ok(())
}

/// Makes chunks of a coarser scale anew, each named once, from all of their children.
///
/// # Errors
/// `InvalidArgument` when there is no such scale but 0, or a chunk is out of bounds; otherwise as [`recompute`].
pub fn recompute_chunks(
    store: &dyn MultiscaleStore,
    reducer: Reducer,
    scale: usize,
    chunks: &[Coords],
) -> Result<()> {
    if scale == 0 {
        return Err(made_from_nothing());
    }
    in_batches(store, reducer, scale, chunks, &mut |_| Ok(()))
}

fn in_batches(
    store: &dyn MultiscaleStore,
    reducer: Reducer,
    scale: usize,
    chunks: &[Coords],
    watch: &mut dyn FnMut(usize) -> Result<()>,
) -> Result<()> {
    let scales = store.scales();
    let per_batch = (BATCH_BYTES / scales.grid(scale)?.chunk_bytes()).max(1);
    let mut done = 0;
    for batch in chunks.chunks(per_batch) {
        let coarse = CoarseChunks::new(scales, scale, reducer)?;
        store.derive(scale, &Whole { coarse, chunks: batch })?;
        done += batch.len();
        watch(done)?;
    }
    Ok(())
}

pub(crate) fn made_from_nothing() -> Error {
    Error::new(ErrorKind::InvalidArgument, "full resolution is made from no other scale")
}

/// The part of each coarser scale, from `first` on, that a region of full resolution has elements in.
pub(crate) fn scale_regions(
    store: &dyn MultiscaleStore,
    region: &Region,
    first: usize,
) -> Result<Vec<(usize, Region)>> {
    let scales = store.scales();
    scales.base().check_region(region)?;
    let mut part = *region;
    let mut parts = Vec::new();
    if first == 0 {
        return Err(made_from_nothing());
    }
    if first > scales.len() {
        scales.grid(first)?;
    }
    for scale in 1..scales.len() {
        part = scales.coarser_region(scale, &part)?;
        if scale >= first && !part.is_empty() {
            parts.push((scale, part));
        }
    }
    Ok(parts)
}

/// The chunks of a scale, in a region of it, that are stored or are made from stored ones.
pub(crate) fn stored_parents(
    store: &dyn MultiscaleStore,
    scale: usize,
    part: &Region,
) -> Result<Vec<Coords>> {
    let scales = store.scales();
    let grid = scales.grid(scale)?;
    let mut chunks = BTreeSet::new();
    let mut take = |chunk: Coords| -> Result<()> {
        if grid.clipped_region(&chunk)?.and_then(|region| region.intersection(part)).is_some() {
            chunks.insert(chunk);
        }
        Ok(())
    };
    store.scale(scale)?.list_chunks(&mut |chunk| take(*chunk))?;
    store.scale(scale.saturating_sub(1))?.list_chunks(&mut |child| take(scales.parent(scale, child)?))?;
    Ok(chunks.into_iter().collect())
}

pub(crate) fn count(chunks: usize) -> u64 {
    u64::try_from(chunks).unwrap_or(u64::MAX)
}

/// Chunks that are made from all of their children.
struct Whole<'a> {
    coarse: CoarseChunks<'a>,
    chunks: &'a [Coords],
}

impl DerivedChunks for Whole<'_> {
    fn len(&self) -> usize {
        self.chunks.len()
    }

    fn coords(&self, index: usize) -> Coords {
        self.chunks[index]
    }

    fn make(&self, index: usize, stored: &dyn ScaleReader, out: &mut [u8]) -> Result<()> {
        let finer = self.coarse.scale() - 1;
        let read = &mut |child: &Coords, data: &mut [u8]| stored.read_chunk(finer, child, data);
        self.coarse.make(&self.chunks[index], read, out)
    }
}
