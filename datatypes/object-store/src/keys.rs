//! The keys of objects, of their blocks, and of work that is under way.

use engine_api::key::{TKey, TKeyClass};
use engine_api::{Error, ErrorKind, KeyRange, Result};

use crate::generation::Generation;

/// The marker of a store that has objects and nothing else. Instances have a record that says what they are.
pub(crate) const MARKER: TKeyClass = TKeyClass(0);
/// Records of objects, by path.
pub(crate) const OBJECT: TKeyClass = TKeyClass(1);
/// Blocks, by generation, slot and number.
const BLOCK: TKeyClass = TKeyClass(2);
/// Intents, by generation.
pub(crate) const INTENT: TKeyClass = TKeyClass(3);

/// The number under which a part's length is stored, behind all of its blocks.
pub(crate) const LENGTH: u32 = u32::MAX;

/// The key of an object's record.
pub(crate) fn object(path: &str) -> TKey {
    TKey::new(OBJECT, path.as_bytes())
}

/// The path of a record's key.
pub(crate) fn path_of(tkey: &[u8]) -> Result<&str> {
    tkey.split_first()
        .and_then(|(_, path)| std::str::from_utf8(path).ok())
        .ok_or_else(|| Error::new(ErrorKind::Corrupt, "an object's path isn't UTF-8").with_key("key", tkey))
}

/// The key of a block.
pub(crate) fn block(generation: Generation, slot: u64, number: u32) -> TKey {
    let mut rest = [0; 28];
    rest[..16].copy_from_slice(&generation.to_bytes());
    rest[16..24].copy_from_slice(&slot.to_be_bytes());
    rest[24..].copy_from_slice(&number.to_be_bytes());
    TKey::new(BLOCK, &rest)
}

/// The keys of all blocks of a generation.
pub(crate) fn blocks(generation: Generation) -> KeyRange {
    KeyRange::prefix(TKey::new(BLOCK, &generation.to_bytes()).as_bytes())
}

/// The key of an intent.
pub(crate) fn intent(generation: Generation) -> TKey {
    TKey::new(INTENT, &generation.to_bytes())
}

/// The generation of an intent's key.
pub(crate) fn generation_of(tkey: &[u8]) -> Result<Generation> {
    tkey.get(1..)
        .and_then(|rest| rest.try_into().ok())
        .map(Generation::from_bytes)
        .ok_or_else(|| Error::new(ErrorKind::Corrupt, "a malformed key of an intent").with_key("key", tkey))
}
