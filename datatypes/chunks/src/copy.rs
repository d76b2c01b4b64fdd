//! Copies between buffers that hold different regions.

use engine_api::{Error, ErrorKind, Result};

use crate::axes::MAX_RANK;
use crate::{Fill, Region};

/// Copies the elements of `overlap` from a buffer that holds `src_region` to one that holds `dst_region`.
///
/// Both buffers are C order, the last axis fastest, with `element_size` bytes per element. Whole rows are
/// copied at a time, and more than rows where the overlap spans both buffers' trailing axes.
///
/// # Errors
/// `InvalidArgument`, and nothing copied, when a buffer isn't as long as its region or the overlap isn't
/// inside both regions.
pub fn copy_region(
    src: &[u8],
    src_region: &Region,
    dst: &mut [u8],
    dst_region: &Region,
    overlap: &Region,
    element_size: usize,
) -> Result<()> {
    let from = Layout::new(src.len(), src_region, overlap, element_size)?;
    let to = Layout::new(dst.len(), dst_region, overlap, element_size)?;
    let runs = Runs::new(overlap, &[src_region, dst_region], element_size)?;
    runs.each(|index| {
        let (read, write) = (from.position(index), to.position(index));
        dst[write..write + runs.length].copy_from_slice(&src[read..read + runs.length]);
    });
    Ok(())
}

/// Writes the fill value over the elements of `overlap` in a buffer that holds `region`.
///
/// # Errors
/// As [`copy_region`].
pub fn fill_region(dst: &mut [u8], region: &Region, overlap: &Region, fill: &Fill) -> Result<()> {
    let element_size = fill.dtype().size();
    let to = Layout::new(dst.len(), region, overlap, element_size)?;
    let runs = Runs::new(overlap, &[region], element_size)?;
    runs.each(|index| {
        let write = to.position(index);
        fill.write(&mut dst[write..write + runs.length]);
    });
    Ok(())
}

/// Where the elements of the overlap are in one buffer.
struct Layout {
    base: usize,
    /// Bytes from one element to the next, per axis.
    strides: [usize; MAX_RANK],
}

impl Layout {
    fn new(length: usize, region: &Region, overlap: &Region, element_size: usize) -> Result<Self> {
        if length != region.bytes(element_size)? {
            return Err(Error::new(ErrorKind::InvalidArgument, "the buffer isn't as long as its region")
                .with("bytes", length)
                .with("region", region)
                .with("element_size", element_size));
        }
        if !region.contains(overlap) {
            return Err(Error::new(ErrorKind::InvalidArgument, "the overlap isn't inside the region")
                .with("overlap", overlap)
                .with("region", region));
        }
        let mut layout = Self { base: 0, strides: [0; MAX_RANK] };
        if overlap.is_empty() {
            return Ok(layout);
        }
        let mut stride = element_size;
        for axis in (0..region.rank()).rev() {
            let ahead = overlap.offset()[axis].abs_diff(region.offset()[axis]);
            layout.base += to_usize(ahead)? * stride;
            layout.strides[axis] = stride;
            stride *= to_usize(region.shape()[axis])?;
        }
        Ok(layout)
    }

    fn position(&self, index: &[usize; MAX_RANK]) -> usize {
        let steps = index.iter().zip(&self.strides).map(|(index, stride)| index * stride);
        self.base + steps.sum::<usize>()
    }
}

/// The longest pieces of an overlap that are contiguous in every buffer.
struct Runs {
    /// The number of runs along each axis; 1 for the axes inside a run.
    counts: [usize; MAX_RANK],
    /// The length of a run in bytes.
    length: usize,
}

impl Runs {
    fn new(overlap: &Region, regions: &[&Region], element_size: usize) -> Result<Self> {
        let mut runs = Self { counts: [1; MAX_RANK], length: element_size };
        if overlap.is_empty() {
            return Ok(Self { length: 0, ..runs });
        }
        let mut contiguous = true;
        for axis in (0..overlap.rank()).rev() {
            let extent = to_usize(overlap.shape()[axis])?;
            if contiguous {
                runs.length *= extent;
            } else {
                runs.counts[axis] = extent;
            }
            contiguous &= regions.iter().all(|region| region.shape()[axis] == overlap.shape()[axis]);
        }
        Ok(runs)
    }

    /// Calls `run` with the index of each run inside the overlap.
    fn each(&self, mut run: impl FnMut(&[usize; MAX_RANK])) {
        if self.length == 0 {
            return;
        }
        let mut index = [0; MAX_RANK];
        loop {
            run(&index);
            let mut axis = MAX_RANK;
            loop {
                let Some(next) = axis.checked_sub(1) else { return };
                axis = next;
                index[axis] += 1;
                if index[axis] < self.counts[axis] {
                    break;
                }
                index[axis] = 0;
            }
        }
    }
}

fn to_usize(value: u64) -> Result<usize> {
    usize::try_from(value).map_err(|_| Error::new(ErrorKind::TooLarge, "the region doesn't fit memory"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DType;
    use proptest::prelude::*;

    /// Every point of a region, in C order.
    fn points(region: &Region) -> Vec<Vec<i64>> {
        let mut points = vec![vec![]];
        for axis in 0..region.rank() {
            points = points
                .iter()
                .flat_map(|point: &Vec<i64>| {
                    (region.offset()[axis]..region.end(axis))
                        .map(move |at| [point.as_slice(), &[at]].concat())
                })
                .collect();
        }
        points
    }

    fn naive_copy(src: &[u8], from: &Region, dst: &mut [u8], to: &Region, overlap: &Region, size: usize) {
        let (sources, targets) = (points(from), points(to));
        for point in points(overlap) {
            let read = sources.iter().position(|p| *p == point).unwrap() * size;
            let write = targets.iter().position(|p| *p == point).unwrap() * size;
            dst[write..write + size].copy_from_slice(&src[read..read + size]);
        }
    }

    fn buffer(region: &Region, size: usize, seed: usize) -> Vec<u8> {
        (0..region.bytes(size).unwrap()).map(|i| u8::try_from((i * 7 + seed) % 251).unwrap()).collect()
    }

    fn regions() -> impl Strategy<Value = (Region, Region)> {
        (1usize..=5).prop_flat_map(|rank| {
            let region = || {
                prop::collection::vec((-2i64..2, 1u64..5), rank).prop_map(|axes| {
                    let (offset, shape): (Vec<_>, Vec<_>) = axes.into_iter().unzip();
                    Region::new(&offset, &shape).unwrap()
                })
            };
            (region(), region())
        })
    }

    proptest! {
        #[test]
        fn copies_what_a_loop_over_elements_copies(
            (from, to) in regions(),
            size in prop::sample::select(vec![1usize, 2, 4, 8]),
        ) {
            if let Some(overlap) = from.intersection(&to) {
                let src = buffer(&from, size, 1);
                let mut fast = buffer(&to, size, 100);
                let mut naive = fast.clone();
                copy_region(&src, &from, &mut fast, &to, &overlap, size).unwrap();
                naive_copy(&src, &from, &mut naive, &to, &overlap, size);
                prop_assert_eq!(fast, naive);
            }
        }

        #[test]
        fn fills_what_a_copy_of_fill_values_fills((from, to) in regions()) {
            let fill = Fill::parse(DType::I16, "-300").unwrap();
            if let Some(overlap) = from.intersection(&to) {
                let mut src = buffer(&from, 2, 0);
                fill.write(&mut src);
                let mut filled = buffer(&to, 2, 100);
                let mut copied = filled.clone();
                fill_region(&mut filled, &to, &overlap, &fill).unwrap();
                copy_region(&src, &from, &mut copied, &to, &overlap, 2).unwrap();
                prop_assert_eq!(filled, copied);
            }
        }
    }

    #[test]
    fn an_empty_overlap_copies_nothing() {
        let region = Region::at_origin(&[2, 2]).unwrap();
        let mut dst = [9; 4];
        for shape in [[0, 2], [0, 1 << 62]] {
            let empty = Region::new(&[7, 0], &shape).unwrap();
            copy_region(&[1; 4], &region, &mut dst, &region, &empty, 1).unwrap();
            assert_eq!(dst, [9; 4]);
        }
    }

    #[test]
    fn wrong_lengths_and_overlaps_are_refused() {
        let region = Region::at_origin(&[2, 2]).unwrap();
        let beyond = Region::new(&[1, 1], &[2, 1]).unwrap();
        let other_rank = Region::at_origin(&[2]).unwrap();
        for (src, dst, overlap) in [(3, 4, &region), (4, 5, &region), (4, 4, &beyond), (4, 4, &other_rank)] {
            let (src, mut dst) = (vec![1; src], vec![9; dst]);
            let error = copy_region(&src, &region, &mut dst, &region, overlap, 1).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument);
            assert!(dst.iter().all(|byte| *byte == 9));
        }
    }
}
