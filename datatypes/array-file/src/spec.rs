//! How an array is defined.

use std::collections::BTreeMap;

use crate::wire::wide;
use crate::{ArrayElement, ArrayMeta, DType, FillValue};

/// What [`define_array`](crate::ArrayFile::define_array) needs to know of an array.
///
/// ```
/// use array_file::{ArraySpec, FillValue};
///
/// let spec = ArraySpec::new::<u16>(&[100, 512, 512])
///     .chunk_shape(&[16, 128, 128])
///     .dimension_names(&["z", "y", "x"])
///     .fill_value(FillValue::UInt(7));
/// ```
#[derive(Clone, Debug)]
pub struct ArraySpec {
    dtype: DType,
    shape: Vec<u64>,
    chunk_shape: Option<Vec<u64>>,
    dimension_names: Vec<String>,
    fill_value: Option<FillValue>,
}

impl ArraySpec {
    /// An array of this shape, slowest axis first, of elements of a Rust type. An axis may have no elements
    /// yet, and an array no axes.
    pub fn new<T: ArrayElement>(shape: &[u64]) -> Self {
        Self::of(T::dtype(), shape)
    }

    /// An array of elements of a type that is known at run time.
    pub fn of(dtype: DType, shape: &[u64]) -> Self {
        Self {
            dtype,
            shape: shape.to_vec(),
            chunk_shape: None,
            dimension_names: Vec::new(),
            fill_value: None,
        }
    }

    /// The shape of its chunks; without one, chunks of about half a mebibyte are chosen.
    #[must_use]
    pub fn chunk_shape(mut self, chunk_shape: &[u64]) -> Self {
        self.chunk_shape = Some(chunk_shape.to_vec());
        self
    }

    /// The names of its axes; where their number isn't the array's, they are dim0, dim1 and so on.
    #[must_use]
    pub fn dimension_names<S: AsRef<str>>(mut self, names: &[S]) -> Self {
        self.dimension_names = names.iter().map(|name| name.as_ref().to_owned()).collect();
        self
    }

    /// The value of elements that were never written; without one they are zero, false or empty, and statistics
    /// count zeros that were written as values.
    #[must_use]
    pub fn fill_value(mut self, fill: FillValue) -> Self {
        self.fill_value = Some(fill);
        self
    }

    pub(crate) fn into_meta(self, id: u64, name: &str) -> ArrayMeta {
        let rank = self.shape.len();
        let chunk_shape = self.chunk_shape.unwrap_or_else(|| chosen_chunks(&self.dtype, &self.shape));
        let dimension_names = if self.dimension_names.len() == rank {
            self.dimension_names
        } else {
            (0..rank).map(|axis| format!("dim{axis}")).collect()
        };
        ArrayMeta {
            id,
            name: name.to_owned(),
            dtype: self.dtype,
            shape: self.shape,
            chunk_shape,
            dimension_names,
            fill_value: self.fill_value,
            attributes: BTreeMap::new(),
        }
    }
}

/// Halves the longest axis until a chunk has at most half a mebibyte.
fn chosen_chunks(dtype: &DType, shape: &[u64]) -> Vec<u64> {
    let cell = wide(dtype.element_size().unwrap_or(64));
    let mut chunk: Vec<u64> = shape.iter().map(|length| (*length).clamp(1, 1 << 19)).collect();
    while chunk.iter().fold(cell, |bytes, length| bytes.saturating_mul(*length)) > 1 << 19 {
        let Some(longest) = chunk.iter_mut().max() else { break };
        if *longest == 1 {
            break;
        }
        *longest = longest.div_ceil(2);
    }
    chunk
}
