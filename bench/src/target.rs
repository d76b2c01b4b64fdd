//! What an operation may cost over the raw engine, and whether it does.

use std::fmt;

use super::timing::Timing;

/// What an operation may cost over the raw engine.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Target {
    /// At most this many times as long.
    Ratio(f64),
    /// At most this many nanoseconds longer.
    Extra(f64),
    /// Nothing was set.
    None,
}

/// What operations may cost where engines differ in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Targets {
    /// A small value that is owned.
    pub(crate) owned: Target,
    /// Whether a large value that is owned is lent, rather than copied.
    pub(crate) lends: bool,
    /// A scan of 1000 entries by a visitor.
    pub(crate) visitor: Target,
    /// The same by a cursor.
    pub(crate) cursor: Target,
}

impl Targets {
    /// Of engines whose own calls take so long that 15 ns for each entry are little beside them.
    pub(crate) const COMMON: Self = Self {
        owned: Target::Ratio(1.10),
        lends: true,
        visitor: Target::Extra(15_000.0),
        cursor: Target::Extra(15_000.0),
    };

    /// An entry takes LMDB some 15 ns.
    pub(crate) const LMDB: Self = Self {
        owned: Target::Ratio(1.20),
        lends: false,
        visitor: Target::Ratio(1.5),
        cursor: Target::Ratio(2.0),
    };

    /// An entry takes redb some 35 ns.
    pub(crate) const REDB: Self = Self {
        owned: Target::Ratio(1.20),
        visitor: Target::Ratio(1.20),
        cursor: Target::Ratio(1.20),
        ..Self::COMMON
    };
}

/// Whether a target holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// By the medians and by the least rounds.
    Holds,
    /// By neither.
    Misses,
    /// By one of them: measure again, with less going on.
    Unsure,
    /// There is no target, or nothing to compare with.
    Open,
}

impl Target {
    /// Whether it holds.
    pub(crate) fn judge(self, raw: Timing, ours: Timing) -> Verdict {
        let within = |raw: f64, ours: f64| match self {
            Self::Ratio(ratio) => Some(ours <= raw * ratio),
            Self::Extra(nanoseconds) => Some(ours <= raw + nanoseconds),
            Self::None => None,
        };
        match (within(raw.median, ours.median), within(raw.least, ours.least)) {
            (Some(true), Some(true)) => Verdict::Holds,
            (Some(false), Some(false)) => Verdict::Misses,
            (Some(_), Some(_)) => Verdict::Unsure,
            _ => Verdict::Open,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ratio(ratio) => write!(f, "≤ ×{ratio:.2}"),
            Self::Extra(nanoseconds) => write!(f, "≤ +{:.0} µs", nanoseconds / 1e3),
            Self::None => f.write_str("–"),
        }
    }
}

impl Verdict {
    /// The word that tables and reports show.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Holds => "yes",
            Self::Misses => "**no**",
            Self::Unsure => "unsure",
            Self::Open => "–",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timing(median: f64, least: f64) -> Timing {
        Timing { median, least }
    }

    #[test]
    fn a_target_holds_when_medians_and_least_rounds_agree() {
        let (raw, target) = (timing(100.0, 90.0), Target::Ratio(1.1));
        assert_eq!(target.judge(raw, timing(109.0, 98.0)), Verdict::Holds);
        assert_eq!(target.judge(raw, timing(111.0, 100.0)), Verdict::Misses);
        assert_eq!(target.judge(raw, timing(111.0, 98.0)), Verdict::Unsure);
        assert_eq!(target.judge(raw, timing(109.0, 100.0)), Verdict::Unsure);
    }

    #[test]
    fn an_extra_is_added_to_what_the_raw_engine_takes() {
        let (raw, target) = (timing(300_000.0, 200_000.0), Target::Extra(25_000.0));
        assert_eq!(target.judge(raw, timing(325_000.0, 225_000.0)), Verdict::Holds);
        assert_eq!(target.judge(raw, timing(326_000.0, 226_000.0)), Verdict::Misses);
    }

    #[test]
    fn without_a_target_nothing_is_judged() {
        assert_eq!(Target::None.judge(timing(1.0, 1.0), timing(9.0, 9.0)), Verdict::Open);
    }

    #[test]
    fn targets_read_as_they_are_written_down() {
        assert_eq!(Target::Ratio(1.1).to_string(), "≤ ×1.10");
        assert_eq!(Target::Extra(25_000.0).to_string(), "≤ +25 µs");
    }
}
