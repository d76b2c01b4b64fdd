//! The codecs of chunks.

use std::io::Read;

use chunks::{DType, MAX_RANK, zeroed};
use engine_api::{Error, ErrorKind, Result};
use flate2::read::MultiGzDecoder;
use serde_json::Value;

use super::metadata::Extension;
use super::{corrupt, unsupported};
use crate::formats::bytes::{ByteOrder, swap_elements};
use crate::formats::linear::read_failed;

/// A shard that lists more chunks than these isn't opened: each takes 16 bytes of memory.
const MOST_CHUNKS_IN_SHARD: u64 = 1 << 22;

/// From a chunk's elements to the bytes that are stored.
#[derive(Clone, Debug)]
pub(super) struct Chain {
    transpositions: Vec<Vec<usize>>,
    order: ByteOrder,
    compressors: Vec<Compressor>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Compressor {
    Gzip,
    Zstd,
    Crc32c,
}

/// How the chunks of a shard are found.
#[derive(Clone, Debug)]
pub(super) struct Sharding {
    /// The shape of the chunks in a shard.
    pub(super) chunk_shape: Vec<u64>,
    /// The number of chunks in a shard along each axis.
    pub(super) chunks: Vec<u64>,
    pub(super) index_at_start: bool,
    index: Chain,
}

impl Chain {
    /// The codecs of an array. Those of a sharded one are the codecs of the chunks in its shards.
    pub(super) fn of_array(
        codecs: &[Extension],
        stored_shape: &[u64],
        dtype: DType,
    ) -> Result<(Self, Option<Sharding>)> {
        let [only] = codecs else { return Ok((Self::parse(codecs, stored_shape.len(), dtype)?, None)) };
        if only.name() != "sharding_indexed" {
            return Ok((Self::parse(codecs, stored_shape.len(), dtype)?, None));
        }
        let chunk_shape: Vec<u64> = only.parsed("chunk_shape")?;
        let fits = chunk_shape.len() == stored_shape.len()
            && chunk_shape
                .iter()
                .zip(stored_shape)
                .all(|(chunk, shard)| *chunk > 0 && shard.is_multiple_of(*chunk));
        if !fits {
            return Err(corrupt("its shards aren't whole numbers of chunks"));
        }
        let chunks: Vec<u64> =
            stored_shape.iter().zip(&chunk_shape).map(|(shard, chunk)| shard / chunk).collect();
        let count = chunks.iter().try_fold(1u64, |product, count| product.checked_mul(*count));
        if count.is_none_or(|count| count > MOST_CHUNKS_IN_SHARD) {
            return Err(Error::new(ErrorKind::TooLarge, "a shard has too many chunks")
                .with("chunks", format_args!("{chunks:?}"))
                .with("limit", MOST_CHUNKS_IN_SHARD));
        }
        let inner: Vec<Extension> = only.parsed("codecs")?;
        let index_codecs: Vec<Extension> = only.parsed("index_codecs")?;
        let index = Self::parse(&index_codecs, chunks.len() + 1, DType::U64)?;
        let fixed =
            index.transpositions.is_empty() && index.compressors.iter().all(|one| *one == Compressor::Crc32c);
        if !fixed {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "a shard's index has a length that isn't known before",
            ));
        }
        let index_at_start = match only.get("index_location").map(Value::as_str) {
            None | Some(Some("end")) => false,
            Some(Some("start")) => true,
            Some(_) => {
                return Err(corrupt("the index of its shards is neither at their start nor at their end"));
            }
        };
        let chain = Self::parse(&inner, stored_shape.len(), dtype)?;
        Ok((chain, Some(Sharding { chunk_shape, chunks, index_at_start, index })))
    }

    fn parse(codecs: &[Extension], rank: usize, dtype: DType) -> Result<Self> {
        let mut chain =
            Self { transpositions: Vec::new(), order: ByteOrder::Little, compressors: Vec::new() };
        let mut is_bytes = false;
        for codec in codecs {
            let compressor = match codec.name() {
                "transpose" if !is_bytes => {
                    let order: Vec<usize> = codec.parsed("order")?;
                    if order.len() != rank || !(0..rank).all(|axis| order.contains(&axis)) {
                        return Err(corrupt("a transposition isn't one of its axes"));
                    }
                    chain.transpositions.push(order);
                    continue;
                }
                "bytes" if !is_bytes => {
                    chain.order = match codec.get("endian").map(Value::as_str) {
                        Some(Some("little")) => ByteOrder::Little,
                        Some(Some("big")) => ByteOrder::Big,
                        None if dtype.size() == 1 => ByteOrder::Little,
                        _ => return Err(corrupt("the order of its elements' bytes isn't said")),
                    };
                    is_bytes = true;
                    continue;
                }
                "gzip" => Compressor::Gzip,
                "zstd" => Compressor::Zstd,
                "crc32c" => Compressor::Crc32c,
                other => return Err(unsupported("codec", other)),
            };
            if !is_bytes {
                return Err(corrupt("it compresses elements before they are bytes"));
            }
            chain.compressors.push(compressor);
        }
        if is_bytes { Ok(chain) } else { Err(corrupt("its elements never become bytes")) }
    }

    /// The longest that the bytes of a chunk can be after any of the codecs: no compressor that is worth its
    /// name makes them twice as long.
    pub(super) fn most_bytes(chunk_bytes: usize) -> usize {
        chunk_bytes.saturating_mul(2).saturating_add(1 << 16)
    }

    /// The elements of a chunk.
    pub(super) fn decode(&self, encoded: Vec<u8>, shape: &[u64], size: usize) -> Result<Vec<u8>> {
        let elements: u64 = shape.iter().product();
        let bytes = usize::try_from(elements).unwrap_or(usize::MAX).saturating_mul(size);
        let mut data = encoded;
        for compressor in self.compressors.iter().rev() {
            data = compressor.decode(data, Self::most_bytes(bytes))?;
        }
        if data.len() != bytes {
            return Err(corrupt("a chunk isn't as long as its shape says")
                .with("expected", bytes)
                .with("found", data.len()));
        }
        if self.order == ByteOrder::Big {
            swap_elements(size, &mut data);
        }
        for (at, order) in self.transpositions.iter().enumerate().rev() {
            // What this transposition was given: the shape after those before it.
            let mut before = shape.to_vec();
            for earlier in &self.transpositions[..at] {
                before = earlier.iter().map(|axis| before[*axis]).collect();
            }
            data = untranspose(&data, &before, order, size)?;
        }
        Ok(data)
    }
}

impl Sharding {
    /// The length of the index in bytes.
    pub(super) fn index_bytes(&self) -> usize {
        let count: u64 = self.chunks.iter().product();
        // It was checked against a limit.
        usize::try_from(count).unwrap_or(usize::MAX).saturating_mul(16) + 4 * self.index.compressors.len()
    }

    /// Where each chunk begins, and how long it is.
    pub(super) fn decode_index(&self, encoded: Vec<u8>) -> Result<Vec<[u64; 2]>> {
        let shape: Vec<u64> = self.chunks.iter().copied().chain([2]).collect();
        let data = self.index.decode(encoded, &shape, 8)?;
        let (numbers, _) = data.as_chunks::<8>();
        let (entries, _) = numbers.as_chunks::<2>();
        Ok(entries.iter().map(|entry| entry.map(u64::from_le_bytes)).collect())
    }
}

impl Compressor {
    fn decode(self, data: Vec<u8>, most: usize) -> Result<Vec<u8>> {
        match self {
            Self::Gzip => read_at_most(MultiGzDecoder::new(data.as_slice()), most),
            Self::Zstd => {
                let decoder =
                    zstd::stream::read::Decoder::with_buffer(data.as_slice()).map_err(read_failed)?;
                read_at_most(decoder, most).map_err(|error| damaged().caused_by(error))
            }
            Self::Crc32c => {
                let Some((content, checksum)) = data.split_last_chunk::<4>() else { return Err(damaged()) };
                if crc32c::crc32c(content) != u32::from_le_bytes(*checksum) {
                    return Err(corrupt("a checksum doesn't hold"));
                }
                let length = content.len();
                let mut data = data;
                data.truncate(length);
                Ok(data)
            }
        }
    }
}

fn read_at_most(input: impl Read, most: usize) -> Result<Vec<u8>> {
    let mut data = Vec::new();
    let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    input.take(limit).read_to_end(&mut data).map_err(read_failed)?;
    if data.len() > most { Err(corrupt("a chunk is longer than its shape says")) } else { Ok(data) }
}

fn damaged() -> Error {
    corrupt("a chunk's compressed data is damaged")
}

/// Elements in the order that they had before their axes were put into another: axis `at` of what is given was
/// axis `order[at]` of `shape`.
fn untranspose(data: &[u8], shape: &[u64], order: &[usize], size: usize) -> Result<Vec<u8>> {
    let mut out = zeroed(data.len())?;
    let narrow = |length: u64| usize::try_from(length).unwrap_or(usize::MAX);
    // The place of an element in `out` moves by this much along each axis of what is given.
    let mut strides = [0; MAX_RANK + 1];
    let mut lengths = [1; MAX_RANK + 1];
    for (at, axis) in order.iter().enumerate() {
        strides[at] = shape[axis + 1..].iter().map(|length| narrow(*length)).product::<usize>() * size;
        lengths[at] = narrow(shape[*axis]);
    }
    let rank = order.len();
    let mut index = [0; MAX_RANK + 1];
    let mut place = 0;
    for element in data.chunks_exact(size) {
        out[place..place + size].copy_from_slice(element);
        for at in (0..rank).rev() {
            index[at] += 1;
            place += strides[at];
            if index[at] < lengths[at] {
                break;
            }
            place -= strides[at] * lengths[at];
            index[at] = 0;
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_go_back_to_where_they_were() {
        // 2 x 3 as columns.
        let columns = [0, 3, 1, 4, 2, 5];
        assert_eq!(untranspose(&columns, &[2, 3], &[1, 0], 1).unwrap(), [0, 1, 2, 3, 4, 5]);
        let shape = [2, 3, 4];
        let order = [2, 0, 1];
        // given[c][a][b] = original[a][b][c]
        let original = |a: usize, b: usize, c: usize| u8::try_from((a * 3 + b) * 4 + c).unwrap();
        let mut given = Vec::new();
        for c in 0..4 {
            for a in 0..2 {
                for b in 0..3 {
                    given.extend([original(a, b, c), 0x80]);
                }
            }
        }
        let expected: Vec<u8> = (0..24).flat_map(|value| [value, 0x80]).collect();
        assert_eq!(untranspose(&given, &shape, &order, 2).unwrap(), expected);
    }

    #[test]
    fn what_inflates_beyond_a_chunk_is_corrupt() {
        let zeros = vec![0; 10 << 20];
        let packed = zstd::bulk::compress(&zeros, 1).unwrap();
        assert!(packed.len() < 2000);
        let error = Compressor::Zstd.decode(packed, 1 << 20).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        // A frame that claims 2^62 bytes and has none.
        let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0xe0];
        frame.extend((1u64 << 62).to_le_bytes());
        frame.extend([1, 0, 0]);
        assert!(Compressor::Zstd.decode(frame, 1 << 20).is_err());
    }
}
