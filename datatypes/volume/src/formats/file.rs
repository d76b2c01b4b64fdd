//! Opening image files.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use engine_api::{Error, ErrorKind, Result};

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
