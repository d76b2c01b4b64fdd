//! Numbers that NumPy has and images don't.

use std::path::Path;

use chunks::DType;
use engine_api::Result;

use crate::formats::io::ImageWriter;
use crate::formats::named::Named;
use crate::formats::regions::RegionReader;

/// A type of elements that a NumPy array may have and an image hasn't.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NpyNumber {
    /// IEEE 754 binary16, `<f2`.
    Float16,
    /// Two `f32`, the real part and the imaginary: `<c8`.
    Complex64,
    /// Two `f64`, the real part and the imaginary: `<c16`.
    Complex128,
}

impl NpyNumber {
    /// All types.
    pub const ALL: &[Self] = &[Self::Float16, Self::Complex64, Self::Complex128];

    /// The numbers that an element is taken apart into: the bits of a `Float16` are a `u16`, and the parts of a complex
    /// number lie along one more axis, the fastest, which has two elements.
    pub fn parts(self) -> (DType, Option<u64>) {
        match self {
            Self::Float16 => (DType::U16, None),
            Self::Complex64 => (DType::F32, Some(2)),
            Self::Complex128 => (DType::F64, Some(2)),
        }
    }

    /// The shape of the image of the [`parts`](Self::parts) of an array.
    pub(super) fn shape_of_parts(self, shape: &[u64]) -> Vec<u64> {
        shape.iter().copied().chain(self.parts().1).collect()
    }
}

/// Opens a NumPy array whose elements no image has, as an image of their [`parts`](NpyNumber::parts). `None` where the elements are
/// those of images: [`open_regions`](crate::open_regions) opens them.
///
/// # Errors
/// Those of [`open_regions`](crate::open_regions).
pub fn open_npy_parts(path: &Path) -> Result<Option<(NpyNumber, Box<dyn RegionReader>)>> {
    let opened = super::io::open_parts(path).map_err(|error| error.with("path", path.display()))?;
    Ok(opened.map(|(number, parts)| (number, Box::new(Named::new(path, parts)) as Box<dyn RegionReader>)))
}

/// Makes a NumPy array of elements that no image has; what is written are their [`parts`](NpyNumber::parts). The shape is the
/// array's, slowest axis first.
///
/// # Errors
/// Those of [`create_image`](crate::create_image).
pub fn create_npy_parts(path: &Path, number: NpyNumber, shape: &[u64]) -> Result<Box<dyn ImageWriter>> {
    let writer =
        super::io::create_parts(path, number, shape).map_err(|error| error.with("path", path.display()))?;
    Ok(Box::new(Named::new(path, writer)))
}
