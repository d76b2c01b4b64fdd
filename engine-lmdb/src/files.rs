//! The two files of a store, as far as they can be looked at, created and removed without LMDB.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use engine_api::embedded::{Lock, NewFile, beside, folder_of, head, remove_files};
use engine_api::{Error, ErrorKind, Result};

use super::config::Settings;
use super::error::convert;
use super::raw::{self, Access};

/// What LMDB begins its files with, in the machine's own byte order.
const MAGIC: [u8; 4] = 0xBEEF_C0DE_u32.to_ne_bytes();

/// The version of the format of data files.
const FORMAT: [u8; 4] = 1_u32.to_ne_bytes();

/// Where the magic of a data file stands: behind the head of the first page, which begins with a number of
/// the size of a pointer.
const HEAD: usize = size_of::<usize>() + 8;

/// Where a store is: its data file, and the lock file beside it.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) data: PathBuf,
    pub(crate) lock: PathBuf,
}

impl Place {
    /// Links are followed, so that a store has one place whatever path it is opened by.
    pub(crate) fn of(path: &Path) -> Result<Self> {
        let data = match path.canonicalize() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let folder = folder_of(path);
                let folder = folder.canonicalize().map_err(|error| {
                    Error::from_io(error, "no file can be created in the folder")
                        .with("folder", folder.display())
                })?;
                let name = path.file_name();
                folder
                    .join(name.ok_or_else(|| Error::new(ErrorKind::InvalidConfig, "the path names no file"))?)
            }
            found => found.map_err(|error| Error::from_io(error, "the path can't be looked at"))?,
        };
        Ok(Self { lock: beside(&data, "-lock"), data })
    }

    /// Refuses a data file that isn't LMDB's, without writing to it.
    pub(crate) fn check_data(&self) -> Result<()> {
        let head = head(&self.data, HEAD + 8)?;
        let part = |from: usize| head.get(from..from + 4);
        if part(HEAD) != Some(&MAGIC) {
            return Err(Error::new(ErrorKind::Incompatible, "the file isn't an LMDB environment"));
        }
        if part(HEAD + 4) != Some(&FORMAT) {
            return Err(Error::new(ErrorKind::Incompatible, "the file has another version of LMDB's format"));
        }
        Ok(())
    }

    /// Refuses what stands in the lock file's place and isn't one; whether there is one.
    ///
    /// No environment of this process may be open at this place: closing the file gives up every lock that
    /// the process has on it.
    pub(crate) fn check_lock(&self) -> Result<bool> {
        let present = self.lock.try_exists();
        if !present.map_err(|error| Error::from_io(error, "the lock file can't be looked at"))? {
            return Ok(false);
        }
        let head = head(&self.lock, MAGIC.len())?;
        // One whose first opener died while it was made has no magic yet.
        if head.is_empty() || head == MAGIC || head == [0; MAGIC.len()] {
            return Ok(true);
        }
        let foreign =
            Error::new(ErrorKind::Incompatible, "a file that isn't LMDB's has the lock file's name");
        Err(foreign.with("lock", self.lock.display()))
    }

    /// Creates the data file.
    pub(crate) fn create(&self, settings: &Settings) -> Result<()> {
        let new = self.new_file()?;
        let made = raw::open(new.path(), settings.map, settings, Access::WriteAlone);
        let made = made.and_then(|env| raw::create_table(&env));
        made.map_err(|error| convert(error, "the new file can't be made an environment"))?;
        make_durable(&new.open()?)?;
        new.give_name()
    }

    /// A new data file, without its name.
    pub(crate) fn new_file(&self) -> Result<NewFile> {
        NewFile::create(&self.data, ".lmdb-")
    }

    /// Creates the lock file where there is none: LMDB would let no other user than this one open it.
    pub(crate) fn create_lock(&self) -> Result<()> {
        OpenOptions::new()
            .append(true)
            .create(true)
            .open(&self.lock)
            .map(drop)
            .map_err(|error| Error::from_io(error, "the lock file can't be created"))
    }

    /// Removes the files, the lock file first: it must not be there for who creates the data file anew.
    pub(crate) fn remove(&self) -> Result<()> {
        remove_files([&self.lock, &self.data])
    }

    /// Holds the data file, together with others or alone, while it is opened, replaced or removed. LMDB's
    /// own lock can't be had before an environment is open, and who waits for it takes what it says on trust.
    pub(crate) fn hold(&self, alone: bool) -> Result<Held> {
        loop {
            let data = File::open(&self.data);
            let data = data.map_err(|error| Error::from_io(error, "the file can't be opened"))?;
            let opened = identity(data.metadata());
            let held = hold(data, alone)?;
            match (opened, identity(fs::metadata(&self.data))) {
                (Ok(opened), Ok(there)) if opened == there => return Ok(held),
                // Another process has compacted the store meanwhile.
                (Ok(_), Ok(_)) => {}
                (_, Err(error)) if error.kind() == io::ErrorKind::NotFound => {
                    return Err(Error::new(ErrorKind::Busy, "another process has just removed the store"));
                }
                (Err(error), _) | (_, Err(error)) => {
                    return Err(Error::from_io(error, "the file can't be looked at"));
                }
            }
        }
    }

    pub(crate) fn length(&self) -> Result<u64> {
        let metadata = fs::metadata(&self.data);
        Ok(metadata.map_err(|error| Error::from_io(error, "the file can't be looked at"))?.len())
    }

    /// Whether the disk has no room: a write that didn't fit has taken what there was.
    #[cfg(unix)]
    pub(crate) fn is_full(&self) -> bool {
        rustix::fs::statvfs(&self.data).is_ok_and(|disk| disk.f_bavail == 0)
    }

    #[cfg(not(unix))]
    pub(crate) fn is_full(&self) -> bool {
        false
    }
}

/// The data file, locked for as long as this is there; not on Windows, which doesn't let a file be replaced
/// or removed that is open.
pub(crate) type Held = Option<Lock>;

/// Waits for those who hold it.
pub(crate) fn hold(data: File, alone: bool) -> Result<Held> {
    match alone {
        _ if cfg!(windows) => Ok(None),
        true => Lock::wait(data).map(Some),
        false => Lock::wait_to_share(data).map(Some),
    }
}

/// The lock file, locked against every other process. No environment of this one may be open at the place.
pub(crate) struct Exclusive(File);

impl Exclusive {
    /// # Errors
    /// `Locked` while another process has the store open.
    pub(crate) fn take(place: &Place) -> Result<Self> {
        let file = OpenOptions::new().read(true).write(true).open(&place.lock);
        let file = file.map_err(|error| Error::from_io(error, "the lock file can't be opened"))?;
        match try_lock(&file) {
            Ok(true) => Ok(Self(file)),
            Ok(false) => Err(Error::new(ErrorKind::Locked, "another process has the store open")),
            Err(error) => Err(Error::from_io(error, "the lock file can't be locked")),
        }
    }

    /// Empties the lock file, which tells of the data file that was there so far. Other programs that wait
    /// for it meanwhile get an error, and who comes later begins it anew.
    pub(crate) fn reset(&self) -> Result<()> {
        self.0.set_len(0).map_err(|error| Error::from_io(error, "the lock file can't be emptied"))
    }
}

/// LMDB holds a lock of this kind for as long as an environment is open.
#[cfg(unix)]
fn try_lock(file: &File) -> io::Result<bool> {
    use rustix::fs::{FlockOperation, fcntl_lock};
    use rustix::io::Errno;
    match fcntl_lock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        Err(Errno::AGAIN | Errno::ACCESS) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

#[cfg(not(unix))]
fn try_lock(file: &File) -> io::Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(fs::TryLockError::WouldBlock) => Ok(false),
        Err(fs::TryLockError::Error(error)) => Err(error),
    }
}

#[cfg(unix)]
fn identity(file: io::Result<fs::Metadata>) -> io::Result<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    file.map(|file| (file.dev(), file.ino()))
}

#[cfg(not(unix))]
fn identity(file: io::Result<fs::Metadata>) -> io::Result<()> {
    file.map(drop)
}

pub(crate) fn make_durable(file: &File) -> Result<()> {
    file.sync_all().map_err(|error| Error::from_io(error, "the new file can't be made durable"))
}
