//! One cell, of any size, by any rule.

#![allow(
    clippy::inline_always,
    reason = "the kernels' instruction sets reach only what is inlined into them"
)]
#![allow(clippy::needless_bitwise_bool, reason = "what branches isn't made vector instructions of")]

use super::order::{Class, Order};
use super::rule::{Kind, Rule};
use super::word::Word;

/// The key that stands for a cell, of the keys of its elements in C order. There is at least one. `cell` is left
/// in any order, and `spare` with anything.
pub(super) fn reduce_cell<W: Word>(rule: Rule, order: &Order<W>, cell: &mut Vec<W>, spare: &mut Vec<W>) -> W {
    if rule.square
        && let [a, b, c, d] = cell[..]
    {
        return square_mode(rule, order, [a, b, c, d]);
    }
    if rule.sparse {
        cell.retain(|key| !order.is_zero(*key));
    }
    let Some(&first) = cell.first() else { return order.zero };
    match rule.kind {
        Kind::Mean { .. } if order.class == Class::Float => float_mean(order, cell),
        Kind::Mean { truncated } => integer_mean(order, cell, truncated),
        Kind::Mode { first: true } => first_mode(cell, spare),
        Kind::Mode { first: false } => lowest_mode(cell, first),
        Kind::Median => {
            let numbers = cell.iter().filter(|key| !order.is_nan(**key)).count();
            *cell.select_nth_unstable(numbers.saturating_sub(1) / 2).1
        }
        Kind::Min => cell.iter().copied().fold(first, W::min),
        Kind::Max => order.nans_last(cell.iter().map(|key| order.nans_first(*key)).fold(W::ZERO, W::max)),
        Kind::Stride => first,
    }
}

/// The mode of a cell of two by two: the last of four that differ.
#[inline(always)]
pub(super) fn square_mode<W: Word>(rule: Rule, order: &Order<W>, [a, b, c, d]: [W; 4]) -> W {
    let counts = |key| !(rule.sparse && order.is_zero(key));
    let otherwise = if counts(a) {
        a
    } else if counts(c) {
        c
    } else if counts(b) {
        b
    } else {
        order.zero
    };
    let last = if counts(d) { d } else { otherwise };
    let second = if counts(b) & (b == c) { b } else { last };
    if counts(a) & ((a == b) | (a == c)) { a } else { second }
}

/// The mean of bits, which for integers are moved by an even number: that changes neither the remainder nor
/// which of two neighbours is even.
fn integer_mean<W: Word>(order: &Order<W>, cell: &[W], truncated: bool) -> W {
    // Of fewer than 2^63 elements below 2^64.
    let sum: u128 = cell.iter().map(|key| u128::from((*key).into())).sum();
    let count = cell.len() as u128;
    let (quotient, rest) = (sum / count, sum % count);
    #[allow(clippy::cast_possible_truncation, reason = "no mean is above the highest element")]
    let mean = W::truncate(quotient as u64);
    let up = if truncated {
        // The quotient was rounded down, which for numbers below zero is away from it.
        rest > 0 && mean < order.zero
    } else {
        2 * rest > count || (2 * rest == count && quotient % 2 == 1)
    };
    mean.plus(W::from(up))
}

fn float_mean<W: Word>(order: &Order<W>, cell: &[W]) -> W {
    let sum = cell.iter().fold(0.0, |sum, key| sum + order.bits_of(*key).float());
    #[allow(clippy::cast_precision_loss, reason = "exact up to 2^53 elements")]
    let mean = sum / cell.len() as f64;
    order.key(W::from_float(one_nan(mean)))
}

/// Which NaN comes out of arithmetic isn't fixed; this makes it one.
#[inline(always)]
pub(super) fn one_nan(value: f64) -> f64 {
    if value.is_nan() { f64::NAN } else { value }
}

fn lowest_mode<W: Word>(cell: &mut [W], first: W) -> W {
    cell.sort_unstable();
    let (mut best, mut votes) = (first, 0);
    for run in cell.chunk_by(W::eq) {
        if run.len() > votes {
            (best, votes) = (run[0], run.len());
        }
    }
    best
}

fn first_mode<W: Word>(cell: &[W], spare: &mut Vec<W>) -> W {
    spare.clear();
    spare.extend_from_slice(cell);
    spare.sort_unstable();
    let most = spare.chunk_by(W::eq).map(<[W]>::len).max().unwrap_or(1);
    // Only the values with most votes are left, each once, for the search of the first that is one of them.
    let mut kept = 0;
    let mut at = 0;
    while at < spare.len() {
        let value = spare[at];
        let length = spare[at..].partition_point(|other| *other == value);
        if length == most {
            spare[kept] = value;
            kept += 1;
        }
        at += length;
    }
    let winners = &spare[..kept];
    cell.iter().copied().find(|key| winners.binary_search(key).is_ok()).unwrap_or(cell[0])
}
