//! One chunk of a coarser scale, made from those of the finer.

use std::sync::{Mutex, PoisonError};

use chunks::{Coords, Grid, Region, Scales, copy_region, fill_region, zeroed};
use engine_api::Result;

use crate::{Reducer, reduce_region};

/// Puts a chunk of the finer scale into a buffer; answers whether it is stored.
pub(crate) type ReadFine<'a> = dyn FnMut(&Coords, &mut [u8]) -> Result<bool> + 'a;

/// Makes the chunks of one scale from those of the scale before.
///
/// What comes from chunks that aren't stored is the fill value, which no reducer is asked about: a mean of equal
/// values may round to another. So a chunk without stored children is the fill value, and isn't stored either.
#[derive(Debug)]
pub(crate) struct CoarseChunks<'a> {
    scales: &'a Scales,
    scale: usize,
    fine: Grid,
    coarse: Grid,
    factors: Vec<u64>,
    reducer: Reducer,
    /// Whether no cell has elements of two chunks, which lets a chunk be made piece by piece.
    aligned: bool,
    buffers: Buffers,
}

impl<'a> CoarseChunks<'a> {
    /// For a scale that isn't 0.
    pub(crate) fn new(scales: &'a Scales, scale: usize, reducer: Reducer) -> Result<Self> {
        let (fine, coarse) = (*scales.grid(scale.saturating_sub(1))?, *scales.grid(scale)?);
        let factors = scales.factors(scale)?.to_vec();
        let aligned =
            fine.chunk_shape().iter().zip(&factors).all(|(length, factor)| length.is_multiple_of(*factor));
        let buffers = Buffers::default();
        Ok(Self { scales, scale, fine, coarse, factors, reducer, aligned, buffers })
    }

    pub(crate) fn fine(&self) -> &Grid {
        &self.fine
    }

    pub(crate) fn scale(&self) -> usize {
        self.scale
    }

    /// The chunks that one is made from.
    pub(crate) fn children(&self, chunk: &Coords) -> Result<Vec<Coords>> {
        Ok(self.scales.children(self.scale, chunk)?.collect())
    }

    /// Whether the parts of a chunk that come from some of its children can be made without the others.
    pub(crate) fn is_aligned(&self) -> bool {
        self.aligned
    }

    /// Makes a whole chunk.
    pub(crate) fn make(&self, chunk: &Coords, read: &mut ReadFine<'_>, out: &mut [u8]) -> Result<()> {
        self.coarse.check_buffer(out.len())?;
        self.coarse.fill().write(out);
        let children = self.children(chunk)?;
        if self.aligned {
            return self.update(chunk, &children, read, out);
        }
        let Some(cells) = self.cells(chunk)? else { return Ok(()) };
        let mut all = self.buffers.take(cells.bytes(self.fine.element_size())?)?;
        let mut data = self.buffers.take(self.fine.chunk_bytes())?;
        let mut any = false;
        for child in &children {
            any |= read(child, &mut data)?;
            self.assemble(child, &data, &cells, &mut all)?;
        }
        if any {
            self.reduce_cells(chunk, &cells, &all, out)?;
        }
        self.buffers.give(all);
        self.buffers.give(data);
        Ok(())
    }

    /// Makes the parts of a chunk anew that come from these children, where cells are
    /// [aligned](Self::is_aligned) with chunks.
    pub(crate) fn update(
        &self,
        chunk: &Coords,
        children: &[Coords],
        read: &mut ReadFine<'_>,
        out: &mut [u8],
    ) -> Result<()> {
        let mut data = self.buffers.take(self.fine.chunk_bytes())?;
        for child in children {
            if read(child, &mut data)? {
                self.absorb(chunk, child, &data, out)?;
            } else {
                self.blank(chunk, child, out)?;
            }
        }
        self.buffers.give(data);
        Ok(())
    }

    /// Reduces a child into the chunk that it has a part in.
    pub(crate) fn absorb(&self, chunk: &Coords, child: &Coords, data: &[u8], out: &mut [u8]) -> Result<()> {
        let Some(part) = self.fine.clipped_region(child)? else { return Ok(()) };
        let (from, to) = (self.fine.chunk_region(child)?, self.coarse.chunk_region(chunk)?);
        reduce_region(self.reducer, self.fine.dtype(), &self.factors, data, &from, &part, out, &to)
    }

    /// What a child that isn't stored becomes.
    pub(crate) fn blank(&self, chunk: &Coords, child: &Coords, out: &mut [u8]) -> Result<()> {
        let Some(part) = self.fine.clipped_region(child)? else { return Ok(()) };
        let to = self.coarse.chunk_region(chunk)?;
        let cells = self.scales.coarser_region(self.scale, &part)?;
        fill_region(out, &to, &cells, self.coarse.fill())
    }

    /// The elements of the finer scale that a chunk is made from; `None` for one out of bounds.
    pub(crate) fn cells(&self, chunk: &Coords) -> Result<Option<Region>> {
        let Some(region) = self.coarse.clipped_region(chunk)? else { return Ok(None) };
        Ok(self.scales.finer_region(self.scale, &region)?.intersection(&self.fine.bounds()))
    }

    /// Puts a child among all that a chunk is made from.
    pub(crate) fn assemble(&self, child: &Coords, data: &[u8], cells: &Region, all: &mut [u8]) -> Result<()> {
        let from = self.fine.chunk_region(child)?;
        match from.intersection(cells) {
            Some(overlap) => copy_region(data, &from, all, cells, &overlap, self.fine.element_size()),
            None => Ok(()),
        }
    }

    /// Reduces all that a chunk is made from.
    pub(crate) fn reduce_cells(
        &self,
        chunk: &Coords,
        cells: &Region,
        all: &[u8],
        out: &mut [u8],
    ) -> Result<()> {
        let to = self.coarse.chunk_region(chunk)?;
        reduce_region(self.reducer, self.fine.dtype(), &self.factors, all, cells, cells, out, &to)
    }
}

/// Buffers that are used again.
#[derive(Debug, Default)]
pub(crate) struct Buffers(Mutex<Vec<Vec<u8>>>);

impl Buffers {
    /// A buffer of this length; its contents are unspecified.
    pub(crate) fn take(&self, bytes: usize) -> Result<Vec<u8>> {
        let mut free = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match free.iter().position(|buffer| buffer.len() == bytes) {
            Some(at) => Ok(free.swap_remove(at)),
            None => {
                drop(free);
                zeroed(bytes)
            }
        }
    }

    /// Keeps a buffer for the next who takes one.
    pub(crate) fn give(&self, buffer: Vec<u8>) {
        const MOST: usize = 64;
        let mut free = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if free.len() < MOST {
            free.push(buffer);
        }
    }
}
