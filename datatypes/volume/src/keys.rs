//! The keys of a volume.

use chunks::{Coords, decode_coords, encode_coords};
use engine_api::key::{TKey, TKeyClass};
use engine_api::{Error, ErrorKind, KeyRange, Result};

/// The class of the chunks' keys: class, scale, coordinates.
const CHUNKS: TKeyClass = TKeyClass(186);

/// The class of the key that says how many scales are made: class alone.
const SCALES: TKeyClass = TKeyClass(187);

/// The class of the labels' index: class, label, coordinates.
const LABELS: TKeyClass = TKeyClass(188);

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
    if [SCALES, LABELS].contains(&tkey.class()?) {
        return Ok(None);
    }
    let (scale, chunk) = chunk_of_key(tkey)?;
    Ok((scale == 0).then_some(chunk))
}

/// A key of a volume in words: `chunk (0,3,1)`, `chunk (0,1,0) at scale 1`, `label 7 in chunk (0,3,1)`, `scales`.
///
/// # Errors
/// `Corrupt` when it isn't a volume's key.
pub fn describe_key(tkey: &TKey) -> Result<String> {
    match tkey.class()? {
        SCALES => Ok("scales".to_owned()),
        LABELS => {
            let (label, chunk) = label_of_key(tkey)?;
            Ok(format!("label {label} in chunk {chunk}"))
        }
        _ => Ok(match chunk_of_key(tkey)? {
            (0, chunk) => format!("chunk {chunk}"),
            (scale, chunk) => format!("chunk {chunk} at scale {scale}"),
        }),
    }
}

/// The key that says how many scales are made.
pub(crate) fn scales_key() -> TKey {
    TKey::new(SCALES, &[])
}

/// The key of a label in a chunk.
pub(crate) fn label_key(label: u64, chunk: &Coords) -> TKey {
    let mut key = label.to_be_bytes().to_vec();
    encode_coords(chunk, &mut key);
    TKey::new(LABELS, &key)
}

/// The label and the chunk of a key of the index.
pub(crate) fn label_of_key(tkey: &TKey) -> Result<(u64, Coords)> {
    match tkey.class_bytes()?.split_first_chunk() {
        Some((label, coords)) if tkey.class()? == LABELS => {
            Ok((u64::from_be_bytes(*label), decode_coords(coords)?))
        }
        _ => {
            Err(Error::new(ErrorKind::Corrupt, "a volume's key names no label")
                .with_key("key", tkey.as_bytes()))
        }
    }
}

/// The index, or one label of it.
pub(crate) fn label_range(label: Option<u64>) -> KeyRange {
    let mut prefix = vec![LABELS.0];
    if let Some(label) = label {
        prefix.extend_from_slice(&label.to_be_bytes());
    }
    KeyRange::prefix(&prefix)
}

/// The chunks of a scale, in C order.
pub(crate) fn scale_range(scale: u8) -> KeyRange {
    KeyRange::prefix(&[CHUNKS.0, scale])
}

/// The chunks of all scales, finest first.
pub(crate) fn chunk_range() -> KeyRange {
    KeyRange::prefix(&[CHUNKS.0])
}
