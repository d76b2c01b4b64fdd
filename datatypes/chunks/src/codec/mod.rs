//! How the bytes of a chunk are compressed.

mod frame;
mod scratch;
mod shuffle;

use std::fmt;
use std::str::FromStr;

use engine_api::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

pub use frame::{
    FRAME_HEADER_BYTES, decode_chunk, decode_frame, encode_frame, plain_elements, reference_frame,
    reference_of,
};

/// The compression of a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Compression {
    /// As it is.
    None,
    /// An LZ4 block.
    Lz4,
    /// A Zstandard frame.
    Zstd {
        /// 1 (fast) to 22 (small).
        level: i32,
    },
}

/// How a chunk is compressed: optionally the bytes of its elements are regrouped first, the lowest bytes of
/// all elements before all second bytes and so on, which lets numbers compress smaller and faster.
///
/// Its text is `none`, `lz4` or `zstd:LEVEL`, and `+shuffle` behind it for the regrouping: `zstd:1+shuffle`,
/// which is the default. A chunk that doesn't get smaller is stored as it is, whatever the codec.
///
/// ```
/// use chunks::{Codec, Compression};
///
/// # fn main() -> engine_api::Result<()> {
/// let codec: Codec = "lz4+shuffle".parse()?;
/// assert_eq!(codec, Codec { compression: Compression::Lz4, shuffle: true });
/// assert_eq!(Codec::default().to_string(), "zstd:1+shuffle");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Codec {
    /// The compression.
    pub compression: Compression,
    /// Whether the bytes of elements are regrouped before compression; without effect on one-byte elements
    /// and without compression.
    pub shuffle: bool,
}

impl Codec {
    /// No compression.
    pub const NONE: Self = Self { compression: Compression::None, shuffle: false };
    /// LZ4 of regrouped bytes: faster than the default in both directions, and larger.
    pub const FAST: Self = Self { compression: Compression::Lz4, shuffle: true };

    /// # Errors
    /// `InvalidArgument` for a Zstandard level that there isn't.
    pub(crate) fn check(self) -> Result<Self> {
        match self.compression {
            Compression::Zstd { level } if !(1..=22).contains(&level) => {
                Err(Error::new(ErrorKind::InvalidArgument, "Zstandard levels are 1 to 22")
                    .with("level", level))
            }
            _ => Ok(self),
        }
    }
}

impl Default for Codec {
    fn default() -> Self {
        Self { compression: Compression::Zstd { level: 1 }, shuffle: true }
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.compression {
            Compression::None => f.write_str("none")?,
            Compression::Lz4 => f.write_str("lz4")?,
            Compression::Zstd { level } => write!(f, "zstd:{level}")?,
        }
        f.write_str(if self.shuffle { "+shuffle" } else { "" })
    }
}

impl FromStr for Codec {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (name, shuffle) = match text.strip_suffix("+shuffle") {
            Some(name) => (name, true),
            None => (text, false),
        };
        let level = name.strip_prefix("zstd:").and_then(|level| level.parse().ok());
        let compression = match (name, level) {
            ("none", _) => Compression::None,
            ("lz4", _) => Compression::Lz4,
            (_, Some(level)) => Compression::Zstd { level },
            _ => {
                return Err(Error::new(ErrorKind::InvalidArgument, "there is no such codec")
                    .with("codec", text)
                    .with("known", "none, lz4, zstd:1 to zstd:22, each with or without +shuffle"));
            }
        };
        Self { compression, shuffle }.check()
    }
}

impl TryFrom<String> for Codec {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Codec> for String {
    fn from(codec: Codec) -> Self {
        codec.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_parse_back() {
        for text in ["none", "lz4", "lz4+shuffle", "zstd:1", "zstd:22+shuffle"] {
            assert_eq!(text.parse::<Codec>().unwrap().to_string(), text);
        }
        assert_eq!(serde_json::to_string(&Codec::FAST).unwrap(), "\"lz4+shuffle\"");
        assert_eq!(serde_json::from_str::<Codec>("\"lz4+shuffle\"").unwrap(), Codec::FAST);
    }

    #[test]
    fn unknown_texts_are_refused() {
        for text in ["", "zstd", "zstd:0", "zstd:23", "zstd:-1", "gzip", "shuffle", "lz4+bitshuffle", "lz4:3"]
        {
            assert_eq!(text.parse::<Codec>().unwrap_err().kind(), ErrorKind::InvalidArgument, "{text}");
        }
    }
}
