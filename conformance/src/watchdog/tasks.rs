//! The threads of this process, as the system knows them: on Linux, from `/proc`.

use std::fs;

/// A thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Task {
    pub(super) id: u32,
    /// At most 15 bytes of it, which is what the system keeps.
    pub(super) name: String,
    /// Whether it runs or sleeps, and in which call of the system.
    pub(super) state: String,
}

/// Every thread of this process; none where the system doesn't tell.
pub(super) fn all() -> Vec<Task> {
    let Ok(folder) = fs::read_dir("/proc/self/task") else { return Vec::new() };
    let mut tasks: Vec<Task> = folder
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        // One that has ended meanwhile has no files any more.
        .filter_map(task)
        .collect();
    tasks.sort_by_key(|task| task.id);
    tasks
}

/// The number of this thread.
pub(super) fn own() -> Option<u32> {
    fs::read_link("/proc/thread-self").ok()?.file_name()?.to_str()?.parse().ok()
}

fn task(id: u32) -> Option<Task> {
    let read = |file: &str| fs::read_to_string(format!("/proc/self/task/{id}/{file}"));
    let name = read("comm").ok()?.trim_end().to_owned();
    let status = read("status").ok()?;
    let state = status.lines().find_map(|line| line.strip_prefix("State:")).unwrap_or_default();
    // `S (sleeping)`
    let mut state = state.split_once('(').map_or(state, |(_, word)| word.trim_end_matches(')')).to_owned();
    let waits = read("wchan").unwrap_or_default();
    if !waits.is_empty() && waits != "0" {
        state = format!("{state} in {waits}");
    }
    Some(Task { id, name, state })
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn this_thread_is_among_the_threads() {
        let own = own().unwrap();
        let tasks = all();
        let task = tasks.iter().find(|task| task.id == own).unwrap();
        assert!(!task.name.is_empty() && task.state.starts_with("running"), "{task:?}");
    }
}
