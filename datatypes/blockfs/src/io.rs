//! Which file a path leads to, and sizes.

use std::fs::Metadata;

use engine_api::{Error, ErrorKind, Result};

/// Two files have the same identity where they are one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity(u64, u64);

impl Identity {
    pub(crate) fn of(file: &Metadata) -> Self {
        let (volume, number) = system::identity(file);
        Self(volume, number)
    }
}

#[cfg(unix)]
mod system {
    use std::fs::Metadata;
    use std::os::unix::fs::MetadataExt;

    pub(super) fn identity(file: &Metadata) -> (u64, u64) {
        (file.dev(), file.ino())
    }
}

#[cfg(windows)]
mod system {
    use std::fs::Metadata;
    use std::os::windows::fs::MetadataExt;

    pub(super) fn identity(file: &Metadata) -> (u64, u64) {
        (0, file.creation_time())
    }
}

/// A size as 64 bits; no platform has wider ones.
pub(crate) fn wide(size: usize) -> u64 {
    u64::try_from(size).unwrap_or(u64::MAX)
}

/// A size that memory can have.
pub(crate) fn narrow(size: u64) -> Result<usize> {
    usize::try_from(size)
        .map_err(|_| Error::new(ErrorKind::TooLarge, "a size is beyond memory").with("bytes", size))
}
