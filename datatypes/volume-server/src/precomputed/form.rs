//! How elements are put into chunks.

use chunks::{DType, Grid};
use engine_api::{Error, ErrorKind, Result};
use volume::encode_compressed_segmentation;

use crate::space::AXES;

/// The blocks of compressed segmentation that Neuroglancer's own tools make.
pub(crate) const BLOCK: [u64; AXES] = [8; AXES];

/// With more blocks than this a chunk might be longer than the 2^24 words that compressed segmentation can refer to: of
/// each there are two words of header, a table of up to 512 labels of two words, and 512 indices of 16 bits.
const MOST_BLOCKS: u64 = (1 << 24) / (2 + 2 * 512 + 512 / 2);

/// What the bytes of a chunk are. It is a part of a chunk's URL, so that these follow from the URL and the stored
/// elements, whatever is said of the volume besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Elements byte by byte as they are stored.
    Stored,
    /// Elements as the nearest `float32`.
    Rounded,
    /// Elements of four or eight bytes in compressed segmentation.
    Compressed,
}

impl Form {
    /// Every form.
    pub(crate) const ALL: [Self; 3] = [Self::Stored, Self::Rounded, Self::Compressed];

    /// What the folders of scales in this form begin with.
    pub(crate) fn letter(self) -> char {
        match self {
            Self::Stored => 's',
            Self::Rounded => 'r',
            Self::Compressed => 'c',
        }
    }

    /// The encoding that the info file names.
    pub(crate) fn encoding(self) -> &'static str {
        match self {
            Self::Stored | Self::Rounded => "raw",
            Self::Compressed => "compressed_segmentation",
        }
    }

    /// The form in which the info file offers an array, and the type that it names: the format has integers up to 32
    /// bits, `uint64` and `float32`.
    ///
    /// Labels are names, so that their bits matter and not their signs; of amounts, those that the format has no
    /// type for are rounded.
    pub(crate) fn offered(grid: &Grid, labels: bool) -> (Self, DType) {
        let dtype = match (grid.dtype(), labels) {
            (DType::Bool, _) | (DType::I8, true) => DType::U8,
            (DType::I16, true) => DType::U16,
            (DType::I32, true) => DType::U32,
            (DType::I64, true) => DType::U64,
            (DType::I64 | DType::F64, _) => return (Self::Rounded, DType::F32),
            (dtype, _) => dtype,
        };
        let names = labels && matches!(dtype, DType::U32 | DType::U64);
        let form = if names && blocks(grid) <= MOST_BLOCKS { Self::Compressed } else { Self::Stored };
        (form, dtype)
    }

    /// Stored elements of a box in this form.
    ///
    /// # Errors
    /// `NotFound` when there is no such form of the type; `TooLarge` when the labels are too many for one chunk.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "the format has no wider number; the README says so"
    )]
    pub(crate) fn encode(self, dtype: DType, shape: [u64; AXES], stored: Vec<u8>) -> Result<Vec<u8>> {
        let rounded = |value: fn([u8; 8]) -> f32| {
            stored.as_chunks::<8>().0.iter().flat_map(|element| value(*element).to_le_bytes()).collect()
        };
        match (self, dtype) {
            (Self::Stored, _) => Ok(stored),
            (Self::Rounded, DType::I64) => Ok(rounded(|element| i64::from_le_bytes(element) as f32)),
            (Self::Rounded, DType::F64) => Ok(rounded(|element| f64::from_le_bytes(element) as f32)),
            (Self::Compressed, DType::U32 | DType::I32) => {
                encode_compressed_segmentation(DType::U32, shape, BLOCK, &stored)
            }
            (Self::Compressed, DType::U64 | DType::I64) => {
                encode_compressed_segmentation(DType::U64, shape, BLOCK, &stored)
            }
            _ => Err(Error::new(ErrorKind::NotFound, "there is no such form of the elements")
                .with("form", self.letter())
                .with("type", dtype)),
        }
    }
}

/// The blocks of a chunk of the last three axes.
fn blocks(grid: &Grid) -> u64 {
    grid.chunk_shape().iter().rev().zip(BLOCK).map(|(length, block)| length.div_ceil(block)).product()
}

#[cfg(test)]
mod tests {
    use super::*;
    use volume::decode_compressed_segmentation;

    fn grid(dtype: DType) -> Grid {
        Grid::new(&[100, 100, 100], &[64, 64, 64], dtype).unwrap()
    }

    #[test]
    fn every_type_is_offered_as_one_that_the_format_has() {
        let known = ["uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "float32"];
        for &dtype in DType::ALL {
            for labels in [false, true] {
                let (form, shown) = Form::offered(&grid(dtype), labels);
                assert!(known.contains(&shown.numpy_name()), "{dtype}");
                let stored: Vec<u8> = (0..64).collect();
                let shape = [1, 1, u64::try_from(64 / dtype.size()).unwrap()];
                let encoded = form.encode(dtype, shape, stored.clone()).unwrap();
                match form {
                    Form::Stored => assert_eq!(encoded, stored, "{dtype}"),
                    Form::Rounded => assert_eq!(encoded.len(), 32, "{dtype}"),
                    Form::Compressed => {
                        let mut decoded = vec![0; 64];
                        decode_compressed_segmentation(shown, shape, BLOCK, &encoded, &mut decoded).unwrap();
                        assert_eq!(decoded, stored, "{dtype}");
                    }
                }
                assert_eq!(
                    form == Form::Compressed,
                    labels && shown.size() >= 4 && shown != DType::F32,
                    "{dtype}"
                );
            }
        }
    }

    #[test]
    fn amounts_are_rounded_to_the_nearest_float() {
        let stored: Vec<u8> =
            [i64::MIN, 3, (1 << 24) + 1].iter().flat_map(|value| value.to_le_bytes()).collect();
        let shown = Form::Rounded.encode(DType::I64, [1, 1, 3], stored).unwrap();
        let values: Vec<f32> =
            shown.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        assert_eq!(values, [-9_223_372_036_854_775_808.0, 3.0, 16_777_216.0]);
        let shown = Form::Rounded.encode(DType::F64, [1; 3], 0.1f64.to_le_bytes().to_vec()).unwrap();
        assert_eq!(shown, 0.1f32.to_le_bytes());
    }

    #[test]
    fn a_form_that_a_type_hasn_t_got_isn_t_found() {
        for (form, dtype) in
            [(Form::Rounded, DType::U8), (Form::Compressed, DType::F32), (Form::Compressed, DType::U16)]
        {
            assert_eq!(
                form.encode(dtype, [1; 3], vec![0; dtype.size()]).unwrap_err().kind(),
                ErrorKind::NotFound
            );
        }
    }

    #[test]
    fn the_most_blocks_with_a_label_for_each_element_are_encoded() {
        let length = MOST_BLOCKS * 8;
        let shape = [1, 1, length];
        let stored: Vec<u8> = (0..length).flat_map(u64::to_le_bytes).collect();
        let encoded = Form::Compressed.encode(DType::U64, shape, stored.clone()).unwrap();
        let mut decoded = vec![0; stored.len()];
        decode_compressed_segmentation(DType::U64, shape, BLOCK, &encoded, &mut decoded).unwrap();
        assert_eq!(decoded, stored);
        let offered = |shape: &[u64]| Form::offered(&Grid::new(shape, shape, DType::U64).unwrap(), true).0;
        assert_eq!(offered(&shape), Form::Compressed);
        assert_eq!(offered(&[length]), Form::Compressed);
        assert_eq!(offered(&[1, 1, length + 1]), Form::Stored);
        assert_eq!(offered(&[2, 184, 184, 184]), Form::Compressed);
        assert_eq!(offered(&[256, 256, 256]), Form::Stored);
    }
}
