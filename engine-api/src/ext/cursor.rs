//! Pulling entries one by one, over a contract that pushes them.

use std::ops::Bound;

use bytes::Bytes;

use super::range::KeyRange;
use crate::spi::{Direction, Result, Scan, Step, Value, View, visitor};

/// A key and its value.
pub type Entry = (Bytes, Bytes);

/// A page ends when it holds this many bytes. The first is small, so that reading a few entries costs
/// little; each page that follows is twice as large, up to the bound at which fresh memory costs more than
/// the call that it saves.
const FIRST_PAGE: usize = 4 << 10;
const LARGEST_PAGE: usize = 256 << 10;

/// A position in a range of a view, moved by [`next`](Self::next).
///
/// Entries are read from the engine in pages that are bounded by bytes. After an error it stays at the end.
#[derive(Debug)]
pub struct Cursor<'v, V: ?Sized> {
    view: &'v V,
    range: KeyRange,
    direction: Direction,
    /// Where the next page begins.
    from: From,
    page: Page,
    /// The entry of the page that `next` lends next.
    at: usize,
    page_bytes: usize,
}

#[derive(Debug)]
enum From {
    Edge,
    Key(Bound<Vec<u8>>),
    End,
}

#[derive(Debug, Default)]
struct Page {
    bytes: Vec<u8>,
    /// For each entry, where its key ends and where its value ends in `bytes`.
    ends: Vec<(usize, usize)>,
}

impl Page {
    fn entry(&self, at: usize) -> Option<(&[u8], &[u8])> {
        let (key_end, value_end) = *self.ends.get(at)?;
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before].1);
        Some((&self.bytes[start..key_end], &self.bytes[key_end..value_end]))
    }

    fn push(&mut self, key: &[u8], value: &[u8]) {
        self.bytes.extend_from_slice(key);
        let key_end = self.bytes.len();
        self.bytes.extend_from_slice(value);
        self.ends.push((key_end, self.bytes.len()));
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }
}

impl<'v, V: View + ?Sized> Cursor<'v, V> {
    pub(super) fn new(view: &'v V, range: KeyRange, direction: Direction) -> Self {
        Self {
            view,
            range,
            direction,
            from: From::Edge,
            page: Page::default(),
            at: 0,
            page_bytes: FIRST_PAGE,
        }
    }

    /// The next entry, borrowed from the cursor; `None` at the end.
    #[allow(clippy::should_implement_trait, reason = "it lends, which Iterator can't; `entries` is one")]
    pub fn next(&mut self) -> Result<Option<(&[u8], &[u8])>> {
        if self.at == self.page.ends.len() {
            self.fill()?;
        }
        let entry = self.page.entry(self.at);
        self.at += usize::from(entry.is_some());
        Ok(entry)
    }

    /// Moves to the first entry at or after `key`; at or before it in a descending cursor. It may move back.
    pub fn seek(&mut self, key: &[u8]) {
        self.page.clear();
        self.at = 0;
        self.page_bytes = FIRST_PAGE;
        let before_range = match self.direction {
            Direction::Forward => self.range.scan().reverse().is_past(key),
            Direction::Reverse => self.range.scan().is_past(key),
        };
        self.from = if before_range { From::Edge } else { From::Key(Bound::Included(key.to_vec())) };
    }

    /// The entries that are left, as an iterator of owned keys and values.
    pub fn entries(self) -> Entries<'v, V> {
        Entries(self)
    }

    fn fill(&mut self) -> Result<()> {
        self.page.clear();
        self.at = 0;
        let from = match std::mem::replace(&mut self.from, From::End) {
            From::End => return Ok(()),
            From::Edge => None,
            From::Key(bound) => Some(bound),
        };
        let mut scan = self.range.scan().in_direction(self.direction);
        if let Some(bound) = &from {
            let bound = bound.as_ref().map(Vec::as_slice);
            match self.direction {
                Direction::Forward => scan.start = bound,
                Direction::Reverse => scan.end = bound,
            }
        }
        if fill_page(self.view, scan, &mut self.page, self.page_bytes)? {
            if let Some((key, _)) = self.page.ends.len().checked_sub(1).and_then(|last| self.page.entry(last))
            {
                // Exclusive, so that a key which extends the last one isn't passed over.
                self.from = From::Key(Bound::Excluded(key.to_vec()));
            }
            self.page_bytes = (self.page_bytes * 2).min(LARGEST_PAGE);
        }
        Ok(())
    }
}

/// Fills a page; answers whether it stopped because the page was full.
fn fill_page<V: View + ?Sized>(view: &V, scan: Scan<'_>, page: &mut Page, bytes: usize) -> Result<bool> {
    let mut full = false;
    let mut take = visitor(|key: &[u8], value: Value<'_>| {
        page.push(key, value.bytes()?);
        full = page.bytes.len() >= bytes;
        Ok(if full { Step::Stop } else { Step::Next })
    });
    let outcome = view.scan(scan, &mut take);
    if outcome.is_err() {
        page.clear();
    }
    outcome.map(|()| full)
}

/// See [`Cursor::entries`].
#[derive(Debug)]
pub struct Entries<'v, V: ?Sized>(Cursor<'v, V>);

impl<V: View + ?Sized> Iterator for Entries<'_, V> {
    type Item = Result<Entry>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0
            .next()
            .map(|entry| {
                entry.map(|(key, value)| (Bytes::copy_from_slice(key), Bytes::copy_from_slice(value)))
            })
            .transpose()
    }
}
