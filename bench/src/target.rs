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
    /// At most this many times as long, and this many nanoseconds.
    RatioAndExtra(f64, f64),
    /// At most this many nanoseconds, whatever the raw engine takes.
    Within(f64),
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
    /// A versioned get of a key of which nine entries in ten aren't the reader's.
    pub(crate) foreign: Target,
}

impl Targets {
    /// Of engines whose own calls take so long that 15 ns for each entry are little beside them.
    pub(crate) const COMMON: Self = Self {
        owned: Target::Ratio(1.10),
        lends: true,
        visitor: Target::Extra(15_000.0),
        cursor: Target::Extra(15_000.0),
        foreign: Target::Ratio(4.0),
    };

    /// A seek of sled's takes as long as many gets.
    pub(crate) const SLED: Self = Self { foreign: Target::Ratio(6.0), ..Self::COMMON };

    /// An entry takes LMDB some 15 ns.
    pub(crate) const LMDB: Self = Self {
        owned: Target::Ratio(1.20),
        lends: false,
        visitor: Target::Ratio(1.5),
        cursor: Target::Ratio(2.0),
        ..Self::COMMON
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
    /// What of it can be judged when there is no raw engine.
    pub(crate) fn alone(self) -> Self {
        if matches!(self, Self::Within(_)) { self } else { Self::None }
    }

    /// Whether it holds, beside the raw engine where there is one.
    pub(crate) fn judge(self, raw: Option<Timing>, ours: Timing) -> Verdict {
        let within = |raw: Option<f64>, ours: f64| match self {
            Self::Ratio(ratio) => Some(ours <= raw? * ratio),
            Self::Extra(nanoseconds) => Some(ours <= raw? + nanoseconds),
            Self::RatioAndExtra(ratio, nanoseconds) => Some(ours <= raw? * ratio + nanoseconds),
            Self::Within(nanoseconds) => Some(ours <= nanoseconds),
            Self::None => None,
        };
        let (median, least) = (raw.map(|raw| raw.median), raw.map(|raw| raw.least));
        match (within(median, ours.median), within(least, ours.least)) {
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
            Self::RatioAndExtra(ratio, nanoseconds) => {
                write!(f, "≤ ×{ratio:.2} + {:.0} µs", nanoseconds / 1e3)
            }
            Self::Within(nanoseconds) => write!(f, "≤ {:.0} µs", nanoseconds / 1e3),
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
        let (raw, target) = (Some(timing(100.0, 90.0)), Target::Ratio(1.1));
        assert_eq!(target.judge(raw, timing(109.0, 98.0)), Verdict::Holds);
        assert_eq!(target.judge(raw, timing(111.0, 100.0)), Verdict::Misses);
        assert_eq!(target.judge(raw, timing(111.0, 98.0)), Verdict::Unsure);
        assert_eq!(target.judge(raw, timing(109.0, 100.0)), Verdict::Unsure);
    }

    #[test]
    fn an_extra_is_added_to_what_the_raw_engine_takes() {
        let (raw, target) = (Some(timing(300_000.0, 200_000.0)), Target::Extra(25_000.0));
        assert_eq!(target.judge(raw, timing(325_000.0, 225_000.0)), Verdict::Holds);
        assert_eq!(target.judge(raw, timing(326_000.0, 226_000.0)), Verdict::Misses);
    }

    #[test]
    fn a_ratio_and_an_extra_add_up() {
        let (raw, target) = (Some(timing(400_000.0, 300_000.0)), Target::RatioAndExtra(2.0, 300_000.0));
        assert_eq!(target.judge(raw, timing(1_100_000.0, 900_000.0)), Verdict::Holds);
        assert_eq!(target.judge(raw, timing(1_100_001.0, 900_001.0)), Verdict::Misses);
    }

    #[test]
    fn a_time_is_judged_whether_there_is_a_raw_engine_or_not() {
        let target = Target::Within(10_000.0);
        for raw in [None, Some(timing(100.0, 90.0))] {
            assert_eq!(target.judge(raw, timing(9_000.0, 8_000.0)), Verdict::Holds);
            assert_eq!(target.judge(raw, timing(11_000.0, 10_001.0)), Verdict::Misses);
        }
        assert_eq!(target.alone(), target);
    }

    #[test]
    fn without_a_target_or_a_raw_engine_nothing_is_judged() {
        let (raw, ours) = (Some(timing(1.0, 1.0)), timing(9.0, 9.0));
        assert_eq!(Target::None.judge(raw, ours), Verdict::Open);
        for target in [Target::Ratio(1.1), Target::Extra(1.0), Target::RatioAndExtra(1.0, 1.0)] {
            assert_eq!(target.judge(None, ours), Verdict::Open);
            assert_eq!(target.alone(), Target::None);
        }
    }

    #[test]
    fn targets_read_as_they_are_written_down() {
        assert_eq!(Target::Ratio(1.1).to_string(), "≤ ×1.10");
        assert_eq!(Target::Extra(25_000.0).to_string(), "≤ +25 µs");
        assert_eq!(Target::RatioAndExtra(2.0, 300_000.0).to_string(), "≤ ×2.00 + 300 µs");
        assert_eq!(Target::Within(10_000.0).to_string(), "≤ 10 µs");
    }
}
