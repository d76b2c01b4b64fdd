//! Elements that hold text, bytes or other elements.

use super::ArrayElement;
use crate::DType;
use crate::cells::{join_cells, split_cells};

/// An element that holds any number of others.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct List<T>(pub Vec<T>);

impl ArrayElement for String {
    fn dtype() -> DType {
        DType::String
    }

    fn zero() -> Self {
        Self::new()
    }

    fn write_cell(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.as_bytes());
    }

    fn read_cell(cell: &[u8]) -> Option<Self> {
        std::str::from_utf8(cell).ok().map(str::to_owned)
    }
}

impl ArrayElement for Vec<u8> {
    fn dtype() -> DType {
        DType::Binary
    }

    fn zero() -> Self {
        Self::new()
    }

    fn write_cell(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }

    fn read_cell(cell: &[u8]) -> Option<Self> {
        Some(cell.to_vec())
    }
}

impl<T: ArrayElement> ArrayElement for List<T> {
    fn dtype() -> DType {
        DType::List { child: Box::new(T::dtype()) }
    }

    fn zero() -> Self {
        Self(Vec::new())
    }

    fn write_cell(&self, out: &mut Vec<u8>) {
        write_children(&self.0, out);
    }

    fn read_cell(cell: &[u8]) -> Option<Self> {
        read_children(cell).map(Self)
    }
}

impl<T: ArrayElement, const N: usize> ArrayElement for [T; N] {
    fn dtype() -> DType {
        // A longer list has no type, and `define_array` refuses what doesn't fit a chunk.
        DType::FixedSizeList { child: Box::new(T::dtype()), size: u32::try_from(N).unwrap_or(u32::MAX) }
    }

    fn zero() -> Self {
        std::array::from_fn(|_| T::zero())
    }

    fn write_cell(&self, out: &mut Vec<u8>) {
        write_children(self, out);
    }

    fn read_cell(cell: &[u8]) -> Option<Self> {
        read_children(cell)?.try_into().ok()
    }
}

fn write_children<T: ArrayElement>(children: &[T], out: &mut Vec<u8>) {
    if T::dtype().is_variable_length() {
        let cells = children.iter().map(|child| {
            let mut cell = Vec::new();
            child.write_cell(&mut cell);
            cell
        });
        join_cells(cells, out);
    } else {
        for child in children {
            child.write_cell(out);
        }
    }
}

fn read_children<T: ArrayElement>(cell: &[u8]) -> Option<Vec<T>> {
    match T::dtype().element_size() {
        Some(size) => {
            let children = cell.chunks_exact(size);
            if !children.remainder().is_empty() {
                return None;
            }
            children.map(T::read_cell).collect()
        }
        None => split_cells(cell)?.into_iter().map(T::read_cell).collect(),
    }
}
