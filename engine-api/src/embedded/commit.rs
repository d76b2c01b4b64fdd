//! Commits that don't wait for the disk, and commits that fail on it.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::spi::{Error, ErrorKind, Result};

/// How many commits have returned before they were on the disk, and how many of them a flush has put there.
///
/// Counts rather than a flag: a flush that finds another under way mustn't return before it.
#[derive(Debug, Default)]
pub struct Unflushed {
    committed: AtomicU64,
    flushed: AtomicU64,
}

impl Unflushed {
    /// Counts a commit that has been made, and is to be flushed.
    pub fn add(&self) {
        self.committed.fetch_add(1, Ordering::Release);
    }

    /// Flushes, by `force`, if there is something to flush.
    ///
    /// # Errors
    /// Those of `force`; what was to be flushed then still is.
    pub fn flush(&self, force: impl FnOnce() -> Result<()>) -> Result<()> {
        let committed = self.committed.load(Ordering::Acquire);
        if self.flushed.load(Ordering::Acquire) < committed {
            force()?;
            self.flushed.fetch_max(committed, Ordering::Release);
        }
        Ok(())
    }
}

/// Converts an operating system's failure of a commit's last step, which may have reached the disk before.
///
/// A disk that was full is the exception, where the data is written before what makes it count.
#[cold]
pub fn failed_commit(error: io::Error, message: &'static str) -> Error {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Error::from_io(error, message),
        _ => Error::new(ErrorKind::Ambiguous, message).caused_by(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flush_is_made_when_there_is_something_to_flush_and_again_when_it_failed() {
        let unflushed = Unflushed::default();
        unflushed.flush(|| panic!("there is nothing to flush")).unwrap();
        unflushed.add();
        let error = unflushed.flush(|| Err(Error::new(ErrorKind::Io, "it failed"))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Io);
        let mut forced = 0;
        for _ in 0..2 {
            let mut force = || {
                forced += 1;
                Ok(())
            };
            unflushed.flush(&mut force).unwrap();
        }
        assert_eq!(forced, 1);
    }

    #[test]
    fn what_is_committed_during_a_flush_is_left_to_the_next() {
        let unflushed = Unflushed::default();
        unflushed.add();
        let beside = || {
            unflushed.add();
            Ok(())
        };
        unflushed.flush(beside).unwrap();
        unflushed.flush(|| Err(Error::new(ErrorKind::Io, "it is reached"))).unwrap_err();
    }

    #[test]
    fn a_commit_that_fails_is_ambiguous_unless_the_disk_was_full() {
        let kind = |kind| failed_commit(io::Error::from(kind), "it failed").kind();
        assert_eq!(kind(io::ErrorKind::Other), ErrorKind::Ambiguous);
        assert_eq!(kind(io::ErrorKind::PermissionDenied), ErrorKind::Ambiguous);
        assert_eq!(kind(io::ErrorKind::StorageFull), ErrorKind::Full);
        assert_eq!(kind(io::ErrorKind::QuotaExceeded), ErrorKind::Full);
    }
}
