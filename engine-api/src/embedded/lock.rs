//! A lock on a file, which keeps other openers out.

use std::fs::{File, TryLockError};

use crate::spi::{Error, ErrorKind, Result};

/// A lock on a file that is open, until it is dropped or the process ends.
#[derive(Debug)]
pub struct Lock(File);

impl Lock {
    /// Locks the file.
    ///
    /// # Errors
    /// `Locked` while another has it locked, in this process or another.
    pub fn take(file: File) -> Result<Self> {
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => {
                Err(Error::new(ErrorKind::Locked, "the store is open elsewhere"))
            }
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }

    /// Waits until nobody else has the file locked.
    pub fn wait(file: File) -> Result<Self> {
        file.lock().map_err(failed)?;
        Ok(Self(file))
    }

    /// Waits until nobody has the file locked but others who share it.
    pub fn wait_to_share(file: File) -> Result<Self> {
        file.lock_shared().map_err(failed)?;
        Ok(Self(file))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing the file releases it too, but not while another thread starts a process, which has all
        // files of this one open for a moment.
        self.0.unlock().unwrap_or(());
    }
}

#[cold]
fn failed(error: std::io::Error) -> Error {
    Error::from_io(error, "the store can't be locked")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_has_the_lock_or_many_share_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        File::create(&path).unwrap();
        let file = || File::options().read(true).write(true).open(&path).unwrap();
        let refused = || Lock::take(file()).unwrap_err().kind();
        for lock in [Lock::take, Lock::wait] {
            let _held = lock(file()).unwrap();
            assert_eq!(refused(), ErrorKind::Locked);
        }
        let shared = (Lock::wait_to_share(file()).unwrap(), Lock::wait_to_share(file()).unwrap());
        assert_eq!(refused(), ErrorKind::Locked);
        drop(shared);
        Lock::take(file()).unwrap();
    }

    #[test]
    fn a_lock_is_let_go_of_though_the_file_stays_open_elsewhere() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let file = File::create(&path).unwrap();
        // As a process that is being started has it.
        let _inherited = file.try_clone().unwrap();
        drop(Lock::take(file).unwrap());
        Lock::take(File::open(&path).unwrap()).unwrap();
    }
}
