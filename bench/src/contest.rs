//! One operation, done in several ways that are to be compared.

use std::fmt;
use std::rc::Rc;

use super::Outcome;

/// Does an operation a number of times and answers a digest of what it read.
pub(crate) type Run<'a> = Box<dyn FnMut(u64) -> Outcome<u64> + 'a>;

/// What is done after a turn, outside its time; answers a digest of what it found.
pub(crate) type Settle<'a> = Box<dyn FnMut() -> Outcome<u64> + 'a>;

/// One way to do an operation.
pub(crate) struct Side<'a> {
    /// Which way: shown where there are several.
    pub(crate) way: &'static str,
    /// Does it.
    pub(crate) run: Run<'a>,
}

impl<'a> Side<'a> {
    /// A way whose `once` does the operation once, on the next of `inputs`, and answers a digest.
    pub(crate) fn over<T>(
        way: &'static str,
        inputs: Rc<[T]>,
        mut once: impl FnMut(&T) -> Outcome<u64> + 'a,
    ) -> Self
    where
        T: 'a,
    {
        let mut at = 0;
        let run = move |times: u64| {
            let mut digest = 0_u64;
            for _ in 0..times {
                digest = digest.wrapping_add(once(&inputs[at])?);
                at = if at + 1 == inputs.len() { 0 } else { at + 1 };
            }
            Ok(digest)
        };
        Self { way, run: Box::new(run) }
    }
}

impl fmt::Debug for Side<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Side").field("way", &self.way).finish_non_exhaustive()
    }
}

/// An operation on the raw engine, in one or more ways, and through the framework.
pub(crate) struct Contest<'a> {
    /// The ways of the raw engine; the fastest one counts. None, and only our time is stated.
    pub(crate) raw: Vec<Side<'a>>,
    /// Through the framework.
    pub(crate) ours: Side<'a>,
    /// Runs after each turn of any side.
    pub(crate) settle: Option<Settle<'a>>,
    /// Whether all sides must read the same bytes.
    pub(crate) alike: bool,
}

impl<'a> Contest<'a> {
    /// Of sides that read the same bytes.
    pub(crate) fn of(raw: Vec<Side<'a>>, ours: Side<'a>) -> Self {
        Self { raw, ours, settle: None, alike: true }
    }

    /// The same with something to do after each turn.
    #[must_use]
    pub(crate) fn settled(mut self, settle: Settle<'a>) -> Self {
        self.settle = Some(settle);
        self
    }
}

impl fmt::Debug for Contest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Contest").field("raw", &self.raw).field("ours", &self.ours).finish_non_exhaustive()
    }
}
