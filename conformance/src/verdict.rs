//! How a case ends, and the checks that end it.

use engine_api::Error;

/// How a case ends.
pub(crate) type Verdict<T = ()> = Result<T, Halt>;

/// Why a case ended early.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Halt {
    /// The store did something else than the case pins.
    Failed(String),
    /// It turned out while running that the case doesn't apply.
    Ignored(String),
}

/// Longer messages hide the line that matters in a terminal; a whole test of a program that didn't get small in
/// time, or the stacks of many threads, still fit.
const LONGEST_MESSAGE: usize = 64 << 10;

impl Halt {
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        let mut message = message.into();
        if message.len() > LONGEST_MESSAGE {
            let end = (0..=LONGEST_MESSAGE).rev().find(|at| message.is_char_boundary(*at)).unwrap_or(0);
            message.truncate(end);
            message.push('…');
        }
        Self::Failed(message)
    }

    pub(crate) fn ignored(reason: impl Into<String>) -> Self {
        Self::Ignored(reason.into())
    }
}

impl From<Error> for Halt {
    fn from(error: Error) -> Self {
        Self::failed(format!("an error that wasn't expected: {error:?}"))
    }
}

impl From<std::io::Error> for Halt {
    fn from(error: std::io::Error) -> Self {
        Self::failed(format!("the case's own files: {error}"))
    }
}

/// Fails the case unless a condition holds.
macro_rules! check {
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            return Err($crate::verdict::Halt::failed(format!($($message)+)));
        }
    };
}

/// Fails the case unless the first value equals the second, which is the expected one.
macro_rules! check_eq {
    ($got:expr, $expected:expr, $($message:tt)+) => {
        // A match keeps temporaries of both alive until they are compared.
        match (&$got, &$expected) {
            (got, expected) => {
                if got != expected {
                    let message = format!($($message)+);
                    let message = format!("{message}: got {got:?}, expected {expected:?}");
                    return Err($crate::verdict::Halt::failed(message));
                }
            }
        }
    };
}

pub(crate) use {check, check_eq};
