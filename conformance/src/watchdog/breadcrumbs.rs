//! What each thread called last: noted before the call, and after it.

use std::cell::RefCell;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;
use std::time::Instant;

use super::tasks;

/// The threads that have called a store; those that have ended are gone.
static THREADS: Mutex<Vec<Weak<Thread>>> = Mutex::new(Vec::new());

thread_local! {
    static OWN: RefCell<Option<Arc<Thread>>> = const { RefCell::new(None) };
}

struct Thread {
    name: String,
    task: Option<u32>,
    last: Mutex<Option<Crumb>>,
}

#[derive(Clone, Copy)]
struct Crumb {
    call: &'static str,
    since: Instant,
    returned: bool,
}

/// A thread, and what it called last.
pub(super) struct Trail {
    pub(super) name: String,
    /// The system's number of the thread.
    pub(super) task: Option<u32>,
    last: Option<Crumb>,
}

impl Trail {
    /// Whether it is a thread of this case: threads that a case makes have its name in theirs, or none.
    pub(super) fn is_of(&self, case: &str) -> bool {
        self.name.is_empty() || self.name.contains(case)
    }
}

impl fmt::Display for Trail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = if self.name.is_empty() { "a thread without a name" } else { &self.name };
        let Some(Crumb { call, since, returned }) = self.last else { return write!(f, "{name}") };
        let seconds = since.elapsed().as_secs_f64();
        if returned {
            write!(f, "{name}: not in the store, for {seconds:.1} s; last in {call}")
        } else {
            write!(f, "{name}: for {seconds:.1} s in {call}")
        }
    }
}

/// Makes a call, which hangs show by this name.
pub(super) fn noting<T>(call: &'static str, make: impl FnOnce() -> T) -> T {
    let before = note(Crumb { call, since: Instant::now(), returned: false });
    let answer = make();
    // Calls nest: a visitor may read while it is called.
    note(match before {
        Some(outer) if !outer.returned => outer,
        _ => Crumb { call, since: Instant::now(), returned: true },
    });
    answer
}

/// Leaves a crumb; answers the one before it.
fn note(crumb: Crumb) -> Option<Crumb> {
    // A thread that is about to end has no storage of its own any more.
    OWN.try_with(|own| {
        let mut own = own.borrow_mut();
        let thread = own.get_or_insert_with(register);
        thread.last.lock().unwrap_or_else(PoisonError::into_inner).replace(crumb)
    })
    .unwrap_or(None)
}

fn register() -> Arc<Thread> {
    let name = thread::current().name().unwrap_or_default().to_owned();
    let thread = Arc::new(Thread { name, task: own_task(), last: Mutex::new(None) });
    let mut threads = THREADS.lock().unwrap_or_else(PoisonError::into_inner);
    threads.retain(|thread| thread.strong_count() > 0);
    threads.push(Arc::downgrade(&thread));
    thread
}

/// The system's number of this thread.
pub(super) fn own_task() -> Option<u32> {
    tasks::own()
}

/// The threads that have called a store and still run.
pub(super) fn trails() -> Vec<Trail> {
    let threads = THREADS.lock().unwrap_or_else(PoisonError::into_inner);
    threads
        .iter()
        .filter_map(Weak::upgrade)
        .map(|thread| Trail {
            name: thread.name.clone(),
            task: thread.task,
            last: *thread.last.lock().unwrap_or_else(PoisonError::into_inner),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trail(name: &str) -> Option<String> {
        trails().iter().find(|trail| trail.name == name).map(ToString::to_string)
    }

    #[test]
    fn a_trail_tells_the_call_and_is_gone_with_its_thread() {
        let name = "a-thread-that-leaves-crumbs";
        let within = thread::Builder::new().name(name.to_owned()).spawn(move || {
            let outer = noting("scan", || {
                noting("get", || ());
                trail(name)
            });
            (outer, trail(name))
        });
        let (during, after) = within.unwrap().join().unwrap();
        assert!(during.unwrap().ends_with(" in scan"));
        assert!(after.unwrap().contains("not in the store"));
        assert_eq!(trail(name), None);
    }
}
