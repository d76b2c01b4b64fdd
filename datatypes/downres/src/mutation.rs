//! Changes of full resolution, and the coarser scales after them.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use chunks::{Coords, Region};
use engine_api::{Error, ErrorKind, Result};

use crate::downscaler::Downreser;
use crate::updater::ScaleGuard;

/// One change of an array: the chunks that it has written or deleted, and then all coarser scales.
///
/// All coarser scales count as being updated from [`new`](Mutation::new) on, each until it is up to date or the
/// mutation has ended, however it does. Chunks are named once they are stored: what is stored is what is read.
///
/// ```
/// use chunks::{Codec, DType, Grid, MemoryScales, MultiscaleStore, Scales, read_region, write_region};
/// use downres::{Downreser, Downscaler, Mutation, Reducer};
///
/// # fn main() -> engine_api::Result<()> {
/// let scales = Scales::halving(Grid::new(&[128, 128], &[64, 64], DType::U8)?)?;
/// let downscaler = Downscaler::new(MemoryScales::new(scales, Codec::default()), Reducer::Mean);
/// let mutation = Mutation::new(&downscaler, 1)?;
/// let region = "0:64,0:64".parse()?;
/// write_region(downscaler.store().scale(0)?, &region, &[8; 64 * 64])?;
/// mutation.region_mutated(&region)?;
/// mutation.execute()?;
/// let mut coarse = [0; 2];
/// read_region(downscaler.store().scale(1)?, &"31:32,31:33".parse()?, &mut coarse)?;
/// assert_eq!(coarse, [8, 0]);
/// assert!(!downscaler.updater().any_updating());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Mutation<'d, D: ?Sized> {
    downreser: &'d D,
    id: u64,
    /// By scale, finest first, from scale 1 on.
    guards: Vec<ScaleGuard>,
    changed: Mutex<BTreeSet<Coords>>,
}

impl<'d, D: Downreser + ?Sized> Mutation<'d, D> {
    /// A mutation that has changed nothing yet; the id is the caller's, for logs.
    ///
    /// # Errors
    /// `InvalidArgument` when the downreser's updater has fewer scales than its array.
    pub fn new(downreser: &'d D, id: u64) -> Result<Self> {
        let guards = (1..downreser.scales().len())
            .map(|scale| downreser.updater().start(scale))
            .collect::<Result<_>>()?;
        Ok(Self { downreser, id, guards, changed: Mutex::default() })
    }

    /// The id that it was made with.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Notes that a chunk of full resolution was written.
    ///
    /// # Errors
    /// `InvalidArgument` when it is out of bounds.
    pub fn chunk_mutated(&self, chunk: &Coords) -> Result<()> {
        let base = self.downreser.scales().base();
        if base.clipped_region(chunk)?.is_none() {
            return Err(Error::new(ErrorKind::InvalidArgument, "the chunk is out of bounds")
                .with("chunk", chunk)
                .with("bounds", base.bounds()));
        }
        self.changed.lock().unwrap_or_else(PoisonError::into_inner).insert(*chunk);
        Ok(())
    }

    /// Notes that a chunk of full resolution was deleted, so that it reads as the fill value.
    ///
    /// # Errors
    /// `InvalidArgument` when it is out of bounds.
    pub fn chunk_deleted(&self, chunk: &Coords) -> Result<()> {
        // What isn't stored is read as the fill value, like every other content.
        self.chunk_mutated(chunk)
    }

    /// Notes that the elements of a region of full resolution were written.
    ///
    /// # Errors
    /// `InvalidArgument` when it is out of bounds.
    pub fn region_mutated(&self, region: &Region) -> Result<()> {
        let base = self.downreser.scales().base();
        base.check_region(region)?;
        self.changed.lock().unwrap_or_else(PoisonError::into_inner).extend(base.chunks_in(region)?);
        Ok(())
    }

    /// Brings all coarser scales up to date, finest first, each in one atomic batch.
    ///
    /// # Errors
    /// Those of [`Downreser::downres`]. Scales that were reached are up to date then, and those behind aren't;
    /// [`recompute`](crate::recompute) of the region makes them so.
    pub fn execute(self) -> Result<()> {
        let Self { downreser, guards, changed, .. } = self;
        let changed = changed.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut changed: Vec<Coords> = changed.into_iter().collect();
        for guard in guards {
            if !changed.is_empty() {
                changed = downreser.downres(guard.scale(), &changed)?;
            }
            guard.stop();
        }
        Ok(())
    }
}
