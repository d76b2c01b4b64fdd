//! From a frame to the bytes that it holds.

use std::cell::RefCell;

use engine_api::{Error, ErrorKind, Result};

use super::header::{FrameHeader, HEADER_BYTES, flag};
use super::shuffle::unshuffle;
use super::{damaged, streams, to_usize};

thread_local! {
    /// The part that is being decoded, before its bytes are put in order.
    static PART: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Decodes a frame that holds exactly as many bytes as `out` has.
///
/// What the frame says is compared with `out` and the frame's own length before it is used, so no frame makes this
/// allocate more than `out` has.
///
/// # Errors
/// `Corrupt` for a damaged frame, or one that holds more or less; `Incompatible` for a later format; `Unsupported` for
/// Snappy and for shuffled bits. The contents of `out` are unspecified then.
pub fn decode(frame: &[u8], out: &mut [u8]) -> Result<()> {
    let header = FrameHeader::read(frame)?;
    if header.bytes != out.len() {
        return Err(damaged("it holds another number of bytes")
            .with("expected", out.len())
            .with("found", header.bytes));
    }
    let frame = frame.get(..header.frame_bytes).ok_or_else(|| damaged("it is cut off"))?;
    if out.is_empty() {
        return Ok(());
    }
    if header.is_stored() {
        out.copy_from_slice(&frame[HEADER_BYTES..]);
        return Ok(());
    }
    if header.flags & (flag::BIT_SHUFFLE | flag::BYTE_SHUFFLE) == flag::BIT_SHUFFLE {
        return Err(Error::new(ErrorKind::Unsupported, "Blosc with shuffled bits can't be read"));
    }
    let shuffled = header.flags & flag::BYTE_SHUFFLE != 0 && header.element_size > 1;
    PART.with_borrow_mut(|scratch| {
        for (index, part) in out.chunks_mut(header.part_bytes).enumerate() {
            let at = to_usize(number(frame, HEADER_BYTES + 4 * index)?);
            if shuffled {
                if scratch.len() < part.len() {
                    scratch.resize(part.len(), 0);
                }
                let scratch = &mut scratch[..part.len()];
                decode_part(&header, frame, at, scratch)?;
                unshuffle(header.element_size, scratch, part);
            } else {
                decode_part(&header, frame, at, part)?;
            }
        }
        Ok(())
    })
}

fn decode_part(header: &FrameHeader, frame: &[u8], mut at: usize, part: &mut [u8]) -> Result<()> {
    let length = part.len() / header.streams(part.len());
    if !part.len().is_multiple_of(length) {
        return Err(damaged("its parts aren't whole elements"));
    }
    for out in part.chunks_mut(length) {
        let packed = to_usize(number(frame, at)?);
        let start = at.checked_add(4).ok_or_else(cut)?;
        at = start.checked_add(packed).ok_or_else(cut)?;
        streams::decompress(header.compressor(), frame.get(start..at).ok_or_else(cut)?, out)?;
    }
    Ok(())
}

fn number(frame: &[u8], at: usize) -> Result<u32> {
    let bytes = frame.get(at..).and_then(<[u8]>::first_chunk).ok_or_else(cut)?;
    Ok(u32::from_le_bytes(*bytes))
}

fn cut() -> Error {
    damaged("a stream lies beyond its end")
}
