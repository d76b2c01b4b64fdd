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

use std::ops::Range;

use multiversion::multiversion;

use super::cell::{one_nan, square_mode};
use super::order::{Class, Order};
use super::rule::{Kind, Rule};
use super::word::Word;

/// The first element of each pair of a row.
pub(super) fn first_of_pairs<W: Word>(order: &Order<W>, row: &[u8], out: &mut [u8]) {
    W::copy_first(row, out);
    if order.class == Class::Bool {
        for byte in out {
            *byte = u8::from(*byte != 0);
        }
    }
}

/// Reduces each pair of elements of all rows together to one element of `out`. Each of the `R` rows has twice the
/// bytes of `out`.
#[multiversion(targets("x86_64+avx2+bmi1+bmi2+fma+lzcnt+popcnt"))]
pub(super) fn reduce_pairs<W: Word, const R: usize, const L: usize>(
    rule: Rule,
    order: &Order<W>,
    rows: [&[u8]; R],
    out: &mut [u8],
) {
    if let Kind::Mode { first } = rule.kind {
        return mode_row::<W, R, L>(rule, order, first, rows, out);
    }
    let step = L * W::BYTES;
    let mut words = [[[W::ZERO; L]; 2]; R];
    for (block, out) in out.chunks_mut(step).enumerate() {
        read_block(&rows, 2 * step * block, out.len(), &mut words);
        let cells = words.as_flattened_mut();
        let reduced = reduce_lanes(rule, order, cells);
        W::write_all(&reduced, out);
    }
}

/// Reads as many cells as `length` bytes of results are for, from the same place in each row.
#[inline(always)]
fn read_block<W: Word, const R: usize, const L: usize>(
    rows: &[&[u8]; R],
    start: usize,
    length: usize,
    words: &mut [[[W; L]; 2]; R],
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
        Kind::Mode { first } => votes(rule, order, first, cells),
        Kind::Median => medians(rule, order, cells),
        Kind::Min => lowest(rule, order, cells),
        Kind::Max => highest(rule, order, cells),
        // The first elements are taken without the others, elsewhere.
        Kind::Stride => cells[0],
    };
    order.bits(&mut keys);
    keys
}

/// Cells of more than two labels, put off until there are enough of them to count many at a time.
struct Mixed<W, const R: usize, const L: usize> {
    cells: [[[W; L]; 2]; R],
    /// Where in the row of results each belongs, in bytes.
    places: [usize; L],
    count: usize,
}

/// Most cells of labels are of one or two, and among these the mode is found without counting each.
#[multiversion(targets(
    "x86_64+avx2+avx512bw+avx512cd+avx512dq+avx512f+avx512vl+bmi1+bmi2+fma+lzcnt+popcnt",
    "x86_64+avx2+bmi1+bmi2+fma+lzcnt+popcnt",
))]
fn mode_row<W: Word, const R: usize, const L: usize>(
    rule: Rule,
    order: &Order<W>,
    first: bool,
    rows: [&[u8]; R],
    out: &mut [u8],
) {
    let step = L * W::BYTES;
    let mut words = [[[W::ZERO; L]; 2]; R];
    // Whether a label stands for itself, to the bit.
    let plain = order.class != Class::Bool && !(rule.sparse && order.class == Class::Float);
    let mut mixed = Mixed { cells: words, places: [0; L], count: 0 };
    for start in (0..out.len()).step_by(step) {
        let end = out.len().min(start + step);
        if plain && one_label::<W, R>(&rows, 2 * start..2 * end) {
            W::copy_first(&rows[0][2 * start..2 * end], &mut out[start..end]);
            continue;
        }
        read_block(&rows, 2 * start, end - start, &mut words);
        order.keys(words.as_flattened_mut().as_flattened_mut());
        let cells = words.as_flattened();
        if rule.square {
            let mut keys = votes(rule, order, first, cells);
            order.bits(&mut keys);
            W::write_all(&keys, &mut out[start..end]);
            continue;
        }
        let (mut keys, more) = modes_of_two(rule, order, first, &words);
        let undecided = more.iter().filter(|more| **more != W::ZERO).count();
        if undecided > L / 2 {
            keys = votes(rule, order, first, cells);
        }
        order.bits(&mut keys);
        W::write_all(&keys, &mut out[start..end]);
        if undecided == 0 || undecided > L / 2 {
            continue;
        }
        for (lane, place) in (start..end).step_by(W::BYTES).enumerate() {
            if more[lane] == W::ZERO {
                continue;
            }
            if mixed.count == L {
                write_modes(rule, order, first, &mut mixed, out);
            }
            for (to, from) in mixed.cells.as_flattened_mut().iter_mut().zip(cells) {
                to[mixed.count] = from[lane];
            }
            mixed.places[mixed.count] = place;
            mixed.count += 1;
        }
    }
    write_modes(rule, order, first, &mut mixed, out);
}

/// Whether each cell of a part of the rows is of one label.
#[inline(always)]
fn one_label<W: Word, const R: usize>(rows: &[&[u8]; R], part: Range<usize>) -> bool {
    let top = &rows[0][part.clone()];
    W::are_pairs_equal(top) && rows[1..].iter().all(|row| row[part.clone()] == *top)
}

/// The modes of cells of one label or two, and which bits say of a cell that it has more.
///
/// Where two labels are, all elements differ from the first one by the same bits or not at all.
#[inline(always)]
fn modes_of_two<W: Word, const R: usize, const L: usize>(
    rule: Rule,
    order: &Order<W>,
    first: bool,
    words: &[[[W; L]; 2]; R],
) -> ([W; L], [W; L]) {
    let (mut modes, mut more) = ([W::ZERO; L], [W::ZERO; L]);
    let half = W::truncate(R as u64);
    for lane in 0..L {
        let one = words[0][0][lane];
        let mut difference = W::ZERO;
        for [even, odd] in words {
            difference = difference | (even[lane] ^ one) | (odd[lane] ^ one);
        }
        let other = one ^ difference;
        let (mut votes, mut neither) = (W::ZERO, W::ZERO);
        for [even, odd] in words {
            for key in [even[lane], odd[lane]] {
                votes = votes.plus(W::from(key == other));
                neither = neither | if key == other { W::ZERO } else { key ^ one };
            }
        }
        let lower = (votes == half) & (other < one) & !first;
        let mode = if (votes > half) | lower { other } else { one };
        // Of a label that doesn't count no votes do.
        let mode = if rule.sparse && order.is_zero(mode) { mode ^ difference } else { mode };
        modes[lane] = if rule.sparse && order.is_zero(mode) { order.zero } else { mode };
        more[lane] = neither;
    }
    (modes, more)
}

/// Two calls of it are in the row's code, which is the reason that it isn't inlined there.
#[multiversion(targets(
    "x86_64+avx2+avx512bw+avx512cd+avx512dq+avx512f+avx512vl+bmi1+bmi2+fma+lzcnt+popcnt",
    "x86_64+avx2+bmi1+bmi2+fma+lzcnt+popcnt",
))]
fn write_modes<W: Word, const R: usize, const L: usize>(
    rule: Rule,
    order: &Order<W>,
    first: bool,
    mixed: &mut Mixed<W, R, L>,
    out: &mut [u8],
) {
    if mixed.count == 0 {
        return;
    }
    let mut keys = votes(rule, order, first, mixed.cells.as_flattened());
    order.bits(&mut keys);
    for (key, place) in keys.iter().zip(&mixed.places[..mixed.count]) {
        key.write(&mut out[*place..place + W::BYTES]);
    }
    mixed.count = 0;
}

#[inline(always)]
fn votes<W: Word, const L: usize>(rule: Rule, order: &Order<W>, first: bool, cells: &[[W; L]]) -> [W; L] {
    let mut best = cells[0];
    if rule.square
        && let [a, b, c, d] = cells
    {
        for lane in 0..L {
            best[lane] = square_mode(rule, order, [a[lane], b[lane], c[lane], d[lane]]);
        }
        return best;
    }
    let mut most = [W::ZERO; L];
    for (index, element) in cells.iter().enumerate() {
        // The first of equal elements has all of their votes, later ones fewer.
        let mut votes = [W::ONE; L];
        for other in &cells[index + 1..] {
            for lane in 0..L {
                votes[lane] = votes[lane].plus(W::from(other[lane] == element[lane]));
            }
        }
        if rule.sparse {
            for lane in 0..L {
                votes[lane] = if order.is_zero(element[lane]) { W::ZERO } else { votes[lane] };
            }
        }
        for lane in 0..L {
            let more = votes[lane] > most[lane];
            let lower = (votes[lane] == most[lane]) & (element[lane] < best[lane]);
            let better = more | (lower & !first);
            best[lane] = if better { element[lane] } else { best[lane] };
            most[lane] = if better { votes[lane] } else { most[lane] };
        }
    }
    if rule.sparse {
        for lane in 0..L {
            best[lane] = if most[lane] == W::ZERO { order.zero } else { best[lane] };
        }
    }
    best
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
