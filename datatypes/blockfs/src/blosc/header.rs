//! The sixteen bytes that begin a frame.

use engine_api::{Error, ErrorKind, Result};

use super::{damaged, to_usize};

/// The length of a frame's header.
pub const HEADER_BYTES: usize = 16;

/// The version of the format; a later one is another's.
const VERSION: u8 = 2;

/// The version of every compressor's format.
pub(super) const COMPRESSOR_VERSION: u8 = 1;

/// Bits of a header's flags; the three highest are the compressor's format.
pub(super) mod flag {
    pub(crate) const BYTE_SHUFFLE: u8 = 1;
    pub(crate) const STORED: u8 = 1 << 1;
    pub(crate) const BIT_SHUFFLE: u8 = 1 << 2;
    pub(crate) const UNKNOWN: u8 = 1 << 3;
    pub(crate) const NOT_SPLIT: u8 = 1 << 4;
}

/// Streams are split by the bytes of an element where an element has at most so many.
const MOST_SPLITS: usize = 16;

/// And where each stream has at least so many bytes.
const LEAST_STREAM: usize = 128;

/// What the header of a frame says, checked against itself and the bytes that are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    pub(super) flags: u8,
    pub(super) element_size: usize,
    pub(super) bytes: usize,
    pub(super) part_bytes: usize,
    pub(super) frame_bytes: usize,
}

impl FrameHeader {
    /// Reads the header at the start of `frame`.
    ///
    /// # Errors
    /// `Corrupt` when `frame` is shorter than a header, or the header contradicts itself; `Incompatible` for a later
    /// format.
    pub fn read(frame: &[u8]) -> Result<Self> {
        let Some((&[version, _, flags, element_size, ref lengths @ ..], _)) =
            frame.split_first_chunk::<HEADER_BYTES>()
        else {
            return Err(damaged("it is shorter than a header"));
        };
        if version != VERSION || flags & flag::UNKNOWN != 0 {
            return Err(Error::new(ErrorKind::Incompatible, "a Blosc frame is of an unknown version")
                .with("version", version)
                .with("flags", flags));
        }
        let (lengths, _) = lengths.as_chunks::<4>();
        let [bytes, part_bytes, frame_bytes] = [0, 1, 2].map(|at| to_usize(u32::from_le_bytes(lengths[at])));
        let header = Self { flags, element_size: usize::from(element_size), bytes, part_bytes, frame_bytes };
        header.check()?;
        Ok(header)
    }

    fn check(&self) -> Result<()> {
        let payload =
            self.frame_bytes.checked_sub(HEADER_BYTES).ok_or_else(|| damaged("it has no payload"))?;
        if self.bytes == 0 {
            return Ok(());
        }
        if self.element_size == 0 || self.part_bytes == 0 || self.part_bytes > self.bytes {
            return Err(damaged("its parts or elements have no possible size"));
        }
        if self.is_stored() {
            return if payload == self.bytes {
                Ok(())
            } else {
                Err(damaged("what is stored has another length"))
            };
        }
        if self.bytes.div_ceil(self.part_bytes) > payload / 4 {
            return Err(damaged("there are more parts than bytes"));
        }
        Ok(())
    }

    /// The length before compression.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The length of the frame, the header's included.
    pub fn frame_bytes(&self) -> usize {
        self.frame_bytes
    }

    pub(super) fn is_stored(&self) -> bool {
        self.flags & flag::STORED != 0
    }

    pub(super) fn compressor(&self) -> u8 {
        self.flags >> 5
    }

    /// How many streams a part of this length is in. A last part that is cut is one.
    pub(super) fn streams(&self, part: usize) -> usize {
        let split = self.flags & flag::NOT_SPLIT == 0
            && part == self.part_bytes
            && self.element_size <= MOST_SPLITS
            && part / self.element_size >= LEAST_STREAM;
        if split { self.element_size } else { 1 }
    }

    pub(super) fn write(&self, out: &mut [u8; HEADER_BYTES]) {
        let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes();
        out[0] = VERSION;
        out[1] = COMPRESSOR_VERSION;
        out[2] = self.flags;
        out[3] = u8::try_from(self.element_size).unwrap_or(1);
        out[4..8].copy_from_slice(&number(self.bytes));
        out[8..12].copy_from_slice(&number(self.part_bytes));
        out[12..16].copy_from_slice(&number(self.frame_bytes));
    }
}
