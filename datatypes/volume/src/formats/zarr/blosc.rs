//! The container of Blosc 1: blocks of bytes that may have been shuffled, each compressed by itself.
//!
//! The layout is that of <https://github.com/Blosc/c-blosc/blob/main/README_CHUNK_FORMAT.rst>. Of the compressors
//! in it LZ4, zlib and Zstandard are read, and of the filters the shuffle of bytes.

use std::io::Read;

use chunks::zeroed;
use engine_api::{Error, ErrorKind, Result};

use super::corrupt;
use crate::formats::linear::read_failed;

const HEADER_BYTES: usize = 16;

/// The version of the format; a later one is another's.
const VERSION: u8 = 2;

/// Bits of a header's flags.
mod flag {
    pub(super) const BYTE_SHUFFLE: u8 = 1;
    pub(super) const STORED: u8 = 1 << 1;
    pub(super) const BIT_SHUFFLE: u8 = 1 << 2;
    pub(super) const WHOLE_BLOCKS: u8 = 1 << 4;
}

/// What was compressed, where it isn't longer than `most`.
pub(super) fn decode(data: &[u8], most: usize) -> Result<Vec<u8>> {
    let Some((&[version, _, flags, element, ref lengths @ ..], _)) = data.split_first_chunk::<HEADER_BYTES>()
    else {
        return Err(damaged());
    };
    let (lengths, _) = lengths.as_chunks::<4>();
    let [bytes, block_bytes, all] = [0, 1, 2].map(|at| number(lengths[at]));
    if version != VERSION || all > data.len() || bytes > most {
        return Err(damaged().with("version", version).with("bytes", bytes));
    }
    if flags & flag::STORED != 0 {
        return Ok(part(data, HEADER_BYTES, bytes)?.to_vec());
    }
    let element = usize::from(element).max(1);
    if flags & flag::BIT_SHUFFLE != 0 && flags & flag::BYTE_SHUFFLE == 0 {
        return Err(Error::new(ErrorKind::Unsupported, "Blosc with shuffled bits can't be read"));
    }
    let mut out = zeroed(bytes)?;
    if bytes > 0 && block_bytes == 0 {
        return Err(damaged());
    }
    let mut shuffled = Vec::new();
    for (index, block) in out.chunks_mut(block_bytes.max(1)).enumerate() {
        let mut at = number(*part(data, HEADER_BYTES + 4 * index, 4)?.first_chunk().ok_or_else(damaged)?);
        // A byte of every element in a stream of its own, but in a last block that is cut.
        let streams = if flags & flag::WHOLE_BLOCKS != 0 || block.len() < block_bytes { 1 } else { element };
        if !block.len().is_multiple_of(streams) {
            return Err(damaged());
        }
        let length = block.len() / streams;
        for stream in block.chunks_mut(length) {
            let packed = number(*part(data, at, 4)?.first_chunk().ok_or_else(damaged)?);
            let packed = part(data, at.saturating_add(4), packed)?;
            decompress(flags >> 5, packed, stream)?;
            at = at.saturating_add(4).saturating_add(packed.len());
        }
        if flags & flag::BYTE_SHUFFLE != 0 && element > 1 {
            shuffled.clear();
            shuffled.extend_from_slice(block);
            let elements = block.len() / element;
            // What is no whole element is behind the others, as it was.
            for (at, slot) in block[..elements * element].iter_mut().enumerate() {
                *slot = shuffled[at % element * elements + at / element];
            }
        }
    }
    Ok(out)
}

fn decompress(compressor: u8, packed: &[u8], out: &mut [u8]) -> Result<()> {
    if packed.len() == out.len() {
        out.copy_from_slice(packed);
        return Ok(());
    }
    match compressor {
        1 => match lz4_flex::block::decompress_into(packed, out) {
            Ok(written) if written == out.len() => Ok(()),
            Ok(_) => Err(damaged()),
            Err(error) => Err(damaged().caused_by(error)),
        },
        3 => flate2::read::ZlibDecoder::new(packed).read_exact(out).map_err(read_failed),
        4 => zstd::stream::read::Decoder::with_buffer(packed)
            .and_then(|mut input| input.read_exact(out))
            .map_err(|error| damaged().caused_by(error)),
        other => Err(Error::new(
            ErrorKind::Unsupported,
            "Blosc's compressor can't be read: only lz4, zlib and zstd",
        )
        .with("compressor", other)),
    }
}

fn part(data: &[u8], start: usize, length: usize) -> Result<&[u8]> {
    start.checked_add(length).and_then(|end| data.get(start..end)).ok_or_else(damaged)
}

fn number(bytes: [u8; 4]) -> usize {
    usize::try_from(u32::from_le_bytes(bytes)).unwrap_or(usize::MAX)
}

fn damaged() -> Error {
    corrupt("a chunk's Blosc container is damaged")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(
            flags in any::<u8>(),
            element in 0u8..20,
            lengths in prop::array::uniform3(0u32..300),
            rest in prop::collection::vec(0u8..40, 0..300),
        ) {
            let lengths = lengths.map(u32::to_le_bytes);
            let data = [&[2, 1, flags, element], lengths.as_flattened(), rest.as_slice()].concat();
            if let Ok(out) = decode(&data, 250) {
                prop_assert!(out.len() <= 250);
            }
        }
    }
}
