//! Reading any part of an image.

use std::fs::File;
use std::io;

use chunks::{MAX_RANK, Region};
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

/// An image whose elements lie one after another in a file.
pub(super) struct FileRegions {
    file: Positioned,
    /// Where the elements begin.
    start: u64,
    info: ImageInfo,
    order: ByteOrder,
}

impl FileRegions {
    pub(super) fn new(file: File, start: u64, info: ImageInfo, order: ByteOrder) -> Self {
        Self { file: Positioned::new(file), start, info, order }
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
        let run = usize::try_from(run).unwrap_or(usize::MAX);
        let mut index = [0u64; MAX_RANK];
        for part in out.chunks_mut(run) {
            // In bounds, so that it is less than the image's bytes, which fit.
            let place: u64 = (0..shape.len())
                .map(|axis| (region.offset()[axis].unsigned_abs() + index[axis]) * strides[axis])
                .sum();
            self.file.read_exact_at(part, self.start.saturating_add(place)).map_err(read_failed)?;
            for axis in (0..run_axis).rev() {
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

/// A file that is read at given places.
#[cfg(unix)]
struct Positioned(File);

#[cfg(unix)]
impl Positioned {
    fn new(file: File) -> Self {
        Self(file)
    }

    fn read_exact_at(&self, out: &mut [u8], at: u64) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(&self.0, out, at)
    }
}

/// A file that is read at given places: threads take turns at its one position.
#[cfg(not(unix))]
struct Positioned(std::sync::Mutex<File>);

#[cfg(not(unix))]
impl Positioned {
    fn new(file: File) -> Self {
        Self(std::sync::Mutex::new(file))
    }

    fn read_exact_at(&self, out: &mut [u8], at: u64) -> io::Result<()> {
        use std::io::{Read, Seek, SeekFrom};
        let mut file = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        file.seek(SeekFrom::Start(at))?;
        file.read_exact(out)
    }
}
