//! An array and the coarser ones that are made from it.

use engine_api::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use crate::axes::{Axes, rank_mismatch};
use crate::cells::coarser_region;
use crate::walk::ChunksIn;
use crate::{Coords, Grid, Region};

/// The largest number of scales: more halvings than an axis has bits.
pub const MAX_SCALES: usize = 64;

/// The grids of an array at every scale, finest first.
///
/// Scale 0 is the array itself. An element of scale s + 1 is made from a *cell* of scale s: the box that begins
/// at its coordinates times the [`factors`](Scales::factors) and is as long as the factors say. Cells are counted
/// from element zero, not from the array's origin, and those at the edge have fewer elements: an array from -1 to
/// 6 becomes one from -1 to 3 when it is halved. Chunks keep their shape, so that a chunk of scale s + 1 is made from
/// as many chunks of scale s as a cell has elements, whatever the shape is.
///
/// As JSON, the base and the factors per scale: `{"base":GRID,"factors":[[2,2,2],[1,2,2]]}`.
///
/// ```
/// use chunks::{DType, Grid, Scales};
///
/// # fn main() -> engine_api::Result<()> {
/// let scales = Scales::new(Grid::new(&[40, 512, 500], &[64, 64, 64], DType::U8)?, &[vec![1, 2, 2], vec![2, 2, 2]])?;
/// let shapes: Vec<_> = scales.grids().iter().map(|grid| grid.shape()).collect();
/// assert_eq!(shapes, [[40, 512, 500], [40, 256, 250], [20, 128, 125]]);
/// assert_eq!(scales.total_factors(2)?, [2, 4, 4]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct Scales {
    grids: Vec<Grid>,
    /// From scale s to s + 1, at s.
    factors: Vec<Axes<u64>>,
}

impl Scales {
    /// The base alone.
    pub fn single(base: Grid) -> Self {
        Self { grids: vec![base], factors: Vec::new() }
    }

    /// A base, and a scale for every list of factors; a list is slowest axis first, and says how many elements of
    /// the scale before become one along each axis.
    ///
    /// # Errors
    /// `InvalidArgument` when a factor is zero, a list is of another length than the base has axes, or leaves the
    /// scale as it is; `TooLarge` when there are more scales than [`MAX_SCALES`], or what one chunk is made from is
    /// over [`MAX_CHUNK_BYTES`](crate::MAX_CHUNK_BYTES).
    pub fn new(base: Grid, factors: &[Vec<u64>]) -> Result<Self> {
        let mut scales = Self::single(base);
        if factors.len() >= MAX_SCALES {
            return Err(Error::new(ErrorKind::TooLarge, "there are too many scales")
                .with("scales", factors.len().saturating_add(1))
                .with("most", MAX_SCALES));
        }
        for factors in factors {
            scales.push(factors)?;
        }
        Ok(scales)
    }

    /// A base, and as many coarser scales as bring it down to one chunk, each half as long as the one before along
    /// every axis that is longer than a chunk.
    ///
    /// # Errors
    /// `TooLarge` when what one chunk is made from is over [`MAX_CHUNK_BYTES`](crate::MAX_CHUNK_BYTES).
    pub fn halving(base: Grid) -> Result<Self> {
        let mut scales = Self::single(base);
        loop {
            let last = scales.last();
            let factors: Vec<u64> = last
                .shape()
                .iter()
                .zip(last.chunk_shape())
                .map(|(length, chunk)| if length > chunk && *length > 1 { 2 } else { 1 })
                .collect();
            if factors.iter().all(|factor| *factor == 1) {
                return Ok(scales);
            }
            scales.push(&factors)?;
        }
    }

    fn push(&mut self, factors: &[u64]) -> Result<()> {
        let last = *self.last();
        if factors.len() != last.rank() {
            return Err(rank_mismatch(last.rank(), factors.len()));
        }
        let refused = |kind, message| {
            Err(Error::new(kind, message)
                .with("scale", self.grids.len())
                .with("factors", format_args!("{factors:?}")))
        };
        if factors.contains(&0) || factors.iter().all(|factor| *factor == 1) {
            return refused(ErrorKind::InvalidArgument, "the factors make no coarser scale");
        }
        let cells = factors.iter().try_fold(1u64, |product, factor| product.checked_mul(*factor));
        let bytes = cells.and_then(|cells| usize::try_from(cells).ok()?.checked_mul(last.chunk_bytes()));
        if bytes.is_none_or(|bytes| bytes > crate::MAX_CHUNK_BYTES) {
            return refused(
                ErrorKind::TooLarge,
                "a chunk of the coarser scale is made from too many elements",
            );
        }
        let coarse = coarser_region(&last.bounds(), factors)?;
        let grid = Grid::new(coarse.shape(), last.chunk_shape(), last.dtype())?
            .with_fill(*last.fill())?
            .with_origin(coarse.offset())?;
        self.grids.push(grid);
        self.factors.push(Axes::new(factors)?);
        Ok(())
    }

    fn last(&self) -> &Grid {
        // There is always the base.
        &self.grids[self.grids.len() - 1]
    }

    /// The number of scales, the base among them; at least 1.
    #[allow(clippy::len_without_is_empty, reason = "there is always the base")]
    pub fn len(&self) -> usize {
        self.grids.len()
    }

    /// The grids, finest first.
    pub fn grids(&self) -> &[Grid] {
        &self.grids
    }

    /// The grid of scale 0.
    pub fn base(&self) -> &Grid {
        &self.grids[0]
    }

    /// The grid of a scale.
    ///
    /// # Errors
    /// `InvalidArgument` when there is no such scale.
    pub fn grid(&self, scale: usize) -> Result<&Grid> {
        self.grids.get(scale).ok_or_else(|| self.no_such(scale))
    }

    /// How many elements of the scale before become one of this scale, per axis; ones at scale 0.
    ///
    /// # Errors
    /// `InvalidArgument` when there is no such scale.
    pub fn factors(&self, scale: usize) -> Result<&[u64]> {
        const ONES: [u64; crate::MAX_RANK] = [1; crate::MAX_RANK];
        self.grid(scale)?;
        match scale.checked_sub(1).and_then(|finer| self.factors.get(finer)) {
            Some(factors) => Ok(factors),
            None => Ok(&ONES[..self.base().rank()]),
        }
    }

    /// How many elements of scale 0 become one of this scale, per axis.
    ///
    /// # Errors
    /// `InvalidArgument` when there is no such scale.
    pub fn total_factors(&self, scale: usize) -> Result<Vec<u64>> {
        self.grid(scale)?;
        let mut total = vec![1u64; self.base().rank()];
        for factors in &self.factors[..scale] {
            for (total, factor) in total.iter_mut().zip(factors.iter()) {
                *total = total.saturating_mul(*factor);
            }
        }
        Ok(total)
    }

    /// The elements of a scale that have a part in a region of the scale before.
    ///
    /// # Errors
    /// `InvalidArgument` when there is no such scale but 0, or the number of axes is wrong.
    pub fn coarser_region(&self, scale: usize, finer: &Region) -> Result<Region> {
        coarser_region(finer, self.factors(scale)?)
    }

    /// The elements of the scale before that those of a region are made from, out of bounds ones included.
    ///
    /// # Errors
    /// `InvalidArgument` when there is no such scale, or the number of axes is wrong; `TooLarge` when coordinates
    /// don't fit `i64`.
    pub fn finer_region(&self, scale: usize, region: &Region) -> Result<Region> {
        let factors = self.factors(scale)?;
        if region.rank() != factors.len() {
            return Err(rank_mismatch(factors.len(), region.rank()));
        }
        let too_large = || {
            Error::new(ErrorKind::TooLarge, "the region is too far out for a finer scale")
                .with("region", region)
        };
        let mut offset = Vec::with_capacity(factors.len());
        let mut shape = Vec::with_capacity(factors.len());
        for (axis, factor) in factors.iter().enumerate() {
            let signed = i64::try_from(*factor).map_err(|_| too_large())?;
            offset.push(region.offset()[axis].checked_mul(signed).ok_or_else(too_large)?);
            shape.push(region.shape()[axis].checked_mul(*factor).ok_or_else(too_large)?);
        }
        Region::new(&offset, &shape)
    }

    /// The chunk of a scale that a chunk of the scale before has a part in.
    ///
    /// # Errors
    /// `InvalidArgument` when there is no such scale, or the number of axes is wrong.
    pub fn parent(&self, scale: usize, child: &Coords) -> Result<Coords> {
        let factors = self.factors(scale)?;
        if child.len() != factors.len() {
            return Err(rank_mismatch(factors.len(), child.len()));
        }
        Ok(Coords::from_fn(child.len(), |axis| {
            // Towards zero or minus one, so that it fits.
            let parent = i64::from(child[axis]).div_euclid(i64::try_from(factors[axis]).unwrap_or(i64::MAX));
            i32::try_from(parent).unwrap_or(child[axis])
        }))
    }

    /// The chunks of the scale before that a chunk is made from, in C order: those in bounds alone.
    ///
    /// # Errors
    /// `InvalidArgument` when there is no such scale, or the number of axes is wrong.
    pub fn children(&self, scale: usize, chunk: &Coords) -> Result<ChunksIn> {
        let Some(finer) = scale.checked_sub(1) else { return Ok(ChunksIn::none(chunk.len())) };
        let (grid, fine) = (self.grid(scale)?, self.grid(finer)?);
        match grid.clipped_region(chunk)? {
            Some(region) => {
                let all = self.finer_region(scale, &region)?;
                match all.intersection(&fine.bounds()) {
                    Some(region) => fine.chunks_in(&region),
                    None => Ok(ChunksIn::none(chunk.len())),
                }
            }
            None => Ok(ChunksIn::none(chunk.len())),
        }
    }

    fn no_such(&self, scale: usize) -> Error {
        Error::new(ErrorKind::InvalidArgument, "there is no such scale")
            .with("scale", scale)
            .with("scales", self.grids.len())
    }
}

/// The scales as JSON has them.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    base: Grid,
    factors: Vec<Vec<u64>>,
}

impl From<Scales> for Stored {
    fn from(scales: Scales) -> Self {
        let factors = scales.factors.iter().map(|factors| factors.to_vec()).collect();
        Self { base: scales.grids[0], factors }
    }
}

impl TryFrom<Stored> for Scales {
    type Error = Error;

    fn try_from(stored: Stored) -> Result<Self> {
        Self::new(stored.base, &stored.factors)
    }
}
