//! Reads and writes of regions, on any store of chunks.

use std::sync::{Mutex, PoisonError};

use engine_api::{Error, ErrorKind, Result};

use crate::copy::{copy_region, fill_region};
use crate::source::ChunkSource;
use crate::store::ChunkStore;
use crate::{Coords, Grid, Region};

/// Reads a region into `out`: C order, the slowest axis first, elements little-endian.
///
/// Chunks are read and decompressed on a bounded number of threads. Elements that were never written are
/// the fill value.
///
/// # Errors
/// `InvalidArgument` when the region is out of bounds or `out` isn't as long as it is; `Corrupt` and
/// `Incompatible` name the chunk. After an error the contents of `out` are unspecified.
pub fn read_region(store: &(impl ChunkStore + ?Sized), region: &Region, out: &mut [u8]) -> Result<()> {
    let grid = store.grid();
    check(grid, region, out.len())?;
    let chunks: Vec<Coords> = grid.chunks_in(region)?.collect();
    if let [chunk] = chunks.as_slice()
        && grid.chunk_region(chunk)? == *region
    {
        return store.read_chunk(chunk, out).map(|_| ());
    }
    let bands = Bands::new(grid, region, out)?;
    store.read_chunks(&chunks, &|index, data| {
        let chunk = &chunks[index];
        let (held, mut target) = bands.lock(chunk)?;
        let chunk_region = grid.chunk_region(chunk)?;
        let Some(overlap) = chunk_region.intersection(&held) else { return Ok(()) };
        match data {
            Some(data) => copy_region(data, &chunk_region, &mut target, &held, &overlap, grid.element_size()),
            None => fill_region(&mut target, &held, &overlap, grid.fill()),
        }
    })
}

/// Writes a region from `data`: C order, the slowest axis first, elements little-endian.
///
/// All chunks are written in one atomic batch. Chunks that the region only cuts through are read first, as one
/// [`exclusively`](ChunkStore::exclusively) with the write; where the region covers all that a chunk has in
/// bounds, nothing is read.
///
/// # Errors
/// `InvalidArgument` when the region is out of bounds or `data` isn't as long as it is; `TooLarge` when the
/// batch is over the store's limits. After an error nothing is changed.
pub fn write_region(store: &(impl ChunkStore + ?Sized), region: &Region, data: &[u8]) -> Result<()> {
    let grid = store.grid();
    check(grid, region, data.len())?;
    if region.is_empty() {
        return Ok(());
    }
    let mut cut = false;
    let mut parts = Vec::new();
    for chunk in grid.chunks_in(region)? {
        let chunk_region = grid.chunk_region(&chunk)?;
        let overlap = chunk_region.intersection(region);
        let covered = overlap == chunk_region.intersection(&grid.bounds());
        if let Some(overlap) = overlap {
            parts.push(Part { chunk, chunk_region, overlap, covered });
        }
        cut |= !covered;
    }
    let source = Parts { store, list: parts, region, data };
    if cut { store.exclusively(&mut || store.write_chunks(&source)) } else { store.write_chunks(&source) }
}

fn check(grid: &Grid, region: &Region, bytes: usize) -> Result<()> {
    grid.check_region(region)?;
    let expected = region.bytes(grid.element_size())?;
    if bytes == expected {
        return Ok(());
    }
    Err(Error::new(ErrorKind::InvalidArgument, "the buffer isn't as long as the region")
        .with("region", region)
        .with("expected", expected)
        .with("found", bytes))
}

/// The chunks of a region that is written.
struct Parts<'a, S: ?Sized> {
    store: &'a S,
    list: Vec<Part>,
    region: &'a Region,
    data: &'a [u8],
}

struct Part {
    chunk: Coords,
    chunk_region: Region,
    overlap: Region,
    /// Whether the region has every element of the chunk that is in bounds.
    covered: bool,
}

impl<S: ChunkStore + ?Sized> ChunkSource for Parts<'_, S> {
    fn len(&self) -> usize {
        self.list.len()
    }

    fn coords(&self, index: usize) -> Coords {
        self.list[index].chunk
    }

    fn read(&self, index: usize, out: &mut [u8]) -> Result<()> {
        let Part { chunk, chunk_region, overlap, covered } = &self.list[index];
        let grid = self.store.grid();
        if !covered {
            self.store.read_chunk(chunk, out)?;
        } else if overlap != chunk_region {
            grid.fill().write(out);
        }
        copy_region(self.data, self.region, out, chunk_region, overlap, grid.element_size())
    }
}

/// An output buffer cut where chunks end, so that threads can fill it side by side.
///
/// The cuts are along the first axis on which the region is more than one element long: pieces along it are
/// contiguous.
struct Bands<'a> {
    axis: usize,
    first: i32,
    pieces: Vec<(Region, Mutex<&'a mut [u8]>)>,
}

type Locked<'b, 'a> = (Region, std::sync::MutexGuard<'b, &'a mut [u8]>);

impl<'a> Bands<'a> {
    fn new(grid: &Grid, region: &Region, out: &'a mut [u8]) -> Result<Self> {
        let axis = region.shape().iter().position(|length| *length != 1).unwrap_or(0);
        let mut bands = Self { axis, first: 0, pieces: Vec::new() };
        let Some((first, last)) = grid.chunks_in(region)?.corners() else { return Ok(bands) };
        bands.first = first[axis];
        let mut corner = first;
        let mut rest = out;
        for along in first[axis]..=last[axis] {
            *corner.axis_mut(axis) = along;
            let chunk = grid.chunk_region(&corner)?;
            let held = region.slice(axis, chunk.offset()[axis], chunk.end(axis));
            let (band, behind) = rest.split_at_mut(held.bytes(grid.element_size())?);
            bands.pieces.push((held, Mutex::new(band)));
            rest = behind;
        }
        Ok(bands)
    }

    fn lock(&self, chunk: &Coords) -> Result<Locked<'_, 'a>> {
        let band = chunk[self.axis].checked_sub(self.first).and_then(|band| usize::try_from(band).ok());
        let (held, target) = band.and_then(|band| self.pieces.get(band)).ok_or_else(|| {
            Error::new(ErrorKind::Internal, "a chunk outside of the region").with("chunk", chunk)
        })?;
        Ok((*held, target.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}
