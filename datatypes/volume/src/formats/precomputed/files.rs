//! Where the files of a precomputed volume are.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use chunks::zeroed;
use engine_api::{Error, ErrorKind, Result};

use crate::formats::linear::read_failed;

/// The files of a volume. Names have slashes between folders, and none leads out of the volume's.
pub(super) trait Files: fmt::Debug + Send + Sync {
    /// A file as it is stored; `None` when there is none.
    ///
    /// # Errors
    /// `Corrupt` when it is longer than `most`.
    fn whole(&self, name: &str, most: u64) -> Result<Option<Whole>>;

    /// A part of a file; `None` when there is no such file.
    ///
    /// # Errors
    /// `Corrupt` when the file ends before the part does.
    fn part(&self, name: &str, start: u64, bytes: u64) -> Result<Option<Vec<u8>>>;
}

/// What is stored in a file.
#[derive(Debug)]
pub(super) struct Whole {
    pub(super) bytes: Vec<u8>,
    /// Whether its name says that it is compressed.
    pub(super) compressed: bool,
}

/// A folder of this machine.
#[derive(Debug)]
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }
}

impl Files for Folder {
    /// The file of just that name, or the one with `.gz` behind it.
    fn whole(&self, name: &str, most: u64) -> Result<Option<Whole>> {
        let (mut file, compressed) = match open(&self.0.join(name))? {
            Some(file) => (file, false),
            None => match open(&self.0.join(format!("{name}.gz")))? {
                Some(file) => (file, true),
                None => return Ok(None),
            },
        };
        let length = file.metadata().map_err(read_failed)?.len();
        if length > most {
            return Err(too_long(most).with("found", length));
        }
        let mut bytes = zeroed(usize::try_from(length).unwrap_or(usize::MAX))?;
        file.read_exact(&mut bytes).map_err(read_failed)?;
        Ok(Some(Whole { bytes, compressed }))
    }

    fn part(&self, name: &str, start: u64, bytes: u64) -> Result<Option<Vec<u8>>> {
        let Some(mut file) = open(&self.0.join(name))? else { return Ok(None) };
        let length = file.metadata().map_err(read_failed)?.len();
        if start.checked_add(bytes).is_none_or(|end| end > length) {
            return Err(ends_before(start, bytes).with("length", length));
        }
        file.seek(SeekFrom::Start(start)).map_err(read_failed)?;
        let mut part = zeroed(usize::try_from(bytes).unwrap_or(usize::MAX))?;
        file.read_exact(&mut part).map_err(read_failed)?;
        Ok(Some(part))
    }
}

fn open(path: &Path) -> Result<Option<File>> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::from_io(error, "a file of the volume can't be opened")),
    }
}

/// The most bytes that a file has whose contents are no more than these. Compressing may have made them longer.
pub(super) fn most_stored(plain: u64) -> u64 {
    plain.saturating_mul(2).saturating_add(1 << 16)
}

pub(super) fn too_long(most: u64) -> Error {
    Error::new(ErrorKind::Corrupt, "a file is longer than its contents can be").with("most", most)
}

pub(super) fn ends_before(start: u64, bytes: u64) -> Error {
    Error::new(ErrorKind::Corrupt, "a file ends before a part of it that another refers to")
        .with("start", start)
        .with("bytes", bytes)
}
