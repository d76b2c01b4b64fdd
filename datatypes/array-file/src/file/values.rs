//! Elements of any type, for callers that learn the type from the file.

use std::sync::Arc;

use ndarray::{ArrayD, ArrayView, Dimension, IxDyn};

use super::ArrayFile;
use super::read::{blank, check_bounds, check_rank, clamp, sizes};
use crate::FillValue;
use crate::error::{Error, Result};
use crate::transfer::{ValueOutput, ViewInput, no_value};
use crate::wire::wide;

impl ArrayFile {
    /// Reads a region of elements of any type, as [`read_array`](Self::read_array) does of one that is known.
    ///
    /// # Errors
    /// As [`read_array`](Self::read_array), but for `DTypeMismatch`.
    pub async fn read_values(&self, name: &str, start: &[u64], shape: &[u64]) -> Result<ArrayD<FillValue>> {
        let array = Arc::clone(self.catalog.get(name)?);
        let (start, shape) = clamp(&array, start, shape)?;
        let (shape, elements) = sizes(&shape, size_of::<FillValue>())?;
        // The cells, as they are stored; an empty one where nothing but zeros was.
        let mut output = ValueOutput { values: blank::<Vec<u8>>(elements)?, cell: array.cell_bytes };
        self.read_into(&array, &start, &shape, &mut output).await?;
        let zeros = vec![0; array.cell_bytes.unwrap_or(0)];
        let value = |cell: Vec<u8>| {
            let cell = if cell.is_empty() { &zeros } else { &cell };
            FillValue::of_cell(&array.meta.dtype, cell).ok_or_else(no_value)
        };
        let values = output.values.into_iter().map(value).collect::<Result<_>>()?;
        ArrayD::from_shape_vec(IxDyn(&shape), values)
            .map_err(|error| Error::invalid("the region isn't possible", error))
    }

    /// Writes a region of elements of any type, as [`write_array`](Self::write_array) does of one that is known.
    /// The values are converted as a fill value is.
    ///
    /// # Errors
    /// As [`write_array`](Self::write_array); `InvalidValue` for one that isn't a value of the array's type, or is finite
    /// and wouldn't be any more, and nothing is written.
    pub async fn write_values<D: Dimension>(
        &mut self,
        name: &str,
        start: &[u64],
        view: ArrayView<'_, FillValue, D>,
    ) -> Result<()> {
        let array = Arc::clone(self.catalog.get(name)?);
        check_rank(&array, view.ndim())?;
        let shape: Vec<u64> = view.shape().iter().map(|length| wide(*length)).collect();
        check_bounds(&array, start, &shape)?;
        let dtype = &array.meta.dtype;
        let cell = |value: &FillValue| {
            let refused =
                || Error::invalid("an element isn't a value of the type", format!("{value:?} of {dtype}"));
            value.try_cell(dtype).filter(|_| value.fits(dtype)).ok_or_else(refused)
        };
        let cells = view.iter().map(cell).collect::<Result<Vec<_>>>()?;
        let cells = ArrayView::from_shape(view.raw_dim(), &cells)
            .map_err(|error| Error::invalid("the region isn't possible", error))?;
        // Bytes are their own cells.
        self.write_from(&array, start, &shape, &ViewInput(cells)).await
    }
}
