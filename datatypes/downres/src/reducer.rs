//! The reducers by name.

use std::fmt;
use std::str::FromStr;

use chunks::DType;
use engine_api::{Error, ErrorKind};
use serde::{Deserialize, Serialize};

/// How an element of a coarser scale is made from a box of elements of the finer one, its cell.
///
/// A cell at the edge has only the elements that exist, and every rule is of those. Every reducer takes every
/// element type, never fails, and makes the same bits of the same cell wherever it is computed.
///
/// - **Order.** *Lowest*, *middle* and *highest* are by value; -0.0 is below +0.0. NaNs lie behind all numbers,
///   first those without a sign, then those with one, each as in IEEE 754's total order. For `false` and `true`
///   read 0 and 1.
/// - **NaN.** `min`, `max` and `median` ignore NaNs, as tensorstore's `min` and `max` do, and give one only for a
///   cell of nothing else. A mean with a NaN is NaN, always the quiet one with no payload and no sign. The modes
///   compare bits, so each NaN is a label.
/// - **Sparse** means that zeros, of either sign, don't count, and a cell of nothing else gives zero (+0.0).
/// - **First** means in C order, the last axis fastest.
/// - **Bytes of a `bool`** other than 0 are `true`, and come out as 1.
///
/// ```
/// use downres::Reducer;
///
/// # fn main() -> engine_api::Result<()> {
/// assert_eq!("mode-nonzero".parse::<Reducer>()?, Reducer::ModeNonzero);
/// assert_eq!(Reducer::MeanTruncated.to_string(), "mean-truncated");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Reducer {
    /// The mean, as tensorstore's `mean`.
    ///
    /// Integers: exact, a half to the even neighbour (1 and 2 give 2, -1 and -2 give -2), also where the sum
    /// doesn't fit 64 bits. Floats: the sum in binary64, from +0.0 on and in C order, over the count, rounded
    /// to the element type; tensorstore sums binary32 in binary32. `bool`: the majority, and `false` where
    /// there is none.
    Mean,
    /// The mean cut off towards zero, as tinybrain's averaging; correct for 64-bit sums too, which overflow
    /// there. Floats: as [`Mean`](Self::Mean). `bool`: whether all are `true`.
    MeanTruncated,
    /// The most frequent value, of several the lowest, as tensorstore's `mode`. 0 is a value as any other.
    Mode,
    /// The most frequent value that isn't 0, of several the lowest; 0 only where all are. The vote of DVID's
    /// labels: a single voxel of a body wins against background.
    ModeNonzero,
    /// The most frequent value, of several the first, as tinybrain's `mode` by 2 × 2 × 2.
    ///
    /// Where two factors are 2 and all others 1, a cell of four, a b over c d, follows tinybrain's `mode` by
    /// 2 × 2 × 1: a if b or c is equal to it, else b if c is, else d. It differs in that four different values
    /// give the last, and a b over b a gives b. At odd edges tinybrain repeats the last voxel, which changes
    /// nothing about either rule.
    ModeFirst,
    /// The lower one of the values in the middle, as tensorstore's `median`: always a value that is there.
    Median,
    /// The lowest value, as tensorstore's `min`.
    Min,
    /// The highest value, as tensorstore's `max`.
    Max,
    /// The first element, as tensorstore's `stride`.
    Stride,
    /// [`Mean`](Self::Mean) of what isn't 0.
    MeanSparse,
    /// [`MeanTruncated`](Self::MeanTruncated) of what isn't 0, as tinybrain's averaging with `sparse`.
    MeanTruncatedSparse,
    /// [`ModeFirst`](Self::ModeFirst) of what isn't 0, as tinybrain's `mode` with `sparse`.
    ///
    /// Of a cell of four as there: a if it isn't 0 and b or c is equal to it, else b if it isn't 0 and c is
    /// equal to it, else the first of d, a, c, b that isn't 0.
    ModeFirstSparse,
    /// [`Median`](Self::Median) of what isn't 0.
    MedianSparse,
    /// [`Min`](Self::Min) of what isn't 0.
    MinSparse,
    /// [`Max`](Self::Max) of what isn't 0.
    MaxSparse,
}

impl Reducer {
    /// Every reducer.
    pub const ALL: &'static [Self] = &[
        Self::Mean,
        Self::MeanTruncated,
        Self::Mode,
        Self::ModeNonzero,
        Self::ModeFirst,
        Self::Median,
        Self::Min,
        Self::Max,
        Self::Stride,
        Self::MeanSparse,
        Self::MeanTruncatedSparse,
        Self::ModeFirstSparse,
        Self::MedianSparse,
        Self::MinSparse,
        Self::MaxSparse,
    ];

    /// The name, such as `mode-nonzero`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mean => "mean",
            Self::MeanTruncated => "mean-truncated",
            Self::Mode => "mode",
            Self::ModeNonzero => "mode-nonzero",
            Self::ModeFirst => "mode-first",
            Self::Median => "median",
            Self::Min => "min",
            Self::Max => "max",
            Self::Stride => "stride",
            Self::MeanSparse => "mean-sparse",
            Self::MeanTruncatedSparse => "mean-truncated-sparse",
            Self::ModeFirstSparse => "mode-first-sparse",
            Self::MedianSparse => "median-sparse",
            Self::MinSparse => "min-sparse",
            Self::MaxSparse => "max-sparse",
        }
    }

    /// Whether the reducer has a rule for elements of this type. Today each has one for every type.
    pub const fn supports(self, _dtype: DType) -> bool {
        true
    }

    /// Whether only values come out that were in the cell, or 0, as labels need it.
    ///
    /// Means make values of their own.
    pub const fn keeps_values(self) -> bool {
        !matches!(self, Self::Mean | Self::MeanTruncated | Self::MeanSparse | Self::MeanTruncatedSparse)
    }
}

impl fmt::Display for Reducer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Reducer {
    type Err = Error;

    /// Accepts the [name](Reducer::name).
    fn from_str(text: &str) -> Result<Self, Error> {
        Self::ALL.iter().copied().find(|reducer| reducer.name() == text).ok_or_else(|| {
            let known: Vec<_> = Self::ALL.iter().map(|reducer| reducer.name()).collect();
            Error::new(ErrorKind::InvalidArgument, "there is no such reducer")
                .with("reducer", text)
                .with("known", known.join(" "))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_parse_back() {
        for &reducer in Reducer::ALL {
            assert_eq!(reducer.name().parse::<Reducer>().unwrap(), reducer);
            assert_eq!(serde_json::to_string(&reducer).unwrap(), format!("\"{reducer}\""));
            assert_eq!(serde_json::from_str::<Reducer>(&format!("\"{reducer}\"")).unwrap(), reducer);
        }
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_known_ones() {
        let error = "average".parse::<Reducer>().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        assert!(error.field("known").unwrap().starts_with("mean mean-truncated mode"));
    }
}
