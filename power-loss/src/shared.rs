//! A volume that is served on one thread and watched from another.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::volume::Volume;

/// A volume, and whoever waits for its power to go.
#[derive(Debug)]
pub(crate) struct Shared {
    volume: Mutex<Volume>,
    dark: Condvar,
}

impl Shared {
    pub(crate) fn new(volume: Volume) -> Arc<Self> {
        Arc::new(Self { volume: Mutex::new(volume), dark: Condvar::new() })
    }

    pub(crate) fn volume(&self) -> MutexGuard<'_, Volume> {
        self.volume.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn cut(&self) {
        self.volume().cut();
        self.dark.notify_all();
    }

    pub(crate) fn wait(&self, timeout: Duration) -> bool {
        let waited = self.dark.wait_timeout_while(self.volume(), timeout, |volume| !volume.is_dark());
        waited.unwrap_or_else(PoisonError::into_inner).0.is_dark()
    }

    /// Does something to the volume, and wakes those who wait if that was the end of it.
    pub(crate) fn with<T>(&self, work: impl FnOnce(&mut Volume) -> T) -> T {
        let mut volume = self.volume();
        let done = work(&mut volume);
        if volume.is_dark() {
            self.dark.notify_all();
        }
        done
    }
}
