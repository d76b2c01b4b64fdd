//! Whether a disk has room for what a benchmark writes.

use std::path::Path;

use super::Outcome;

/// What an engine may take for each byte of a value, in quarters: redb's pages are powers of two, so 2 MiB and
/// a key take twice as much.
const QUARTERS: u64 = 9;

/// Fails unless the disk of a folder has room for values of so many bytes.
pub(crate) fn check(folder: &Path, bytes: u64) -> Outcome {
    let (needed, free) = (bytes / 4 * QUARTERS, free(folder)?);
    if needed <= free {
        return Ok(());
    }
    let (folder, needed, free) = (folder.display(), needed >> 20, free >> 20);
    Err(format!("{folder} needs {needed} MiB of room and has {free}; TMPDIR names another place").into())
}

#[cfg(unix)]
fn free(folder: &Path) -> Outcome<u64> {
    let disk = rustix::fs::statvfs(folder)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// What isn't known isn't refused: the engine says when the disk is full.
#[cfg(not(unix))]
fn free(_: &Path) -> Outcome<u64> {
    Ok(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn what_no_disk_holds_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        check(folder.path(), 1).unwrap();
        let error = check(folder.path(), 1 << 58).unwrap_err();
        assert!(error.to_string().contains("MiB of room"), "{error}");
    }
}
