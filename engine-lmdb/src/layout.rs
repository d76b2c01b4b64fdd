//! How LMDB lays out its pages, as far as a walk over them needs to know, and reading them piece by piece.

use std::fs::File;
use std::io;

use engine_api::embedded::read_exact_at;
use engine_api::{Error, ErrorKind, Result};

/// Numbers of pages and counts have the machine's own size and byte order.
pub(crate) const NUMBER: usize = size_of::<usize>();

/// A page's head: its number, two bytes that aren't used here, flags, and where its free space lies, or for
/// a value of several pages how many they are.
pub(crate) const HEAD: usize = NUMBER + 8;

/// A tree in a header: what isn't used here, its depth, counts of pages and entries, and its root.
pub(crate) const TREE: usize = 8 + 5 * NUMBER;

/// Where the trees stand in a header, behind the magic, the version, an address and the size of the map.
pub(crate) const TREES: usize = HEAD + 8 + 2 * NUMBER;

/// What an empty tree has for a root.
pub(crate) const NONE: usize = usize::MAX;

/// The deepest tree that LMDB can walk.
pub(crate) const DEPTH: u16 = 32;

/// Kinds of pages.
pub(crate) const BRANCH: u16 = 0x01;
pub(crate) const LEAF: u16 = 0x02;
pub(crate) const OVERFLOW: u16 = 0x04;
/// All bits of a kind, without the one for a page that is being changed.
pub(crate) const KINDS: u16 = 0xFF & !0x10;

/// A value that has pages of its own.
pub(crate) const BIG: u16 = 0x01;
/// A value that is a tree.
pub(crate) const TABLE: u16 = 0x02;

/// The length of the value at a leaf's node.
pub(crate) fn low(head: &[u8]) -> Result<usize> {
    let (first, second) = (usize::from(short(head, 0)?), usize::from(short(head, 2)?));
    Ok(if cfg!(target_endian = "little") { first | second << 16 } else { second | first << 16 })
}

/// The page below a node of a branch, whose highest bits stand where a leaf has flags.
pub(crate) fn child(head: &[u8]) -> Result<usize> {
    let high = if NUMBER > 4 { u64::from(short(head, 4)?) << 32 } else { 0 };
    usize::try_from(low(head)? as u64 | high).map_err(|_| damaged("a page lies beyond the end of the file"))
}

pub(crate) fn read(file: &File, at: usize, bytes: usize) -> Result<Vec<u8>> {
    let mut buffer = vec![0; bytes];
    match read_exact_at(file, &mut buffer, at as u64) {
        Ok(()) => Ok(buffer),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            Err(damaged("the file ends too soon").with("byte", at).caused_by(error))
        }
        Err(error) => Err(Error::from_io(error, "a page can't be read")),
    }
}

pub(crate) fn slice(bytes: &[u8], at: usize, length: usize) -> Result<&[u8]> {
    let end = at.checked_add(length);
    end.and_then(|end| bytes.get(at..end)).ok_or_else(|| damaged("an entry lies beyond the end of its page"))
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N]> {
    slice(bytes, at, N)?.try_into().map_err(|_| damaged("an entry lies beyond the end of its page"))
}

pub(crate) fn short(bytes: &[u8], at: usize) -> Result<u16> {
    array(bytes, at).map(u16::from_ne_bytes)
}

pub(crate) fn long(bytes: &[u8], at: usize) -> Result<usize> {
    let long = array(bytes, at).map(u32::from_ne_bytes)?;
    Ok(usize::try_from(long).unwrap_or(usize::MAX))
}

pub(crate) fn number(bytes: &[u8], at: usize) -> Result<usize> {
    array(bytes, at).map(usize::from_ne_bytes)
}

#[cold]
pub(crate) fn damaged(message: &'static str) -> Error {
    Error::new(ErrorKind::Corrupt, message)
}
