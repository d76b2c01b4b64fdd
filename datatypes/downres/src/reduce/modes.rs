//! The modes of cells of two or four rows of two elements, many at a time.

#![allow(
    clippy::inline_always,
    reason = "the kernels' instruction sets reach only what is inlined into them"
)]
#![allow(clippy::needless_bitwise_bool, reason = "what branches isn't made vector instructions of")]

use multiversion::multiversion;

use super::ahead::ask_for;
use super::cell::square_mode;
use super::order::{Class, Order};
use super::pairs::read_block;
use super::rule::Rule;
use super::word::Word;

/// Cells put off until there are enough of them to do many at a time.
#[derive(Debug)]
struct Later<W, const L: usize> {
    cells: [[[W; L]; 2]; MOST_ROWS],
    /// Where in the row of results each belongs, in bytes.
    places: [usize; L],
    count: usize,
}

/// The most rows that a cell of pairs is of.
const MOST_ROWS: usize = 4;

impl<W: Word, const L: usize> Later<W, L> {
    const fn new() -> Self {
        Self { cells: [[[W::ZERO; L]; 2]; MOST_ROWS], places: [0; L], count: 0 }
    }

    /// There is room for one more.
    #[inline(always)]
    fn push(&mut self, pairs: impl Iterator<Item = [W; 2]>, place: usize) {
        let lane = self.count;
        for (to, [even, odd]) in self.cells.iter_mut().zip(pairs) {
            (to[0][lane], to[1][lane]) = (even, odd);
        }
        self.places[lane] = place;
        self.count += 1;
    }

    /// What is to be computed for all cells to be: whole vectors, for which there always is room.
    #[inline(always)]
    fn lanes(&self) -> usize {
        self.count.next_multiple_of(8).min(L)
    }
}

/// How a mode is found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Vote<'a, W> {
    pub(super) rule: Rule,
    pub(super) order: &'a Order<W>,
    /// Whether the first of labels with equal votes wins; the lowest otherwise.
    pub(super) first: bool,
}

/// Where in the row of results cells of more labels than one are, in bytes.
#[derive(Debug)]
struct Found<const L: usize> {
    places: [[usize; L]; FOUND],
    count: usize,
}

/// How many blocks' cells are found before they are looked at.
const FOUND: usize = 8;

/// What the modes of a row are computed in. What it keeps from row to row is how the next one is gone about, and changes
/// no result.
#[derive(Debug)]
pub(super) struct ModeRoom<W, const L: usize> {
    words: [[[W; L]; 2]; MOST_ROWS],
    found: Found<L>,
    mixed: Later<W, L>,
    many: Later<W, L>,
    /// How many blocks in a row were searched for cells of one label and had few.
    vain: u32,
    /// How many blocks aren't searched, since those before were in vain.
    wait: u32,
}

/// After so many blocks that were searched in vain, as many as [`WAIT`] aren't searched.
const VAIN: u32 = 8;
const WAIT: u32 = 64;

impl<W: Word, const L: usize> ModeRoom<W, L> {
    pub(super) const fn new() -> Self {
        Self {
            words: [[[W::ZERO; L]; 2]; MOST_ROWS],
            found: Found { places: [[0; L]; FOUND], count: 0 },
            mixed: Later::new(),
            many: Later::new(),
            vain: 0,
            wait: 0,
        }
    }
}

/// Most cells of labels are of one, and most others of two; among these the mode is found without counting each.
#[multiversion(targets(
    "x86_64+avx2+avx512bw+avx512cd+avx512dq+avx512f+avx512vl+bmi1+bmi2+fma+lzcnt+popcnt",
    "x86_64+avx2+bmi1+bmi2+fma+lzcnt+popcnt",
))]
pub(super) fn mode_row<W: Word, const R: usize, const L: usize>(
    vote: Vote<'_, W>,
    rows: [&[u8]; R],
    later: [&[u8]; R],
    out: &mut [u8],
    room: &mut ModeRoom<W, L>,
) {
    let step = L * W::BYTES;
    let ModeRoom { words, found, mixed, many, vain, wait } = room;
    let words = &mut words[..R];
    // Whether a label stands for itself, to the bit.
    let plain = vote.order.class != Class::Bool && !(vote.rule.sparse && vote.order.class == Class::Float);
    let decisive = if halves(vote) { R / 2 } else { R };
    for start in (0..out.len()).step_by(step) {
        let end = out.len().min(start + step);
        for row in &later[..decisive] {
            ask_for(row.get(2 * start..2 * end).unwrap_or_default());
        }
        if plain
            && *wait == 0
            && let Some(differences) = differences::<W, R, L>(vote, &rows, 2 * start)
        {
            let count = find_mixed(&differences, start, &mut found.places.as_flattened_mut()[found.count..]);
            if count <= L * 3 / 8 {
                *vain = 0;
                W::copy_first(&rows[0][2 * start..2 * end], &mut out[start..end]);
                found.count += count;
                // There is room for another block's.
                if !halves(vote) || found.count > (FOUND - 1) * L {
                    gather::<W, R, L>(vote, &rows, found, mixed, many, out);
                }
                continue;
            }
            *vain = if count > L / 4 * 3 { *vain + 1 } else { 0 };
            if *vain == VAIN {
                (*vain, *wait) = (VAIN - 1, WAIT);
            }
        }
        *wait = wait.saturating_sub(1);
        read_block(&rows, 2 * start, end - start, words);
        vote.order.keys(words.as_flattened_mut().as_flattened_mut());
        let cells = words.as_flattened();
        if vote.rule.square {
            let mut keys = [W::ZERO; L];
            votes(vote, cells, &mut keys);
            vote.order.bits(&mut keys);
            W::write_all(&keys, &mut out[start..end]);
            continue;
        }
        let (mut keys, mut more) = ([W::ZERO; L], [W::ZERO; L]);
        modes_of_two::<W, R, L>(vote, words, &mut keys, &mut more);
        let undecided = more.iter().filter(|more| **more != W::ZERO).count();
        if undecided > L / 2 {
            votes(vote, cells, &mut keys);
        }
        vote.order.bits(&mut keys);
        W::write_all(&keys, &mut out[start..end]);
        if undecided == 0 || undecided > L / 2 {
            continue;
        }
        for (lane, place) in (start..end).step_by(W::BYTES).enumerate() {
            if more[lane] == W::ZERO {
                continue;
            }
            if many.count == L {
                write_many::<W, R, L>(vote, many, out);
            }
            many.push(words.iter().map(|[even, odd]| [even[lane], odd[lane]]), place);
        }
    }
    gather::<W, R, L>(vote, &rows, found, mixed, many, out);
    write_mixed::<W, R, L>(vote, mixed, many, out);
    write_many::<W, R, L>(vote, many, out);
}

/// Puts the cells at these places to those of more labels than one.
#[inline(always)]
fn gather<W: Word, const R: usize, const L: usize>(
    vote: Vote<'_, W>,
    rows: &[&[u8]; R],
    found: &mut Found<L>,
    mixed: &mut Later<W, L>,
    many: &mut Later<W, L>,
    out: &mut [u8],
) {
    let places = &found.places.as_flattened()[..found.count];
    // Rows that weren't looked at are asked for ahead: all at once they come sooner than each when it is needed.
    if halves(vote) {
        for &place in places {
            for row in &rows[R / 2..] {
                ask_for(&row[2 * place..=2 * place]);
            }
        }
    }
    for &place in places {
        if mixed.count == L {
            write_mixed::<W, R, L>(vote, mixed, many, out);
        }
        mixed.push(rows.iter().map(|row| W::read_pair(row, 2 * place)), place);
    }
    found.count = 0;
}

/// The bits in which the elements differ that decide a cell for its first one if they don't. Nothing if there are fewer
/// cells than lanes.
#[inline(always)]
fn differences<W: Word, const R: usize, const L: usize>(
    vote: Vote<'_, W>,
    rows: &[&[u8]; R],
    start: usize,
) -> Option<[W; L]> {
    let rows = rows.map(|row| &row[start..]);
    let decisive = if halves(vote) { R / 2 } else { R };
    match (decisive, &rows[..]) {
        (1, [a, ..]) => W::differences([*a]),
        (2, [a, b, ..]) => W::differences([*a, *b]),
        (_, [a, b, c, d]) => W::differences([*a, *b, *c, *d]),
        _ => None,
    }
}

/// Whether the elements of half of the rows decide a cell where they are of one label.
///
/// Half of the votes are enough for the first of all labels, so the other rows needn't be loaded.
#[inline(always)]
fn halves<W: Word>(vote: Vote<'_, W>) -> bool {
    vote.first && !vote.rule.sparse
}

/// Puts the places of the cells that differ into `places`, and answers how many these are.
#[inline(always)]
fn find_mixed<W: Word, const L: usize>(differences: &[W; L], start: usize, places: &mut [usize]) -> usize {
    let any = differences.iter().fold(W::ZERO, |any, difference| any | *difference);
    if any == W::ZERO {
        return 0;
    }
    const { assert!(L.is_multiple_of(8)) };
    let mut differ = [0; L];
    for (differ, difference) in differ.iter_mut().zip(differences) {
        *differ = u8::from(*difference != W::ZERO);
    }
    let mut count = 0;
    let mut at = start;
    for eight in differ.as_chunks::<8>().0 {
        // A bit of each byte, the first one's the lowest.
        let mut bits = u64::from_le_bytes(*eight).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        while bits != 0 {
            places[count] = at + bits.trailing_zeros() as usize * W::BYTES;
            count += 1;
            bits &= bits - 1;
        }
        at += 8 * W::BYTES;
    }
    count
}

/// Two calls of it are in the row's code, which is the reason that it isn't inlined there.
#[multiversion(targets(
    "x86_64+avx2+avx512bw+avx512cd+avx512dq+avx512f+avx512vl+bmi1+bmi2+fma+lzcnt+popcnt",
    "x86_64+avx2+bmi1+bmi2+fma+lzcnt+popcnt",
))]
fn write_mixed<W: Word, const R: usize, const L: usize>(
    vote: Vote<'_, W>,
    mixed: &mut Later<W, L>,
    many: &mut Later<W, L>,
    out: &mut [u8],
) {
    let (mut keys, mut more) = ([W::ZERO; L], [W::ZERO; L]);
    let lanes = mixed.lanes();
    let cells = &mut mixed.cells[..R];
    vote.order.keys(cells.as_flattened_mut().as_flattened_mut());
    if vote.rule.square {
        votes(vote, cells.as_flattened(), &mut keys[..lanes]);
    } else {
        modes_of_two::<W, R, L>(vote, cells, &mut keys[..lanes], &mut more);
    }
    vote.order.bits(&mut keys[..lanes]);
    for lane in 0..mixed.count {
        let place = mixed.places[lane];
        keys[lane].write(&mut out[place..place + W::BYTES]);
        if more[lane] != W::ZERO {
            if many.count == L {
                write_many::<W, R, L>(vote, many, out);
            }
            many.push(mixed.cells[..R].iter().map(|[even, odd]| [even[lane], odd[lane]]), place);
        }
    }
    mixed.count = 0;
}

/// The same for what holds keys already, and is counted.
#[multiversion(targets(
    "x86_64+avx2+avx512bw+avx512cd+avx512dq+avx512f+avx512vl+bmi1+bmi2+fma+lzcnt+popcnt",
    "x86_64+avx2+bmi1+bmi2+fma+lzcnt+popcnt",
))]
fn write_many<W: Word, const R: usize, const L: usize>(
    vote: Vote<'_, W>,
    many: &mut Later<W, L>,
    out: &mut [u8],
) {
    let mut keys = [W::ZERO; L];
    let lanes = many.lanes();
    votes(vote, many.cells[..R].as_flattened(), &mut keys[..lanes]);
    vote.order.bits(&mut keys[..lanes]);
    for (key, place) in keys.iter().zip(&many.places[..many.count]) {
        key.write(&mut out[*place..place + W::BYTES]);
    }
    many.count = 0;
}

/// The modes of cells of one label or two, and bits that say of a cell that it has more: of as many cells as there
/// is room for modes.
///
/// Where two labels are, all elements differ from the first one by the same bits or not at all.
#[inline(always)]
fn modes_of_two<W: Word, const R: usize, const L: usize>(
    vote: Vote<'_, W>,
    words: &[[[W; L]; 2]],
    modes: &mut [W],
    more: &mut [W; L],
) {
    let Vote { rule, order, first } = vote;
    let half = W::truncate(R as u64);
    for lane in 0..modes.len().min(L) {
        let one = words[0][0][lane];
        let mut difference = W::ZERO;
        for [even, odd] in &words[..R] {
            difference = difference | (even[lane] ^ one) | (odd[lane] ^ one);
        }
        let other = one ^ difference;
        let (mut votes, mut neither) = (W::ZERO, W::ZERO);
        for [even, odd] in &words[..R] {
            for key in [even[lane], odd[lane]] {
                votes = votes.plus(W::from(key == other));
                neither = neither | if key == other { W::ZERO } else { key ^ one };
            }
        }
        let lower = (votes == half) & (other < one) & !first;
        let mode = if (votes > half) | lower { other } else { one };
        // Of a label that doesn't count no votes do.
        let mode = if rule.sparse & order.is_zero(mode) { mode ^ difference } else { mode };
        modes[lane] = if rule.sparse & order.is_zero(mode) { order.zero } else { mode };
        more[lane] = neither;
    }
}

/// The modes of as many cells as there is room for.
#[inline(always)]
pub(super) fn votes<W: Word, const L: usize>(vote: Vote<'_, W>, cells: &[[W; L]], best: &mut [W]) {
    let Vote { rule, order, first } = vote;
    let lanes = best.len().min(L);
    if rule.square
        && let [a, b, c, d] = cells
    {
        for lane in 0..lanes {
            best[lane] = square_mode(rule, order, [a[lane], b[lane], c[lane], d[lane]]);
        }
        return;
    }
    best[..lanes].copy_from_slice(&cells[0][..lanes]);
    let mut most = [W::ZERO; L];
    for (index, element) in cells.iter().enumerate() {
        // The first of equal elements has all of their votes, later ones fewer.
        let mut votes = [W::ONE; L];
        for other in &cells[index + 1..] {
            for lane in 0..lanes {
                votes[lane] = votes[lane].plus(W::from(other[lane] == element[lane]));
            }
        }
        if rule.sparse {
            for lane in 0..lanes {
                votes[lane] = if order.is_zero(element[lane]) { W::ZERO } else { votes[lane] };
            }
        }
        for lane in 0..lanes {
            let more = votes[lane] > most[lane];
            let lower = (votes[lane] == most[lane]) & (element[lane] < best[lane]);
            let better = more | (lower & !first);
            best[lane] = if better { element[lane] } else { best[lane] };
            most[lane] = if better { votes[lane] } else { most[lane] };
        }
    }
    if rule.sparse {
        for lane in 0..lanes {
            best[lane] = if most[lane] == W::ZERO { order.zero } else { best[lane] };
        }
    }
}
