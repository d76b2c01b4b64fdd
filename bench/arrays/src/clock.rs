//! Processor time of all threads, and the time on the wall.

use std::time::Instant;

use crate::Outcome;

/// What something took, in seconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Took {
    pub(crate) processor: f64,
    pub(crate) wall: f64,
}

impl Took {
    /// The lesser of two rounds, each figure by itself.
    pub(crate) fn least(self, other: Self) -> Self {
        Self { processor: self.processor.min(other.processor), wall: self.wall.min(other.wall) }
    }
}

/// Does something, and answers what it took besides what it gave.
pub(crate) fn timed<T>(work: impl FnOnce() -> Outcome<T>) -> Outcome<(Took, T)> {
    let (wall, processor) = (Instant::now(), processor_seconds()?);
    let given = work()?;
    let processor = processor_seconds()? - processor;
    Ok((Took { processor, wall: wall.elapsed().as_secs_f64() }, given))
}

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
