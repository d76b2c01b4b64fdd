//! A part of an array, reduced to the cells that it touches.

mod ahead;
mod cell;
mod cells;
mod modes;
mod order;
mod pairs;
mod rule;
mod word;

use std::array;
use std::ops::Range;

use chunks::{DType, MAX_RANK, Region, coarser_region};
use engine_api::{Error, ErrorKind, Result};

use crate::Reducer;
use ahead::{ask_for, rows_ahead};
use cell::reduce_cell;
use cells::{Axis, to_usize};
use modes::ModeRoom;
use order::Order;
use pairs::{first_of_pairs, reduce_pairs};
use rule::{Kind, Rule};
use word::Word;

/// Computes the elements of a coarser scale that a part of the finer one has elements in.
///
/// `source` holds `source_region` of the finer scale and `target` holds `target_region` of the coarser one; both
/// are C order, the last axis fastest, with little-endian elements of `dtype`. Cell `c` is the box of elements
/// `c * factors` to `(c + 1) * factors`, in coordinates of the array, negative ones too. Each cell that `part`
/// touches, which [`coarser_region`] gives, is computed of those of its elements that are in `part`, and written
/// at its coordinate. All else in `target` is left as it is.
///
/// `part` says which elements exist: a cell at the edge of the array is of those inside. To compute an array piece
/// by piece, cut it at multiples of the factors; then the pieces come out as the whole would, bit by bit.
///
/// ```
/// use chunks::{DType, Region};
/// use downres::{Reducer, reduce_region};
///
/// # fn main() -> engine_api::Result<()> {
/// let fine: Region = "0:2,0:5".parse()?;
/// let labels = [7, 7, 0, 0, 9, 7, 8, 0, 5, 9];
/// let coarse: Region = "0:1,0:3".parse()?;
/// let mut reduced = [0; 3];
/// reduce_region(Reducer::ModeNonzero, DType::U8, &[2, 2], &labels, &fine, &fine, &mut reduced, &coarse)?;
/// assert_eq!(reduced, [7, 5, 9]);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// `InvalidArgument`, and nothing written, when a buffer isn't as long as its region, the numbers of axes differ,
/// a factor is zero, `part` isn't inside `source_region`, or a cell that it touches not inside `target_region`;
/// `TooLarge` when there is no memory for the elements of one cell.
#[allow(clippy::too_many_arguments, reason = "two buffers with their regions, and what to do")]
pub fn reduce_region(
    reducer: Reducer,
    dtype: DType,
    factors: &[u64],
    source: &[u8],
    source_region: &Region,
    part: &Region,
    target: &mut [u8],
    target_region: &Region,
) -> Result<()> {
    let coarser = coarser_region(part, factors)?;
    check(source.len(), source_region, part, dtype)?;
    check(target.len(), target_region, &coarser, dtype)?;
    if part.is_empty() {
        return Ok(());
    }
    let rule = Rule::new(reducer, factors);
    let plan = Plan::new(source_region, part, target_region, &coarser, factors)?;
    // So many lanes at least are needed for the compiler to keep its loops over them, which it makes vector code of.
    match dtype.size() {
        1 => plan.run::<u8, 64>(rule, &Order::new(dtype), source, target),
        2 => plan.run::<u16, 64>(rule, &Order::new(dtype), source, target),
        4 => plan.run::<u32, 64>(rule, &Order::new(dtype), source, target),
        _ => plan.run::<u64, 64>(rule, &Order::new(dtype), source, target),
    }
}

fn check(length: usize, region: &Region, inside: &Region, dtype: DType) -> Result<()> {
    if length != region.bytes(dtype.size())? {
        return Err(Error::new(ErrorKind::InvalidArgument, "the buffer isn't as long as its region")
            .with("bytes", length)
            .with("region", region)
            .with("type", dtype));
    }
    if !region.contains(inside) {
        return Err(Error::new(
            ErrorKind::InvalidArgument,
            "the buffer's region doesn't hold what is asked for",
        )
        .with("region", region)
        .with("asked", inside));
    }
    Ok(())
}

/// Where the elements and the cells of a part are. There are always [`MAX_RANK`] axes: those that the part
/// hasn't are the first ones, of one element.
struct Plan {
    axes: [Axis; MAX_RANK],
    source: Layout,
    target: Layout,
}

/// Where the elements of a region are in a buffer that holds a larger one, counted in elements.
struct Layout {
    base: usize,
    strides: [usize; MAX_RANK],
}

impl Layout {
    fn new(whole: &Region, inside: &Region) -> Result<Self> {
        let mut layout = Self { base: 0, strides: [0; MAX_RANK] };
        let mut stride = 1;
        for (axis, slot) in (0..whole.rank()).zip(MAX_RANK - whole.rank()..MAX_RANK).rev() {
            layout.base += to_usize(inside.offset()[axis].abs_diff(whole.offset()[axis]))? * stride;
            layout.strides[slot] = stride;
            stride *= to_usize(whole.shape()[axis])?;
        }
        Ok(layout)
    }

    /// The first element of a row, or of a row of cells.
    fn position(&self, index: &[usize; OUTER]) -> usize {
        let steps = index.iter().zip(&self.strides).map(|(index, stride)| index * stride);
        self.base + steps.sum::<usize>()
    }
}

/// The axes but the last, along which rows of elements lie.
const OUTER: usize = MAX_RANK - 1;

impl Plan {
    /// Everything was checked, and the part isn't empty.
    fn new(
        whole: &Region,
        part: &Region,
        coarse: &Region,
        coarser: &Region,
        factors: &[u64],
    ) -> Result<Self> {
        let mut axes = [Axis::SINGLE; MAX_RANK];
        for (axis, slot) in (0..part.rank()).zip(MAX_RANK - part.rank()..MAX_RANK) {
            axes[slot] =
                Axis::new(part.offset()[axis], part.shape()[axis], factors[axis], coarser.offset()[axis])?;
        }
        Ok(Self { axes, source: Layout::new(whole, part)?, target: Layout::new(coarse, coarser)? })
    }

    /// Computes one row of cells after another.
    fn run<W: Word, const L: usize>(
        &self,
        rule: Rule,
        order: &Order<W>,
        source: &[u8],
        target: &mut [u8],
    ) -> Result<()> {
        let mut room = Room::new(self.axes.iter().map(|axis| axis.most).product())?;
        let mut mode_room = ModeRoom::<W, L>::new();
        let along = &self.axes[OUTER];
        for_each_index(array::from_fn(|axis| 0..self.axes[axis].cells), |cell| {
            let rows = Rows {
                source,
                layout: &self.source,
                next: self.axes[OUTER - 1].most * self.source.strides[OUTER - 1] * W::BYTES,
                outer: array::from_fn(|axis| self.axes[axis].elements(cell[axis])),
            };
            let start = self.target.position(&cell) * W::BYTES;
            let out = &mut target[start..start + along.cells * W::BYTES];
            let pairs = rows.reduce_pairs(rule, order, along, out, &mut mode_room);
            for cell in (0..pairs.start).chain(pairs.end..along.cells) {
                rows.gather(rule, order, along.elements(cell), &mut room.cell);
                let key = reduce_cell(rule, order, &mut room.cell, &mut room.spare);
                order.bits_of(key).write(&mut out[cell * W::BYTES..][..W::BYTES]);
            }
        });
        Ok(())
    }
}

/// The rows of elements that a row of cells is made of.
struct Rows<'a> {
    source: &'a [u8],
    layout: &'a Layout,
    /// How far the rows are from those of the next row of cells, in bytes.
    next: usize,
    outer: [Range<usize>; OUTER],
}

impl Rows<'_> {
    /// The elements of all rows along the last axis.
    fn slice<W: Word>(&self, index: &[usize; OUTER], along: &Range<usize>) -> &[u8] {
        let start = (self.layout.position(index) + along.start) * W::BYTES;
        &self.source[start..start + along.len() * W::BYTES]
    }

    /// Computes the cells of two elements along the last axis, if it can, and answers which these were.
    fn reduce_pairs<W: Word, const L: usize>(
        &self,
        rule: Rule,
        order: &Order<W>,
        along: &Axis,
        out: &mut [u8],
        room: &mut ModeRoom<W, L>,
    ) -> Range<usize> {
        let cells = along.pairs();
        if cells.is_empty() {
            return cells;
        }
        let elements = along.elements(cells.start).start..along.elements(cells.end - 1).end;
        let out = &mut out[cells.start * W::BYTES..cells.end * W::BYTES];
        if rule.kind == Kind::Stride {
            let first = array::from_fn(|axis| self.outer[axis].start);
            let row = self.slice::<W>(&first, &elements);
            ask_for(self.later::<W>(&first, &elements));
            first_of_pairs(order, row, out);
            return cells;
        }
        // Of more rows than four only the number is known.
        let (mut rows, mut later, mut count) = ([[].as_slice(); 4], [[].as_slice(); 4], 0);
        for_each_index(self.outer.clone(), |index| {
            if let (Some(row), Some(later)) = (rows.get_mut(count), later.get_mut(count)) {
                *row = self.slice::<W>(&index, &elements);
                *later = self.later::<W>(&index, &elements);
            }
            count += 1;
        });
        match count {
            2 => {
                let ([a, b, ..], [c, d, ..]) = (rows, later);
                reduce_pairs::<W, 2, L>(rule, order, [a, b], [c, d], out, room);
            }
            4 => reduce_pairs::<W, 4, L>(rule, order, rows, later, out, room),
            _ => return 0..0,
        }
        cells
    }

    /// The elements of a row that is reduced a little later, if there is one.
    fn later<W: Word>(&self, index: &[usize; OUTER], along: &Range<usize>) -> &[u8] {
        let bytes = along.len() * W::BYTES;
        let start = (self.layout.position(index) + along.start) * W::BYTES + self.next * rows_ahead(bytes);
        self.source.get(start..start + bytes).unwrap_or_default()
    }

    /// Puts the keys of a cell in C order.
    fn gather<W: Word>(&self, rule: Rule, order: &Order<W>, along: Range<usize>, cell: &mut Vec<W>) {
        cell.clear();
        if rule.kind == Kind::Stride {
            let first = array::from_fn(|axis| self.outer[axis].start);
            W::read(self.slice::<W>(&first, &(along.start..along.start + 1)), cell);
        } else {
            for_each_index(self.outer.clone(), |index| W::read(self.slice::<W>(&index, &along), cell));
        }
        order.keys(cell);
    }
}

/// The elements of one cell, in memory that is reserved before anything is written.
struct Room<W> {
    cell: Vec<W>,
    spare: Vec<W>,
}

impl<W: Word> Room<W> {
    fn new(elements: usize) -> Result<Self> {
        let reserve = || {
            let mut room = Vec::new();
            room.try_reserve_exact(elements).map_err(|error| {
                Error::new(ErrorKind::TooLarge, "there is no memory for the elements of one cell")
                    .with("elements", elements)
                    .caused_by(error)
            })?;
            Ok::<_, Error>(room)
        };
        Ok(Self { cell: reserve()?, spare: reserve()? })
    }
}

/// Calls `visit` with every index in the ranges, none of which is empty, the last axis fastest.
fn for_each_index(ranges: [Range<usize>; OUTER], mut visit: impl FnMut([usize; OUTER])) {
    let [a, b, c, d] = ranges;
    for a in a {
        for b in b.clone() {
            for c in c.clone() {
                for d in d.clone() {
                    visit([a, b, c, d]);
                }
            }
        }
    }
}
