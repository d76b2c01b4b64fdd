//! Element types that the format hasn't got.

use chunks::DType;

/// How a volume's elements are shown in the precomputed format, which has integers up to 32 bits, `uint64` and
/// `float32`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Elements {
    /// Byte by byte as they are stored, under the name of a type of the same width.
    AsStored(DType),
    /// As the nearest `float32`.
    Rounded(DType),
}

impl Elements {
    /// Labels are names, so that their bits matter and not their signs; of amounts, those that the format has no
    /// type for are rounded.
    pub(crate) fn new(dtype: DType, labels: bool) -> Self {
        match (dtype, labels) {
            (DType::Bool, _) | (DType::I8, true) => Self::AsStored(DType::U8),
            (DType::I16, true) => Self::AsStored(DType::U16),
            (DType::I32, true) => Self::AsStored(DType::U32),
            (DType::I64, true) => Self::AsStored(DType::U64),
            (DType::I64 | DType::F64, _) => Self::Rounded(dtype),
            _ => Self::AsStored(dtype),
        }
    }

    /// The type that the info file names.
    pub(crate) fn shown(self) -> DType {
        match self {
            Self::AsStored(dtype) => dtype,
            Self::Rounded(_) => DType::F32,
        }
    }

    /// Stored elements as they are shown.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "the format has no wider number; the README says so"
    )]
    pub(crate) fn show(self, stored: Vec<u8>) -> Vec<u8> {
        let rounded = |value: fn([u8; 8]) -> f32| {
            stored.as_chunks::<8>().0.iter().flat_map(|element| value(*element).to_le_bytes()).collect()
        };
        match self {
            Self::AsStored(_) => stored,
            Self::Rounded(DType::I64) => rounded(|element| i64::from_le_bytes(element) as f32),
            Self::Rounded(_) => rounded(|element| f64::from_le_bytes(element) as f32),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_shown_as_one_that_the_format_has() {
        let known = ["uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "float32"];
        for &dtype in DType::ALL {
            for labels in [false, true] {
                let elements = Elements::new(dtype, labels);
                assert!(known.contains(&elements.shown().numpy_name()), "{dtype}");
                let stored: Vec<u8> = (0..16).collect();
                let shown = elements.show(stored.clone());
                assert_eq!(shown.len() / elements.shown().size(), 16 / dtype.size(), "{dtype}");
                if dtype.size() == elements.shown().size() {
                    assert_eq!(shown, stored, "{dtype}");
                }
            }
        }
    }

    #[test]
    fn amounts_are_rounded_to_the_nearest_float() {
        let stored: Vec<u8> =
            [i64::MIN, 3, (1 << 24) + 1].iter().flat_map(|value| value.to_le_bytes()).collect();
        let shown = Elements::new(DType::I64, false).show(stored);
        let values: Vec<f32> =
            shown.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        assert_eq!(values, [-9_223_372_036_854_775_808.0, 3.0, 16_777_216.0]);
        assert_eq!(Elements::new(DType::F64, true).show(0.1f64.to_le_bytes().to_vec()), 0.1f32.to_le_bytes());
    }
}
