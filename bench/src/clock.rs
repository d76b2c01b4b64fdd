//! The two clocks that durations are taken from.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// What a duration is measured in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Clock {
    /// CPU time of the measuring thread, for work that is done on it: other processes don't count. Where the
    /// system has no such clock it is the wall clock.
    Thread,
    /// Time as it passes, for commits that wait for a disk.
    Wall,
}

impl Clock {
    /// The time since a moment that stays the same.
    pub(crate) fn now(self) -> Duration {
        match self {
            Self::Thread => thread_time(),
            Self::Wall => wall_time(),
        }
    }

    /// The clock's name, as tables and reports show it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Thread => "thread CPU",
            Self::Wall => "wall",
        }
    }
}

fn wall_time() -> Duration {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    START.elapsed()
}

#[cfg(unix)]
fn thread_time() -> Duration {
    use nix::time::{ClockId, clock_gettime};
    // A system that names the clock and has none would give durations of nothing, which no one takes for true.
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}

#[cfg(not(unix))]
fn thread_time() -> Duration {
    wall_time()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn sleep_passes_on_the_wall_clock_alone() {
        let since = |(clock, start): (Clock, Duration)| clock.now().saturating_sub(start);
        let starts = [Clock::Thread, Clock::Wall].map(|clock| (clock, clock.now()));
        std::thread::sleep(Duration::from_millis(50));
        let [thread, wall] = starts.map(since);
        assert!(wall >= Duration::from_millis(50), "{wall:?}");
        assert!(thread < Duration::from_millis(25), "{thread:?}");
    }

    #[test]
    fn neither_clock_runs_backwards() {
        for clock in [Clock::Thread, Clock::Wall] {
            let before = clock.now();
            assert!(clock.now() >= before, "{}", clock.as_str());
        }
    }
}
