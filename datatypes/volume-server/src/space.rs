//! An array of any number of axes as clients see it: a box with three.

use chunks::{MultiscaleStore, Region, read_region, zeroed};
use engine_api::{Error, ErrorKind, Result};

/// A volume with three axes: z, y, x.
///
/// An array with fewer has axes of one element before its own; of one with more, the slower axes stand at a
/// place that the client names.
#[derive(Debug)]
pub(crate) struct Space<'a> {
    store: &'a dyn MultiscaleStore,
    /// Where the axes before the last three stand, in elements of scale 0.
    place: &'a [i64],
}

/// The number of axes that clients see.
pub(crate) const AXES: usize = 3;

impl<'a> Space<'a> {
    /// # Errors
    /// `InvalidArgument` when `place` isn't one number for each axis before the last three; `NotFound` when it
    /// is out of bounds.
    pub(crate) fn new(store: &'a dyn MultiscaleStore, place: &'a [i64]) -> Result<Self> {
        let base = store.scales().base();
        let slower = base.rank().saturating_sub(AXES);
        if place.len() != slower {
            let message = if slower == 0 {
                "the volume has three axes at most, and no place along others"
            } else {
                "the volume has more than three axes; name a place along the slower ones by /at/INDEX[,INDEX]"
            };
            return Err(Error::new(ErrorKind::InvalidArgument, message)
                .with("axes", base.rank())
                .with("expected", slower)
                .with("found", place.len()));
        }
        let bounds = base.bounds();
        if let Some(axis) = (0..slower).find(|axis| {
            let at = place[*axis];
            at < bounds.offset()[*axis] || at >= bounds.end(*axis)
        }) {
            return Err(Error::new(ErrorKind::NotFound, "the place is out of bounds")
                .with("axis", axis)
                .with("place", place[axis])
                .with("bounds", bounds));
        }
        Ok(Self { store, place })
    }

    /// The number of scales.
    pub(crate) fn scales(&self) -> usize {
        self.store.scales().len()
    }

    /// Whether there is such a scale.
    ///
    /// # Errors
    /// `NotFound`.
    pub(crate) fn check_scale(&self, scale: usize) -> Result<()> {
        if scale < self.scales() {
            return Ok(());
        }
        Err(Error::new(ErrorKind::NotFound, "there is no such scale")
            .with("scale", scale)
            .with("scales", self.scales()))
    }

    /// The array at a scale, as a box of three axes.
    pub(crate) fn bounds(&self, scale: usize) -> Result<Region> {
        let bounds = self.store.scales().grid(scale)?.bounds();
        Region::new(&last(bounds.offset(), 0), &last(bounds.shape(), 1))
    }

    /// The shape of a scale's chunks.
    pub(crate) fn chunk_shape(&self, scale: usize) -> Result<[u64; AXES]> {
        Ok(last(self.store.scales().grid(scale)?.chunk_shape(), 1))
    }

    /// How many elements of scale 0 become one of a scale.
    pub(crate) fn factors(&self, scale: usize) -> Result<[u64; AXES]> {
        Ok(last(&self.store.scales().total_factors(scale)?, 1))
    }

    /// The elements of a box: C order, little-endian.
    ///
    /// # Errors
    /// `InvalidArgument` when it is out of bounds; those of the store.
    pub(crate) fn read(&self, scale: usize, part: &Region) -> Result<Vec<u8>> {
        let store = self.store.scale(scale)?;
        let region = self.region(scale, part)?;
        let mut data = zeroed(region.bytes(store.grid().element_size())?)?;
        read_region(store, &region, &mut data)?;
        Ok(data)
    }

    /// A box as a region of the array.
    fn region(&self, scale: usize, part: &Region) -> Result<Region> {
        let bounds = self.bounds(scale)?;
        if !bounds.contains(part) {
            return Err(Error::new(ErrorKind::InvalidArgument, "the region is out of bounds")
                .with("region", part)
                .with("bounds", bounds));
        }
        let rank = self.store.scales().base().rank();
        let factors = self.store.scales().total_factors(scale)?;
        let mut offset: Vec<i64> = Vec::with_capacity(rank);
        for (at, factor) in self.place.iter().zip(&factors) {
            offset.push(at.div_euclid(i64::try_from(*factor).unwrap_or(i64::MAX)));
        }
        let mut shape = vec![1; offset.len()];
        let hidden = AXES.saturating_sub(rank);
        offset.extend_from_slice(&part.offset()[hidden..]);
        shape.extend_from_slice(&part.shape()[hidden..]);
        Region::new(&offset, &shape)
    }
}

/// The last three of a list that is slowest axis first, after as many of `before` as are missing.
fn last<T: Copy>(list: &[T], before: T) -> [T; AXES] {
    std::array::from_fn(|axis| {
        (list.len() + axis).checked_sub(AXES).and_then(|at| list.get(at)).copied().unwrap_or(before)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use chunks::{Codec, DType, Grid, MemoryScales, Scales, write_region};

    /// Elements that tell where they are.
    fn store(shape: &[u64], origin: &[i64], factors: &[Vec<u64>]) -> MemoryScales {
        let grid = Grid::new(shape, &vec![2; shape.len()], DType::U16).unwrap().with_origin(origin).unwrap();
        let store = MemoryScales::new(Scales::new(grid, factors).unwrap(), Codec::default());
        for scale in 0..store.scales().len() {
            let region = store.scales().grid(scale).unwrap().bounds();
            let first = u16::try_from(scale * 10_000).unwrap();
            let elements = u16::try_from(region.elements()).unwrap();
            let data: Vec<u8> = (first..first + elements).flat_map(u16::to_le_bytes).collect();
            write_region(store.scale(scale).unwrap(), &region, &data).unwrap();
        }
        store
    }

    fn numbers(data: &[u8]) -> Vec<u16> {
        data.as_chunks::<2>().0.iter().map(|bytes| u16::from_le_bytes(*bytes)).collect()
    }

    #[test]
    fn an_array_of_one_axis_is_a_row() {
        let store = store(&[5], &[-2], &[]);
        let space = Space::new(&store, &[]).unwrap();
        assert_eq!(space.bounds(0).unwrap().to_string(), "0:1,0:1,-2:3");
        assert_eq!(space.chunk_shape(0).unwrap(), [1, 1, 2]);
        assert_eq!(numbers(&space.read(0, &"0:1,0:1,-1:2".parse().unwrap()).unwrap()), [1, 2, 3]);
    }

    #[test]
    fn slower_axes_stand_where_the_client_says_at_every_scale() {
        let store = store(&[3, 3, 1, 2, 2], &[-1, 0, 0, 0, 0], &[vec![2, 1, 1, 1, 1]]);
        let space = Space::new(&store, &[1, 2]).unwrap();
        let all = space.bounds(0).unwrap();
        // Row 2 of the first axis, which begins at -1, and row 2 of the second.
        assert_eq!(numbers(&space.read(0, &all).unwrap()), [32, 33, 34, 35]);
        // -1 becomes -1, and 0 and 1 become 0: row 1 of the coarse scale.
        assert_eq!(numbers(&space.read(1, &all).unwrap()), [10_020, 10_021, 10_022, 10_023]);
    }

    #[test]
    fn a_place_that_is_missing_or_out_of_bounds_is_refused() {
        let four = store(&[3, 1, 1, 1], &[0; 4], &[]);
        let kind = |place: &[i64]| Space::new(&four, place).unwrap_err().kind();
        assert_eq!(kind(&[]), ErrorKind::InvalidArgument);
        assert_eq!(kind(&[0, 0]), ErrorKind::InvalidArgument);
        assert_eq!(kind(&[-1]), ErrorKind::NotFound);
        assert_eq!(kind(&[3]), ErrorKind::NotFound);
        let three = store(&[1, 1, 1], &[0; 3], &[]);
        assert_eq!(Space::new(&three, &[0]).unwrap_err().kind(), ErrorKind::InvalidArgument);
    }

    #[test]
    fn a_box_out_of_bounds_is_refused() {
        let store = store(&[2, 2], &[0, 0], &[]);
        let space = Space::new(&store, &[]).unwrap();
        for region in ["0:1,0:2,0:3", "0:2,0:2,0:2", "0:1,-1:1,0:1"] {
            let error = space.read(0, &region.parse().unwrap()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{region}");
        }
    }
}
