//! Files whose elements lie one after another: NIfTI, NumPy and raw.

use std::io::{self, Read, Write};

use engine_api::{Error, ErrorKind, Result};
use flate2::write::GzEncoder;

use super::bytes::{ByteOrder, swap_elements};
use super::info::ImageInfo;
use super::io::{ImageReader, ImageWriter, Progress};
use super::partial_file::PartialFile;

/// What deflate can't exceed: 1032 bytes out per byte in (a length code of 258 bytes takes 2 bits).
pub(super) const DEFLATE_RATIO: u64 = 1032;

/// Reads the elements of a stream that is at the first of them.
pub(super) struct LinearReader {
    input: Box<dyn Read + Send>,
    info: ImageInfo,
    order: ByteOrder,
    progress: Progress,
}

impl LinearReader {
    pub(super) fn new(input: Box<dyn Read + Send>, info: ImageInfo, order: ByteOrder) -> Result<Self> {
        let progress = Progress::new(&info)?;
        Ok(Self { input, info, order, progress })
    }
}

impl ImageReader for LinearReader {
    fn info(&self) -> &ImageInfo {
        &self.info
    }

    fn next_slab(&mut self, out: &mut [u8]) -> Result<u64> {
        let (bytes, slices) = self.progress.to_read(out.len())?;
        if slices == 0 {
            return Ok(0);
        }
        let out = &mut out[..bytes];
        self.input.read_exact(out).map_err(read_failed)?;
        if self.order == ByteOrder::Big {
            swap_elements(self.info.dtype().size(), out);
        }
        self.progress.advance(slices);
        if self.progress.is_complete() {
            // The checksum of a gzip stream is at its end, and judged when the end is read.
            io::copy(&mut self.input, &mut io::sink()).map_err(read_failed)?;
        }
        Ok(slices)
    }
}

/// A failure while elements are read: what a decompressor reports is damage, not a failure of the system.
pub(super) fn read_failed(error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => {
            Error::new(ErrorKind::Corrupt, "the file ends before its image does").caused_by(error)
        }
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => {
            Error::new(ErrorKind::Corrupt, "the file's compressed data is damaged").caused_by(error)
        }
        _ => Error::from_io(error, "the file can't be read"),
    }
}

/// Refuses an image that a file of this length can't hold, before anything is allocated for it.
pub(super) fn check_plausible(info: &ImageInfo, available: u64) -> Result<()> {
    if info.total_bytes() <= available {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Corrupt, "the file is too short for the image that its header describes")
        .with("shape", format_args!("{:?}", info.shape()))
        .with("type", info.dtype())
        .with("image_bytes", info.total_bytes())
        .with("at_most_available", available))
}

/// Where the bytes of a file go.
pub(super) enum Output {
    Plain(PartialFile),
    Gzip(Box<GzEncoder<PartialFile>>),
}

impl Output {
    pub(super) fn write_all(&mut self, data: &[u8]) -> Result<()> {
        match self {
            Self::Plain(file) => file.write_all(data),
            Self::Gzip(file) => file.write_all(data),
        }
        .map_err(PartialFile::write_failed)
    }

    fn commit(self) -> Result<()> {
        match self {
            Self::Plain(file) => file.commit(),
            Self::Gzip(file) => file.finish().map_err(PartialFile::write_failed)?.commit(),
        }
    }
}

/// Writes elements behind a header that is already written.
pub(super) struct LinearWriter {
    output: Output,
    info: ImageInfo,
    progress: Progress,
}

impl LinearWriter {
    pub(super) fn new(mut output: Output, info: ImageInfo, header: &[u8]) -> Result<Self> {
        let progress = Progress::new(&info)?;
        output.write_all(header)?;
        Ok(Self { output, info, progress })
    }
}

impl ImageWriter for LinearWriter {
    fn info(&self) -> &ImageInfo {
        &self.info
    }

    fn write_slab(&mut self, data: &[u8]) -> Result<()> {
        let slices = self.progress.to_write(data.len())?;
        self.output.write_all(data)?;
        self.progress.advance(slices);
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<()> {
        self.progress.check_complete()?;
        self.output.commit()
    }
}
