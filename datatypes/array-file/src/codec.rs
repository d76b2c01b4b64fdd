//! How blocks are compressed: the built-in codecs, and those that a program brings along.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use chunks::{Codec, FRAME_HEADER_BYTES, decode_frame, encode_frame, plain_elements};

use crate::error::{Error, Result};
use crate::wire::narrow;

const MAGIC: [u8; 4] = *b"\x8bKAB";
const VERSION: u8 = 1;
const CHECKSUM_AT: usize = 12;

/// A codec of a program's own.
///
/// Its blocks name it by [`id`](Self::id), and a reader finds it in its [`CodecRegistry`].
pub trait CompressionCodec: Send + Sync + fmt::Debug {
    /// Its name in the files that it wrote.
    fn id(&self) -> &str;

    /// Compresses a block.
    ///
    /// # Errors
    /// A text that says why it can't; nothing is written then.
    fn compress(&self, block: &[u8]) -> Result<Vec<u8>, String>;

    /// Restores a block into `out`, which is as long as the block was.
    ///
    /// # Errors
    /// A text that says why it can't, which is `Corrupt` to the caller. Bytes of a damaged file don't come
    /// here, but those of a hostile one may.
    fn decompress(&self, compressed: &[u8], out: &mut [u8]) -> Result<(), String>;
}

/// The codec that new blocks are compressed with.
#[derive(Clone, Debug)]
pub enum BlockCodec {
    /// One of those that every reader knows.
    BuiltIn(Codec),
    /// One that a reader must have registered.
    Custom(Arc<dyn CompressionCodec>),
}

impl BlockCodec {
    /// Its name in a layer's table; empty for those that need none.
    pub(crate) fn id(&self) -> &str {
        match self {
            Self::BuiltIn(_) => "",
            Self::Custom(codec) => codec.id(),
        }
    }

    /// The codec of a program's own, where it is one.
    pub(crate) fn custom(&self) -> Option<Arc<dyn CompressionCodec>> {
        match self {
            Self::BuiltIn(_) => None,
            Self::Custom(codec) => Some(Arc::clone(codec)),
        }
    }
}

impl Default for BlockCodec {
    fn default() -> Self {
        Self::BuiltIn(Codec::default())
    }
}

impl From<Codec> for BlockCodec {
    fn from(codec: Codec) -> Self {
        Self::BuiltIn(codec)
    }
}

impl From<Arc<dyn CompressionCodec>> for BlockCodec {
    fn from(codec: Arc<dyn CompressionCodec>) -> Self {
        Self::Custom(codec)
    }
}

/// The codecs that a reader knows besides the built-in ones.
#[derive(Clone, Debug, Default)]
pub struct CodecRegistry {
    codecs: BTreeMap<String, Arc<dyn CompressionCodec>>,
}

impl CodecRegistry {
    /// Adds a codec, in place of one of its id.
    pub fn register(&mut self, codec: Arc<dyn CompressionCodec>) {
        self.codecs.insert(codec.id().to_owned(), codec);
    }

    pub(crate) fn get(&self, id: &str) -> Result<&Arc<dyn CompressionCodec>> {
        self.codecs.get(id).ok_or_else(|| Error::UnknownCodec { id: id.to_owned() })
    }
}

/// Compresses a block. All blocks begin with sixteen bytes that hold a checksum.
pub(crate) fn encode_block(codec: &BlockCodec, shuffle_size: usize, block: &[u8]) -> Result<Bytes> {
    match codec {
        BlockCodec::BuiltIn(codec) => encode_frame(*codec, shuffle_size, block)
            .map(Bytes::from)
            .map_err(|error| Error::Codec { id: codec.to_string(), reason: error.report() }),
        BlockCodec::Custom(codec) => {
            let failed = |reason| Error::Codec { id: codec.id().to_owned(), reason };
            let packed = codec.compress(block).map_err(failed)?;
            let mut out = Vec::with_capacity(FRAME_HEADER_BYTES + packed.len());
            out.extend_from_slice(&MAGIC);
            out.extend_from_slice(&[VERSION, 0, 0, 0]);
            out.extend_from_slice(&narrow("a block", block.len())?.to_le_bytes());
            let sum = crc32c::crc32c_append(crc32c::crc32c(&out), &packed);
            out.extend_from_slice(&sum.to_le_bytes());
            out.extend_from_slice(&packed);
            Ok(out.into())
        }
    }
}

/// The part of a stored block that is the block as it is; `None` where it has to be restored. `length` is what the
/// index says that the block's is.
pub(crate) fn plain_block(stored: &Bytes, shuffle_size: usize, length: usize) -> Result<Option<Bytes>> {
    let plain = plain_elements(stored, shuffle_size, length)
        .map_err(|error| Error::corrupt("", format!("a block: {}", error.report())))?;
    Ok(plain.map(|plain| stored.slice_ref(plain)))
}

/// Restores a block into `out`, which is as long as the index says that the block was.
///
/// `custom` is the codec that the layer's blocks are compressed with, where it isn't a built-in one.
pub(crate) fn decode_block(
    stored: &[u8],
    shuffle_size: usize,
    custom: Option<&dyn CompressionCodec>,
    out: &mut [u8],
) -> Result<()> {
    if stored.get(..4) != Some(&MAGIC) {
        return decode_frame(stored, shuffle_size, out)
            .map_err(|error| Error::corrupt("", format!("a block: {}", error.report())));
    }
    let corrupt = |reason: &str| Error::corrupt("", format!("a block: {reason}"));
    let (header, payload) =
        stored.split_first_chunk::<FRAME_HEADER_BYTES>().ok_or_else(|| corrupt("it is too short"))?;
    let [_, _, _, _, version, _, _, _, length @ .., s0, s1, s2, s3] = *header;
    let sum = crc32c::crc32c_append(crc32c::crc32c(&header[..CHECKSUM_AT]), payload);
    if sum != u32::from_le_bytes([s0, s1, s2, s3]) {
        return Err(corrupt("the checksum doesn't match"));
    }
    if version != VERSION {
        return Err(Error::Incompatible { path: String::new(), found: version.into() });
    }
    if usize::try_from(u32::from_le_bytes(length)) != Ok(out.len()) {
        return Err(corrupt("it has another length"));
    }
    let codec = custom.ok_or_else(|| corrupt("its layer names no codec"))?;
    codec.decompress(payload, out).map_err(|reason| corrupt(&reason))
}

/// That a stored block's checksum matches, without restoring it.
pub(crate) fn verify_block(stored: &[u8]) -> Result<()> {
    let Some((header, payload)) = stored.split_first_chunk::<FRAME_HEADER_BYTES>() else {
        return Err(Error::corrupt("", "a block is too short"));
    };
    let [.., s0, s1, s2, s3] = *header;
    let sum = crc32c::crc32c_append(crc32c::crc32c(&header[..CHECKSUM_AT]), payload);
    if sum == u32::from_le_bytes([s0, s1, s2, s3]) {
        return Ok(());
    }
    Err(Error::corrupt("", "a block's checksum doesn't match"))
}

/// The codec of a layer that names one.
pub(crate) fn layer_codec(
    registry: &CodecRegistry,
    own: &BlockCodec,
    id: &str,
) -> Result<Option<Arc<dyn CompressionCodec>>> {
    match own {
        _ if id.is_empty() => Ok(None),
        BlockCodec::Custom(codec) if codec.id() == id => Ok(Some(Arc::clone(codec))),
        _ => registry.get(id).cloned().map(Some),
    }
}
