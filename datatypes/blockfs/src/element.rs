//! What the voxels are.

use std::fmt;

use chunks::DType;
use engine_api::{Error, ErrorKind, Result};

/// The type of a voxel, by the name that NumPy gives it: those of [`DType`], and others that are only bytes here.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ElementType {
    name: String,
    size: usize,
    dtype: Option<DType>,
}

/// Types that chunks don't know.
const OTHERS: &[(&str, usize)] =
    &[("float16", 2), ("complex64", 8), ("complex128", 16), ("float128", 16), ("complex256", 32)];

/// Names of times have their unit behind them.
const TIMES: &[&str] = &["datetime64", "timedelta64"];

impl ElementType {
    /// The type that NumPy names so, such as `uint16`.
    ///
    /// # Errors
    /// `Unsupported` for a name that isn't known.
    pub fn from_numpy(name: &str) -> Result<Self> {
        if let Some(dtype) = DType::ALL.iter().find(|dtype| dtype.numpy_name() == name) {
            return Ok((*dtype).into());
        }
        let time = |kind: &&&str| {
            name.strip_prefix(**kind).is_some_and(|unit| {
                unit.is_empty() || (unit.starts_with('[') && unit.ends_with(']') && unit.len() < 16)
            })
        };
        let size = OTHERS
            .iter()
            .find(|(other, _)| *other == name)
            .map(|(_, size)| *size)
            .or_else(|| TIMES.iter().find(time).map(|_| 8));
        match size {
            Some(size) => Ok(Self { name: name.to_owned(), size, dtype: None }),
            None => Err(Error::new(ErrorKind::Unsupported, "the type of the voxels isn't known")
                .with("type", name.escape_debug())),
        }
    }

    /// The name that NumPy gives it.
    pub fn numpy_name(&self) -> &str {
        &self.name
    }

    /// The size of a voxel in bytes.
    pub fn size(&self) -> usize {
        self.size
    }

    /// The type as chunks know it, if they do.
    pub fn dtype(&self) -> Option<DType> {
        self.dtype
    }

    /// A type of chunks whose elements are as long, for regions of voxels that are moved and not looked at.
    pub(crate) fn stand_in(&self) -> Option<DType> {
        self.dtype.or(match self.size {
            2 => Some(DType::U16),
            8 => Some(DType::U64),
            _ => None,
        })
    }
}

impl From<DType> for ElementType {
    fn from(dtype: DType) -> Self {
        Self { name: dtype.numpy_name().to_owned(), size: dtype.size(), dtype: Some(dtype) }
    }
}

impl fmt::Display for ElementType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numpy_names_have_sizes() {
        for (name, size) in [
            ("uint8", 1),
            ("int16", 2),
            ("float16", 2),
            ("float64", 8),
            ("complex64", 8),
            ("complex128", 16),
            ("datetime64[ns]", 8),
            ("bool", 1),
        ] {
            let element = ElementType::from_numpy(name).unwrap();
            assert_eq!((element.numpy_name(), element.size()), (name, size));
        }
        for name in ["u8", "object", "str32", "uint16 ", "datetime64ns", ""] {
            assert_eq!(ElementType::from_numpy(name).unwrap_err().kind(), ErrorKind::Unsupported, "{name}");
        }
    }
}
