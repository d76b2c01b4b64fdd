//! Reads and writes at a place of a file, and which file a path leads to.

use std::fs::{File, Metadata};
use std::io;

use engine_api::{Error, ErrorKind, Result};

/// Reads as many bytes as there are from `at` on, up to the length of `out`.
pub(crate) fn read_at(file: &File, mut out: &mut [u8], mut at: u64) -> io::Result<usize> {
    let wanted = out.len();
    while !out.is_empty() {
        match system::read_at(file, out, at) {
            Ok(0) => break,
            Ok(read) => {
                out = &mut out[read..];
                at += wide(read);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(wanted - out.len())
}

/// Writes all of `data` from `at` on.
pub(crate) fn write_at(file: &File, data: &[u8], at: u64) -> io::Result<()> {
    system::write_all_at(file, data, at)
}

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
    use std::fs::{File, Metadata};
    use std::io;
    use std::os::unix::fs::{FileExt, MetadataExt};

    pub(super) fn read_at(file: &File, out: &mut [u8], at: u64) -> io::Result<usize> {
        file.read_at(out, at)
    }

    pub(super) fn write_all_at(file: &File, data: &[u8], at: u64) -> io::Result<()> {
        file.write_all_at(data, at)
    }

    pub(super) fn identity(file: &Metadata) -> (u64, u64) {
        (file.dev(), file.ino())
    }
}

#[cfg(windows)]
mod system {
    use std::fs::{File, Metadata};
    use std::io;
    use std::os::windows::fs::{FileExt, MetadataExt};

    pub(super) fn read_at(file: &File, out: &mut [u8], at: u64) -> io::Result<usize> {
        file.seek_read(out, at)
    }

    pub(super) fn write_all_at(file: &File, mut data: &[u8], mut at: u64) -> io::Result<()> {
        while !data.is_empty() {
            let written = file.seek_write(data, at)?;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            data = &data[written..];
            at += super::wide(written);
        }
        Ok(())
    }

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
