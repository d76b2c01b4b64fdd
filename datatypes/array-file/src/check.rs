//! Whole objects, checked as bytes: for tools that verify files, and for those that look for inputs on which a
//! reader fails.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::catalog::Catalog;
use crate::codec::{BlockCodec, CodecRegistry, decode_block, layer_codec};
use crate::error::{Error, Result};
use crate::layer::{BlockAt, Entry, Footer, Page, read_trailer};
use crate::manifest::{CatalogAt, Manifest, checksum};
use crate::stats_file::StatsFile;
use crate::wire::{to_usize, wide};

/// What a layer holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LayerContents {
    /// Arrays with chunks in it, or that chunks of are removed by it.
    pub arrays: usize,
    /// Chunks that are stored in it.
    pub chunks: u64,
    /// Chunks that it says were removed.
    pub removed: u64,
    /// Its blocks.
    pub blocks: u64,
    /// The blocks' bytes, restored.
    pub raw_bytes: u64,
}

/// What a manifest says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ManifestContents {
    /// The commit.
    pub commit: u64,
    /// The checksum of the manifest of the commit that it was made on; 0 where it doesn't say.
    pub base: u32,
    /// That of this manifest.
    pub checksum: u32,
    /// The numbers of its layers, the oldest first.
    pub layers: Vec<u64>,
    /// The names of its arrays, where the manifest has them itself.
    pub arrays: Option<Vec<String>>,
}

/// Reads all of a layer, restores every block, and checks every checksum and every place that is named.
///
/// # Errors
/// `Corrupt`, `Incompatible` and `UnknownCodec`, as a reader of the damaged part would have them.
pub fn check_layer(layer: &[u8], codecs: &CodecRegistry) -> Result<LayerContents> {
    let (footer_at, footer_bytes) = read_trailer(layer)?;
    let footer = Footer::decode(part(layer, footer_at, footer_bytes.into())?, footer_at)?;
    let codec = layer_codec(codecs, &BlockCodec::default(), &footer.codec)?;
    let mut contents = LayerContents { arrays: footer.arrays.len(), ..LayerContents::default() };
    let mut blocks: BTreeMap<BlockAt, u64> = BTreeMap::new();
    for array in &footer.arrays {
        for page in &array.pages {
            let bytes = Bytes::copy_from_slice(part(layer, page.at, page.bytes.into())?);
            let page = Page::decode(bytes, array.rank, to_usize("an index page", page.entries.into())?)?;
            for index in 0..page.len() {
                match page.entry(index)? {
                    Entry::Removed => contents.removed += 1,
                    Entry::Stored { chunk, .. } => {
                        contents.chunks += 1;
                        let end = blocks.entry(chunk.block).or_default();
                        *end = (*end).max(u64::from(chunk.at) + u64::from(chunk.bytes));
                    }
                }
            }
        }
    }
    for (block, end) in blocks {
        let raw = to_usize("a block", block.raw.into())?;
        if end > u64::from(block.raw) || raw > chunks::MAX_CHUNK_BYTES {
            return Err(Error::corrupt("", "a chunk is beyond its block"));
        }
        if block.at.checked_add(block.stored.into()).is_none_or(|end| end > footer.index_at) {
            return Err(Error::corrupt("", "a block is beyond the layer's end"));
        }
        let stored = part(layer, block.at, block.stored.into())?;
        // A reader knows the size of elements from the array; the block says it too.
        let size = stored.get(7).copied().map_or(1, usize::from);
        // New zeros take no time until they are written to: a block that only says that it is long costs nothing.
        let too_large = |_| Error::TooLarge {
            what: "a block",
            size: block.raw.into(),
            limit: wide(chunks::MAX_CHUNK_BYTES),
        };
        let mut restored = chunks::zeroed(raw).map_err(too_large)?;
        decode_block(stored, size, codec.as_deref(), &mut restored)?;
        contents.blocks += 1;
        contents.raw_bytes = contents.raw_bytes.saturating_add(u64::from(block.raw));
    }
    Ok(contents)
}

/// Reads the object that exists for as long as the file does.
///
/// # Errors
/// `Corrupt` and `Incompatible`.
pub fn check_head(head: &[u8]) -> Result<()> {
    crate::file::check_head(head)
}

/// Reads a manifest, and the table of arrays where it is in it.
///
/// # Errors
/// `Corrupt` and `Incompatible`.
pub fn check_manifest(manifest: &[u8]) -> Result<ManifestContents> {
    let Manifest { commit, base, layers, catalog, .. } = Manifest::decode(manifest)?;
    let arrays = match catalog {
        CatalogAt::Here(bytes) => {
            Some(Catalog::decode(&bytes)?.iter().map(|array| array.meta.name.clone()).collect())
        }
        CatalogAt::Layer { .. } => None,
    };
    let layers = layers.iter().map(|layer| layer.number).collect();
    Ok(ManifestContents { commit, base, checksum: checksum(manifest), layers, arrays })
}

/// Reads a file of statistics; answers of how many arrays it has any.
///
/// # Errors
/// `Corrupt` and `Incompatible`.
pub fn check_stats(stats: &[u8]) -> Result<usize> {
    Ok(StatsFile::decode(stats)?.arrays.len())
}

fn part(layer: &[u8], at: u64, bytes: u64) -> Result<&[u8]> {
    let beyond = || Error::corrupt("", "a part is beyond the layer's end");
    let from = usize::try_from(at).map_err(|_| beyond())?;
    let length = usize::try_from(bytes).map_err(|_| beyond())?;
    from.checked_add(length).and_then(|to| layer.get(from..to)).ok_or_else(beyond)
}
