//! A case that doesn't end: a failure that says what its threads were doing, and where they stand.

mod breadcrumbs;
mod noted;
mod stacks;
mod tasks;

use std::fmt::Write as _;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use crate::verdict::{Halt, Verdict};

pub(crate) use noted::Noted;
pub(crate) use stacks::serve;

/// Runs `work` on a thread of its own, and gives up on it after `timeout`. A thread can't be ended from
/// outside: one that hangs is left behind, with what it holds.
pub(crate) fn watched<T: Send + 'static>(
    name: &str,
    timeout: Duration,
    child_process: bool,
    work: impl FnOnce() -> Verdict<T> + Send + 'static,
) -> Verdict<T> {
    let (done, wait) = channel();
    let thread = thread::Builder::new().name(name.to_owned()).spawn(move || {
        // Nobody receives when the wait was given up.
        drop(done.send(breadcrumbs::noting("the case itself", work)));
    })?;
    match wait.recv_timeout(timeout) {
        Ok(verdict) => {
            drop(thread.join());
            verdict
        }
        Err(RecvTimeoutError::Timeout) => Err(Halt::failed(hang(name, timeout, child_process))),
        Err(RecvTimeoutError::Disconnected) => Err(Halt::failed("the case's thread ended without a verdict")),
    }
}

/// What is known of a case that hangs.
fn hang(case: &str, timeout: Duration, child_process: bool) -> String {
    let mut text = format!("the case hangs: it still ran after {timeout:?}\nits threads:\n");
    let (own, others): (Vec<_>, Vec<_>) =
        breadcrumbs::trails().into_iter().partition(|trail| trail.is_of(case));
    for trail in &own {
        // Writing to a String can't fail.
        let _ = writeln!(text, "  {trail}");
    }
    if own.is_empty() {
        text.push_str("  none has called the store\n");
    }
    // In the order in which they matter: those that the case has made, its own, and then the engine's.
    let others: Vec<_> = others.iter().filter_map(|trail| trail.task).collect();
    let mut tasks = tasks::all();
    tasks.retain(|task| !others.contains(&task.id) && Some(task.id) != breadcrumbs::own_task());
    let rank = |id| match own.iter().find(|trail| trail.task == Some(id)) {
        Some(trail) => usize::from(trail.name == case),
        None => 2,
    };
    tasks.sort_by_key(|task| rank(task.id));
    if tasks.is_empty() {
        text.push_str("the system doesn't tell where threads stand\n");
        return text;
    }
    let stacks = stacks::of_this_process(child_process, &tasks);
    let _ = writeln!(text, "where they stand, and the other threads that belong to no other case:");
    for task in &tasks {
        let trail = own.iter().find(|trail| trail.task == Some(task.id));
        let name = trail.map_or(task.name.as_str(), |trail| trail.name.as_str());
        let _ = writeln!(text, "  {name} ({}): {}", task.id, task.state);
        for frame in stacks.iter().filter_map(|stacks| stacks.get(&task.id)).flatten() {
            let _ = writeln!(text, "    {frame}");
        }
    }
    if let Err(reason) = stacks {
        let _ = writeln!(text, "no stacks: {reason}");
    }
    text
}
