//! Which files this process has open. LMDB admits one environment of a file in a process, so a second
//! opener shares the first one's.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, PoisonError, Weak};

use super::environment::Environment;

type Open = HashMap<PathBuf, Weak<Environment>>;

static OPEN: LazyLock<Mutex<Open>> = LazyLock::new(Mutex::default);
static CHANGED: Condvar = Condvar::new();

fn open() -> MutexGuard<'static, Open> {
    OPEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What there is at a path.
pub(crate) enum Found {
    /// An open environment.
    Open(Arc<Environment>),
    /// Nothing that is open, and nobody else in this process will open it.
    Nothing(Claim),
}

/// Looks at a path; waits while somebody else is opening, closing or destroying what is there.
pub(crate) fn find(path: &Path) -> Found {
    let mut open = open();
    while let Some(there) = open.get(path) {
        if let Some(environment) = there.upgrade() {
            return Found::Open(environment);
        }
        open = CHANGED.wait(open).unwrap_or_else(PoisonError::into_inner);
    }
    open.insert(path.to_owned(), Weak::new());
    Found::Nothing(Claim(path.to_owned()))
}

/// The right to open or destroy what is at a path, until it is dropped.
pub(crate) struct Claim(PathBuf);

impl Claim {
    /// Lets others share what was opened; it must keep the claim until it is closed.
    pub(crate) fn share(&self, environment: &Arc<Environment>) {
        open().insert(self.0.clone(), Arc::downgrade(environment));
        CHANGED.notify_all();
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        open().remove(&self.0);
        CHANGED.notify_all();
    }
}
