//! The 348 bytes of a NIfTI-1 header.

use chunks::DType;
use engine_api::{Error, ErrorKind, Result};

use crate::formats::bytes::ByteOrder;

/// The length of the header, which is also its first field.
pub(super) const HEADER_BYTES: usize = 348;

/// Where the elements begin at the earliest: behind the header and four bytes that say whether extensions
/// follow.
pub(super) const FIRST_VOXEL: u64 = 352;

/// The offsets of the fields that are read or written; names are those of `nifti1.h`.
pub(super) mod at {
    pub(in super::super) const DIM: usize = 40;
    pub(in super::super) const INTENT_CODE: usize = 68;
    pub(in super::super) const DATATYPE: usize = 70;
    pub(in super::super) const BITPIX: usize = 72;
    pub(in super::super) const PIXDIM: usize = 76;
    pub(in super::super) const VOX_OFFSET: usize = 108;
    pub(in super::super) const SCL_SLOPE: usize = 112;
    pub(in super::super) const SCL_INTER: usize = 116;
    pub(in super::super) const XYZT_UNITS: usize = 123;
    pub(in super::super) const CAL_MAX: usize = 124;
    pub(in super::super) const CAL_MIN: usize = 128;
    pub(in super::super) const TOFFSET: usize = 136;
    pub(in super::super) const DESCRIP: usize = 148;
    pub(in super::super) const QFORM_CODE: usize = 252;
    pub(in super::super) const SFORM_CODE: usize = 254;
    pub(in super::super) const QUATERN: usize = 256;
    pub(in super::super) const SROW_X: usize = 280;
    pub(in super::super) const SROW_Y: usize = 296;
    pub(in super::super) const SROW_Z: usize = 312;
    pub(in super::super) const INTENT_NAME: usize = 328;
    pub(in super::super) const MAGIC: usize = 344;
}

/// A header's bytes and their order.
#[derive(Clone, Debug)]
pub(super) struct Header {
    bytes: [u8; HEADER_BYTES],
    order: ByteOrder,
}

/// Whether bytes begin as a NIfTI-1 header of either byte order does.
pub(in crate::formats) fn looks_like_header(head: &[u8]) -> bool {
    head.first_chunk()
        .is_some_and(|bytes: &[u8; HEADER_BYTES]| matches!(bytes[at::MAGIC..], [b'n', b'+' | b'i', b'1', 0]))
}

impl Header {
    /// A little-endian header of zeros, but for its length and its magic.
    pub(super) fn empty() -> Self {
        let mut header = Self { bytes: [0; HEADER_BYTES], order: ByteOrder::Little };
        header.set(0, 348i32.to_le_bytes());
        header.set(at::MAGIC, *b"n+1\0");
        header
    }

    /// # Errors
    /// `Corrupt` when these aren't the bytes of a header; `Incompatible` for NIfTI-2; `Unsupported` for a
    /// header whose elements are in another file.
    pub(super) fn parse(bytes: &[u8; HEADER_BYTES]) -> Result<Self> {
        let [a, b, c, d, ..] = *bytes;
        let order = match ([a, b, c, d], i32::from_le_bytes([a, b, c, d]), i32::from_be_bytes([a, b, c, d])) {
            (_, 348, _) => ByteOrder::Little,
            (_, _, 348) => ByteOrder::Big,
            (_, 540, _) | (_, _, 540) => {
                return Err(Error::new(
                    ErrorKind::Incompatible,
                    "the file is NIfTI-2; convert it to NIfTI-1",
                ));
            }
            (found, ..) => {
                return Err(Error::new(ErrorKind::Corrupt, "the file has no NIfTI-1 header")
                    .with("first_bytes", format_args!("{found:02x?}")));
            }
        };
        match bytes[at::MAGIC..] {
            [b'n', b'+', b'1', 0] => Ok(Self { bytes: *bytes, order }),
            [b'n', b'i', b'1', 0] => Err(Error::new(
                ErrorKind::Unsupported,
                "the header's elements are in another file (.img); convert the pair to one .nii",
            )),
            _ => Err(Error::new(ErrorKind::Corrupt, "the header's magic isn't NIfTI-1's")
                .with_key("magic", &bytes[at::MAGIC..])),
        }
    }

    pub(super) fn bytes(&self) -> &[u8; HEADER_BYTES] {
        &self.bytes
    }

    pub(super) fn order(&self) -> ByteOrder {
        self.order
    }

    /// The bytes of a field in little-endian order.
    fn field<const N: usize>(&self, at: usize) -> [u8; N] {
        let mut field = [0; N];
        field.copy_from_slice(&self.bytes[at..at + N]);
        if self.order == ByteOrder::Big {
            field.reverse();
        }
        field
    }

    pub(super) fn i16(&self, at: usize) -> i16 {
        i16::from_le_bytes(self.field(at))
    }

    pub(super) fn f32(&self, at: usize) -> f32 {
        f32::from_le_bytes(self.field(at))
    }

    pub(super) fn u8(&self, at: usize) -> u8 {
        self.bytes[at]
    }

    /// A text, up to its first zero.
    pub(super) fn text(&self, at: usize, length: usize) -> String {
        let text = self.bytes[at..at + length].split(|byte| *byte == 0).next().unwrap_or_default();
        String::from_utf8_lossy(text).into_owned()
    }

    /// Sets a field of a little-endian header.
    pub(super) fn set<const N: usize>(&mut self, at: usize, value: [u8; N]) {
        self.bytes[at..at + N].copy_from_slice(&value);
    }

    /// Sets a text of a field of zeros, cut to `length`.
    pub(super) fn set_text(&mut self, at: usize, length: usize, text: &str) {
        let mut end = text.len().min(length);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        self.bytes[at..at + end].copy_from_slice(&text.as_bytes()[..end]);
    }
}

/// The type of a `datatype` code.
pub(super) fn dtype_of_code(code: i16) -> Result<DType> {
    let unsupported = |kind: &'static str| {
        Err(Error::new(ErrorKind::Unsupported, "the image's elements aren't real numbers of 1 to 8 bytes")
            .with("datatype", code)
            .with("kind", kind))
    };
    match code {
        2 => Ok(DType::U8),
        4 => Ok(DType::I16),
        8 => Ok(DType::I32),
        16 => Ok(DType::F32),
        64 => Ok(DType::F64),
        256 => Ok(DType::I8),
        512 => Ok(DType::U16),
        768 => Ok(DType::U32),
        1024 => Ok(DType::I64),
        1280 => Ok(DType::U64),
        1 => unsupported("one bit per element"),
        32 | 1792 | 2048 => unsupported("complex"),
        128 | 2304 => unsupported("colour"),
        1536 => unsupported("16-byte float"),
        _ => Err(Error::new(ErrorKind::Corrupt, "the header's datatype isn't one of NIfTI-1's")
            .with("datatype", code)),
    }
}

/// The `datatype` code of a type; a `bool` is written as `u8`.
pub(super) fn code_of_dtype(dtype: DType) -> i16 {
    match dtype {
        DType::U8 | DType::Bool => 2,
        DType::I16 => 4,
        DType::I32 => 8,
        DType::F32 => 16,
        DType::F64 => 64,
        DType::I8 => 256,
        DType::U16 => 512,
        DType::U32 => 768,
        DType::I64 => 1024,
        DType::U64 => 1280,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_types_agree() {
        for &dtype in DType::ALL.iter().filter(|dtype| **dtype != DType::Bool) {
            assert_eq!(dtype_of_code(code_of_dtype(dtype)).unwrap(), dtype);
        }
    }

    #[test]
    fn other_codes_are_unsupported_or_corrupt() {
        for code in [1, 32, 128, 1536, 1792, 2048, 2304] {
            assert_eq!(dtype_of_code(code).unwrap_err().kind(), ErrorKind::Unsupported, "{code}");
        }
        for code in [0, -1, 3, 255, i16::MAX] {
            assert_eq!(dtype_of_code(code).unwrap_err().kind(), ErrorKind::Corrupt, "{code}");
        }
    }
}
