//! A volume for each scale of an image.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use chunks::{ChunkStore, Coords, Derived, DerivedChunks, MultiscaleStore, ScaleReader, Scales};
use engine_api::{Error, ErrorKind, Result};

use crate::chunk_store::append_chunks;
use crate::opened::Place;
use crate::writer::{BlockWriter, Held};

/// A derivation that keeps finding its sources changed gives up after this many attempts.
const ATTEMPTS: u32 = 64;

/// Volumes that are the scales of one image, so that the coarser are made from the finer.
///
/// What is derived lands only where nothing that it was made from has changed, by this writer or another one's commit. A
/// commit of another process in the very moment of landing isn't seen.
///
/// ```
/// use blockfs::{BlockFs, BlockFsSpec, BlockScales, BlockWriter};
/// use chunks::{DType, MultiscaleStore, Scales, write_region};
/// use downres::{Reducer, recompute};
///
/// # fn main() -> engine_api::Result<()> {
/// # let folder = tempfile::tempdir().unwrap();
/// let path = |scale: usize| folder.path().join(format!("{scale}.blockfs"));
/// let base = BlockFs::create(path(0), &BlockFsSpec::new([64, 64, 64], [16, 16, 16], DType::U8))?;
/// let scales = Scales::halving(*base.grid())?;
/// let mut writers = vec![BlockWriter::open(path(0))?];
/// for (scale, grid) in scales.grids().iter().enumerate().skip(1) {
///     let [z, y, x] = [grid.shape()[0], grid.shape()[1], grid.shape()[2]];
///     BlockFs::create(path(scale), &BlockFsSpec::new([z, y, x], [16, 16, 16], DType::U8))?;
///     writers.push(BlockWriter::open(path(scale))?);
/// }
/// let image = BlockScales::new(scales, writers)?;
/// write_region(image.scale(0)?, &base.grid().bounds(), &vec![9; 64 * 64 * 64])?;
/// recompute(&image, Reducer::Mean, &base.grid().bounds(), 1, &mut |_| Ok(()))?;
/// image.flush()?;
/// let mut voxels = vec![0; 16 * 16 * 16];
/// BlockFs::open(path(2))?.read_region(&"0:16,0:16,0:16".parse()?, &mut voxels)?;
/// assert_eq!(voxels, vec![9; 16 * 16 * 16]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct BlockScales {
    scales: Scales,
    writers: Vec<BlockWriter>,
}

impl BlockScales {
    /// The writers of all scales, the finest first.
    ///
    /// # Errors
    /// `InvalidArgument` when a volume's grid isn't that of its scale.
    pub fn new(scales: Scales, writers: Vec<BlockWriter>) -> Result<Self> {
        let fits = writers.len() == scales.grids().len()
            && writers.iter().zip(scales.grids()).all(|(writer, grid)| writer.volume().grid() == grid);
        if !fits {
            return Err(Error::new(
                ErrorKind::InvalidArgument,
                "the volumes' grids aren't those of the scales",
            )
            .with("volumes", writers.len())
            .with("scales", scales.grids().len()));
        }
        Ok(Self { scales, writers })
    }

    /// The writer of a scale.
    ///
    /// # Errors
    /// `InvalidArgument` when there is no such scale.
    pub fn writer(&self, scale: usize) -> Result<&BlockWriter> {
        self.scales.grid(scale)?;
        self.writers
            .get(scale)
            .ok_or_else(|| Error::new(ErrorKind::Internal, "a scale without a volume").with("scale", scale))
    }

    /// Commits what was written, the finest scale first.
    ///
    /// # Errors
    /// As [`BlockWriter::flush`].
    pub fn flush(&self) -> Result<()> {
        self.writers.iter().try_for_each(BlockWriter::flush)
    }

    /// Whether it landed.
    fn derive_once(&self, scale: usize, source: &dyn DerivedChunks) -> Result<bool> {
        let target = self.writer(scale)?;
        let reads = Reads { scales: self, seen: Mutex::default() };
        let commits = append_chunks(target, &Derived::new(source, &reads))?;
        let seen = reads.seen.into_inner().unwrap_or_else(PoisonError::into_inner);
        // Every scale in order, so that two derivations can't wait for each other.
        let mut held: Vec<_> = self.writers.iter().map(BlockWriter::hold).collect();
        let unchanged = is_unchanged(&held, &seen);
        if let (Ok(true), Some(target)) = (&unchanged, held.get_mut(scale)) {
            target.hand_over(commits);
            drop(held);
            self.writer(scale)?.flush_when_due()?;
        } else {
            drop(held);
            target.abandon(&commits);
        }
        unchanged
    }
}

impl MultiscaleStore for BlockScales {
    fn scales(&self) -> &Scales {
        &self.scales
    }

    fn scale(&self, scale: usize) -> Result<&dyn ChunkStore> {
        self.writer(scale).map(|writer| writer as &dyn ChunkStore)
    }

    fn derive(&self, scale: usize, source: &dyn DerivedChunks) -> Result<()> {
        for _ in 0..ATTEMPTS {
            if self.derive_once(scale, source)? {
                return Ok(());
            }
        }
        Err(Error::new(ErrorKind::Conflict, "others kept changing what the chunks are made from")
            .with("scale", scale))
    }
}

/// Where blocks were, by their scale and number.
type Seen = BTreeMap<(usize, u64), Place>;

fn is_unchanged(held: &[Held<'_>], seen: &Seen) -> Result<bool> {
    for ((scale, index), was) in seen {
        let is = held.get(*scale).map(|held| held.place(*index)).transpose()?;
        if is != Some(*was) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// What a derivation has read.
struct Reads<'a> {
    scales: &'a BlockScales,
    seen: Mutex<Seen>,
}

impl ScaleReader for Reads<'_> {
    fn read_chunk(&self, scale: usize, chunk: &Coords, out: &mut [u8]) -> Result<bool> {
        let writer = self.scales.writer(scale)?;
        // One that is out of bounds never changes.
        if writer.volume().grid().clipped_region(chunk)?.is_some() {
            let index = writer.opened().head.index(chunk)?;
            // The place is looked up before the block is read, so that a change in between is seen.
            let place = writer.hold().place(index)?;
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.entry((scale, index)).or_insert(place);
        }
        writer.read_chunk(chunk, out)
    }
}
