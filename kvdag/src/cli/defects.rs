//! Panics: what a library panics with and an engine turns into an error isn't shown; what reaches the top is a
//! defect, and says so.

use std::panic::{self, AssertUnwindSafe};
use std::sync::{Mutex, PoisonError};

use engine_api::{Error, ErrorKind, Result};

/// What the last panic said, and where.
static LAST: Mutex<String> = Mutex::new(String::new());

/// Runs a command, and makes an error of its panic.
pub(crate) fn contain<T>(command: impl FnOnce() -> Result<T>) -> Result<T> {
    panic::set_hook(Box::new(|panic| {
        *LAST.lock().unwrap_or_else(PoisonError::into_inner) = panic.to_string();
    }));
    panic::catch_unwind(AssertUnwindSafe(command)).unwrap_or_else(|_| {
        let said = LAST.lock().unwrap_or_else(PoisonError::into_inner).replace('\n', " ");
        Err(Error::new(ErrorKind::Internal, "a defect of kvdag; please report it").with("panic", said))
    })
}
