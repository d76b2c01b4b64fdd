//! Which scales are being brought up to date.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use engine_api::{Error, ErrorKind, Result};

/// Counts the updates under way at every scale, and lets others wait for their end.
///
/// A scale is being updated for as long as there is a [`ScaleGuard`] of it, so that neither an error nor a panic
/// leaves it so for ever. Clones share their counts.
///
/// ```
/// use downres::Updater;
///
/// # fn main() -> engine_api::Result<()> {
/// let updater = Updater::new(3);
/// let guard = updater.start(2)?;
/// assert!(updater.is_updating(2) && updater.any_updating());
/// guard.stop();
/// updater.block_on_updating();
/// assert!(!updater.any_updating());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Updater {
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    /// Updates under way, by scale.
    counts: Mutex<Vec<u64>>,
    ended: Condvar,
}

impl State {
    fn counts(&self) -> MutexGuard<'_, Vec<u64>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Updater {
    /// For this many scales, full resolution among them.
    pub fn new(scales: usize) -> Self {
        Self { state: Arc::new(State { counts: Mutex::new(vec![0; scales]), ended: Condvar::new() }) }
    }

    /// Says that an update of a scale begins; it ends with the guard.
    ///
    /// # Errors
    /// `InvalidArgument` when there is no such scale.
    pub fn start(&self, scale: usize) -> Result<ScaleGuard> {
        let mut counts = self.state.counts();
        let scales = counts.len();
        let count = counts.get_mut(scale).ok_or_else(|| {
            Error::new(ErrorKind::InvalidArgument, "there is no such scale")
                .with("scale", scale)
                .with("scales", scales)
        })?;
        // Every unit is a guard in memory.
        *count += 1;
        Ok(ScaleGuard { state: Arc::clone(&self.state), scale })
    }

    /// Whether a scale is being updated; one that there isn't never is.
    pub fn is_updating(&self, scale: usize) -> bool {
        self.state.counts().get(scale).is_some_and(|count| *count > 0)
    }

    /// Whether any scale is, the coarsest included.
    pub fn any_updating(&self) -> bool {
        self.state.counts().iter().any(|count| *count > 0)
    }

    /// Waits until no scale is being updated.
    ///
    /// A thread that holds a guard would wait for itself.
    pub fn block_on_updating(&self) {
        let mut counts = self.state.counts();
        while counts.iter().any(|count| *count > 0) {
            counts = self.state.ended.wait(counts).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits as [`block_on_updating`](Self::block_on_updating) does, but not for longer than `limit`; answers whether
    /// no scale is being updated.
    pub fn block_on_updating_for(&self, limit: Duration) -> bool {
        let begun = Instant::now();
        let mut counts = self.state.counts();
        while counts.iter().any(|count| *count > 0) {
            let Some(left) = limit.checked_sub(begun.elapsed()).filter(|left| !left.is_zero()) else {
                return false;
            };
            (counts, _) = self.state.ended.wait_timeout(counts, left).unwrap_or_else(PoisonError::into_inner);
        }
        true
    }
}

/// An update of a scale, under way until this is dropped.
#[derive(Debug)]
#[must_use = "the update ends when its guard is dropped"]
pub struct ScaleGuard {
    state: Arc<State>,
    scale: usize,
}

impl ScaleGuard {
    /// The scale.
    pub fn scale(&self) -> usize {
        self.scale
    }

    /// Ends the update.
    pub fn stop(self) {}
}

impl Drop for ScaleGuard {
    fn drop(&mut self) {
        if let Some(count) = self.state.counts().get_mut(self.scale) {
            *count = count.saturating_sub(1);
        }
        self.state.ended.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn the_coarsest_scale_counts_too() {
        let updater = Updater::new(3);
        let guard = updater.start(2).unwrap();
        assert!(updater.any_updating());
        assert!(!updater.block_on_updating_for(Duration::ZERO));
        drop(guard);
        assert!(updater.block_on_updating_for(Duration::ZERO));
        assert_eq!(updater.start(3).unwrap_err().kind(), ErrorKind::InvalidArgument);
        assert!(!updater.is_updating(3));
    }

    #[test]
    fn a_scale_is_updated_until_all_of_its_updates_end() {
        let updater = Updater::new(2);
        let (first, second) = (updater.start(1).unwrap(), updater.clone().start(1).unwrap());
        first.stop();
        assert!(updater.is_updating(1));
        second.stop();
        assert!(!updater.is_updating(1));
    }

    #[test]
    fn who_waits_is_woken_by_the_end() {
        let updater = Updater::new(2);
        let guard = updater.start(1).unwrap();
        thread::scope(|scope| {
            let waiting = scope.spawn(|| updater.block_on_updating_for(Duration::from_mins(1)));
            guard.stop();
            assert!(waiting.join().unwrap(), "long before the minute is over");
        });
    }

    #[test]
    fn a_panic_ends_its_update() {
        let updater = Updater::new(2);
        let inside = updater.clone();
        let outcome = thread::spawn(move || {
            let _guard = inside.start(1).unwrap();
            panic!("on purpose");
        })
        .join();
        assert!(outcome.is_err());
        updater.block_on_updating();
    }
}
