//! Volumes larger than memory, with all their scales, in one pass.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};

use chunks::{ChunkStore, Coords, MultiscaleStore, Region, for_each_parallel, for_each_waiting};
use engine_api::Result;

use crate::Reducer;
use crate::coarse_chunk::{Buffers, CoarseChunks};
use crate::recompute::{ScaleProgress, count, recompute};
use crate::zorder::zorder;

/// A scale with at least this many chunks is divided among tasks, the coarsest such.
const LEAST_PARTS: u64 = 64;

/// At most this many tasks, so that their journal stays small.
const MOST_TASKS: usize = 1024;

/// The uncompressed bytes of a scale that one worker gathers for an atomic batch.
const BATCH_BYTES: usize = 4 << 20;

/// The elements of an array, read in any order.
pub trait VoxelSource: Sync {
    /// Puts the elements of a region of full resolution, all in bounds, into `out`: C order, the slowest axis first,
    /// little-endian.
    ///
    /// It is called from several threads, for one chunk at a time, neighbours in space soon after each other.
    ///
    /// # Errors
    /// Ends the ingestion, and is returned.
    fn read_region(&self, region: &Region, out: &mut [u8]) -> Result<()>;

    /// Whether a read mostly waits, as for a server, so that more of them at once than there are processors are faster.
    fn waits(&self) -> bool {
        false
    }
}

/// The most threads over a source that waits.
const MOST_WAITING: usize = 16;

/// Remembers which tasks of an ingestion are finished, so that it can go on after it was killed.
pub trait Journal: Sync {
    /// The tasks that are finished, of an ingestion of so many tasks; none where what is remembered is of another.
    ///
    /// # Errors
    /// Those of what keeps the journal.
    fn finished(&self, tasks: usize) -> Result<BTreeSet<usize>>;

    /// Remembers that a task is finished. What it wrote is stored by then.
    ///
    /// # Errors
    /// Those of what keeps the journal.
    fn finish(&self, task: usize) -> Result<()>;
}

/// Remembers nothing: an ingestion that is cut short begins anew.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoJournal;

impl Journal for NoJournal {
    fn finished(&self, _: usize) -> Result<BTreeSet<usize>> {
        Ok(BTreeSet::new())
    }

    fn finish(&self, _: usize) -> Result<()> {
        Ok(())
    }
}

/// Called now and then, from several threads; an error from it ends the work and is returned.
pub type WatchIngest<'a> = dyn Fn(ScaleProgress) -> Result<()> + Sync + 'a;

/// Writes an array at all of its scales from a source that needn't fit in memory.
///
/// The array is gone through along the Z-order curve. A chunk of a coarser scale is made as soon as its children are,
/// from memory, and children are written and forgotten. On each worker there is at most one unfinished chunk per
/// scale, and a batch of finished ones, so that memory is bounded by the number of scales times that of workers,
/// whatever the array's size.
///
/// Without a source full resolution is read from the store, where it was written before.
///
/// The scales that are written must be empty, or hold what the same ingestion has left when it was cut short; then it
/// goes on behind the tasks that the journal has. An array that others read or write meanwhile is
/// [`recompute`]'s and [`Mutation`](crate::Mutation)'s.
///
/// # Errors
/// Those of the source, the store, the journal and the watch. What was finished stays.
pub fn ingest(
    store: &dyn MultiscaleStore,
    source: Option<&dyn VoxelSource>,
    reducer: Reducer,
    journal: &dyn Journal,
    watch: &WatchIngest<'_>,
) -> Result<()> {
    let scales = store.scales();
    let top = (0..scales.len()).rev().find(|scale| chunk_count(store, *scale) >= LEAST_PARTS).unwrap_or(0);
    let coarse =
        (1..=top).map(|scale| CoarseChunks::new(scales, scale, reducer)).collect::<Result<Vec<_>>>()?;
    let stores = (0..=top).map(|scale| store.scale(scale)).collect::<Result<Vec<_>>>()?;
    let grid = scales.grid(top)?;
    let mut parts: Vec<Coords> = grid.chunks_in(&grid.bounds())?.collect();
    parts.sort_unstable_by(zorder);
    let per_task = parts.len().div_ceil(MOST_TASKS).max(1);
    let tasks: Vec<&[Coords]> = parts.chunks(per_task).collect();
    let before = journal.finished(tasks.len())?;
    let ahead: Vec<usize> = (0..tasks.len()).filter(|task| !before.contains(task)).collect();
    let chunks = scales.base().chunk_count();
    let skipped = count(before.len()).saturating_mul(chunks) / count(tasks.len()).max(1);
    let done = AtomicU64::new(skipped);
    let ingestion = Ingestion { stores, coarse, source, buffers: Buffers::default(), done, chunks, watch };
    // Per scale: a chunk, what it is made from where it must be assembled, and a batch that is encoded.
    let chunk_bytes = scales.base().chunk_bytes();
    let worker_bytes =
        (top + 1).saturating_mul(chunk_bytes.saturating_mul(4).saturating_add(BATCH_BYTES * 2));
    let worker = || Worker { pending: (0..=top).map(|_| Vec::new()).collect() };
    let work = |worker: &mut Worker, index: usize| {
        let task = ahead[index];
        for part in tasks[task] {
            if let Some(data) = ingestion.build(worker, top, part)? {
                ingestion.push(worker, top, *part, data)?;
            }
        }
        for scale in 0..=top {
            ingestion.flush(worker, scale)?;
        }
        journal.finish(task)
    };
    if source.is_some_and(VoxelSource::waits) {
        for_each_waiting(ahead.len(), (MOST_WAITING, worker_bytes), worker, work)?;
    } else {
        for_each_parallel(ahead.len(), worker_bytes, worker, work)?;
    }
    if top + 1 < scales.len() {
        recompute(store, reducer, &scales.base().bounds(), top + 1, &mut |progress| watch(progress))?;
    }
    Ok(())
}

fn chunk_count(store: &dyn MultiscaleStore, scale: usize) -> u64 {
    store.scales().grids().get(scale).map_or(0, chunks::Grid::chunk_count)
}

struct Ingestion<'a> {
    /// By scale, from 0 to the one that is divided among tasks.
    stores: Vec<&'a dyn ChunkStore>,
    /// By scale, from 1 on.
    coarse: Vec<CoarseChunks<'a>>,
    source: Option<&'a dyn VoxelSource>,
    buffers: Buffers,
    done: AtomicU64,
    chunks: u64,
    watch: &'a WatchIngest<'a>,
}

/// What one thread keeps from chunk to chunk.
struct Worker {
    /// Finished chunks that aren't written yet, by scale.
    pending: Vec<Vec<(Coords, Vec<u8>)>>,
}

impl Ingestion<'_> {
    /// Makes a chunk and writes all that it is made from; `None` when it is nothing but the fill value.
    fn build(&self, worker: &mut Worker, scale: usize, chunk: &Coords) -> Result<Option<Vec<u8>>> {
        let grid = self.stores[scale].grid();
        let mut out = self.buffers.take(grid.chunk_bytes())?;
        let stored = match scale.checked_sub(1) {
            None => self.read_full(chunk, &mut out)?,
            Some(finer) => self.make(worker, &self.coarse[finer], chunk, &mut out)?,
        };
        if stored && !grid.fill().fills(&out) {
            return Ok(Some(out));
        }
        self.buffers.give(out);
        Ok(None)
    }

    fn read_full(&self, chunk: &Coords, out: &mut [u8]) -> Result<bool> {
        let store = self.stores[0];
        let stored = match self.source {
            None => store.read_chunk(chunk, out)?,
            Some(source) => {
                let grid = store.grid();
                let region = grid.chunk_region(chunk)?;
                match grid.clipped_region(chunk)? {
                    Some(part) if part == region => source.read_region(&part, out)?,
                    Some(part) => {
                        let mut data = self.buffers.take(part.bytes(grid.element_size())?)?;
                        source.read_region(&part, &mut data)?;
                        grid.fill().write(out);
                        chunks::copy_region(&data, &part, out, &region, &part, grid.element_size())?;
                        self.buffers.give(data);
                    }
                    None => grid.fill().write(out),
                }
                true
            }
        };
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        (self.watch)(ScaleProgress { scale: 0, done: done.min(self.chunks), chunks: self.chunks })?;
        Ok(stored)
    }

    /// Answers whether any child is more than the fill value.
    fn make(
        &self,
        worker: &mut Worker,
        coarse: &CoarseChunks<'_>,
        chunk: &Coords,
        out: &mut [u8],
    ) -> Result<bool> {
        let finer = coarse.scale() - 1;
        self.stores[coarse.scale()].grid().fill().write(out);
        let cells = if coarse.is_aligned() { None } else { coarse.cells(chunk)? };
        let mut all = match &cells {
            Some(cells) => {
                let mut all = self.buffers.take(cells.bytes(coarse.fine().element_size())?)?;
                coarse.fine().fill().write(&mut all);
                all
            }
            None => Vec::new(),
        };
        let mut any = false;
        for child in coarse.children(chunk)? {
            match (self.build(worker, finer, &child)?, &cells) {
                (Some(data), None) => {
                    coarse.absorb(chunk, &child, &data, out)?;
                    any = true;
                    self.push(worker, finer, child, data)?;
                }
                (Some(data), Some(cells)) => {
                    coarse.assemble(&child, &data, cells, &mut all)?;
                    any = true;
                    self.push(worker, finer, child, data)?;
                }
                (None, None) => coarse.blank(chunk, &child, out)?,
                (None, Some(_)) => {}
            }
        }
        if let Some(cells) = &cells {
            if any {
                coarse.reduce_cells(chunk, cells, &all, out)?;
            }
            self.buffers.give(all);
        }
        Ok(any)
    }

    fn push(&self, worker: &mut Worker, scale: usize, chunk: Coords, data: Vec<u8>) -> Result<()> {
        if scale == 0 && self.source.is_none() {
            self.buffers.give(data);
            return Ok(());
        }
        let bytes = data.len();
        worker.pending[scale].push((chunk, data));
        if worker.pending[scale].len().saturating_mul(bytes) >= BATCH_BYTES {
            self.flush(worker, scale)?;
        }
        Ok(())
    }

    fn flush(&self, worker: &mut Worker, scale: usize) -> Result<()> {
        let pending = &mut worker.pending[scale];
        if pending.is_empty() {
            return Ok(());
        }
        self.stores[scale].write_chunks(pending)?;
        for (_, data) in pending.drain(..) {
            self.buffers.give(data);
        }
        Ok(())
    }
}
