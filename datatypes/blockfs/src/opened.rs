//! The files of a volume, opened.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use engine_api::embedded::{Lock, folder_of};
use engine_api::{Error, ErrorKind, Result};

use crate::head::Head;
use crate::io::Identity;
use crate::records::{Commit, Records};
use crate::table::Extent;

/// A directory file with its head, its records and its block files.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) head: Head,
    pub(crate) directory: File,
    pub(crate) records: Option<Records>,
    pub(crate) identity: Identity,
    pub(crate) folder: PathBuf,
    blocks: Vec<OnceLock<File>>,
}

/// Where a block is, by all that is written about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// It was never written, or deleted.
    Missing,
    /// A write was begun, and none was ever committed.
    Begun,
    /// It was committed.
    Committed(Commit),
    /// Only the table knows it: Python wrote it, or the volume has no records.
    Unchecked {
        extent: Extent,
        /// What was committed before, in case that the entry is damaged.
        otherwise: Option<Commit>,
    },
}

impl Opened {
    pub(crate) fn open(path: &Path, write: bool) -> Result<Self> {
        loop {
            let file = OpenOptions::new().read(true).write(write).open(path).map_err(|error| {
                Error::from_io(error, "the directory file can't be opened").with("path", path.display())
            })?;
            let found = file
                .metadata()
                .map_err(|error| Error::from_io(error, "the directory file can't be looked at"))?;
            let identity = Identity::of(&found);
            match Self::from_file(file, identity, path, write) {
                // A compaction may have removed the records that the old directory file names.
                Err(error) if error.kind() == ErrorKind::NotFound && is_replaced(path, identity) => {}
                opened => return opened.map_err(|error| error.with("path", path.display())),
            }
        }
    }

    fn from_file(directory: File, identity: Identity, path: &Path, write: bool) -> Result<Self> {
        let head = Head::read(&directory)?;
        let folder = folder_of(path).to_owned();
        let records = match &head.seal {
            None => None,
            Some(seal) => {
                let file =
                    OpenOptions::new().read(true).write(write).open(folder.join(&seal.records)).map_err(
                        |error| {
                            Error::from_io(error, "the records of the volume can't be opened")
                                .with("records", &seal.records)
                        },
                    )?;
                Some(Records::new(file, seal.id, head.table.blocks)?)
            }
        };
        let blocks = head.names.iter().map(|_| OnceLock::new()).collect();
        Ok(Self { head, directory, records, identity, folder, blocks })
    }

    /// Opens the files to be written, and shares the lock that keeps compactions out.
    pub(crate) fn open_shared(path: &Path) -> Result<(Self, Lock)> {
        Self::open_with(path, Lock::wait_to_share)
    }

    /// Opens the files to be written, and keeps writers and compactions out.
    ///
    /// # Errors
    /// `Locked` while there are any.
    pub(crate) fn open_alone(path: &Path) -> Result<(Self, Lock)> {
        Self::open_with(path, Lock::take)
    }

    fn open_with(path: &Path, lock: impl Fn(File) -> Result<Lock>) -> Result<(Self, Lock)> {
        loop {
            let opened = Self::open(path, true)?;
            let file = opened
                .directory
                .try_clone()
                .map_err(|error| Error::from_io(error, "the directory file can't be opened twice"))?;
            let locked = lock(file).map_err(|error| error.with("path", path.display()))?;
            // Whoever had it locked may have put another file in its place.
            if !opened.is_replaced(path) {
                return Ok((opened, locked));
            }
        }
    }

    /// Whether another directory file has the path by now.
    pub(crate) fn is_replaced(&self, path: &Path) -> bool {
        is_replaced(path, self.identity)
    }

    /// The path of a block file.
    pub(crate) fn block_path(&self, number: usize) -> Result<PathBuf> {
        let name = self.head.names.get(number).ok_or_else(|| {
            Error::new(ErrorKind::Internal, "there is no such block file").with("number", number)
        })?;
        Ok(resolve(name, &self.folder))
    }

    /// A block file, to be read.
    pub(crate) fn block_file(&self, number: usize) -> Result<&File> {
        let slot = self.blocks.get(number).ok_or_else(|| {
            Error::new(ErrorKind::Internal, "there is no such block file").with("number", number)
        })?;
        if let Some(file) = slot.get() {
            return Ok(file);
        }
        let path = self.block_path(number)?;
        let file = File::open(&path).map_err(|error| block_file_failed(error, &path))?;
        Ok(slot.get_or_init(|| file))
    }

    /// Where the block of this number is.
    pub(crate) fn place(&self, index: u64) -> Result<Place> {
        // The entry comes first: it is written last, so the record is never older.
        let entry = self.head.table.read(&self.directory, index);
        let Some(records) = &self.records else {
            return Ok(entry?.map_or(Place::Missing, |extent| Place::Unchecked { extent, otherwise: None }));
        };
        let record = records.read(index)?;
        Ok(match (entry, record.committed) {
            (Err(error), None) => return Err(error),
            // What the entry can't say any more the record does.
            (Err(_) | Ok(None), Some(commit)) => committed(commit),
            (Ok(None), None) if record.begun.is_some() => Place::Begun,
            (Ok(None), None) => Place::Missing,
            (Ok(Some(extent)), None) => Place::Unchecked { extent, otherwise: None },
            (Ok(Some(extent)), Some(commit)) => {
                // Offsets grow, so of two that differ the greater is the newer.
                let newer = extent.offset > commit.extent.offset
                    || (commit.deleted && extent.offset == commit.extent.offset);
                if newer && extent != commit.extent {
                    Place::Unchecked { extent, otherwise: Some(commit) }
                } else {
                    committed(commit)
                }
            }
        })
    }
}

fn is_replaced(path: &Path, identity: Identity) -> bool {
    std::fs::metadata(path).is_ok_and(|found| Identity::of(&found) != identity)
}

fn committed(commit: Commit) -> Place {
    if commit.deleted { Place::Missing } else { Place::Committed(commit) }
}

/// Where a block file is. A relative name is looked up from the folder of the directory file, where the volume can be moved
/// as a whole, before it is looked up from where this process is, which is all that Python does. What isn't there may be
/// beside the directory file.
pub(crate) fn resolve(name: &str, folder: &Path) -> PathBuf {
    let given = Path::new(name);
    let beside = given.file_name().map(|name| folder.join(name));
    let candidates = [Some(folder.join(given)), beside, Some(given.to_owned())];
    let found = candidates.into_iter().flatten().find(|path| path.is_file());
    found.unwrap_or_else(|| folder.join(given))
}

pub(crate) fn block_file_failed(error: io::Error, path: &Path) -> Error {
    Error::from_io(error, "a block file can't be opened").with("path", path.display())
}
