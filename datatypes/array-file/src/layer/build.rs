//! The bytes of a layer.

use bytes::Bytes;
use xxhash_rust::xxh3::Xxh3Default;

use super::entry::{Entry, Page};
use super::footer::{ArrayPages, Footer, PageRef};
use crate::coord::Coord;
use crate::error::{Error, Result};
use crate::manifest::LayerRef;
use crate::wire::{Reader, Writer, narrow, wide};

const MAGIC: [u8; 4] = *b"\x8bKAL";
const END_MAGIC: [u8; 4] = *b"LAK\x8b";
const VERSION: u32 = 1;

/// The bytes before the first block.
const HEADER_BYTES: usize = 16;
/// The bytes behind the footer.
const TRAILER_BYTES: usize = 24;

/// Entries of a page.
const PAGE_ENTRIES: usize = 1024;
/// Pages and footer that are no longer are copied into the manifest.
const INLINE_BYTES: usize = 2048;

/// A layer that is ready to be put into the store.
#[derive(Debug)]
pub(crate) struct BuiltLayer {
    pub(crate) payload: Vec<Bytes>,
    /// With the number 0, until it is known which is free.
    pub(crate) reference: LayerRef,
    /// Where the section is that was handed in.
    pub(crate) section_at: u64,
}

/// The entries of one array, sorted by coordinates.
#[derive(Debug)]
pub(crate) struct ArrayEntries {
    pub(crate) array: u64,
    pub(crate) rank: usize,
    pub(crate) entries: Vec<(Coord, Entry)>,
}

/// Where the first block of a layer is.
pub(crate) fn first_block() -> u64 {
    wide(HEADER_BYTES)
}

/// Lays out a layer: a header, blocks, a section of any bytes, pages, a footer, a trailer.
///
/// The entries address blocks as if the first were at [`first_block`] and each behind the one before.
pub(crate) fn build_layer(
    codec: &str,
    blocks: Vec<Bytes>,
    section: Bytes,
    arrays: Vec<ArrayEntries>,
) -> Result<BuiltLayer> {
    let mut header = Writer::default();
    header.raw(&MAGIC);
    header.u32(VERSION);
    header.raw(&[0; 8]);
    let mut hash = Xxh3Default::new();
    let mut at = first_block();
    for block in &blocks {
        // Every block's first sixteen bytes hold its checksum.
        hash.update(block.get(..HEADER_BYTES).unwrap_or(block));
        hash.update(&wide(block.len()).to_le_bytes());
        at = at.saturating_add(wide(block.len()));
    }
    hash.update(&section);
    let section_at = at;
    let index_at = section_at.saturating_add(wide(section.len()));
    at = index_at;
    let mut index = Vec::new();
    let mut listed = Vec::new();
    for array in arrays {
        let mut pages = Vec::new();
        for entries in array.entries.chunks(PAGE_ENTRIES) {
            let (Some((first, _)), Some((last, _))) = (entries.first(), entries.last()) else { continue };
            let page = Page::encode(entries)?;
            hash.update(&page);
            pages.push(PageRef {
                at,
                bytes: narrow("an index page", page.len())?,
                entries: narrow("an index page", entries.len())?,
                first: first.clone(),
                last: last.clone(),
            });
            at = at.saturating_add(wide(page.len()));
            index.push(page);
        }
        listed.push(ArrayPages { array: array.array, rank: array.rank, pages });
    }
    let id = hash.digest128().to_le_bytes();
    let footer = Footer { id, codec: codec.to_owned(), index_at, arrays: listed }.encode()?;
    let footer_at = at;
    let footer_bytes = narrow("a footer", footer.len())?;
    let mut trailer = Writer::default();
    trailer.u64(footer_at);
    trailer.u64(u64::from(footer_bytes));
    let sum = crc32c::crc32c(&trailer.bytes);
    trailer.u32(sum);
    trailer.raw(&END_MAGIC);

    let index_bytes = index.iter().map(Bytes::len).fold(footer.len(), usize::saturating_add);
    let inline = (index_bytes <= INLINE_BYTES).then(|| {
        let mut all = Vec::with_capacity(index_bytes);
        for page in &index {
            all.extend_from_slice(page);
        }
        all.extend_from_slice(&footer);
        Bytes::from(all)
    });
    let mut payload = vec![Bytes::from(header.bytes)];
    payload.extend(blocks);
    payload.push(section);
    payload.extend(index);
    payload.push(footer.into());
    payload.push(trailer.bytes.into());
    payload.retain(|part| !part.is_empty());
    let size = payload.iter().map(|part| wide(part.len())).fold(0, u64::saturating_add);
    let reference = LayerRef { number: 0, size, footer_at, footer_bytes, id, index: inline };
    Ok(BuiltLayer { payload, reference, section_at })
}

/// Where the footer of a whole layer is.
pub(crate) fn read_trailer(layer: &[u8]) -> Result<(u64, u32)> {
    let mut header = Reader::new(layer);
    if header.bytes::<4>()? != MAGIC {
        return Err(Error::corrupt("", "it isn't a layer"));
    }
    let version = header.u32()?;
    if version != VERSION {
        return Err(Error::Incompatible { path: String::new(), found: version });
    }
    if header.u64()? != 0 {
        return Err(Error::corrupt("", "its header has bytes that mean nothing"));
    }
    let short = || Error::corrupt("", "it ends too early");
    let (body, trailer) = layer.split_last_chunk::<TRAILER_BYTES>().ok_or_else(short)?;
    let mut reader = Reader::new(trailer);
    let (at, length) = (reader.u64()?, reader.u64()?);
    if reader.u32()? != crc32c::crc32c(&trailer[..16]) || reader.bytes::<4>()? != END_MAGIC {
        return Err(Error::corrupt("", "its end is damaged"));
    }
    if at.checked_add(length) != Some(wide(body.len())) {
        return Err(Error::corrupt("", "its footer isn't at its end"));
    }
    u32::try_from(length).map(|length| (at, length)).map_err(|_| short())
}
