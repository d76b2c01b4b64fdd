//! Opening image files.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use engine_api::{Error, ErrorKind, Result};

use super::linear::read_failed;

/// A file and its length.
pub(super) fn open_file(path: &Path) -> Result<(BufReader<File>, u64)> {
    let failed = |error| Error::from_io(error, "the image can't be opened");
    let file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(Error::new(ErrorKind::InvalidArgument, "the image isn't a file"));
    }
    Ok((BufReader::with_capacity(1 << 18, file), metadata.len()))
}

/// The longest description of an image that is read.
const MOST_TEXT_BYTES: u64 = 16 << 20;

/// A description of an image, whole.
pub(super) fn read_text(path: &Path) -> Result<Vec<u8>> {
    let (file, length) = open_file(path)?;
    if length > MOST_TEXT_BYTES {
        return Err(Error::new(ErrorKind::TooLarge, "the image's description is too long")
            .with("bytes", length)
            .with("limit", MOST_TEXT_BYTES));
    }
    let mut text = Vec::new();
    file.take(MOST_TEXT_BYTES).read_to_end(&mut text).map_err(read_failed)?;
    Ok(text)
}
