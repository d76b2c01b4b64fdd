//! Images that are stored in chunks, read and written slab by slab: a row of chunks at a time.

use chunks::{Region, zeroed};
use engine_api::{Error, ErrorKind, Result};

use super::info::ImageInfo;
use super::io::{ImageReader, ImageWriter, Progress};
use super::regions::RegionReader;

/// The slices from one position on the slowest axis to another.
fn slab_region(info: &ImageInfo, start: u64, slices: u64) -> Result<Region> {
    let mut offset = vec![0; info.shape().len()];
    let mut shape = info.shape().to_vec();
    let first = i64::try_from(start)
        .map_err(|error| Error::new(ErrorKind::TooLarge, "the image is too long").caused_by(error))?;
    offset[0] = first;
    shape[0] = slices;
    Region::new(&offset, &shape)
}

/// Reads an image of chunks from front to back. Each chunk is decoded once, whatever the slabs' size: of a row
/// of chunks that isn't asked for whole, what is left is kept.
pub(super) struct ChunkedReader {
    regions: Box<dyn RegionReader>,
    progress: Progress,
    /// The extent of a chunk along the slowest axis.
    rows: u64,
    /// The row of chunks that begins at `row_start`; empty unless a part of it is still to be read.
    row: Vec<u8>,
    row_start: u64,
}

impl ChunkedReader {
    pub(super) fn new(regions: Box<dyn RegionReader>) -> Result<Self> {
        let progress = Progress::new(regions.info())?;
        let rows = regions.chunk_shape().and_then(|shape| shape.first().copied()).unwrap_or(1).max(1);
        Ok(Self { regions, progress, rows, row: Vec::new(), row_start: 0 })
    }

    /// Reads one slice or more, and answers how many.
    fn read_some(&mut self, start: u64, wanted: u64, out: &mut [u8]) -> Result<u64> {
        let info = self.regions.info();
        let row_start = start - start % self.rows;
        let row_slices = self.rows.min(info.slices() - row_start);
        if start == row_start && wanted >= row_slices {
            // Rows that are wanted whole need no buffer.
            let whole = if wanted >= info.slices() - start { wanted } else { wanted - wanted % self.rows };
            let bytes = info.slab_bytes(whole)?;
            self.regions.read_region(&slab_region(info, start, whole)?, &mut out[..bytes])?;
            return Ok(whole);
        }
        if self.row.is_empty() || self.row_start != row_start {
            self.row = Vec::new();
            let mut row = zeroed(info.slab_bytes(row_slices)?)?;
            self.regions.read_region(&slab_region(info, row_start, row_slices)?, &mut row)?;
            (self.row, self.row_start) = (row, row_start);
        }
        let within = start - row_start;
        let slices = wanted.min(row_slices - within);
        let (from, bytes) = (info.slab_bytes(within)?, info.slab_bytes(slices)?);
        out[..bytes].copy_from_slice(&self.row[from..from + bytes]);
        if within + slices == row_slices {
            self.row = Vec::new();
        }
        Ok(slices)
    }
}

impl ImageReader for ChunkedReader {
    fn info(&self) -> &ImageInfo {
        self.regions.info()
    }

    fn next_slab(&mut self, out: &mut [u8]) -> Result<u64> {
        let (bytes, slices) = self.progress.to_read(out.len())?;
        let out = &mut out[..bytes];
        let start = self.progress.done();
        let (mut done, mut at) = (0, 0);
        while done < slices {
            let read = self.read_some(start + done, slices - done, &mut out[at..])?;
            done += read;
            at += self.regions.info().slab_bytes(read)?;
        }
        self.progress.advance(slices);
        Ok(slices)
    }
}

/// Where rows of chunks go.
pub(super) trait RowSink: Send {
    /// Stores the chunks of a region that is whole rows of them, the last row perhaps cut by the image's end.
    fn write_rows(&mut self, region: &Region, data: &[u8]) -> Result<()>;

    /// Completes the image.
    fn finish(self: Box<Self>) -> Result<()>;
}

/// Writes an image of chunks from front to back; slices wait until their row of chunks is there.
pub(super) struct ChunkedWriter {
    sink: Box<dyn RowSink>,
    info: ImageInfo,
    progress: Progress,
    /// The extent of a chunk along the slowest axis.
    rows: u64,
    /// What is there of the row of chunks that is being written.
    row: Vec<u8>,
}

impl ChunkedWriter {
    pub(super) fn new(info: &ImageInfo, chunk_shape: &[u64], sink: Box<dyn RowSink>) -> Result<Self> {
        let rows = chunk_shape.first().copied().unwrap_or(1).max(1);
        Ok(Self { sink, info: info.clone(), progress: Progress::new(info)?, rows, row: Vec::new() })
    }

    /// Takes one slice or more, and answers how many.
    fn write_some(&mut self, start: u64, slices: u64, data: &[u8]) -> Result<u64> {
        let row_start = start - start % self.rows;
        let row_slices = self.rows.min(self.info.slices() - row_start);
        if start == row_start && slices >= row_slices {
            let region = slab_region(&self.info, start, row_slices)?;
            self.sink.write_rows(&region, &data[..self.info.slab_bytes(row_slices)?])?;
            return Ok(row_slices);
        }
        if self.row.is_empty() {
            let bytes = self.info.slab_bytes(row_slices)?;
            self.row.try_reserve_exact(bytes).map_err(|error| {
                Error::new(ErrorKind::TooLarge, "there is no memory for a row of chunks; take smaller ones")
                    .with("bytes", bytes)
                    .caused_by(error)
            })?;
        }
        let taken = slices.min(row_slices - (start - row_start));
        self.row.extend_from_slice(&data[..self.info.slab_bytes(taken)?]);
        if start + taken == row_start + row_slices {
            self.sink.write_rows(&slab_region(&self.info, row_start, row_slices)?, &self.row)?;
            self.row.clear();
        }
        Ok(taken)
    }
}

impl ImageWriter for ChunkedWriter {
    fn info(&self) -> &ImageInfo {
        &self.info
    }

    fn write_slab(&mut self, data: &[u8]) -> Result<()> {
        let slices = self.progress.to_write(data.len())?;
        let start = self.progress.done();
        let (mut done, mut at) = (0, 0);
        while done < slices {
            let written = self.write_some(start + done, slices - done, &data[at..])?;
            done += written;
            at += self.info.slab_bytes(written)?;
        }
        self.progress.advance(slices);
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<()> {
        self.progress.check_complete()?;
        self.sink.finish()
    }
}
