//! What whole pieces of work take.

use std::fs;
use std::path::Path;
use std::time::Instant;

use crate::Outcome;

/// Processor time of all threads, and the time on the wall.
pub(crate) struct Stopwatch {
    wall: Instant,
    ticks: f64,
}

impl Stopwatch {
    pub(crate) fn start() -> Outcome<Self> {
        Ok(Self { wall: Instant::now(), ticks: processor_seconds()? })
    }

    /// Seconds of processor time since it was started.
    pub(crate) fn processor(&self) -> Outcome<f64> {
        Ok(processor_seconds()? - self.ticks)
    }

    /// A line of a table: what it took, and bytes on disk.
    pub(crate) fn line(&self, program: &str, what: &str, of: &str, bytes: u64) -> Outcome<String> {
        let processor = self.processor()?;
        let wall = self.wall.elapsed().as_secs_f64();
        Ok(format!("{program}\t{what}\t{of}\tcpu {processor:.2} s\twall {wall:.2} s\t{bytes} B"))
    }
}

/// The time that processors have spent on this process, on all of its threads, in seconds.
fn processor_seconds() -> Outcome<f64> {
    #[cfg(unix)]
    {
        let time = nix::time::clock_gettime(nix::time::ClockId::CLOCK_PROCESS_CPUTIME_ID)?;
        Ok(std::time::Duration::from(time).as_secs_f64())
    }
    #[cfg(not(unix))]
    {
        Err("processor time is measured on Unix alone".into())
    }
}

/// The length of a file, or of all files of a folder.
pub(crate) fn size(path: &Path) -> Outcome<u64> {
    if path.is_dir() {
        let mut bytes = 0;
        for entry in fs::read_dir(path)? {
            bytes += entry?.metadata()?.len();
        }
        return Ok(bytes);
    }
    Ok(fs::metadata(path)?.len())
}
