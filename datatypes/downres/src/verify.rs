//! Whether coarser scales are what the finer make of them.

use chunks::{Coords, MultiscaleStore, Region, for_each_parallel};
use engine_api::Result;
use std::sync::{Mutex, PoisonError};

use crate::Reducer;
use crate::coarse_chunk::CoarseChunks;
use crate::recompute::{ScaleProgress, WatchScales, count, scale_regions, stored_parents};

/// Chunks that are compared between two calls of the watch.
const ROUND: usize = 64;

/// A chunk of a coarser scale that isn't what the scale before makes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stale {
    /// Its scale.
    pub scale: usize,
    /// Where it is in the scale's grid.
    pub chunk: Coords,
}

/// Compares the coarser scales of a region of full resolution, from scale `first` on, with what the scale before makes
/// of them, bit by bit; calls `found` for each chunk that differs, and answers how many were compared.
///
/// Chunks that neither are stored nor have stored children are right as they are. A chunk is compared with the stored
/// children, be they right or stale, so that what is found is where the mistake is and not all that lies above it.
///
/// # Errors
/// As [`recompute`](crate::recompute).
pub fn verify(
    store: &dyn MultiscaleStore,
    reducer: Reducer,
    region: &Region,
    first: usize,
    found: &mut dyn FnMut(Stale) -> Result<()>,
    watch: &mut WatchScales<'_>,
) -> Result<u64> {
    let mut compared = 0;
    for (scale, part) in scale_regions(store, region, first)? {
        let chunks = stored_parents(store, scale, &part)?;
        for (round, some) in chunks.chunks(ROUND).enumerate() {
            for chunk in stale_of(store, reducer, scale, some)? {
                found(Stale { scale, chunk })?;
            }
            let done = count(round * ROUND + some.len());
            watch(ScaleProgress { scale, done, chunks: count(chunks.len()) })?;
        }
        compared += count(chunks.len());
    }
    Ok(compared)
}

fn stale_of(
    store: &dyn MultiscaleStore,
    reducer: Reducer,
    scale: usize,
    chunks: &[Coords],
) -> Result<Vec<Coords>> {
    let coarse = CoarseChunks::new(store.scales(), scale, reducer)?;
    let (fine_store, store) = (store.scale(scale.saturating_sub(1))?, store.scale(scale)?);
    let bytes = store.grid().chunk_bytes();
    let stale = Mutex::new(Vec::new());
    for_each_parallel(
        chunks.len(),
        bytes.saturating_mul(3),
        || (vec![0; bytes], vec![0; bytes]),
        |(expected, found), index| {
            let chunk = &chunks[index];
            coarse.make(chunk, &mut |child, data| fine_store.read_chunk(child, data), expected)?;
            store.read_chunk(chunk, found)?;
            if expected != found {
                stale.lock().unwrap_or_else(PoisonError::into_inner).push(*chunk);
            }
            Ok(())
        },
    )?;
    let mut stale = stale.into_inner().unwrap_or_else(PoisonError::into_inner);
    stale.sort_unstable();
    Ok(stale)
}
