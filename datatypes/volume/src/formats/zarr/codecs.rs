//! The codecs of arrays: those of zarrs that neither decompress nor allocate, and ours around them.

use std::num::NonZeroU64;
use std::sync::Arc;

use engine_api::{Error, ErrorKind, Result};
use serde::de::DeserializeOwned;
use zarrs::array::codec::{
    BytesCodec, BytesCodecConfigurationV1, Crc32cCodec, ShardingCodec, ShardingCodecConfigurationV1,
    TransposeCodec, TransposeCodecConfigurationV1,
};
use zarrs::array::{
    ArrayToArrayCodecTraits, ArrayToBytesCodecTraits, BytesToBytesCodecTraits, ChunkShape, CodecChain,
};
use zarrs::metadata::v3::MetadataV3;

use super::bounded::{Bounded, Method};
use super::{corrupt, unsupported};

/// A shard that lists more chunks than these isn't opened: each takes 16 bytes of memory.
const MOST_CHUNKS_IN_SHARD: usize = 1 << 22;

/// The most codecs of a chunk or an index: zarrs nests what it reads a part of a shard with, and the stack with it.
const MOST_CODECS: usize = 64;

/// The longest that the bytes of a chunk can be after any of the codecs: no compressor that is worth its name
/// makes them twice as long.
pub(super) fn most_bytes(chunk_bytes: usize) -> usize {
    chunk_bytes.saturating_mul(2).saturating_add(1 << 16)
}

/// How the chunks of a shard are found.
pub(super) struct Sharding {
    configuration: ShardingCodecConfigurationV1,
    index: Arc<CodecChain>,
    /// The number of chunks in a shard.
    count: usize,
}

impl Sharding {
    /// That of an array that has shards.
    pub(super) fn of_array(codecs: &[MetadataV3], stored: &[NonZeroU64]) -> Result<Option<Self>> {
        let [only] = codecs else { return Ok(None) };
        if only.name() != "sharding_indexed" {
            return Ok(None);
        }
        let configuration: ShardingCodecConfigurationV1 = typed(only)?;
        let chunk_shape = &configuration.chunk_shape;
        let fits = chunk_shape.len() == stored.len()
            && stored.iter().zip(chunk_shape).all(|(shard, chunk)| shard.get().is_multiple_of(chunk.get()));
        if !fits {
            return Err(corrupt("its shards aren't whole numbers of chunks"));
        }
        let count = stored
            .iter()
            .zip(chunk_shape)
            .try_fold(1u64, |product, (shard, chunk)| product.checked_mul(shard.get() / chunk.get()))
            .and_then(|count| usize::try_from(count).ok())
            .filter(|count| *count <= MOST_CHUNKS_IN_SHARD)
            .ok_or_else(|| {
                Error::new(ErrorKind::TooLarge, "a shard has too many chunks")
                    .with("shard", format_args!("{stored:?}"))
                    .with("chunk", format_args!("{chunk_shape:?}"))
                    .with("limit", MOST_CHUNKS_IN_SHARD)
            })?;
        let index = Arc::new(index_chain(&configuration.index_codecs)?);
        Ok(Some(Self { configuration, index, count }))
    }

    pub(super) fn chunk_shape(&self) -> &ChunkShape {
        &self.configuration.chunk_shape
    }

    /// The length of the index in bytes.
    pub(super) fn index_bytes(&self) -> usize {
        self.count * 16 + self.index.bytes_to_bytes_codecs().len() * 4
    }

    /// The codecs of the array, of which this is the only one.
    pub(super) fn chain(self, most: usize) -> Result<CodecChain> {
        let ShardingCodecConfigurationV1 { chunk_shape, codecs, index_location, .. } = self.configuration;
        let inner = Arc::new(chain(&codecs, most)?);
        let sharding = ShardingCodec::new(chunk_shape, inner, self.index, index_location);
        Ok(CodecChain::new(Vec::new(), Arc::new(sharding), Vec::new()))
    }
}

/// The codecs of a shard's index, whose length has to be known before.
fn index_chain(codecs: &[MetadataV3]) -> Result<CodecChain> {
    let [bytes, checksums @ ..] = few(codecs)? else {
        return Err(corrupt("the index of its shards never becomes bytes"));
    };
    if bytes.name() != "bytes" || checksums.iter().any(|codec| codec.name() != "crc32c") {
        return Err(Error::new(
            ErrorKind::Unsupported,
            "a shard's index has a length that isn't known before",
        ));
    }
    let checksums = checksums.iter().map(|_| Arc::new(Crc32cCodec::new()).into_dyn()).collect();
    Ok(CodecChain::new(Vec::new(), bytes_codec(bytes)?, checksums))
}

/// The codecs of a chunk whose bytes are `most` at most after any of them.
///
/// They aren't looked up among those that are registered in the process, which may be anybody's.
pub(super) fn chain(codecs: &[MetadataV3], most: usize) -> Result<CodecChain> {
    let mut transpositions: Vec<Arc<dyn ArrayToArrayCodecTraits>> = Vec::new();
    let mut bytes = None;
    let mut compressors = Vec::new();
    for codec in few(codecs)? {
        match codec.name() {
            "transpose" if bytes.is_none() => {
                let TransposeCodecConfigurationV1 { order } = typed(codec)?;
                transpositions.push(Arc::new(TransposeCodec::new(order)));
            }
            "bytes" if bytes.is_none() => bytes = Some(bytes_codec(codec)?),
            "gzip" => compressors.push(Method::Gzip),
            "zstd" => compressors.push(Method::Zstd),
            "crc32c" => compressors.push(Method::Crc32c),
            "blosc" => compressors.push(Method::Blosc),
            other => return Err(unsupported("codec", other)),
        }
        if bytes.is_none() && !compressors.is_empty() {
            return Err(corrupt("it compresses elements before they are bytes"));
        }
    }
    let bytes = bytes.ok_or_else(|| corrupt("its elements never become bytes"))?;
    if compressors.is_empty() {
        compressors.push(Method::Stored);
    }
    let compressors = compressors.into_iter().map(|method| Bounded::codec(method, most));
    Ok(CodecChain::new(transpositions, bytes, compressors.collect()))
}

fn few(codecs: &[MetadataV3]) -> Result<&[MetadataV3]> {
    if codecs.len() > MOST_CODECS {
        return Err(Error::new(ErrorKind::TooLarge, "the Zarr has too many codecs")
            .with("codecs", codecs.len())
            .with("limit", MOST_CODECS));
    }
    Ok(codecs)
}

fn bytes_codec(codec: &MetadataV3) -> Result<Arc<dyn ArrayToBytesCodecTraits>> {
    let BytesCodecConfigurationV1 { endian } = typed(codec)?;
    Ok(Arc::new(BytesCodec::new(endian)))
}

/// The configuration of a part of the metadata.
pub(super) fn typed<T: DeserializeOwned>(part: &MetadataV3) -> Result<T> {
    part.to_typed_configuration().map_err(|error| {
        corrupt("a configuration can't be read").with("of", part.name().escape_debug()).caused_by(error)
    })
}
