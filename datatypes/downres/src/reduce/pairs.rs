//! Cells of two or four rows of two elements, many at a time.
//!
//! This is what halving one, two or three axes comes to. The loops are over lanes of a fixed number, so that the
//! compiler makes vector instructions of them, and each kernel is compiled for several instruction sets, of which
//! the machine's best is chosen when it runs.

#![allow(
    clippy::inline_always,
    reason = "the kernels' instruction sets reach only what is inlined into them"
)]
#![allow(clippy::needless_bitwise_bool, reason = "what branches isn't made vector instructions of")]

use multiversion::multiversion;

use super::ahead::ask_for;
use super::cell::one_nan;
use super::modes::{ModeRoom, Vote, mode_row};
use super::order::{Class, Order};
use super::rule::{Kind, Rule};
use super::word::Word;

/// The first element of each pair of a row.
#[multiversion(targets(
    "x86_64+avx2+avx512bw+avx512cd+avx512dq+avx512f+avx512vl+bmi1+bmi2+fma+lzcnt+popcnt",
    "x86_64+avx2+bmi1+bmi2+fma+lzcnt+popcnt",
))]
pub(super) fn first_of_pairs<W: Word>(order: &Order<W>, row: &[u8], out: &mut [u8]) {
    W::copy_first(row, out);
    if order.class == Class::Bool {
        for byte in out {
            *byte = u8::from(*byte != 0);
        }
    }
}

/// Reduces each pair of elements of all rows together to one element of `out`. Each of the `R` rows has twice the
/// bytes of `out`; those of `later`, if they have any, are asked for.
#[multiversion(targets("x86_64+avx2+bmi1+bmi2+fma+lzcnt+popcnt"))]
pub(super) fn reduce_pairs<W: Word, const R: usize, const L: usize>(
    rule: Rule,
    order: &Order<W>,
    rows: [&[u8]; R],
    later: [&[u8]; R],
    out: &mut [u8],
    room: &mut ModeRoom<W, L>,
) {
    if let Kind::Mode { first } = rule.kind {
        return mode_row::<W, R, L>(Vote { rule, order, first }, rows, later, out, room);
    }
    let step = L * W::BYTES;
    let mut words = [[[W::ZERO; L]; 2]; R];
    for (block, out) in out.chunks_mut(step).enumerate() {
        for row in later {
            ask_for(row.get(2 * step * block..2 * (step * block + out.len())).unwrap_or_default());
        }
        read_block(&rows, 2 * step * block, out.len(), &mut words);
        let cells = words.as_flattened_mut();
        let reduced = reduce_lanes(rule, order, cells);
        W::write_all(&reduced, out);
    }
}

/// Reads as many cells as `length` bytes of results are for, from the same place in each row.
#[inline(always)]
pub(super) fn read_block<W: Word, const R: usize, const L: usize>(
    rows: &[&[u8]; R],
    start: usize,
    length: usize,
    words: &mut [[[W; L]; 2]],
) {
    for (row, [first, second]) in rows.iter().zip(words) {
        W::read_pairs(&row[start..start + 2 * length], first, second);
    }
}

/// What `cells` holds is the bits of the first elements of all cells, then of the second ones, and so on.
#[inline(always)]
fn reduce_lanes<W: Word, const L: usize>(rule: Rule, order: &Order<W>, cells: &mut [[W; L]]) -> [W; L] {
    if let Kind::Mean { .. } = rule.kind
        && order.class == Class::Float
    {
        return float_means(rule, cells);
    }
    order.keys(cells.as_flattened_mut());
    let mut keys = match rule.kind {
        Kind::Mean { truncated } => integer_means(rule, order, cells, truncated),
        Kind::Median => medians(rule, order, cells),
        Kind::Min => lowest(rule, order, cells),
        Kind::Max => highest(rule, order, cells),
        // The first elements are taken without the others, and modes by the row.
        Kind::Stride | Kind::Mode { .. } => cells[0],
    };
    order.bits(&mut keys);
    keys
}

/// Whether each cell has anything that counts.
#[inline(always)]
fn counted<W: Word, const L: usize>(order: &Order<W>, cells: &[[W; L]]) -> [bool; L] {
    let mut counted = [false; L];
    for element in cells {
        for lane in 0..L {
            counted[lane] |= !order.is_zero(element[lane]);
        }
    }
    counted
}

#[inline(always)]
fn lowest<W: Word, const L: usize>(rule: Rule, order: &Order<W>, cells: &[[W; L]]) -> [W; L] {
    let mut lowest = [W::MAX; L];
    for element in cells {
        for lane in 0..L {
            let key = element[lane];
            let key = if rule.sparse && order.is_zero(key) { W::MAX } else { key };
            lowest[lane] = lowest[lane].min(key);
        }
    }
    or_zero(rule, order, cells, lowest)
}

#[inline(always)]
fn highest<W: Word, const L: usize>(rule: Rule, order: &Order<W>, cells: &[[W; L]]) -> [W; L] {
    let mut highest = [W::ZERO; L];
    for element in cells {
        for lane in 0..L {
            let key = element[lane];
            let place = if rule.sparse && order.is_zero(key) { W::ZERO } else { order.nans_first(key) };
            highest[lane] = highest[lane].max(place);
        }
    }
    for place in &mut highest {
        *place = order.nans_last(*place);
    }
    or_zero(rule, order, cells, highest)
}

#[inline(always)]
fn or_zero<W: Word, const L: usize>(
    rule: Rule,
    order: &Order<W>,
    cells: &[[W; L]],
    mut keys: [W; L],
) -> [W; L] {
    if rule.sparse {
        let counted = counted(order, cells);
        for lane in 0..L {
            keys[lane] = if counted[lane] { keys[lane] } else { order.zero };
        }
    }
    keys
}

/// Which are put in order, one pair after another, to sort four.
const SORT_FOUR: [(usize, usize); 5] = [(0, 1), (2, 3), (0, 2), (1, 3), (1, 2)];

/// The same for eight.
const SORT_EIGHT: [(usize, usize); 19] = [
    (0, 2),
    (1, 3),
    (4, 6),
    (5, 7),
    (0, 4),
    (1, 5),
    (2, 6),
    (3, 7),
    (0, 1),
    (2, 3),
    (4, 5),
    (6, 7),
    (2, 4),
    (3, 5),
    (1, 4),
    (3, 6),
    (1, 2),
    (3, 4),
    (5, 6),
];

/// Sorts, zeros that don't count behind all others, and takes the one in the middle of the numbers.
#[inline(always)]
fn medians<W: Word, const L: usize>(rule: Rule, order: &Order<W>, cells: &mut [[W; L]]) -> [W; L] {
    let counted = counted(order, cells);
    let mut numbers = [W::ZERO; L];
    for element in &mut *cells {
        for lane in 0..L {
            let key = element[lane];
            let ignored = rule.sparse & order.is_zero(key);
            numbers[lane] = numbers[lane].plus(W::from(!(ignored | order.is_nan(key))));
            element[lane] = if ignored { W::MAX } else { key };
        }
    }
    let network = if cells.len() == 4 { SORT_FOUR.as_slice() } else { &SORT_EIGHT };
    for &(low, high) in network {
        let (before, from_high) = cells.split_at_mut(high);
        let (low, high) = (&mut before[low], &mut from_high[0]);
        for lane in 0..L {
            (low[lane], high[lane]) = (low[lane].min(high[lane]), low[lane].max(high[lane]));
        }
    }
    let mut middle = cells[0];
    let mut least = W::ONE;
    for sorted in &cells[1..cells.len() / 2] {
        // The second of three or four, the third of five or six, and so on.
        least = least.plus(W::ONE).plus(W::ONE);
        for lane in 0..L {
            middle[lane] = if numbers[lane] >= least { sorted[lane] } else { middle[lane] };
        }
    }
    if rule.sparse {
        for lane in 0..L {
            middle[lane] = if counted[lane] { middle[lane] } else { order.zero };
        }
    }
    middle
}

/// The sum of eight words doesn't fit a word; but that of their eighths rounded down does, and what is left of
/// each is summed apart.
#[inline(always)]
fn integer_means<W: Word, const L: usize>(
    rule: Rule,
    order: &Order<W>,
    cells: &[[W; L]],
    truncated: bool,
) -> [W; L] {
    let log = cells.len().ilog2();
    let low = W::truncate((1 << log) - 1);
    let (mut quotients, mut rests, mut counts) = ([W::ZERO; L], [W::ZERO; L], [W::ZERO; L]);
    for element in cells {
        for lane in 0..L {
            let key = element[lane];
            let zero = rule.sparse & order.is_zero(key);
            let key = if zero { W::ZERO } else { key };
            quotients[lane] = quotients[lane].plus(key >> log);
            rests[lane] = rests[lane].plus(key & low);
            counts[lane] = counts[lane].plus(W::from(!zero));
        }
    }
    let mut means = [order.zero; L];
    if rule.sparse {
        for lane in 0..L {
            let (quotient, rest, count): (u64, u64, u64) =
                (quotients[lane].into(), rests[lane].into(), counts[lane].into());
            let Some(part) = quotient.checked_div(count) else { continue };
            let left = ((quotient % count) << log) + rest;
            let mean = W::truncate((part << log) + left / count);
            let left = left % count;
            let up = if truncated {
                (left > 0) & (mean < order.zero)
            } else {
                2 * left + u64::from(mean & W::ONE == W::ONE) > count
            };
            means[lane] = mean.plus(W::from(up));
        }
        return means;
    }
    let half = W::truncate(1 << (log - 1));
    for lane in 0..L {
        let mean = quotients[lane].plus(rests[lane] >> log);
        let left = rests[lane] & low;
        let up = if truncated {
            (left > W::ZERO) & (mean < order.zero)
        } else {
            (left > half) | ((left == half) & (mean & W::ONE == W::ONE))
        };
        means[lane] = mean.plus(W::from(up));
    }
    means
}

#[inline(always)]
fn float_means<W: Word, const L: usize>(rule: Rule, cells: &[[W; L]]) -> [W; L] {
    let (mut sums, mut counts) = ([0.0; L], [0.0; L]);
    for element in cells {
        for lane in 0..L {
            let value = element[lane].float();
            // A sum isn't changed by the zeros that don't count.
            sums[lane] += value;
            counts[lane] += if rule.sparse && value == 0.0 { 0.0 } else { 1.0 };
        }
    }
    let mut means = [W::ZERO; L];
    for lane in 0..L {
        let mean = if counts[lane] > 0.0 { sums[lane] / counts[lane] } else { 0.0 };
        means[lane] = W::from_float(one_nan(mean));
    }
    means
}
