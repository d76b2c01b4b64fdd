//! The stacks of the threads of this process.
//!
//! A process can't stop its own threads to look at them. So the program starts itself again, as it does for
//! kills, and the child stops one thread after another, reads its registers and its stack, and lets it go.

use std::collections::BTreeMap;
use std::process::ExitCode;

use super::tasks::Task;

/// The frames of each thread, the innermost first.
pub(super) type Stacks = BTreeMap<u32, Vec<String>>;

/// The process whose threads a child looks at, and they themselves.
const TASKS: &str = "CONFORMANCE_CHILD_STACKS";

/// The stacks of these threads, where they can be had.
pub(super) fn of_this_process(child_process: bool, tasks: &[Task]) -> Result<Stacks, String> {
    if !cfg!(all(feature = "stacks", target_os = "linux", target_arch = "x86_64")) {
        return Err("they are shown on Linux and x86-64, with the feature `stacks`".to_owned());
    }
    if !child_process {
        return Err("this program can't serve as its own child process: see `serve_child`".to_owned());
    }
    imp::of_this_process(tasks)
}

/// Looks at another process, where this one was started for that.
pub(crate) fn serve() -> Option<ExitCode> {
    let wanted = std::env::var(TASKS).ok()?;
    Some(match imp::serve(&wanted) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("{reason}");
            ExitCode::FAILURE
        }
    })
}

#[cfg(all(feature = "stacks", target_os = "linux", target_arch = "x86_64"))]
mod imp;

#[cfg(not(all(feature = "stacks", target_os = "linux", target_arch = "x86_64")))]
mod imp {
    use super::{Stacks, Task};

    pub(super) fn of_this_process(_: &[Task]) -> Result<Stacks, String> {
        Err("they can't be read here".to_owned())
    }

    pub(super) fn serve(_: &str) -> Result<(), String> {
        Err("stacks can't be read here".to_owned())
    }
}
