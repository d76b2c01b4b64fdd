//! The root of a layer's index: which pages there are, and which chunks are in them.

use crate::array::MAX_RANK;
use crate::coord::Coord;
use crate::error::{Error, Result};
use crate::wire::{Reader, Writer, narrow, to_usize};

const MAGIC: [u8; 4] = *b"\x8bKAF";
const VERSION: u32 = 1;

/// A page as the root names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PageRef {
    pub(crate) at: u64,
    pub(crate) bytes: u32,
    pub(crate) entries: u32,
    pub(crate) first: Coord,
    pub(crate) last: Coord,
}

/// The pages of one array, in the order of their chunks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ArrayPages {
    pub(crate) array: u64,
    pub(crate) rank: usize,
    pub(crate) pages: Vec<PageRef>,
}

/// The footer of a layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Footer {
    pub(crate) id: [u8; 16],
    /// The codec of the layer's blocks; empty where every reader knows it.
    pub(crate) codec: String,
    /// Where the pages begin.
    pub(crate) index_at: u64,
    /// By the arrays' ids.
    pub(crate) arrays: Vec<ArrayPages>,
}

impl Footer {
    pub(crate) fn encode(&self) -> Result<Vec<u8>> {
        let mut out = Writer::default();
        out.raw(&MAGIC);
        out.u32(VERSION);
        out.raw(&self.id);
        out.blob(self.codec.as_bytes())?;
        out.u64(self.index_at);
        out.count(self.arrays.len())?;
        for array in &self.arrays {
            out.u64(array.array);
            out.u32(narrow("the number of axes", array.rank)?);
            out.count(array.pages.len())?;
            for page in &array.pages {
                out.u64(page.at);
                out.u32(page.bytes);
                out.u32(page.entries);
                page.first.iter().chain(&page.last).for_each(|axis| out.u32(*axis));
            }
        }
        Ok(out.seal())
    }

    /// `footer_at` is where in the layer the bytes are: every page is before it.
    pub(crate) fn decode(bytes: &[u8], footer_at: u64) -> Result<Self> {
        let mut reader = Reader::sealed(bytes)?;
        if reader.bytes::<4>()? != MAGIC {
            return Err(Error::corrupt("", "it has no footer"));
        }
        let version = reader.u32()?;
        if version != VERSION {
            return Err(Error::Incompatible { path: String::new(), found: version });
        }
        let id = reader.bytes()?;
        let codec = reader.text()?;
        let index_at = reader.u64()?;
        let mut arrays: Vec<ArrayPages> = Vec::new();
        for _ in 0..reader.count(16)? {
            let array = reader.u64()?;
            let rank = to_usize("the number of axes", reader.u32()?.into())?;
            if rank > MAX_RANK || arrays.last().is_some_and(|before| before.array >= array) {
                return Err(Error::corrupt("", "the footer's arrays are out of order"));
            }
            let mut pages: Vec<PageRef> = Vec::new();
            for _ in 0..reader.count(rank.saturating_mul(8).saturating_add(16))? {
                let page = decode_page(&mut reader, rank)?;
                let end = page.at.checked_add(page.bytes.into());
                let in_place = page.at >= index_at && end.is_some_and(|end| end <= footer_at);
                let in_order = pages.last().is_none_or(|before| before.last < page.first);
                if !in_place || !in_order || page.last < page.first || page.entries == 0 {
                    return Err(Error::corrupt("", "the footer's pages are out of place"));
                }
                pages.push(page);
            }
            arrays.push(ArrayPages { array, rank, pages });
        }
        reader.end()?;
        Ok(Self { id, codec, index_at, arrays })
    }

    /// The pages of an array.
    pub(crate) fn pages(&self, array: u64) -> Option<(usize, &ArrayPages)> {
        let index = self.arrays.binary_search_by_key(&array, |pages| pages.array).ok()?;
        self.arrays.get(index).map(|pages| (index, pages))
    }
}

fn decode_page(reader: &mut Reader<'_>, rank: usize) -> Result<PageRef> {
    let (at, bytes, entries) = (reader.u64()?, reader.u32()?, reader.u32()?);
    let mut coord = || (0..rank).map(|_| reader.u32()).collect::<Result<Coord>>();
    Ok(PageRef { at, bytes, entries, first: coord()?, last: coord()? })
}
