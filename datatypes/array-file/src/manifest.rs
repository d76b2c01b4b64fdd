//! The object that a commit is: which layers and arrays there are.

use bytes::Bytes;

use crate::error::{Error, Result};
use crate::wire::{Reader, Writer};

const MAGIC: [u8; 4] = *b"\x8bKAM";
const VERSION: u32 = 1;

/// A layer as a manifest names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LayerRef {
    /// `N` of `{stem}.N.af`; never given out twice.
    pub(crate) number: u64,
    /// The object's length.
    pub(crate) size: u64,
    /// Where its footer begins.
    pub(crate) footer_at: u64,
    /// The footer's length.
    pub(crate) footer_bytes: u32,
    /// A hash of what the layer holds.
    pub(crate) id: [u8; 16],
    /// The pages and the footer themselves, where they are short: a reader needn't open the layer for them.
    pub(crate) index: Option<Bytes>,
}

/// Where the table of arrays is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CatalogAt {
    /// In the manifest.
    Here(Bytes),
    /// In the layer of this number.
    Layer { number: u64, at: u64, bytes: u64 },
}

/// A commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Manifest {
    /// Its number: one more than that of the commit before it.
    pub(crate) commit: u64,
    /// The checksum of the manifest of the commit before it, which it was made on; zero for the first.
    pub(crate) base: u32,
    pub(crate) next_layer: u64,
    pub(crate) next_array: u64,
    /// The oldest first.
    pub(crate) layers: Vec<LayerRef>,
    /// Named commits that are kept.
    pub(crate) snapshots: Vec<(String, u64)>,
    pub(crate) catalog: CatalogAt,
}

/// What a manifest is known by: its seal, the checksum of all before it. That of a manifest with its seal would be
/// the same for every manifest.
pub(crate) fn checksum(manifest: &[u8]) -> u32 {
    manifest.last_chunk().map_or(0, |seal| u32::from_le_bytes(*seal))
}

impl Manifest {
    pub(crate) fn encode(&self) -> Result<Bytes> {
        let mut out = Writer::default();
        out.raw(&MAGIC);
        out.u32(VERSION);
        out.u64(self.commit);
        out.u32(self.base);
        out.u64(self.next_layer);
        out.u64(self.next_array);
        out.count(self.snapshots.len())?;
        for (name, commit) in &self.snapshots {
            out.blob(name.as_bytes())?;
            out.u64(*commit);
        }
        out.count(self.layers.len())?;
        for layer in &self.layers {
            out.u64(layer.number);
            out.u64(layer.size);
            out.u64(layer.footer_at);
            out.u32(layer.footer_bytes);
            out.raw(&layer.id);
            match &layer.index {
                None => out.u8(0),
                Some(index) => {
                    out.u8(1);
                    out.blob(index)?;
                }
            }
        }
        match &self.catalog {
            CatalogAt::Here(catalog) => {
                out.u8(0);
                out.blob(catalog)?;
            }
            CatalogAt::Layer { number, at, bytes } => {
                out.u8(1);
                out.u64(*number);
                out.u64(*at);
                out.u64(*bytes);
            }
        }
        Ok(out.seal().into())
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader::sealed(bytes)?;
        if reader.bytes::<4>()? != MAGIC {
            return Err(Error::corrupt("", "it isn't a manifest"));
        }
        let version = reader.u32()?;
        if version != VERSION {
            return Err(Error::Incompatible { path: String::new(), found: version });
        }
        let commit = reader.u64()?;
        let base = reader.u32()?;
        let next_layer = reader.u64()?;
        let next_array = reader.u64()?;
        let mut snapshots = Vec::new();
        for _ in 0..reader.count(12)? {
            snapshots.push((reader.text()?, reader.u64()?));
        }
        let mut layers = Vec::new();
        for _ in 0..reader.count(45)? {
            layers.push(decode_layer(&mut reader)?);
        }
        let catalog = match reader.u8()? {
            0 => CatalogAt::Here(Bytes::copy_from_slice(reader.blob()?)),
            _ => CatalogAt::Layer { number: reader.u64()?, at: reader.u64()?, bytes: reader.u64()? },
        };
        reader.end()?;
        Ok(Self { commit, base, next_layer, next_array, layers, snapshots, catalog })
    }
}

fn decode_layer(reader: &mut Reader<'_>) -> Result<LayerRef> {
    let layer = LayerRef {
        number: reader.u64()?,
        size: reader.u64()?,
        footer_at: reader.u64()?,
        footer_bytes: reader.u32()?,
        id: reader.bytes()?,
        index: match reader.u8()? {
            0 => None,
            _ => Some(Bytes::copy_from_slice(reader.blob()?)),
        },
    };
    let end = layer.footer_at.checked_add(u64::from(layer.footer_bytes));
    if end.is_none_or(|end| end > layer.size) {
        return Err(Error::corrupt("", "a layer's footer is beyond its end"));
    }
    Ok(layer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        let layer = |number, index| LayerRef {
            number,
            size: 100,
            footer_at: 60,
            footer_bytes: 20,
            id: [7; 16],
            index,
        };
        Manifest {
            commit: 9,
            base: 0x1234_5678,
            next_layer: 4,
            next_array: 2,
            layers: vec![layer(1, None), layer(3, Some(Bytes::from_static(b"index")))],
            snapshots: vec![("first".to_owned(), 1)],
            catalog: CatalogAt::Layer { number: 1, at: 16, bytes: 30 },
        }
    }

    #[test]
    fn manifests_come_back() {
        let first = manifest();
        assert_eq!(Manifest::decode(&first.encode().unwrap()).unwrap(), first);
        let here = Manifest { catalog: CatalogAt::Here(Bytes::from_static(b"arrays")), ..first };
        assert_eq!(Manifest::decode(&here.encode().unwrap()).unwrap(), here);
    }

    #[test]
    fn damaged_manifests_are_refused() {
        let sound = manifest().encode().unwrap();
        for at in 0..sound.len() {
            let mut damaged = sound.to_vec();
            damaged[at] ^= 0x10;
            assert!(Manifest::decode(&damaged).is_err(), "byte {at}");
            assert!(Manifest::decode(&sound[..at]).is_err(), "{at} bytes");
        }
    }
}
