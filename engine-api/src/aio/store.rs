//! The contract of an engine across a network.

use std::fmt;
use std::ops::Bound;

use async_trait::async_trait;
use bytes::Bytes;

use crate::ext::{Entry, KeyRange};
use crate::spi::{Capabilities, Direction, Durability, Fetch, Result, Scan, WriteBatch};

/// A store that answers later. Its contract is that of [`Store`](crate::Store), a call at a time.
#[async_trait]
pub trait AsyncStore: Send + Sync + fmt::Debug + 'static {
    /// What this store can do; the same for as long as it is open.
    fn capabilities(&self) -> &Capabilities;

    /// A reader of the state that is committed now.
    async fn view(&self) -> Result<Box<dyn AsyncView>>;

    /// Commits a batch.
    async fn commit(&self, batch: &WriteBatch, durability: Durability) -> Result<()>;

    /// Makes every commit that has returned as durable as the engine can.
    async fn flush(&self) -> Result<()>;
}

/// A reader of an [`AsyncStore`].
#[async_trait]
pub trait AsyncView: Send + Sync + 'static {
    /// The value of a key.
    async fn get(&self, key: &[u8]) -> Result<Option<Bytes>>;

    /// The first entries of a range, in the direction asked for, and whether there are more.
    ///
    /// # Contract
    /// A page holds one entry at least, unless the range has none: an entry that is larger than the size
    /// asked for comes alone.
    async fn page(&self, request: &PageRequest) -> Result<Page>;
}

/// A part of a range that is asked for in one message.
#[derive(Clone, Debug)]
pub struct PageRequest {
    /// The range.
    pub range: KeyRange,
    /// Ascending or descending.
    pub direction: Direction,
    /// Keys alone, or values too.
    pub fetch: Fetch,
    /// How many bytes of keys and values end the page.
    pub bytes: usize,
}

/// An answer to a [`PageRequest`].
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// The entries, in the direction asked for.
    pub entries: Vec<Entry>,
    /// Whether the range has entries behind these.
    pub more: bool,
}

impl PageRequest {
    /// The first page of a scan. Pages double from it.
    pub(super) fn first(scan: &Scan<'_>) -> Self {
        let own = |bound: Bound<&[u8]>| bound.map(<[u8]>::to_vec);
        Self {
            range: KeyRange::between(own(scan.start), own(scan.end)),
            direction: scan.direction,
            fetch: scan.fetch,
            bytes: 4 << 10,
        }
    }

    /// The page that begins at `bound`, at most twice as large as this one.
    pub(super) fn next_from(mut self, bound: Bound<&[u8]>) -> Self {
        const LARGEST: usize = 256 << 10;
        let own = |bound: Bound<&[u8]>| bound.map(<[u8]>::to_vec);
        self.range = match self.direction {
            Direction::Forward => KeyRange::between(own(bound), own(self.range.end())),
            Direction::Reverse => KeyRange::between(own(self.range.start()), own(bound)),
        };
        self.bytes = (self.bytes * 2).min(LARGEST);
        self
    }

    /// The page as a scan.
    pub(super) fn scan(&self) -> Scan<'_> {
        let mut scan = self.range.scan().in_direction(self.direction);
        scan.fetch = self.fetch;
        scan
    }
}
