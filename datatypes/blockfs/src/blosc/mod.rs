//! Frames of Blosc 1: bytes cut into parts, shuffled, and compressed part by part.
//!
//! The layout is that of <https://github.com/Blosc/c-blosc/blob/main/README_CHUNK_FORMAT.rst>. A frame is read whatever
//! compressor made it; only Snappy and shuffled bits are left out, which BlockFS doesn't write.
//!
//! ```
//! use blockfs::blosc::{Compression, Compressor, decode, encode};
//!
//! # fn main() -> engine_api::Result<()> {
//! let elements: Vec<u8> = (0..1000u16).flat_map(u16::to_le_bytes).collect();
//! let frame = encode(Compression::new(Compressor::Lz4, 5)?, 2, &elements)?;
//! assert!(frame.len() < elements.len());
//! let mut back = vec![0; elements.len()];
//! decode(&frame, &mut back)?;
//! assert_eq!(back, elements);
//! # Ok(())
//! # }
//! ```

mod blosclz;
mod decode;
mod encode;
mod header;
mod shuffle;
mod streams;

pub use decode::decode;
pub use encode::encode;
pub use header::{FrameHeader, HEADER_BYTES};

use std::fmt;
use std::str::FromStr;

use engine_api::{Error, ErrorKind, Result};

/// What compresses the parts of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Compressor {
    /// Zstandard, small.
    #[default]
    Zstd,
    /// LZ4, fast.
    Lz4,
    /// LZ4 that is written slowly, and read as fast.
    Lz4Hc,
    /// Blosc's own, of the family of `FastLZ`.
    BloscLz,
    /// Deflate.
    Zlib,
}

impl Compressor {
    /// Every compressor.
    pub const ALL: &'static [Self] = &[Self::Zstd, Self::Lz4, Self::Lz4Hc, Self::BloscLz, Self::Zlib];

    /// The name that Blosc gives it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Zstd => "zstd",
            Self::Lz4 => "lz4",
            Self::Lz4Hc => "lz4hc",
            Self::BloscLz => "blosclz",
            Self::Zlib => "zlib",
        }
    }
}

impl fmt::Display for Compressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Compressor {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::ALL.iter().copied().find(|compressor| compressor.name() == text).ok_or_else(|| {
            let known: Vec<_> = Self::ALL.iter().map(|compressor| compressor.name()).collect();
            Error::new(ErrorKind::Unsupported, "there is no such compressor of Blosc")
                .with("compressor", text)
                .with("known", known.join(" "))
        })
    }
}

/// A compressor and its level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Compression {
    compressor: Compressor,
    level: u8,
}

impl Compression {
    /// The highest level.
    pub const MAX_LEVEL: u8 = 9;

    /// A compressor at a level: 0 stores what it is given, 9 is the smallest and slowest.
    ///
    /// # Errors
    /// `InvalidArgument` for a level over 9.
    pub fn new(compressor: Compressor, level: u8) -> Result<Self> {
        if level > Self::MAX_LEVEL {
            return Err(
                Error::new(ErrorKind::InvalidArgument, "a level of Blosc is 0 to 9").with("level", level)
            );
        }
        Ok(Self { compressor, level })
    }

    /// The compressor.
    pub const fn compressor(self) -> Compressor {
        self.compressor
    }

    /// The level, 0 to 9.
    pub const fn level(self) -> u8 {
        self.level
    }
}

impl Default for Compression {
    /// Zstandard at level 1. Level 5, which BlockFS of Python has by default, takes more than twice as long to write for a
    /// fiftieth less room.
    fn default() -> Self {
        Self { compressor: Compressor::Zstd, level: 1 }
    }
}

/// A compressor and a level, as in `zstd:5`.
impl FromStr for Compression {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let invalid = || {
            Error::new(
                ErrorKind::InvalidArgument,
                "a compression is a compressor and a level from 0 to 9, as in zstd:5",
            )
            .with("compression", text)
        };
        let (name, level) = text.split_once(':').ok_or_else(invalid)?;
        Self::new(name.parse()?, level.parse().map_err(|_| invalid())?)
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.compressor, self.level)
    }
}

#[cold]
fn damaged(what: &'static str) -> Error {
    Error::new(ErrorKind::Corrupt, "a Blosc frame is damaged").with("reason", what)
}

fn to_usize(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
