//! Which layer has a chunk.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt, stream};

use crate::array::Array;
use crate::coord::Coord;
use crate::error::{Error, Result};
use crate::io::{CONCURRENCY, Io};
use crate::layer::{ChunkAt, Entry, Layer, PageNumber, Root};
use crate::stats::ChunkStats;

/// A chunk in the newest layer that says anything of it.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    /// The layer's number in the list that was searched.
    pub(crate) layer: usize,
    pub(crate) chunk: ChunkAt,
    pub(crate) stats: ChunkStats,
}

/// Finds chunks in layers, the oldest of which is first. `wanted` is sorted; what is in no layer, or was
/// removed since, is `None`.
pub(crate) async fn locate(
    io: &Io,
    layers: &[Arc<Layer>],
    array: &Array,
    wanted: &[Coord],
) -> Result<Vec<Option<Found>>> {
    let mut found = vec![Search::Open; wanted.len()];
    let roots = load(io, layers, array, Some(wanted)).await?;
    for (number, (root, pages)) in roots.iter().enumerate().rev() {
        for page in pages {
            search_page(root, *page, number, wanted, &mut found)
                .map_err(|error| error.at(layers[number].path.as_ref()))?;
        }
    }
    let settled = |search| match search {
        Search::Open => None,
        Search::Settled(found) => found,
    };
    Ok(found.into_iter().map(settled).collect())
}

/// Whether a layer has said anything of a chunk yet, and what.
#[derive(Clone)]
enum Search {
    Open,
    Settled(Option<Found>),
}

/// All chunks of an array that are stored.
pub(crate) async fn locate_all(
    io: &Io,
    layers: &[Arc<Layer>],
    array: &Array,
) -> Result<BTreeMap<Coord, Found>> {
    let mut all = BTreeMap::new();
    let roots = load(io, layers, array, None).await?;
    for (number, (root, pages)) in roots.iter().enumerate() {
        for page in pages {
            let page = root.page(*page)?;
            for index in 0..page.len() {
                let coord = page.coord(index)?;
                match page.entry(index).map_err(|error| error.at(layers[number].path.as_ref()))? {
                    Entry::Removed => all.remove(&coord),
                    Entry::Stored { chunk, stats } => {
                        all.insert(coord, Found { layer: number, chunk, stats })
                    }
                };
            }
        }
    }
    Ok(all)
}

/// The chunks of an array that layers say anything of, also that they were removed.
pub(crate) async fn mentioned(io: &Io, layers: &[Arc<Layer>], array: &Array) -> Result<BTreeSet<Coord>> {
    let mut all = BTreeSet::new();
    for (root, pages) in load(io, layers, array, None).await? {
        for page in pages {
            let page = root.page(page)?;
            for index in 0..page.len() {
                all.insert(page.coord(index)?);
            }
        }
    }
    Ok(all)
}

/// The roots of layers, and those of their pages that may have chunks wanted, read side by side.
async fn load<'a>(
    io: &Io,
    layers: &'a [Arc<Layer>],
    array: &Array,
    wanted: Option<&[Coord]>,
) -> Result<Vec<(&'a Root, Vec<PageNumber>)>> {
    // Futures that exist, rather than a closure that makes them: only so is the whole `Send`.
    let loads: Vec<_> = layers.iter().map(|layer| load_one(io, layer, array, wanted)).collect();
    stream::iter(loads).buffered(CONCURRENCY).try_collect().await
}

async fn load_one<'a>(
    io: &Io,
    layer: &'a Layer,
    array: &Array,
    wanted: Option<&[Coord]>,
) -> Result<(&'a Root, Vec<PageNumber>)> {
    let root = layer.root(io).await?;
    let pages = pages_of(root, array, wanted).map_err(|error| error.at(layer.path.as_ref()))?;
    layer.load_pages(io, root, &pages).await?;
    Ok((root, pages))
}

fn pages_of(root: &Root, array: &Array, wanted: Option<&[Coord]>) -> Result<Vec<PageNumber>> {
    let Some((number, listed)) = root.footer.pages(array.meta.id) else { return Ok(Vec::new()) };
    if listed.rank != array.rank() {
        return Err(Error::corrupt("", "its index has another number of axes than the array"));
    }
    let may_have = |page: &crate::layer::PageRef| match wanted {
        None => true,
        Some(wanted) => {
            let first = wanted.partition_point(|coord| *coord < page.first);
            wanted.get(first).is_some_and(|coord| *coord <= page.last)
        }
    };
    let pages = listed.pages.iter().enumerate().filter(|(_, page)| may_have(page));
    Ok(pages.map(|(page, _)| (number, page)).collect())
}

/// Settles those of `wanted` that a page has and no newer layer had.
fn search_page(
    root: &Root,
    number: PageNumber,
    layer: usize,
    wanted: &[Coord],
    found: &mut [Search],
) -> Result<()> {
    let page = root.page(number)?;
    let (first, last) = (page.coord(0)?, page.coord(page.len().saturating_sub(1))?);
    let from = wanted.partition_point(|coord| *coord < first);
    let to = wanted.partition_point(|coord| *coord <= last);
    let mut settle = |at: usize, index: usize| -> Result<()> {
        let slot = &mut found[at];
        if matches!(slot, Search::Open) {
            *slot = Search::Settled(match page.entry(index)? {
                Entry::Removed => None,
                Entry::Stored { chunk, stats } => Some(Found { layer, chunk, stats }),
            });
        }
        Ok(())
    };
    // Few of many are looked up; many are met in one pass over both.
    if to.saturating_sub(from) < page.len() / 8 {
        for (at, coord) in wanted.iter().enumerate().take(to).skip(from) {
            if let Ok(index) = page.find(coord)? {
                settle(at, index)?;
            }
        }
        return Ok(());
    }
    let mut at = from;
    for index in 0..page.len() {
        let coord = page.coord(index)?;
        while at < to && wanted[at] < coord {
            at += 1;
        }
        if at < to && wanted[at] == coord {
            settle(at, index)?;
        }
    }
    Ok(())
}
