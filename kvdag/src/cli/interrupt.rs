//! Ctrl-C: long work looks at it between steps, puts things in order, and ends.

use std::process;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use engine_api::{Error, ErrorKind, Result};

/// What shells expect of a program that was interrupted.
pub(crate) const EXIT_CODE: u8 = 130;

static REQUESTED: AtomicBool = AtomicBool::new(false);
/// How many pieces of work that look at the request are under way.
static LISTENERS: AtomicU8 = AtomicU8::new(0);

/// Handles Ctrl-C from now on: where nothing looks at it, the program ends at once, since every commit is
/// whole by itself.
pub(crate) fn listen() {
    let handler = || {
        let again = REQUESTED.swap(true, Ordering::SeqCst);
        if again || LISTENERS.load(Ordering::SeqCst) == 0 {
            process::exit(i32::from(EXIT_CODE));
        }
    };
    if ctrlc::set_handler(handler).is_err() {
        // Without a handler Ctrl-C ends the program at once, and stores are still whole.
    }
}

/// Whether Ctrl-C was pressed.
pub(crate) fn requested() -> bool {
    REQUESTED.load(Ordering::SeqCst)
}

/// Work that looks at Ctrl-C by [`check`](Self::check), and cleans up after itself.
#[derive(Debug)]
pub(crate) struct Careful(&'static str);

impl Careful {
    /// Work that undoes what it has begun.
    pub(crate) fn begin() -> Self {
        Self::saying("interrupted; nothing was left half done")
    }

    /// Work that leaves what it has done, to go on from there.
    pub(crate) fn resumable() -> Self {
        Self::saying("interrupted; the same command goes on from here")
    }

    fn saying(message: &'static str) -> Self {
        LISTENERS.fetch_add(1, Ordering::SeqCst);
        Self(message)
    }

    /// # Errors
    /// `Unavailable` once Ctrl-C was pressed.
    pub(crate) fn check(&self) -> Result<()> {
        if requested() { Err(Error::new(ErrorKind::Unavailable, self.0)) } else { Ok(()) }
    }
}

impl Drop for Careful {
    fn drop(&mut self) {
        LISTENERS.fetch_sub(1, Ordering::SeqCst);
    }
}
