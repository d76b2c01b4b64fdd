//! The bytes in which a chunk is stored; `FORMAT.md` describes them.

use engine_api::{Error, ErrorKind, Result};

use super::scratch::Scratch;
use super::shuffle::{shuffle, unshuffle};
use super::{Codec, Compression};
use crate::{Coords, Grid, MAX_CHUNK_BYTES};

/// The length of a frame's header; the payload follows it.
pub const FRAME_HEADER_BYTES: usize = 16;

const MAGIC: [u8; 4] = *b"\x8bKVC";
const VERSION: u8 = 1;
const CODEC_NONE: u8 = 0;
const CODEC_LZ4: u8 = 1;
const CODEC_ZSTD: u8 = 2;
const CODEC_ELSEWHERE: u8 = 3;
const FLAG_SHUFFLE: u8 = 1;
const CODEC_AT: usize = 5;
const CHECKSUM_AT: usize = 12;

/// Compresses the elements of a chunk into a frame.
///
/// # Errors
/// `InvalidArgument` when the element size isn't 1, 2, 4 or 8, the data isn't whole elements, or there is no
/// such Zstandard level; `TooLarge` over [`MAX_CHUNK_BYTES`].
pub fn encode_frame(codec: Codec, element_size: usize, data: &[u8]) -> Result<Vec<u8>> {
    codec.check()?;
    let header_size = check_elements(element_size, data.len())?;
    let length = frame_length(data.len())?;
    Scratch::with(|scratch| {
        let shuffled = codec.shuffle && element_size > 1 && codec.compression != Compression::None;
        let flags = if shuffled { FLAG_SHUFFLE } else { 0 };
        if shuffled {
            scratch.shuffled.resize(data.len(), 0);
            shuffle(element_size, data, &mut scratch.shuffled);
        }
        let packed = match codec.compression {
            Compression::None => None,
            Compression::Lz4 => Some((CODEC_LZ4, pack_lz4(scratch, data, shuffled)?)),
            Compression::Zstd { level } => Some((CODEC_ZSTD, pack_zstd(scratch, data, shuffled, level)?)),
        };
        Ok(match packed {
            Some((id, packed)) if packed.len() < data.len() => {
                assemble([VERSION, id, flags, header_size], length, packed)
            }
            _ => assemble([VERSION, CODEC_NONE, 0, header_size], length, data),
        })
    })
}

/// Restores the elements of a frame into `out`.
///
/// Nothing is allocated from lengths that the frame claims, and after an error the contents of `out` are
/// unspecified.
///
/// # Errors
/// `Corrupt` when the bytes are damaged, or hold elements of another size or another number of them than
/// `out` has room for; `Incompatible` when they are sound, but of a version or a codec that isn't known.
pub fn decode_frame(frame: &[u8], element_size: usize, out: &mut [u8]) -> Result<()> {
    let Opened { codec, shuffled, payload } = open(frame, element_size, out.len())?;
    Scratch::with(|scratch| {
        if !shuffled {
            return unpack(scratch, codec, payload, out);
        }
        let mut grouped = std::mem::take(&mut scratch.shuffled);
        grouped.resize(out.len(), 0);
        let result = unpack(scratch, codec, payload, &mut grouped);
        if result.is_ok() {
            unshuffle(element_size, &grouped, out);
        }
        scratch.shuffled = grouped;
        result
    })
}

/// The elements of a frame where they lie in it, if they are neither compressed nor regrouped; `None` if they are,
/// and then nothing was verified. `length` is that of the elements, in bytes.
///
/// # Errors
/// As [`decode_frame`].
pub fn plain_elements(frame: &[u8], element_size: usize, length: usize) -> Result<Option<&[u8]>> {
    if frame.get(..MAGIC.len()) != Some(&MAGIC) || frame.get(CODEC_AT..CODEC_AT + 2) != Some(&[CODEC_NONE, 0])
    {
        return Ok(None);
    }
    let payload = open(frame, element_size, length)?.payload;
    Ok((payload.len() == length).then_some(payload))
}

/// A frame that says where a chunk's elements are instead of having them; what the reference means is for whoever keeps
/// chunks to say. Who decodes such a frame as any other is told that it can't be.
///
/// # Errors
/// `InvalidArgument` for another element size, or a length that isn't whole elements; `TooLarge` over [`MAX_CHUNK_BYTES`].
pub fn reference_frame(element_size: usize, length: usize, reference: &[u8]) -> Result<Vec<u8>> {
    let header_size = check_elements(element_size, length)?;
    Ok(assemble([VERSION, CODEC_ELSEWHERE, 0, header_size], frame_length(length)?, reference))
}

/// What a frame that [`reference_frame`] has made says; `None` for frames that have elements, of which nothing was
/// verified then.
///
/// # Errors
/// As [`decode_frame`].
pub fn reference_of(frame: &[u8], element_size: usize, length: usize) -> Result<Option<&[u8]>> {
    if frame.get(..MAGIC.len()) != Some(&MAGIC) || frame.get(CODEC_AT) != Some(&CODEC_ELSEWHERE) {
        return Ok(None);
    }
    let opened = open(frame, element_size, length)?;
    Ok((opened.codec == CODEC_ELSEWHERE).then_some(opened.payload))
}

fn frame_length(bytes: usize) -> Result<u32> {
    u32::try_from(bytes)
        .ok()
        .filter(|_| bytes <= MAX_CHUNK_BYTES)
        .ok_or_else(|| Error::new(ErrorKind::TooLarge, "the chunk is too large").with("bytes", bytes))
}

/// A frame that is sound, of elements that may be expected.
struct Opened<'a> {
    codec: u8,
    shuffled: bool,
    payload: &'a [u8],
}

fn open(frame: &[u8], element_size: usize, expected: usize) -> Result<Opened<'_>> {
    let header_size = check_elements(element_size, expected)?;
    let corrupt = |message| Error::new(ErrorKind::Corrupt, message).with("frame_bytes", frame.len());
    let Some((header, payload)) = frame.split_first_chunk::<FRAME_HEADER_BYTES>() else {
        return Err(corrupt("the chunk is shorter than its header"));
    };
    let [m0, m1, m2, m3, version, codec, flags, size, length @ .., s0, s1, s2, s3] = *header;
    if [m0, m1, m2, m3] != MAGIC {
        return Err(corrupt("the bytes aren't those of a chunk"));
    }
    // The checksum is judged before the version: where it is, and what it covers, is the same in every
    // version, so a flipped bit in the version is told from a chunk of the future.
    if checksum(&header[..CHECKSUM_AT], payload) != u32::from_le_bytes([s0, s1, s2, s3]) {
        return Err(corrupt("the chunk's checksum doesn't match"));
    }
    let incompatible = |message, found| Error::new(ErrorKind::Incompatible, message).with("found", found);
    if version != VERSION {
        return Err(incompatible("the chunk's format version isn't known", version).with("known", VERSION));
    }
    if flags & !FLAG_SHUFFLE != 0 {
        return Err(incompatible("the chunk has flags that aren't known", flags));
    }
    if size != header_size {
        return Err(corrupt("the chunk has elements of another size")
            .with("expected", header_size)
            .with("found", size));
    }
    let length = u32::from_le_bytes(length);
    if usize::try_from(length) != Ok(expected) {
        return Err(corrupt("the chunk has another length").with("expected", expected).with("found", length));
    }
    Ok(Opened { codec, shuffled: flags & FLAG_SHUFFLE != 0, payload })
}

/// Restores a chunk of `grid` into `out`, which is [`chunk_bytes`](Grid::chunk_bytes) long.
///
/// # Errors
/// As [`decode_frame`], with the chunk's coordinates as the fact `chunk`.
pub fn decode_chunk(grid: &Grid, chunk: &Coords, frame: &[u8], out: &mut [u8]) -> Result<()> {
    grid.check_buffer(out.len())?;
    decode_frame(frame, grid.element_size(), out).map_err(|error| error.with("chunk", chunk))
}

fn check_elements(element_size: usize, length: usize) -> Result<u8> {
    match (element_size, u8::try_from(element_size)) {
        (1 | 2 | 4 | 8, Ok(size)) if length.is_multiple_of(element_size) => Ok(size),
        _ => Err(Error::new(
            ErrorKind::InvalidArgument,
            "the bytes aren't whole elements of 1, 2, 4 or 8 bytes",
        )
        .with("element_size", element_size)
        .with("bytes", length)),
    }
}

fn checksum(head: &[u8], payload: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(head), payload)
}

fn assemble(fixed: [u8; 4], length: u32, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(FRAME_HEADER_BYTES + payload.len());
    frame.extend_from_slice(&MAGIC);
    frame.extend_from_slice(&fixed);
    frame.extend_from_slice(&length.to_le_bytes());
    let sum = checksum(&frame, payload);
    frame.extend_from_slice(&sum.to_le_bytes());
    frame.extend_from_slice(payload);
    frame
}

fn pack_lz4<'a>(scratch: &'a mut Scratch, data: &[u8], shuffled: bool) -> Result<&'a [u8]> {
    let Scratch { shuffled: grouped, packed, .. } = scratch;
    let input = if shuffled { grouped.as_slice() } else { data };
    let most = lz4_flex::block::get_maximum_output_size(input.len());
    if packed.len() < most {
        packed.resize(most, 0);
    }
    let length = lz4_flex::block::compress_into(input, packed)
        .map_err(|error| Error::new(ErrorKind::Internal, "LZ4 failed").caused_by(error))?;
    Ok(&packed[..length])
}

fn pack_zstd<'a>(scratch: &'a mut Scratch, data: &[u8], shuffled: bool, level: i32) -> Result<&'a [u8]> {
    let (compressor, packed, grouped) = scratch.compressor(level)?;
    let input = if shuffled { grouped } else { data };
    packed.clear();
    packed.reserve(zstd::zstd_safe::compress_bound(input.len()));
    compressor.compress_to_buffer(input, packed).map_err(super::scratch::zstd_failed)?;
    Ok(packed)
}

fn unpack(scratch: &mut Scratch, codec: u8, payload: &[u8], out: &mut [u8]) -> Result<()> {
    let corrupt = || Error::new(ErrorKind::Corrupt, "the chunk can't be decompressed").with("codec", codec);
    let length = match codec {
        CODEC_NONE => {
            if payload.len() == out.len() {
                out.copy_from_slice(payload);
            }
            payload.len()
        }
        CODEC_LZ4 => {
            lz4_flex::block::decompress_into(payload, out).map_err(|error| corrupt().caused_by(error))?
        }
        CODEC_ZSTD => scratch
            .decompressor()?
            .decompress_to_buffer(payload, out)
            .map_err(|error| corrupt().caused_by(error))?,
        CODEC_ELSEWHERE => {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "the chunk's elements are in an archive, which isn't looked up here",
            ));
        }
        _ => {
            return Err(
                Error::new(ErrorKind::Incompatible, "the chunk's codec isn't known").with("found", codec)
            );
        }
    };
    if length == out.len() {
        return Ok(());
    }
    Err(corrupt().with("expected", out.len()).with("found", length))
}
