//! A bounded pool of threads for one piece of work over many chunks.

use std::num::NonZero;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;

use engine_api::Result;

/// More threads than this don't make memory faster.
const MOST_WORKERS: usize = 16;

/// What the buffers of all workers may take together.
const BUFFER_BUDGET: usize = 512 << 20;

/// The most threads that a piece of work may have.
static LIMIT: AtomicUsize = AtomicUsize::new(MOST_WORKERS);

/// Lets no piece of work that begins from now on have more threads than this, in the whole process; one at least.
pub fn limit_workers(most: usize) {
    LIMIT.store(most.clamp(1, MOST_WORKERS), Ordering::Relaxed);
}

/// The number of threads for `tasks` tasks that need `buffer_bytes` of memory each: at most one per
/// processor, 16 or what [`limit_workers`] allows, and one per `buffer_bytes` in 512 MiB; at least one.
pub fn worker_count(tasks: usize, buffer_bytes: usize) -> usize {
    // Asking the operating system reads files of the control group, which costs more than a small chunk.
    static PROCESSORS: OnceLock<usize> = OnceLock::new();
    let processors = *PROCESSORS.get_or_init(|| thread::available_parallelism().map_or(1, NonZero::get));
    let affordable = BUFFER_BUDGET / buffer_bytes.max(1);
    tasks.min(processors).min(LIMIT.load(Ordering::Relaxed)).min(affordable).max(1)
}

/// Calls `work` once for each index below `tasks`, on [`worker_count`] threads, each with a state of its own
/// that it keeps from task to task. With one worker it runs on the caller's thread.
///
/// # Errors
/// The error of the lowest index among those that failed; no further tasks are begun after the first.
///
/// # Panics
/// When `work` panics.
pub fn for_each_parallel<S>(
    tasks: usize,
    buffer_bytes: usize,
    state: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, usize) -> Result<()> + Sync,
) -> Result<()> {
    on_workers(worker_count(tasks, buffer_bytes), tasks, state, work)
}

/// As [`for_each_parallel`], for work that mostly waits for others, such as servers: with as many threads as that allows,
/// or as `most` says where that is less, however few processors there are.
///
/// # Errors
/// Those of [`for_each_parallel`].
///
/// # Panics
/// When `work` panics.
pub fn for_each_waiting<S>(
    tasks: usize,
    (most, buffer_bytes): (usize, usize),
    state: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, usize) -> Result<()> + Sync,
) -> Result<()> {
    let affordable = BUFFER_BUDGET / buffer_bytes.max(1);
    let workers = tasks.min(most).min(LIMIT.load(Ordering::Relaxed)).min(affordable).max(1);
    on_workers(workers, tasks, state, work)
}

fn on_workers<S>(
    workers: usize,
    tasks: usize,
    state: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, usize) -> Result<()> + Sync,
) -> Result<()> {
    if workers == 1 {
        let mut state = state();
        return (0..tasks).try_for_each(|index| work(&mut state, index));
    }
    let next = AtomicUsize::new(0);
    let failed = AtomicBool::new(false);
    let failure = Mutex::new(None);
    let worker = || {
        let mut state = state();
        while !failed.load(Ordering::Relaxed) {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= tasks {
                return;
            }
            if let Err(error) = work(&mut state, index) {
                failed.store(true, Ordering::Relaxed);
                let mut first = failure.lock().unwrap_or_else(PoisonError::into_inner);
                if first.as_ref().is_none_or(|(at, _)| index < *at) {
                    *first = Some((index, error));
                }
            }
        }
    };
    thread::scope(|scope| {
        for _ in 1..workers {
            scope.spawn(worker);
        }
        worker();
    });
    match failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some((_, error)) => Err(error),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine_api::{Error, ErrorKind};

    #[test]
    fn every_index_is_worked_once() {
        let counts: Vec<AtomicUsize> = (0..1000).map(|_| AtomicUsize::new(0)).collect();
        for_each_parallel(
            counts.len(),
            1,
            || (),
            |(), index| {
                counts[index].fetch_add(1, Ordering::Relaxed);
                Ok(())
            },
        )
        .unwrap();
        assert!(counts.iter().all(|count| count.load(Ordering::Relaxed) == 1));
    }

    #[test]
    fn waiting_work_has_threads_whatever_the_processors() {
        let together = std::sync::Barrier::new(8);
        for_each_waiting(
            8,
            (8, 1),
            || (),
            |(), _| {
                together.wait();
                Ok(())
            },
        )
        .unwrap();
    }

    #[test]
    fn a_failure_ends_the_work_and_is_returned() {
        let begun = AtomicUsize::new(0);
        let error = for_each_parallel(
            1_000_000,
            1,
            || (),
            |(), index| {
                begun.fetch_add(1, Ordering::Relaxed);
                if index < 10 {
                    Ok(())
                } else {
                    Err(Error::new(ErrorKind::Corrupt, "no").with("index", index))
                }
            },
        )
        .unwrap_err();
        assert_eq!(error.field("index"), Some("10"));
        assert!(begun.into_inner() < 1000);
    }

    #[test]
    fn large_buffers_mean_few_workers() {
        assert_eq!(worker_count(100, 512 << 20), 1);
        assert_eq!(worker_count(100, usize::MAX), 1);
        assert_eq!(worker_count(1, 1), 1);
        assert!(worker_count(usize::MAX, 0) <= MOST_WORKERS);
    }
}
