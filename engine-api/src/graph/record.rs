//! The values of a graph's keys, to the byte; the layout is in the [module's docs](super).

use bytes::Bytes;
use uuid::Uuid;

use super::element::{Kind, VertexId};
use crate::spi::{Error, ErrorKind, Result};

const MAGIC: &[u8; 6] = b"graph\0";
const LAYOUT: u16 = 1;
const REMOVAL: u8 = 1;

/// What tells one making of a graph, or one removal, from another of the same.
pub(super) type Token = [u8; 16];

pub(super) fn new_token() -> Token {
    *Uuid::new_v4().as_bytes()
}

/// The record of a graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) kind: Kind,
    /// Whether its removal is under way: then there is no graph, and what it had is being taken away.
    pub(super) removing: bool,
    pub(super) token: Token,
}

impl Record {
    pub(super) fn encode(self) -> Bytes {
        let kind = match self.kind {
            Kind::Undirected => 1,
            Kind::Directed => 2,
        };
        let layout = LAYOUT.to_be_bytes();
        seal(&[MAGIC, &layout, &[kind, u8::from(self.removing)], &self.token])
    }

    pub(super) fn decode(stored: &[u8]) -> Result<Self> {
        let Some(rest) = stored.strip_prefix(MAGIC) else { return Err(damaged()) };
        let Some((layout, rest)) = rest.split_first_chunk() else { return Err(damaged()) };
        // Before the checksum, whose place may be another there.
        let layout = u16::from_be_bytes(*layout);
        if layout != LAYOUT {
            return Err(Error::new(ErrorKind::Incompatible, "the graph's layout is of another version")
                .with("layout", layout)
                .with("known", LAYOUT));
        }
        unseal(stored)?;
        let [kind, removing, token @ .., _, _, _, _] = rest else { return Err(damaged()) };
        Ok(Self {
            kind: match kind {
                1 => Kind::Undirected,
                2 => Kind::Directed,
                _ => return Err(damaged()),
            },
            removing: match removing {
                0 => false,
                1 => true,
                _ => return Err(damaged()),
            },
            token: token.try_into().map_err(|_| damaged())?,
        })
    }
}

/// The record of a vertex's removal that is under way: there is no vertex, and its edges are being taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Removal {
    pub(super) vertex: VertexId,
    pub(super) token: Token,
}

impl Removal {
    pub(super) fn encode(self) -> Bytes {
        seal(&[&[REMOVAL], &self.vertex.to_be_bytes(), &self.token])
    }

    pub(super) fn decode(stored: &[u8]) -> Result<Self> {
        match stored.first() {
            Some(&REMOVAL) => {}
            Some(format) => {
                return Err(Error::new(
                    ErrorKind::Incompatible,
                    "the record of a removal is of an unknown format",
                )
                .with("format", format));
            }
            None => return Err(damaged()),
        }
        let rest = &unseal(stored)?[1..];
        let (vertex, token) = rest.split_first_chunk().ok_or_else(damaged)?;
        let token = token.try_into().map_err(|_| damaged())?;
        Ok(Self { vertex: u64::from_be_bytes(*vertex), token })
    }
}

/// The weight of a vertex or of an edge.
pub(super) fn weight(weight: f64) -> Bytes {
    Bytes::copy_from_slice(&weight.to_be_bytes())
}

pub(super) fn read_weight(stored: &[u8]) -> Result<f64> {
    let weight = stored.try_into().map(f64::from_be_bytes).map_err(|_| damaged())?;
    if weight.is_nan() { Err(damaged()) } else { Ok(weight) }
}

/// The parts, and a checksum over them.
fn seal(parts: &[&[u8]]) -> Bytes {
    let mut bytes = parts.concat();
    bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_le_bytes());
    bytes.into()
}

fn unseal(stored: &[u8]) -> Result<&[u8]> {
    match stored.split_last_chunk() {
        Some((parts, sum)) if crc32c::crc32c(parts) == u32::from_le_bytes(*sum) => Ok(parts),
        _ => Err(damaged()),
    }
}

#[cold]
fn damaged() -> Error {
    Error::new(ErrorKind::Corrupt, "a record of a graph is damaged")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: Token = *b"0123456789abcdef";

    #[test]
    fn records_to_the_byte() {
        let record = Record { kind: Kind::Directed, removing: false, token: TOKEN };
        let golden = b"graph\0\0\x01\x02\x000123456789abcdef";
        let sum = crc32c::crc32c(golden).to_le_bytes();
        assert_eq!(record.encode(), [&golden[..], &sum].concat());
        let removal = Removal { vertex: 0x0102, token: TOKEN };
        let golden = b"\x01\0\0\0\0\0\0\x01\x020123456789abcdef";
        let sum = crc32c::crc32c(golden).to_le_bytes();
        assert_eq!(removal.encode(), [&golden[..], &sum].concat());
        assert_eq!(weight(0.3), &b"\x3F\xD3\x33\x33\x33\x33\x33\x33"[..]);
        for kind in [Kind::Directed, Kind::Undirected] {
            for removing in [false, true] {
                let record = Record { kind, removing, token: TOKEN };
                assert_eq!(Record::decode(&record.encode()).unwrap(), record);
            }
        }
        assert_eq!(Removal::decode(&removal.encode()).unwrap(), removal);
        for bits in [0.0, -0.0, 1.5, f64::INFINITY, f64::NEG_INFINITY, f64::MIN_POSITIVE].map(f64::to_bits) {
            assert_eq!(read_weight(&weight(f64::from_bits(bits))).unwrap().to_bits(), bits);
        }
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let record = Record { kind: Kind::Undirected, removing: true, token: TOKEN }.encode();
        let removal = Removal { vertex: 7, token: TOKEN }.encode();
        let check = |sound: Bytes, refused: fn(&[u8]) -> bool| {
            for bit in 0..sound.len() * 8 {
                let mut bytes = sound.to_vec();
                bytes[bit / 8] ^= 1 << (bit % 8);
                assert!(refused(&bytes), "bit {bit}");
            }
            for end in 0..sound.len() {
                assert!(refused(&sound[..end]), "cut at {end}");
            }
        };
        check(record, |bytes| Record::decode(bytes).is_err());
        check(removal, |bytes| Removal::decode(bytes).is_err());
        assert!(read_weight(b"1234567").is_err());
        assert!(read_weight(&f64::NAN.to_be_bytes()).is_err());
    }

    #[test]
    fn a_newer_layout_is_incompatible() {
        let kind = |bytes: &[u8]| Record::decode(bytes).unwrap_err().kind();
        assert_eq!(kind(b"graph\0\0\x02 whatever"), ErrorKind::Incompatible);
        assert_eq!(kind(b"other"), ErrorKind::Corrupt);
        assert_eq!(Removal::decode(b"\x02").unwrap_err().kind(), ErrorKind::Incompatible);
    }
}
