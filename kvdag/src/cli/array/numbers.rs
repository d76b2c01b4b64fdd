//! Elements that no image has, taken apart into numbers that images have.

use array_file::DType;
use engine_api::{Error, ErrorKind, Result};
use volume::NpyNumber;

/// The numbers that elements of a type are made of, where images don't have the type; and how many of them an element has, if
/// more than one.
pub(super) fn parts_of(dtype: &DType) -> Option<(chunks::DType, Option<u64>)> {
    match dtype {
        DType::FixedSizeList { child, size } => Some((child.as_chunks()?, Some(u64::from(*size)))),
        DType::TimestampNs => Some((chunks::DType::I64, None)),
        _ => npy_number(dtype).map(NpyNumber::parts),
    }
}

/// The number of a NumPy array that elements of a type are, where images don't have the type.
pub(super) fn npy_number(dtype: &DType) -> Option<NpyNumber> {
    match dtype {
        DType::Float16 => Some(NpyNumber::Float16),
        DType::Complex64 => Some(NpyNumber::Complex64),
        DType::Complex128 => Some(NpyNumber::Complex128),
        _ => None,
    }
}

/// The type of elements that are such numbers.
pub(super) fn type_of(number: NpyNumber) -> Result<DType> {
    let types = [DType::Float16, DType::Complex64, DType::Complex128];
    types.into_iter().find(|dtype| npy_number(dtype) == Some(number)).ok_or_else(|| {
        Error::new(ErrorKind::Unsupported, "no array has elements of the type")
            .with("type", format_args!("{number:?}"))
    })
}
