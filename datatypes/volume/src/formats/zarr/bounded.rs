//! Codecs of bytes that decode to no more than a chunk can have.

use std::borrow::Cow;
use std::io::{self, Read};
use std::sync::{Arc, Mutex};

use engine_api::{Error, Result};
use flate2::read::MultiGzDecoder;
use zarrs::array::codec::api::{PartialDecoderCapability, PartialEncoderCapability};
use zarrs::array::{
    ArrayBytesRaw, BytesPartialDecoderTraits, BytesRepresentation, BytesToBytesCodecTraits, CodecError,
    CodecMetadataOptions, CodecOptions, CodecTraits, RecommendedConcurrency,
};
use zarrs::metadata::Configuration;
use zarrs::plugin::{ExtensionName, ZarrVersion};

use super::{blosc, corrupt};
use crate::formats::linear::read_failed;

type Coded<T> = std::result::Result<T, CodecError>;

/// The level of zstd: its own default.
const LEVEL: i32 = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    /// As it is.
    Stored,
    Gzip,
    Zstd,
    Crc32c,
    Blosc,
}

/// A codec of bytes that decodes to no more than a chunk can have, which those of zarrs don't keep to: what their
/// `zstd` allocates is what a frame claims.
///
/// It decodes a chunk whole, so that its length and checksums are judged also where zarrs reads a part: its own
/// `crc32c` isn't looked at then, and its `bytes` reads on in the next chunk of a shard where one is too short.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounded {
    method: Method,
    most: usize,
}

impl Bounded {
    /// A codec after which, or before, a chunk has `most` bytes at most.
    pub(super) fn codec(method: Method, most: usize) -> Arc<dyn BytesToBytesCodecTraits> {
        Arc::new(Self { method, most })
    }

    /// The codec of arrays that are written.
    pub(super) fn zstd() -> Arc<dyn BytesToBytesCodecTraits> {
        Self::codec(Method::Zstd, 0)
    }

    /// What was encoded, of a length that is known for the first codec of a chain.
    fn decode_to<'a>(&self, data: ArrayBytesRaw<'a>, length: Option<u64>) -> Result<ArrayBytesRaw<'a>> {
        if data.len() > self.most {
            return Err(corrupt("a chunk is longer than its shape says"));
        }
        let most = length.and_then(|length| usize::try_from(length).ok()).unwrap_or(self.most);
        let decoded = self.method.decode(data, most)?;
        if length.is_some() && decoded.len() != most {
            return Err(corrupt("a chunk isn't as long as its shape says")
                .with("expected", most)
                .with("found", decoded.len()));
        }
        Ok(decoded)
    }
}

/// What is written is by zstd alone.
impl ExtensionName for Bounded {
    fn name(&self, _: ZarrVersion) -> Option<Cow<'static, str>> {
        Some("zstd".into())
    }
}

impl CodecTraits for Bounded {
    fn as_any(&self) -> &dyn std::any::Any {
        self
    }

    fn configuration(&self, _: ZarrVersion, _: &CodecMetadataOptions) -> Option<Configuration> {
        let fields = [("level".to_owned(), LEVEL.into()), ("checksum".to_owned(), false.into())];
        (self.method == Method::Zstd).then(|| serde_json::Map::from_iter(fields).into())
    }

    /// So that nothing is kept a second time.
    fn partial_decoder_capability(&self) -> PartialDecoderCapability {
        PartialDecoderCapability { partial_read: true, partial_decode: true }
    }

    fn partial_encoder_capability(&self) -> PartialEncoderCapability {
        PartialEncoderCapability { partial_encode: false }
    }
}

impl BytesToBytesCodecTraits for Bounded {
    fn into_dyn(self: Arc<Self>) -> Arc<dyn BytesToBytesCodecTraits> {
        self
    }

    fn recommended_concurrency(&self, _: &BytesRepresentation) -> Coded<RecommendedConcurrency> {
        Ok(RecommendedConcurrency::new_maximum(1))
    }

    /// None that zarrs knows: it would multiply a shard's length by the number of chunks in it, which overflows.
    fn encoded_representation(&self, _: &BytesRepresentation) -> BytesRepresentation {
        BytesRepresentation::UnboundedSize
    }

    fn encode<'a>(&self, data: ArrayBytesRaw<'a>, _: &CodecOptions) -> Coded<ArrayBytesRaw<'a>> {
        if self.method != Method::Zstd {
            return Err(CodecError::Other("only zstd is written".to_owned()));
        }
        Ok(zstd::bulk::compress(&data, LEVEL)?.into())
    }

    fn decode<'a>(
        &self,
        data: ArrayBytesRaw<'a>,
        decoded: &BytesRepresentation,
        _: &CodecOptions,
    ) -> Coded<ArrayBytesRaw<'a>> {
        Ok(self.decode_to(data, decoded.size()).map_err(io::Error::other)?)
    }

    /// A chunk that has been decoded whole.
    fn partial_decoder(
        self: Arc<Self>,
        input: Arc<dyn BytesPartialDecoderTraits>,
        decoded: &BytesRepresentation,
        options: &CodecOptions,
    ) -> Coded<Arc<dyn BytesPartialDecoderTraits>> {
        let data = input.decode(options)?.map(|data| self.decode(data, decoded, options)).transpose()?;
        Ok(Arc::new(Mutex::new(data.map(Cow::into_owned))))
    }
}

impl Method {
    fn decode(self, data: ArrayBytesRaw<'_>, most: usize) -> Result<ArrayBytesRaw<'_>> {
        match self {
            Self::Stored => Ok(data),
            Self::Gzip => read_at_most(MultiGzDecoder::new(&*data), most),
            Self::Zstd => zstd::stream::read::Decoder::with_buffer(&*data)
                .map_err(read_failed)
                .and_then(|decoder| read_at_most(decoder, most))
                .map_err(|error| damaged().caused_by(error)),
            Self::Blosc => blosc::decode(&data, most).map(Cow::Owned),
            Self::Crc32c => {
                let Some((content, checksum)) = data.split_last_chunk::<4>() else { return Err(damaged()) };
                if crc32c::crc32c(content) != u32::from_le_bytes(*checksum) {
                    return Err(corrupt("a checksum doesn't hold"));
                }
                let length = content.len();
                let mut data = data.into_owned();
                data.truncate(length);
                Ok(data.into())
            }
        }
    }
}

fn read_at_most<'a>(input: impl Read, most: usize) -> Result<ArrayBytesRaw<'a>> {
    let mut data = Vec::new();
    let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    input.take(limit).read_to_end(&mut data).map_err(read_failed)?;
    if data.len() > most { Err(corrupt("a chunk is longer than its shape says")) } else { Ok(data.into()) }
}

fn damaged() -> Error {
    corrupt("a chunk's compressed data is damaged")
}
