//! Reading any part of an image.

use std::fs::File;

use chunks::{MAX_RANK, Region};
use engine_api::embedded::read_exact_at;
use engine_api::{Error, ErrorKind, Result};

use super::bytes::{ByteOrder, swap_elements};
use super::info::ImageInfo;
use super::linear::read_failed;

/// Reads any part of an image, from any number of threads.
pub trait RegionReader: Send + Sync {
    /// The image's shape, type and axes.
    fn info(&self) -> &ImageInfo;

    /// The shape of the chunks that the image is stored in; `None` where elements lie one after another.
    fn chunk_shape(&self) -> Option<&[u64]>;

    /// Reads the elements of a region: C order, little-endian.
    ///
    /// # Errors
    /// `InvalidArgument` when the region is out of bounds or `out` isn't as long as it; `Corrupt` when the file
    /// is damaged or ends too early. After an error the contents of `out` are unspecified.
    fn read_region(&self, region: &Region, out: &mut [u8]) -> Result<()>;

    /// Whether a read mostly waits, as for a server, so that more of them at once than there are processors are faster.
    fn waits(&self) -> bool {
        false
    }
}

/// Whether a region is in an image's bounds and a buffer as long as it.
pub(super) fn check_request(info: &ImageInfo, region: &Region, bytes: usize) -> Result<()> {
    let bounds = Region::at_origin(info.shape())?;
    if !bounds.contains(region) {
        return Err(Error::new(ErrorKind::InvalidArgument, "the region is out of bounds")
            .with("region", region)
            .with("bounds", bounds));
    }
    let expected = region.bytes(info.dtype().size())?;
    if expected != bytes {
        return Err(Error::new(ErrorKind::InvalidArgument, "the buffer isn't as long as the region")
            .with("expected", expected)
            .with("found", bytes));
    }
    Ok(())
}

/// Bytes that aren't wanted are read along where a read of its own would cost about as much.
const WORTH_A_READ: u64 = 16 << 10;

/// The most that is read at once with bytes that aren't wanted.
const MOST_AT_ONCE: u64 = 4 << 20;

/// An image whose elements lie one after another in a file.
pub(super) struct FileRegions {
    file: File,
    /// Where the elements begin.
    start: u64,
    info: ImageInfo,
    order: ByteOrder,
}

impl FileRegions {
    pub(super) fn new(file: File, start: u64, info: ImageInfo, order: ByteOrder) -> Self {
        Self { file, start, info, order }
    }
}

impl RegionReader for FileRegions {
    fn info(&self) -> &ImageInfo {
        &self.info
    }

    fn chunk_shape(&self) -> Option<&[u64]> {
        None
    }

    fn read_region(&self, region: &Region, out: &mut [u8]) -> Result<()> {
        check_request(&self.info, region, out.len())?;
        if region.is_empty() {
            return Ok(());
        }
        let size = u64::try_from(self.info.dtype().size()).unwrap_or(8);
        let shape = self.info.shape();
        let mut strides = [size; MAX_RANK];
        for axis in (0..shape.len().saturating_sub(1)).rev() {
            strides[axis] = strides[axis + 1].saturating_mul(shape[axis + 1]);
        }
        // The axes from `whole` on are read whole, so that one run covers them and the one before.
        let mut whole = shape.len();
        while whole > 1 && region.shape()[whole - 1] == shape[whole - 1] {
            whole -= 1;
        }
        let run_axis = whole - 1;
        let run = region.shape()[run_axis].saturating_mul(strides[run_axis]);
        // Runs that follow each other at one distance: those along the axis before.
        let (runs, distance) = match run_axis.checked_sub(1) {
            Some(axis) => (region.shape()[axis], strides[axis]),
            None => (1, run),
        };
        let span = (runs - 1).saturating_mul(distance).saturating_add(run);
        let at_once = span <= MOST_AT_ONCE && span <= runs.saturating_mul(run.saturating_add(WORTH_A_READ));
        let narrow = |length: u64| usize::try_from(length).unwrap_or(usize::MAX);
        let (run, runs) = (narrow(run), narrow(runs));
        let mut scratch = if at_once { vec![0; narrow(span)] } else { Vec::new() };
        let mut index = [0u64; MAX_RANK];
        for part in out.chunks_mut(run.saturating_mul(runs)) {
            // In bounds, so that it is less than the image's bytes, which fit.
            let place: u64 = (0..shape.len())
                .map(|axis| (region.offset()[axis].unsigned_abs() + index[axis]) * strides[axis])
                .sum();
            let place = self.start.saturating_add(place);
            if at_once {
                read_exact_at(&self.file, &mut scratch, place).map_err(read_failed)?;
                for (row, from) in part.chunks_mut(run).zip(scratch.chunks(narrow(distance))) {
                    row.copy_from_slice(&from[..run]);
                }
            } else {
                for (row, at) in part.chunks_mut(run).zip((place..).step_by(narrow(distance))) {
                    read_exact_at(&self.file, row, at).map_err(read_failed)?;
                }
            }
            for axis in (0..run_axis.saturating_sub(1)).rev() {
                index[axis] += 1;
                if index[axis] < region.shape()[axis] {
                    break;
                }
                index[axis] = 0;
            }
        }
        if self.order == ByteOrder::Big {
            swap_elements(self.info.dtype().size(), out);
        }
        Ok(())
    }
}
