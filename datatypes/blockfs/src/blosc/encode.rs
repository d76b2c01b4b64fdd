//! From bytes to a frame.

use std::cell::RefCell;

use engine_api::{Error, ErrorKind, Result};

use super::Compression;
use super::header::{FrameHeader, HEADER_BYTES, flag};
use super::shuffle::shuffle;
use super::streams::{Packer, format_of};

/// The length of a part: what the second-level cache holds of a part and what becomes of it.
const PART_BYTES: usize = 256 << 10;

/// Shorter inputs are stored, as Blosc does.
const LEAST_BYTES: usize = 128;

/// The longest input: what the format's signed numbers can say, with the frame around it.
const MOST_BYTES: usize = (i32::MAX as usize) - HEADER_BYTES;

/// What a thread keeps from frame to frame.
struct Scratch {
    packer: Packer,
    part: Vec<u8>,
}

thread_local! {
    static SCRATCH: RefCell<Option<Scratch>> = const { RefCell::new(None) };
}

/// Compresses `data`, elements of `element_size` bytes, into a frame of at most 16 bytes more.
///
/// Bytes are shuffled, and those of each place in an element are a stream of their own, for Zstandard too: a place
/// that is noise is stored, and costs nobody time.
///
/// # Errors
/// `InvalidArgument` for an element size that isn't 1 to 255; `TooLarge` for 2 GiB and more.
pub fn encode(compression: Compression, element_size: usize, data: &[u8]) -> Result<Vec<u8>> {
    if element_size == 0 || element_size > 255 {
        return Err(Error::new(ErrorKind::InvalidArgument, "an element of Blosc has 1 to 255 bytes")
            .with("bytes", element_size));
    }
    if data.len() > MOST_BYTES {
        return Err(Error::new(ErrorKind::TooLarge, "a Blosc frame holds less than 2 GiB")
            .with("bytes", data.len())
            .with("limit", MOST_BYTES));
    }
    let format = format_of(compression.compressor());
    if compression.level() > 0 && data.len() >= LEAST_BYTES {
        let frame = SCRATCH.with_borrow_mut(|slot| {
            let scratch = match slot {
                Some(scratch) if scratch.packer.compression() == compression => scratch,
                _ => slot.insert(Scratch { packer: Packer::new(compression)?, part: Vec::new() }),
            };
            compress(scratch, format, element_size, data)
        })?;
        if let Some(frame) = frame {
            return Ok(frame);
        }
    }
    let mut frame = vec![0; HEADER_BYTES];
    frame.extend_from_slice(data);
    let header = FrameHeader {
        flags: format << 5 | flag::NOT_SPLIT | flag::STORED | flag::BYTE_SHUFFLE,
        element_size,
        bytes: data.len(),
        part_bytes: data.len().clamp(1, PART_BYTES),
        frame_bytes: frame.len(),
    };
    finish(&header, frame)
}

/// The frame, where it is shorter than what it holds.
fn compress(scratch: &mut Scratch, format: u8, element_size: usize, data: &[u8]) -> Result<Option<Vec<u8>>> {
    let part_bytes = (PART_BYTES / element_size).min(data.len() / element_size).max(1) * element_size;
    let mut header = FrameHeader {
        flags: format << 5 | flag::BYTE_SHUFFLE,
        element_size,
        bytes: data.len(),
        part_bytes: part_bytes.min(data.len()),
        frame_bytes: 0,
    };
    let parts = data.len().div_ceil(header.part_bytes);
    let mut frame = Vec::with_capacity(data.len() / 2 + HEADER_BYTES + 8 * parts);
    frame.resize(HEADER_BYTES + 4 * parts, 0);
    for (index, part) in data.chunks(header.part_bytes).enumerate() {
        let start = number(frame.len())?;
        let slot = HEADER_BYTES + 4 * index;
        frame[slot..slot + 4].copy_from_slice(&start);
        scratch.part.resize(part.len(), 0);
        shuffle(element_size, part, &mut scratch.part);
        for stream in scratch.part.chunks(part.len() / header.streams(part.len())) {
            let slot = frame.len();
            frame.extend_from_slice(&[0; 4]);
            let length = scratch.packer.pack(stream, &mut frame)?;
            frame[slot..slot + 4].copy_from_slice(&number(length)?);
        }
        if frame.len() >= data.len() + HEADER_BYTES {
            return Ok(None);
        }
    }
    header.frame_bytes = frame.len();
    finish(&header, frame).map(Some)
}

fn finish(header: &FrameHeader, mut frame: Vec<u8>) -> Result<Vec<u8>> {
    let head =
        frame.first_chunk_mut().ok_or_else(|| Error::new(ErrorKind::Internal, "a frame has no header"))?;
    header.write(head);
    Ok(frame)
}

fn number(number: usize) -> Result<[u8; 4]> {
    let number = u32::try_from(number)
        .map_err(|_| Error::new(ErrorKind::Internal, "a frame is too long").with("bytes", number))?;
    Ok(number.to_le_bytes())
}

#[cfg(test)]
mod tests {
    use super::super::{Compressor, decode};
    use super::*;
    use proptest::prelude::*;

    fn check(compression: Compression, element_size: usize, data: &[u8]) {
        let frame = encode(compression, element_size, data).unwrap();
        assert!(frame.len() <= data.len() + HEADER_BYTES);
        let mut out = vec![0xEE; data.len()];
        decode(&frame, &mut out).unwrap();
        assert!(out == data, "{compression}, elements of {element_size}, {} bytes", data.len());
    }

    #[test]
    fn what_has_several_parts_and_a_rest_comes_back() {
        let mut random = fastrand::Rng::with_seed(3);
        let data: Vec<u8> = (0..700_001u32)
            .map(|i| if i % 2 == 0 { random.u8(..) } else { (i >> 12).to_le_bytes()[0] })
            .collect();
        for &compressor in Compressor::ALL {
            for level in [0, 1, 5, 9] {
                for element_size in [1, 2, 3, 8, 16, 17, 255] {
                    check(Compression::new(compressor, level).unwrap(), element_size, &data);
                }
            }
        }
    }

    #[test]
    fn noise_is_stored() {
        let mut random = fastrand::Rng::with_seed(4);
        let data: Vec<u8> = (0..100_000).map(|_| random.u8(..)).collect();
        for &compressor in Compressor::ALL {
            let frame = encode(Compression::new(compressor, 5).unwrap(), 4, &data).unwrap();
            assert_eq!(frame.len(), data.len() + HEADER_BYTES, "{compressor}");
        }
    }

    fn compression() -> impl Strategy<Value = Compression> {
        (prop::sample::select(Compressor::ALL), 0u8..=9)
            .prop_map(|(compressor, level)| Compression::new(compressor, level).unwrap())
    }

    proptest! {
        #[test]
        fn what_was_encoded_comes_back(
            compression in compression(),
            element_size in 1usize..20,
            bytes in 0usize..6000,
            noise in 1u8..=255,
            seed in any::<u64>(),
        ) {
            let mut random = fastrand::Rng::with_seed(seed);
            let data: Vec<u8> = (0..bytes).map(|_| random.u8(..noise)).collect();
            check(compression, element_size, &data);
        }

        #[test]
        fn no_damage_makes_it_panic(
            compression in compression(),
            element_size in 1usize..20,
            flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
            cut in any::<prop::sample::Index>(),
        ) {
            let data: Vec<u8> = (0..1500u32).map(|i| (i / 7).to_le_bytes()[0]).collect();
            let mut frame = encode(compression, element_size, &data).unwrap();
            for (at, byte) in flips {
                let at = at.index(frame.len());
                frame[at] = byte;
            }
            let mut out = vec![0; data.len()];
            drop(decode(&frame, &mut out));
            drop(decode(&frame[..cut.index(frame.len())], &mut out));
        }
    }
}
