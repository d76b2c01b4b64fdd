//! What a commit has survived when it returns.

use std::fmt;

use super::error::{Error, ErrorKind, Result};

/// What a commit has survived when it returns. Each level includes the ones before it.
///
/// With [`Atomicity::Store`](crate::Atomicity::Store) what is there after a process or the power was cut off is a
/// prefix of what was committed: a commit that has survived has all before it with it, whatever their levels
/// (`persistence.random-kills-keep-a-prefix`, `power.commits-of-any-durability-are-a-prefix-after-a-cut`). Commits that
/// were answered with an error are apart from that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Durability {
    /// It is visible to later views; the end of the process may lose it.
    Relaxed,
    /// It survives the end of the process, however it ends; a power cut may lose it.
    Process,
    /// It survives a power cut.
    Power,
}

impl Durability {
    /// Every level, weakest first.
    pub const ALL: [Self; 3] = [Self::Relaxed, Self::Process, Self::Power];

    /// The level's name, as options and reports show it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Relaxed => "relaxed",
            Self::Process => "process",
            Self::Power => "power",
        }
    }
}

impl fmt::Display for Durability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The levels that an engine tells apart.
///
/// A commit asks for *at least* a level: one that the engine doesn't tell apart is served by the next
/// stronger one that it does, and one above its strongest is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DurabilityLevels(&'static [Durability]);

impl DurabilityLevels {
    /// The levels in ascending order; there must be one at least.
    ///
    /// # Panics
    /// When there is none, or they don't ascend. Used in constants, that is an error of compilation.
    pub const fn new(levels: &'static [Durability]) -> Self {
        assert!(!levels.is_empty(), "an engine has one durability level at least");
        let mut at = 1;
        while at < levels.len() {
            assert!((levels[at - 1] as u8) < (levels[at] as u8), "durability levels ascend");
            at += 1;
        }
        Self(levels)
    }

    /// The levels, weakest first.
    pub const fn levels(self) -> &'static [Durability] {
        self.0
    }

    /// The strongest level: what users get unless they ask for less.
    pub fn strongest(self) -> Durability {
        self.0.last().copied().unwrap_or(Durability::Relaxed)
    }

    /// The level that serves a request for at least `wanted`.
    pub fn serve(self, wanted: Durability) -> Result<Durability> {
        self.0.iter().copied().find(|level| *level >= wanted).ok_or_else(|| {
            Error::new(ErrorKind::Unsupported, "the engine has no durability as strong as that")
                .with("wanted", wanted)
                .with("strongest", self.strongest())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_served_by_the_next_stronger_level_and_refused_above_the_strongest() {
        const LEVELS: DurabilityLevels = DurabilityLevels::new(&[Durability::Relaxed, Durability::Power]);
        const WEAK: DurabilityLevels = DurabilityLevels::new(&[Durability::Relaxed]);
        assert_eq!(LEVELS.serve(Durability::Process).unwrap(), Durability::Power);
        assert_eq!(WEAK.serve(Durability::Process).unwrap_err().kind(), ErrorKind::Unsupported);
    }
}
