//! What stands before every record: a magic, a version and a checksum.

use engine_api::{Error, ErrorKind, Result};

/// The version of every record's layout.
pub(crate) const VERSION: u8 = 1;
/// The bytes before a record's body.
const HEADER: usize = 12;

/// What a record is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Magic {
    /// An object.
    Object = 0x4F,
    /// Work that is under way.
    Intent = 0x49,
    /// A store that has objects and nothing else.
    Store = 0x53,
}

impl Magic {
    const fn bytes(self) -> [u8; 4] {
        [0x8B, b'K', b'V', self as u8]
    }
}

/// Puts the header before a body.
pub(crate) fn seal(magic: Magic, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER + body.len());
    bytes.extend_from_slice(&magic.bytes());
    bytes.extend_from_slice(&[VERSION, 0, 0, 0]);
    let checksum = crc32c::crc32c_append(crc32c::crc32c(&bytes), body);
    bytes.extend_from_slice(&checksum.to_le_bytes());
    bytes.extend_from_slice(body);
    bytes
}

/// The body of a record that is whole and of a layout that this build knows.
///
/// # Errors
/// `Corrupt`; `Incompatible` for a layout of another version.
pub(crate) fn open(magic: Magic, bytes: &[u8]) -> Result<&[u8]> {
    let corrupt = |message| Error::new(ErrorKind::Corrupt, message);
    let (header, body) = bytes.split_at_checked(HEADER).ok_or_else(|| corrupt("a record is cut short"))?;
    let (covered, stored) = header.split_at(HEADER - 4);
    if !covered.starts_with(&magic.bytes()) {
        return Err(corrupt("a record begins with other bytes than its magic"));
    }
    if crc32c::crc32c_append(crc32c::crc32c(covered), body).to_le_bytes() != stored {
        return Err(corrupt("a record's checksum doesn't match"));
    }
    let version = &covered[4..];
    if version != [VERSION, 0, 0, 0] {
        return Err(Error::new(
            ErrorKind::Incompatible,
            "a record's layout is of a version that isn't known",
        )
        .with("version", version[0])
        .with("known", VERSION));
    }
    Ok(body)
}
