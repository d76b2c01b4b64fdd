//! Insertions into what is full: each makes room first.

use std::path::Path;

use super::Size;
use super::lmdb::Lmdb;
use super::ours::Ours;
use super::side::{Contents, Side};
use super::sqlite::Sqlite;
use crate::Outcome;
use crate::stopwatch::Stopwatch;

/// Fills each side, and then puts in more; answers lines of a table: side, bytes of an entry, processor time and time on the
/// clock of what came after it was full, bytes a second, and the bytes of the file.
///
/// # Errors
/// Those of the disk and of the sides; the last entry isn't there, or the first still is.
pub fn churn(folder: &Path, bytes: usize, size: Size) -> Outcome<Vec<String>> {
    let each = u64::try_from(bytes)?;
    // Twice over: once so that it is full, and once so that what was freed is used again.
    let (full, all) = (size.held * 3 / 2 / each, (size.held * 3 / 2 + size.put) / each);
    let mut contents = Contents::new(bytes);
    let mut lines = Vec::new();
    for which in 0..3 {
        let folder = tempfile::tempdir_in(folder)?;
        let at = |name: &str| folder.path().join(name);
        let mut side: Box<dyn Side> = match which {
            0 => Box::new(Ours::create(&at("ours"), size.held)?),
            1 => Box::new(Lmdb::create(&at("lmdb"), size.held, false)?),
            _ => Box::new(Sqlite::create(&at("cache.sqlite"), size.held)?),
        };
        side.put(0..full, &mut contents)?;
        let clock = Stopwatch::start()?;
        side.put(full..all, &mut contents)?;
        let what = format!("{} KiB", bytes >> 10);
        lines.push(clock.line(side.name(), "insert into a full cache", &what, side.file_bytes()?)?);
        let mut reader = side.reader()?;
        let mut out = vec![0; bytes];
        if !reader.read(all - 1, &mut out)? || out != contents.of(all - 1) || reader.read(0, &mut out)? {
            return Err(format!("{} doesn't keep what was used last", side.name()).into());
        }
    }
    Ok(lines)
}
