//! What time it is.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::SystemTime;

use crate::index::LATEST;

/// What tells the time, in microseconds since 1970; tests have others.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// A clock whose moments are all different, and grow.
pub(crate) struct Moments {
    clock: Clock,
    last: AtomicI64,
}

impl Moments {
    pub(crate) fn new(clock: Clock, last: i64) -> Self {
        Self { clock, last: AtomicI64::new(last) }
    }

    pub(crate) fn now(&self) -> i64 {
        (self.clock)().min(LATEST)
    }

    /// A moment that no other is: now, or just after the last, where the clock stands still or was put back.
    pub(crate) fn next(&self) -> i64 {
        let now = self.now();
        let last = self
            .last
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(now.max(last.saturating_add(1))));
        let last = last.unwrap_or_else(|last| last);
        now.max(last.saturating_add(1))
    }
}

impl fmt::Debug for Moments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Moments").field("last", &self.last).finish_non_exhaustive()
    }
}

/// The system's clock.
pub(crate) fn system() -> Clock {
    Arc::new(|| {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
    })
}
