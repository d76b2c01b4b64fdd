//! What an HDF5 file says of its own length.

use std::io::Read;
use std::path::Path;

use engine_api::{Error, ErrorKind, Result};

use crate::formats::file::open_file;
use crate::formats::linear::read_failed;

const SIGNATURE: [u8; 8] = *b"\x89HDF\r\n\x1a\n";

/// Refuses a file that is shorter than it says, as HDF5 itself does: what is missing may be anything. A file that
/// begins with something else, or has short addresses, is left to be found damaged later.
pub(super) fn check_length(path: &Path) -> Result<()> {
    let (file, length) = open_file(path)?;
    let mut head = Vec::new();
    file.take(52).read_to_end(&mut head).map_err(read_failed)?;
    let Some(end) = end_of(&head) else { return Ok(()) };
    if end > length {
        return Err(Error::new(ErrorKind::Corrupt, "the HDF5 file ends too early")
            .with("bytes", length)
            .with("should_be", end));
    }
    Ok(())
}

/// Where the superblock at a file's beginning says that the file ends.
fn end_of(head: &[u8]) -> Option<u64> {
    let (signature, rest) = head.split_first_chunk()?;
    if *signature != SIGNATURE {
        return None;
    }
    // The length of addresses, and where that of the end is.
    let (address_bytes, at) = match *rest.first()? {
        0 => (head.get(13)?, 40),
        1 => (head.get(13)?, 44),
        2 | 3 => (head.get(9)?, 28),
        _ => return None,
    };
    if *address_bytes != 8 {
        return None;
    }
    head.get(at..)?.first_chunk().map(|bytes| u64::from_le_bytes(*bytes))
}
