//! Layers: what one flush has written, found by an index that is read as far as it is needed.

mod build;
mod entry;
mod footer;

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use object_store::path::Path;
use tokio::sync::OnceCell;

pub(crate) use build::{ArrayEntries, BuiltLayer, build_layer, first_block, read_trailer};
pub(crate) use entry::{BlockAt, ChunkAt, Entry, Page};
pub(crate) use footer::{Footer, PageRef};

use crate::codec::{CompressionCodec, layer_codec};
use crate::error::{Error, Result};
use crate::io::Io;
use crate::manifest::LayerRef;
use crate::wire::to_usize;

/// A layer of a file that is open.
#[derive(Debug)]
pub(crate) struct Layer {
    pub(crate) reference: LayerRef,
    pub(crate) path: Path,
    root: OnceCell<Root>,
}

/// The footer, and the pages that were read so far.
#[derive(Debug)]
pub(crate) struct Root {
    pub(crate) footer: Footer,
    pub(crate) codec: Option<Arc<dyn CompressionCodec>>,
    pages: Vec<Vec<OnceCell<Arc<Page>>>>,
}

/// A page: the number of its array in the footer, and its number there.
pub(crate) type PageNumber = (usize, usize);

impl Layer {
    pub(crate) fn new(reference: LayerRef, path: Path) -> Self {
        Self { reference, path, root: OnceCell::new() }
    }

    /// The root of the index.
    pub(crate) async fn root(&self, io: &Io) -> Result<&Root> {
        self.root.get_or_try_init(|| self.load_root(io)).await.map_err(|error| error.at(self.path.as_ref()))
    }

    async fn load_root(&self, io: &Io) -> Result<Root> {
        let LayerRef { footer_at, footer_bytes, index, .. } = &self.reference;
        let footer = match index {
            Some(index) => {
                let at = index.len().checked_sub(to_usize("a footer", u64::from(*footer_bytes))?);
                at.and_then(|at| index.get(at..)).map(|footer| index.slice_ref(footer))
            }
            None => {
                let range = *footer_at..footer_at.saturating_add(u64::from(*footer_bytes));
                io.layer_ranges(&self.path, &[range]).await?.pop()
            }
        };
        let footer = footer.ok_or_else(|| Error::corrupt("", "its footer is cut off"))?;
        let footer = Footer::decode(&footer, *footer_at)?;
        if footer.id != self.reference.id {
            return Err(Error::corrupt("", "it isn't the layer that the commit names"));
        }
        let codec = layer_codec(&io.codecs, &io.codec, &footer.codec)?;
        let pages =
            footer.arrays.iter().map(|array| array.pages.iter().map(|_| OnceCell::new()).collect()).collect();
        Ok(Root { footer, codec, pages })
    }

    /// Reads those pages that weren't read yet, in one request.
    pub(crate) async fn load_pages(&self, io: &Io, root: &Root, numbers: &[PageNumber]) -> Result<()> {
        let mut missing = Vec::new();
        for number in numbers {
            if let Some((cell, page, rank)) = root.slot(*number)
                && cell.get().is_none()
            {
                missing.push((cell, page, rank));
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        let found = match self.pages_at_hand(&missing)? {
            Some(found) => found,
            None => {
                let ranges: Vec<Range<u64>> = missing
                    .iter()
                    .map(|(_, page, _)| page.at..page.at.saturating_add(u64::from(page.bytes)))
                    .collect();
                io.layer_ranges(&self.path, &ranges).await?
            }
        };
        for ((cell, page, rank), bytes) in missing.into_iter().zip(found) {
            let entries = to_usize("an index page", page.entries.into())?;
            let decoded = Page::decode(bytes, rank, entries)
                .and_then(|decoded| check_ends(decoded, page))
                .map_err(|error| error.at(self.path.as_ref()))?;
            cell.get_or_init(|| async { Arc::new(decoded) }).await;
        }
        Ok(())
    }

    /// The pages, where the manifest has brought them.
    fn pages_at_hand(&self, pages: &[(&OnceCell<Arc<Page>>, &PageRef, usize)]) -> Result<Option<Vec<Bytes>>> {
        let Some(index) = &self.reference.index else { return Ok(None) };
        let damaged = || Error::corrupt(self.path.to_string(), "the manifest has only a part of its index");
        let end = self.reference.footer_at.saturating_add(u64::from(self.reference.footer_bytes));
        let begin = end.checked_sub(crate::wire::wide(index.len())).ok_or_else(damaged)?;
        let slices = pages.iter().map(|(_, page, _)| {
            let from = usize::try_from(page.at.checked_sub(begin)?).ok()?;
            let to = from.checked_add(usize::try_from(page.bytes).ok()?)?;
            index.get(from..to).map(|page| index.slice_ref(page))
        });
        slices.collect::<Option<Vec<_>>>().ok_or_else(damaged).map(Some)
    }
}

impl Root {
    fn slot(&self, (array, page): PageNumber) -> Option<(&OnceCell<Arc<Page>>, &PageRef, usize)> {
        let pages = self.footer.arrays.get(array)?;
        Some((self.pages.get(array)?.get(page)?, pages.pages.get(page)?, pages.rank))
    }

    /// A page that was read.
    pub(crate) fn page(&self, number: PageNumber) -> Result<&Arc<Page>> {
        self.slot(number)
            .and_then(|(cell, _, _)| cell.get())
            .ok_or_else(|| Error::corrupt("", "an index page is missing"))
    }
}

/// That a page holds what the root says.
fn check_ends(page: Page, named: &PageRef) -> Result<Page> {
    let last = page.len().saturating_sub(1);
    if page.coord(0)? != named.first || page.coord(last)? != named.last {
        return Err(Error::corrupt("", "an index page isn't where the footer says"));
    }
    Ok(page)
}
