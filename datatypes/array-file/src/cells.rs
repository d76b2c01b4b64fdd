//! Elements of any length: how the cells of a chunk, and the children of a list, lie side by side.

use std::ops::Range;

use crate::DType;
use crate::error::{Error, Result};
use crate::wire::{Reader, narrow, to_usize, wide};

/// The cells of a chunk whose elements have any length.
#[derive(Debug)]
pub(crate) struct VarCells<'a> {
    offsets: Vec<usize>,
    payload: &'a [u8],
}

impl<'a> VarCells<'a> {
    /// Reads `elements + 1` offsets and what they point into.
    pub(crate) fn parse(chunk: &'a [u8], elements: usize) -> Result<Self> {
        let mut reader = Reader::new(chunk);
        let head = elements.checked_add(1).and_then(|count| count.checked_mul(4));
        let head = reader.take(head.unwrap_or(usize::MAX))?;
        let payload = reader.take(reader.left())?;
        let mut offsets = Vec::with_capacity(elements.saturating_add(1));
        let mut before = 0;
        for offset in head.as_chunks::<4>().0 {
            let offset = to_usize("an offset", u64::from(u32::from_le_bytes(*offset)))?;
            if offset < before || offset > payload.len() || (offsets.is_empty() && offset != 0) {
                return Err(Error::corrupt("", "the offsets of a chunk's elements are out of order"));
            }
            before = offset;
            offsets.push(offset);
        }
        if before != payload.len() {
            return Err(Error::corrupt("", "a chunk is longer than its elements"));
        }
        Ok(Self { offsets, payload })
    }

    /// The cell of element number `index`; empty beyond the last.
    pub(crate) fn get(&self, index: usize) -> &'a [u8] {
        self.range(index).and_then(|range| self.payload.get(range)).unwrap_or_default()
    }

    fn range(&self, index: usize) -> Option<Range<usize>> {
        Some(*self.offsets.get(index)?..*self.offsets.get(index.checked_add(1)?)?)
    }
}

/// Lays cells side by side as [`VarCells::parse`] reads them.
pub(crate) fn lay_out<'a>(cells: impl ExactSizeIterator<Item = &'a [u8]> + Clone) -> Result<Vec<u8>> {
    let payload: usize = cells.clone().map(<[u8]>::len).fold(0, usize::saturating_add);
    let total = cells.len().saturating_add(1).saturating_mul(4).saturating_add(payload);
    check_chunk(total)?;
    let mut out = Vec::with_capacity(total);
    let mut end = 0;
    out.extend_from_slice(&0u32.to_le_bytes());
    for cell in cells.clone() {
        end += cell.len();
        out.extend_from_slice(&narrow("a chunk", end)?.to_le_bytes());
    }
    for cell in cells {
        out.extend_from_slice(cell);
    }
    Ok(out)
}

/// # Errors
/// `TooLarge` for more bytes than a chunk may have.
pub(crate) fn check_chunk(bytes: usize) -> Result<()> {
    if bytes > chunks::MAX_CHUNK_BYTES {
        return Err(Error::TooLarge {
            what: "a chunk",
            size: wide(bytes),
            limit: wide(chunks::MAX_CHUNK_BYTES),
        });
    }
    Ok(())
}

/// Appends a list's children that have any length: their number, their lengths, and the children.
pub(crate) fn join_cells(cells: impl ExactSizeIterator<Item = Vec<u8>>, out: &mut Vec<u8>) {
    // Lengths beyond 32 bits are cut here, and the chunk they are in is refused as too large later.
    let length = |length: usize| u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
    out.extend_from_slice(&length(cells.len()));
    let cells: Vec<Vec<u8>> = cells.collect();
    for cell in &cells {
        out.extend_from_slice(&length(cell.len()));
    }
    for cell in &cells {
        out.extend_from_slice(cell);
    }
}

/// The children that [`join_cells`] joined; `None` for bytes that it doesn't write.
pub(crate) fn split_cells(list: &[u8]) -> Option<Vec<&[u8]>> {
    let mut reader = Reader::new(list);
    let count = reader.count(4).ok()?;
    let lengths = reader.take(count.checked_mul(4)?).ok()?;
    let mut cells = Vec::with_capacity(count);
    for length in lengths.as_chunks::<4>().0 {
        cells.push(reader.take(usize::try_from(u32::from_le_bytes(*length)).ok()?).ok()?);
    }
    reader.end().ok()?;
    Some(cells)
}

/// The cells of a list's children; `None` for bytes that no list of such children has.
pub(crate) fn child_cells<'a>(child: &DType, list: &'a [u8]) -> Option<Vec<&'a [u8]>> {
    match child.element_size() {
        None => split_cells(list),
        Some(0) => None,
        Some(size) => list.len().is_multiple_of(size).then(|| list.chunks_exact(size).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_come_back() {
        let cells: [&[u8]; 4] = [b"", b"abc", b"", b"d"];
        let chunk = lay_out(cells.iter().copied()).unwrap();
        let parsed = VarCells::parse(&chunk, 4).unwrap();
        for (index, cell) in cells.iter().enumerate() {
            assert_eq!(parsed.get(index), *cell);
        }
        assert_eq!(parsed.get(4), b"");
    }

    #[test]
    fn offsets_out_of_order_are_refused() {
        let chunk = lay_out([b"ab".as_slice(), b"c"].into_iter()).unwrap();
        for (at, value) in [(0, 1), (4, 9), (8, 1), (8, 2), (8, 200)] {
            let mut damaged = chunk.clone();
            damaged[at] = value;
            assert!(VarCells::parse(&damaged, 2).is_err(), "byte {at} = {value}");
        }
        assert!(VarCells::parse(&chunk, usize::MAX).is_err());
    }

    #[test]
    fn children_come_back() {
        let mut list = Vec::new();
        join_cells([b"x".to_vec(), Vec::new()].into_iter(), &mut list);
        assert_eq!(split_cells(&list).unwrap(), [b"x".as_slice(), b""]);
        assert_eq!(split_cells(&list[..list.len() - 1]), None);
        assert_eq!(split_cells(&[255; 4]), None);
    }
}
