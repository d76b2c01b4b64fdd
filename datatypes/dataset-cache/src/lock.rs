//! Who has a cache open: one who writes, or any number who read.

use std::fs::{File, TryLockError};

use engine_api::{Error, ErrorKind, Result};

/// A lock on a file, until it is dropped or the process ends.
#[derive(Debug)]
pub(crate) struct FileLock(File);

impl FileLock {
    /// Keeps all others out.
    ///
    /// # Errors
    /// `Locked` while somebody has the file open.
    pub(crate) fn exclusive(file: &File) -> Result<Self> {
        let file = duplicate(file)?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => Err(Error::new(
                ErrorKind::Locked,
                "the cache is open elsewhere: one may have it open to write, and nobody beside; close the other, or give this process a cache file of its own",
            )),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }

    /// Keeps out those who write. A file system that has no locks, as read-only ones may, needs none.
    ///
    /// # Errors
    /// `Locked` while somebody has the file open to write.
    pub(crate) fn shared(file: &File) -> Result<Option<Self>> {
        let file = duplicate(file)?;
        match file.try_lock_shared() {
            Ok(()) => Ok(Some(Self(file))),
            Err(TryLockError::WouldBlock) => Err(Error::new(
                ErrorKind::Locked,
                "the cache is open elsewhere to write: many may read one that nobody writes; close the writer first",
            )),
            Err(TryLockError::Error(error)) if error.kind() == std::io::ErrorKind::Unsupported => Ok(None),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }
}

impl Drop for FileLock {
    fn drop(&mut self) {
        // Closing the file releases it too, but not while another thread starts a process, which has all files of
        // this one open for a moment.
        self.0.unlock().unwrap_or(());
    }
}

fn duplicate(file: &File) -> Result<File> {
    file.try_clone().map_err(failed)
}

#[cold]
fn failed(error: std::io::Error) -> Error {
    Error::from_io(error, "the cache can't be locked")
}
