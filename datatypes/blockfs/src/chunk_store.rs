//! Volumes as stores of chunks.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use chunks::{ChunkSource, ChunkStore, Coords, Grid, Region, copy_region, for_each_parallel};
use engine_api::{Error, ErrorKind, Result};

use crate::blosc::encode;
use crate::records::Commit;
use crate::volume::{BlockFs, BlockState};
use crate::writer::BlockWriter;

impl ChunkStore for BlockFs {
    fn grid(&self) -> &Grid {
        BlockFs::grid(self)
    }

    fn read_chunk(&self, chunk: &Coords, out: &mut [u8]) -> Result<bool> {
        read_chunk(self, chunk, out, |out| self.read_block(chunk, out))
    }

    /// # Errors
    /// `ReadOnly`: a [`BlockWriter`](crate::BlockWriter) writes.
    fn write_chunks(&self, _: &dyn ChunkSource) -> Result<()> {
        Err(read_only())
    }

    /// # Errors
    /// `ReadOnly`.
    fn delete_chunks(&self, _: &[Coords]) -> Result<()> {
        Err(read_only())
    }

    fn list_chunks(&self, visit: &mut dyn FnMut(&Coords) -> Result<()>) -> Result<()> {
        for chunk in self.grid().chunks_in(&self.grid().bounds())? {
            if is_stored(self.block_state(&chunk)?) {
                visit(&chunk)?;
            }
        }
        Ok(())
    }
}

fn read_only() -> Error {
    Error::new(ErrorKind::ReadOnly, "the volume is open to be read")
}

/// Whether a block of this state is a chunk that is stored. One that is lost is listed, so that reading it tells.
pub(crate) fn is_stored(state: BlockState) -> bool {
    !matches!(state, BlockState::Missing | BlockState::Pending)
}

/// Whether regions of the volume's voxels can be those of its grid.
pub(crate) fn check_element(volume: &BlockFs) -> Result<()> {
    let element = volume.element();
    if element.size() == volume.grid().element_size() {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Unsupported, "voxels of more than eight bytes are only read by the block")
        .with("type", element))
}

/// Reads a chunk by what reads the part of it that is in bounds.
pub(crate) fn read_chunk(
    volume: &BlockFs,
    chunk: &Coords,
    out: &mut [u8],
    read: impl FnOnce(&mut [u8]) -> Result<BlockState>,
) -> Result<bool> {
    let grid = volume.grid();
    grid.check_buffer(out.len())?;
    check_element(volume)?;
    let region = grid.chunk_region(chunk)?;
    let Some(inside) = grid.clipped_region(chunk)? else {
        out.fill(0);
        return Ok(false);
    };
    if inside == region {
        return read(out).map(is_stored);
    }
    let mut block = chunks::zeroed(inside.bytes(grid.element_size())?)?;
    let state = read(&mut block)?;
    out.fill(0);
    copy_region(&block, &inside, out, &region, &inside, grid.element_size())?;
    Ok(is_stored(state))
}

/// The part of a chunk that is in bounds, where that isn't all of it.
pub(crate) fn clip(grid: &Grid, region: &Region, inside: &Region, data: &[u8]) -> Result<Vec<u8>> {
    let mut block = chunks::zeroed(inside.bytes(grid.element_size())?)?;
    copy_region(data, region, &mut block, inside, inside, grid.element_size())?;
    Ok(block)
}

/// What is written is read at once by this writer, and committed by its next flush: after each batch that makes one due, and
/// where [`flush`](BlockWriter::flush) or [`close`](BlockWriter::close) is called.
///
/// A batch that fails leaves nothing behind. One that is being committed when the process is killed may be committed in
/// part; each block is whole. `exclusively` keeps out the other threads of this writer, not other writers.
impl ChunkStore for BlockWriter {
    fn grid(&self) -> &Grid {
        self.volume().grid()
    }

    fn read_chunk(&self, chunk: &Coords, out: &mut [u8]) -> Result<bool> {
        read_chunk(self.volume(), chunk, out, |out| self.read_block(chunk, out))
    }

    fn write_chunks(&self, source: &dyn ChunkSource) -> Result<()> {
        self.wait_for_flush(append_chunks(self, source)?);
        self.flush_when_due()
    }

    fn delete_chunks(&self, chunks: &[Coords]) -> Result<()> {
        let mut commits = Vec::new();
        for chunk in chunks {
            if self.volume().grid().clipped_region(chunk)?.is_some() {
                let index = self.opened().head.index(chunk)?;
                commits.push((index, self.append_deletion(index)?));
            }
        }
        self.wait_for_flush(commits);
        self.flush_when_due()
    }

    fn list_chunks(&self, visit: &mut dyn FnMut(&Coords) -> Result<()>) -> Result<()> {
        let own = self.own_states();
        for chunk in self.grid().chunks_in(&self.grid().bounds())? {
            let stored = match own.get(&self.opened().head.index(&chunk)?) {
                Some(stored) => *stored,
                None => is_stored(self.volume().block_state(&chunk)?),
            };
            if stored {
                visit(&chunk)?;
            }
        }
        Ok(())
    }

    fn exclusively(&self, work: &mut dyn FnMut() -> Result<()>) -> Result<()> {
        let _guard = self.exclusive();
        work()
    }
}

/// Compresses and writes the chunks of a source, in parallel, for somebody to hand them to the next flush.
pub(crate) fn append_chunks(writer: &BlockWriter, source: &dyn ChunkSource) -> Result<Vec<(u64, Commit)>> {
    check_element(writer.volume())?;
    let grid = writer.volume().grid();
    let indices = (0..source.len())
        .map(|chunk| writer.opened().head.index(&source.coords(chunk)))
        .collect::<Result<Vec<u64>>>()?;
    // Of a chunk that the source names twice the last counts.
    let last: BTreeMap<u64, usize> = indices.iter().enumerate().map(|(at, index)| (*index, at)).collect();
    let tasks: Vec<(u64, usize)> = last.into_iter().collect();
    let written = Mutex::new(Vec::with_capacity(tasks.len()));
    let appended = for_each_parallel(
        tasks.len(),
        grid.chunk_bytes().saturating_mul(3),
        || vec![0; grid.chunk_bytes()],
        |buffer, task| {
            let (index, at) = tasks[task];
            source.read(at, buffer)?;
            let chunk = source.coords(at);
            let commit =
                append_chunk(writer, &chunk, index, buffer).map_err(|error| error.with("chunk", chunk))?;
            written.lock().unwrap_or_else(PoisonError::into_inner).push((index, commit));
            Ok(())
        },
    );
    let written = written.into_inner().unwrap_or_else(PoisonError::into_inner);
    match appended {
        Ok(()) => Ok(written),
        Err(error) => {
            writer.abandon(&written);
            Err(error)
        }
    }
}

fn append_chunk(writer: &BlockWriter, chunk: &Coords, index: u64, data: &[u8]) -> Result<Commit> {
    let grid = writer.volume().grid();
    let (region, inside) = (grid.chunk_region(chunk)?, writer.opened().head.block_region(chunk)?);
    let clipped;
    let block = if inside == region {
        data
    } else {
        clipped = clip(grid, &region, &inside, data)?;
        &clipped
    };
    if grid.fill().fills(block) {
        return writer.append_deletion(index);
    }
    writer.append(index, &encode(writer.compression(), grid.element_size(), block)?)
}
