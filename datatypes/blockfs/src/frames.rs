//! Blocks as they lie in a block file.

use std::cell::RefCell;
use std::fs::{File, OpenOptions};

use chunks::Coords;
use engine_api::embedded::read_at;
use engine_api::{Error, ErrorKind, Result};

use crate::blosc::{FrameHeader, HEADER_BYTES, decode};
use crate::head::Head;
use crate::io::narrow;
use crate::opened::{Opened, block_file_failed};
use crate::table::Extent;

thread_local! {
    /// The frame that is being read.
    static FRAME: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Reads the frame of a block and decodes it.
pub(crate) fn read_extent(
    opened: &Opened,
    index: u64,
    extent: Extent,
    sum: Option<u32>,
    out: &mut [u8],
) -> Result<()> {
    FRAME.with_borrow_mut(|frame| {
        read_frame(opened, index, extent, sum, out.len(), frame)?;
        decode(frame, out)
    })
}

/// Reads the frame of a block, and checks all of it that can be checked without decoding.
pub(crate) fn read_frame(
    opened: &Opened,
    index: u64,
    extent: Extent,
    sum: Option<u32>,
    block_bytes: usize,
    frame: &mut Vec<u8>,
) -> Result<()> {
    let damaged = |reason: &'static str| {
        Error::new(ErrorKind::Corrupt, "a block is damaged")
            .with("reason", reason)
            .with("offset", extent.offset)
    };
    let size = narrow(extent.size.into())?;
    // No compressor makes a frame longer than one that stores.
    if size > block_bytes + HEADER_BYTES {
        return Err(damaged("its entry says more bytes than a block can take"));
    }
    frame.resize(size, 0);
    let file = opened.block_file(opened.head.file_of(index))?;
    let read = read_at(file, frame, extent.offset)
        .map_err(|error| Error::from_io(error, "a block can't be read").with("offset", extent.offset))?;
    if read < size {
        return Err(damaged("the block file ends before it"));
    }
    if sum.is_some_and(|sum| crc32c::crc32c(frame) != sum) {
        return Err(damaged("its checksum isn't that of the commit"));
    }
    let header = FrameHeader::read(frame)?;
    if header.frame_bytes() != size {
        return Err(damaged("its frame isn't as long as its entry says"));
    }
    Ok(())
}

pub(crate) fn check_length(head: &Head, block: &Coords, length: usize) -> Result<()> {
    let expected = head.block_bytes(block)?;
    if length == expected {
        return Ok(());
    }
    Err(Error::new(ErrorKind::InvalidArgument, "the buffer isn't as long as the block")
        .with("expected", expected)
        .with("found", length))
}

/// The block file opened to be written; it isn't created, for it holds what others have written.
pub(crate) fn open_block_file(opened: &Opened, number: usize) -> Result<File> {
    let path = opened.block_path(number)?;
    OpenOptions::new().read(true).write(true).open(&path).map_err(|error| block_file_failed(error, &path))
}
