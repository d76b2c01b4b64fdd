//! The keys of a volume.

use chunks::{Coords, decode_coords, encode_coords};
use engine_api::key::{TKey, TKeyClass};
use engine_api::{Error, ErrorKind, KeyRange, Result};

/// The class of the chunks' keys: class, scale, coordinates.
const CHUNKS: TKeyClass = TKeyClass(186);

/// The key of a chunk; scale 0 is full resolution.
pub fn chunk_key(scale: u8, chunk: &Coords) -> TKey {
    let mut key = vec![scale];
    encode_coords(chunk, &mut key);
    TKey::new(CHUNKS, &key)
}

/// The scale and the coordinates of a chunk's key.
///
/// # Errors
/// `Corrupt` when it isn't one.
pub fn chunk_of_key(tkey: &TKey) -> Result<(u8, Coords)> {
    match tkey.class_bytes()?.split_first() {
        Some((scale, coords)) if tkey.class()? == CHUNKS => Ok((*scale, decode_coords(coords)?)),
        _ => {
            Err(Error::new(ErrorKind::Corrupt, "a volume's key names no chunk")
                .with_key("key", tkey.as_bytes()))
        }
    }
}

/// The coordinates of a chunk of full resolution; `None` for a volume's other keys.
///
/// # Errors
/// `Corrupt` when it isn't a volume's key.
pub fn full_chunk_of_key(tkey: &TKey) -> Result<Option<Coords>> {
    let (scale, chunk) = chunk_of_key(tkey)?;
    Ok((scale == 0).then_some(chunk))
}

/// The chunks of a scale, in C order.
pub(crate) fn scale_range(scale: u8) -> KeyRange {
    KeyRange::prefix(&[CHUNKS.0, scale])
}

/// The chunks of all scales, finest first.
pub(crate) fn chunk_range() -> KeyRange {
    KeyRange::prefix(&[CHUNKS.0])
}
