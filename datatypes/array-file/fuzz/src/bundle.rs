//! The objects of a file, one behind the other, as the one input that a fuzzer changes.

/// The path that the objects are put under.
pub const NAME: &str = "f.af";

/// Each object with its length before it.
pub fn join(objects: &[Vec<u8>]) -> Vec<u8> {
    let mut joined = Vec::new();
    for object in objects {
        let length = u16::try_from(object.len()).unwrap_or(u16::MAX);
        joined.extend_from_slice(&length.to_le_bytes());
        joined.extend_from_slice(&object[..length.into()]);
    }
    joined
}

/// The objects again; a length that is too large means all that is left.
pub fn split(mut joined: &[u8]) -> Vec<Vec<u8>> {
    let mut objects = Vec::new();
    while let Some((length, rest)) = joined.split_first_chunk() {
        let length = usize::from(u16::from_le_bytes(*length)).min(rest.len());
        let (object, rest) = rest.split_at(length);
        objects.push(object.to_vec());
        joined = rest;
    }
    objects
}
