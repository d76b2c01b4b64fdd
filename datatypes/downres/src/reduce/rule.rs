//! What a reducer does, in terms of the few things that differ.

use crate::Reducer;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Mean { truncated: bool },
    Mode { first: bool },
    Median,
    Min,
    Max,
    Stride,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Rule {
    pub(super) kind: Kind,
    /// Whether zeros don't count.
    pub(super) sparse: bool,
    /// Whether a cell of four is two by two, where one of the modes has a rule of its own.
    pub(super) square: bool,
}

impl Rule {
    pub(super) fn new(reducer: Reducer, factors: &[u64]) -> Self {
        let (kind, sparse) = match reducer {
            Reducer::Mean => (Kind::Mean { truncated: false }, false),
            Reducer::MeanTruncated => (Kind::Mean { truncated: true }, false),
            Reducer::Mode => (Kind::Mode { first: false }, false),
            Reducer::ModeNonzero => (Kind::Mode { first: false }, true),
            Reducer::ModeFirst => (Kind::Mode { first: true }, false),
            Reducer::Median => (Kind::Median, false),
            Reducer::Min => (Kind::Min, false),
            Reducer::Max => (Kind::Max, false),
            Reducer::Stride => (Kind::Stride, false),
            Reducer::MeanSparse => (Kind::Mean { truncated: false }, true),
            Reducer::MeanTruncatedSparse => (Kind::Mean { truncated: true }, true),
            Reducer::ModeFirstSparse => (Kind::Mode { first: true }, true),
            Reducer::MedianSparse => (Kind::Median, true),
            Reducer::MinSparse => (Kind::Min, true),
            Reducer::MaxSparse => (Kind::Max, true),
        };
        let count = |factor| factors.iter().filter(|other| **other == factor).count();
        let square = kind == Kind::Mode { first: true } && count(2) == 2 && count(1) + 2 == factors.len();
        Self { kind, sparse, square }
    }
}
