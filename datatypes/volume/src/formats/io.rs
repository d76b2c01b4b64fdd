//! What readers and writers of every format have in common.

use engine_api::{Error, ErrorKind, Result};

use super::info::ImageInfo;

/// Reads an image from front to back, a few slices at a time.
pub trait ImageReader: Send {
    /// The image's shape, type and axes.
    fn info(&self) -> &ImageInfo;

    /// Reads as many slices as `out` has room for and the image has left; answers their number, and 0 at the
    /// end.
    ///
    /// A slice is everything at one position of the slowest axis, and
    /// [`slice_bytes`](ImageInfo::slice_bytes) long: C order, elements little-endian.
    ///
    /// # Errors
    /// `InvalidArgument` when `out` isn't a number of whole slices, at least one; `Corrupt` when the file is
    /// damaged or ends too early. After an error the contents of `out` are unspecified.
    fn next_slab(&mut self, out: &mut [u8]) -> Result<u64>;
}

/// Writes an image from front to back, a few slices at a time.
///
/// The file has another name until [`finish`](ImageWriter::finish); a writer that is dropped before leaves
/// nothing under the final name.
pub trait ImageWriter: Send {
    /// The image's shape, type and axes.
    fn info(&self) -> &ImageInfo;

    /// Writes the next slices: C order, elements little-endian.
    ///
    /// # Errors
    /// `InvalidArgument` when `data` isn't a number of whole slices or there are more than the image has.
    fn write_slab(&mut self, data: &[u8]) -> Result<()>;

    /// Writes what is left to write, makes it durable, and gives the file its name.
    ///
    /// # Errors
    /// `InvalidArgument` when slices are missing.
    fn finish(self: Box<Self>) -> Result<()>;
}

/// How many slices of an image are done.
#[derive(Debug)]
pub(super) struct Progress {
    slices: u64,
    done: u64,
    slice_bytes: usize,
}

impl Progress {
    pub(super) fn new(info: &ImageInfo) -> Result<Self> {
        Ok(Self { slices: info.slices(), done: 0, slice_bytes: info.slice_bytes()? })
    }

    /// The number of slices that are done.
    pub(super) fn done(&self) -> u64 {
        self.done
    }

    pub(super) fn is_complete(&self) -> bool {
        self.done == self.slices
    }

    /// The part of a reader's buffer that will be filled, in bytes, and its slices.
    pub(super) fn to_read(&self, bytes: usize) -> Result<(usize, u64)> {
        let room = self.whole_slices(bytes)?;
        if room == 0 {
            return Err(Error::new(ErrorKind::InvalidArgument, "the buffer has no room for a slice")
                .with("slice_bytes", self.slice_bytes));
        }
        let slices = room.min(self.slices - self.done);
        // No more than `bytes`, so it fits.
        Ok((usize::try_from(slices).map_or(bytes, |slices| slices * self.slice_bytes), slices))
    }

    /// The number of slices in a writer's data.
    pub(super) fn to_write(&self, bytes: usize) -> Result<u64> {
        let slices = self.whole_slices(bytes)?;
        if slices > self.slices - self.done {
            return Err(Error::new(ErrorKind::InvalidArgument, "there are more slices than the image has")
                .with("slices", self.slices));
        }
        Ok(slices)
    }

    pub(super) fn advance(&mut self, slices: u64) {
        self.done += slices;
    }

    /// Whether a writer has got all slices.
    pub(super) fn check_complete(&self) -> Result<()> {
        if self.is_complete() {
            return Ok(());
        }
        Err(Error::new(ErrorKind::InvalidArgument, "slices of the image are missing")
            .with("slices", self.slices)
            .with("written", self.done))
    }

    fn whole_slices(&self, bytes: usize) -> Result<u64> {
        u64::try_from(bytes / self.slice_bytes)
            .ok()
            .filter(|_| bytes.is_multiple_of(self.slice_bytes))
            .ok_or_else(|| {
                Error::new(ErrorKind::InvalidArgument, "the buffer isn't a number of whole slices")
                    .with("bytes", bytes)
                    .with("slice_bytes", self.slice_bytes)
            })
    }
}
