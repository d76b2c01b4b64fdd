//! Keys: words whose order as unsigned integers is that of the values.
//!
//! With them, everything that compares is written once for each width rather than for each type.

#![allow(
    clippy::inline_always,
    reason = "the kernels' instruction sets reach only what is inlined into them"
)]

use chunks::DType;

use super::word::Word;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    Bool,
    Unsigned,
    Signed,
    Float,
}

/// How bits and keys of one element type belong together.
///
/// Integers are moved so that the lowest is 0. Of floats -∞ is 0; the finite numbers follow, then +∞, the NaNs
/// without a sign and those with one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Order<W> {
    pub(super) class: Class,
    /// What is taken from a float's place in the total order of IEEE 754, in which NaNs with a sign come first.
    shift: W,
    /// The highest key of a number.
    pub(super) highest: W,
    /// The key of zero, of +0.0.
    pub(super) zero: W,
    /// How many keys right below it are zeros as well.
    more_zeros: W,
}

impl<W: Word> Order<W> {
    pub(super) fn new(dtype: DType) -> Self {
        let class = match dtype {
            DType::Bool => Class::Bool,
            DType::U8 | DType::U16 | DType::U32 | DType::U64 => Class::Unsigned,
            DType::I8 | DType::I16 | DType::I32 | DType::I64 => Class::Signed,
            DType::F32 | DType::F64 => Class::Float,
        };
        let plain = Self { class, shift: W::ZERO, highest: W::MAX, zero: W::ZERO, more_zeros: W::ZERO };
        match class {
            Class::Bool | Class::Unsigned => plain,
            Class::Signed => Self { zero: W::TOP, ..plain },
            Class::Float => {
                let infinity = W::from_float(f64::INFINITY);
                let shift = !(infinity | W::TOP);
                let highest = (infinity | W::TOP).minus(shift);
                Self { class, shift, highest, zero: W::TOP.minus(shift), more_zeros: W::ONE }
            }
        }
    }

    /// Replaces bits by keys. Each class has a loop of its own, in which nothing branches.
    #[inline(always)]
    pub(super) fn keys(&self, words: &mut [W]) {
        match self.class {
            Class::Unsigned => {}
            Class::Bool => words.iter_mut().for_each(|word| *word = W::from(*word != W::ZERO)),
            Class::Signed => words.iter_mut().for_each(|word| *word = *word ^ W::TOP),
            Class::Float => words.iter_mut().for_each(|word| {
                let place = if *word >= W::TOP { !*word } else { *word | W::TOP };
                *word = place.minus(self.shift);
            }),
        }
    }

    /// Undoes [`keys`](Self::keys).
    #[inline(always)]
    pub(super) fn bits(&self, keys: &mut [W]) {
        match self.class {
            Class::Bool | Class::Unsigned => {}
            Class::Signed => keys.iter_mut().for_each(|key| *key = *key ^ W::TOP),
            Class::Float => keys.iter_mut().for_each(|key| {
                let place = key.plus(self.shift);
                *key = if place >= W::TOP { place ^ W::TOP } else { !place };
            }),
        }
    }

    #[inline(always)]
    pub(super) fn key(&self, bits: W) -> W {
        let mut word = [bits];
        self.keys(&mut word);
        word[0]
    }

    #[inline(always)]
    pub(super) fn bits_of(&self, key: W) -> W {
        let mut word = [key];
        self.bits(&mut word);
        word[0]
    }

    #[inline(always)]
    pub(super) fn is_zero(&self, key: W) -> bool {
        self.zero.minus(key) <= self.more_zeros
    }

    #[inline(always)]
    pub(super) fn is_nan(&self, key: W) -> bool {
        key > self.highest
    }

    /// Moves the keys of NaNs below those of all numbers, so that the highest is a number where there is one.
    #[inline(always)]
    pub(super) fn nans_first(&self, key: W) -> W {
        key.plus(W::MAX.minus(self.highest))
    }

    /// Undoes [`nans_first`](Self::nans_first).
    #[inline(always)]
    pub(super) fn nans_last(&self, key: W) -> W {
        key.minus(W::MAX.minus(self.highest))
    }
}
