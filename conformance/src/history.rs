//! What threads did to single keys, and when: recorded, to be judged afterwards.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Ticks that every thread agrees on: of two calls of which one ended before the other began, the first has
/// the smaller.
#[derive(Debug, Default)]
pub(crate) struct Clock(AtomicU64);

impl Clock {
    pub(crate) fn tick(&self) -> u64 {
        self.0.fetch_add(1, Ordering::SeqCst)
    }
}

/// What a key has: a value, or nothing.
pub(crate) type Content = Option<u64>;

/// What a call did to its key, with what it was answered. Values are numbers, and each is put once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    /// Read this value, or none.
    Get(Content),
    Put(u64),
    Delete,
    /// Replaced the value if it was the expected one, or found that it wasn't.
    Swap {
        expected: Option<u64>,
        new: u64,
        done: bool,
    },
}

impl Op {
    /// Whether it only tells what was there.
    pub(crate) fn observes(self) -> bool {
        matches!(self, Self::Get(_) | Self::Swap { done: false, .. })
    }

    /// What the key has after it, where it can have happened while the key had `before`.
    pub(crate) fn after(self, before: Content) -> Option<Content> {
        match self {
            Self::Get(found) => (found == before).then_some(before),
            Self::Put(value) => Some(Some(value)),
            Self::Delete => Some(None),
            Self::Swap { expected, new, done: true } => (expected == before).then_some(Some(new)),
            Self::Swap { expected, done: false, .. } => (expected != before).then_some(before),
        }
    }
}

/// One call of one thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) thread: usize,
    pub(crate) op: Op,
    pub(crate) invoked: u64,
    /// [`PENDING`](Self::PENDING) of a call that hasn't returned: it may have happened, or not yet.
    pub(crate) returned: u64,
}

impl Call {
    pub(crate) const PENDING: u64 = u64::MAX;
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = |value: Content| value.map_or("nothing".to_owned(), |value| value.to_string());
        let when = if self.returned == Self::PENDING {
            format!("{}..", self.invoked)
        } else {
            format!("{}..{}", self.invoked, self.returned)
        };
        write!(f, "thread {}  {when:>10}  ", self.thread)?;
        match self.op {
            Op::Get(found) => write!(f, "get: {}", value(found)),
            Op::Put(put) => write!(f, "put {put}"),
            Op::Delete => f.write_str("delete"),
            Op::Swap { expected, new, done } => {
                let outcome = if done { "done" } else { "refused" };
                write!(f, "put {new} if there is {}: {outcome}", value(expected))
            }
        }
    }
}

/// The calls of several threads on several keys.
#[derive(Debug)]
pub(crate) struct Recorder<'c> {
    clock: &'c Clock,
    calls: Vec<Mutex<Vec<Call>>>,
}

impl<'c> Recorder<'c> {
    pub(crate) fn new(clock: &'c Clock, keys: usize) -> Self {
        Self { clock, calls: (0..keys).map(|_| Mutex::default()).collect() }
    }

    /// Makes a call and records it. One that fails isn't recorded: it ends the case.
    pub(crate) fn call<E>(
        &self,
        thread: usize,
        key: usize,
        make: impl FnOnce() -> Result<Op, E>,
    ) -> Result<Op, E> {
        let invoked = self.clock.tick();
        let op = make()?;
        let returned = self.clock.tick();
        let call = Call { thread, op, invoked, returned };
        self.calls[key].lock().unwrap_or_else(PoisonError::into_inner).push(call);
        Ok(op)
    }

    /// The calls on each key.
    pub(crate) fn into_histories(self) -> impl Iterator<Item = Vec<Call>> {
        self.calls.into_iter().map(|calls| calls.into_inner().unwrap_or_else(PoisonError::into_inner))
    }
}
