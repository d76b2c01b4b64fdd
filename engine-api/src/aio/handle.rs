//! What async applications call on any store.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use super::hop::hop;
use super::store::{AsyncStore, AsyncView, Page, PageRequest};
use crate::ext::{KeyRange, ViewExt};
use crate::spi::{Direction, Durability, Fetch, Result, Step, Store, Value, View, WriteBatch, visitor};

/// A store for async code; clones share it. Call it in a Tokio runtime.
///
/// ```
/// use std::sync::Arc;
///
/// use engine_api::aio::AsyncHandle;
/// use engine_api::{KeyRange, MemoryStore, WriteBatch};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> engine_api::Result<()> {
/// let store = AsyncHandle::new(Arc::new(MemoryStore::new()));
/// let mut batch = WriteBatch::new();
/// batch.put("a", "1").put("b", "2");
/// store.write(batch).await?;
/// assert_eq!(store.get("a").await?.as_deref(), Some(b"1".as_slice()));
/// let mut pages = store.pages(KeyRange::ALL).await?;
/// assert_eq!(pages.next().await?.map(|entries| entries.len()), Some(2));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct AsyncHandle(Kind);

#[derive(Clone)]
enum Kind {
    Sync(Arc<dyn Store>),
    Async(Arc<dyn AsyncStore>),
}

impl fmt::Debug for AsyncHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Sync(store) => f.debug_tuple("AsyncHandle").field(store).finish(),
            Kind::Async(store) => f.debug_tuple("AsyncHandle").field(store).finish(),
        }
    }
}

impl AsyncHandle {
    /// For a store on this machine.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self(Kind::Sync(store))
    }

    /// For a store across a network, without a bridge between.
    pub fn remote(store: Arc<dyn AsyncStore>) -> Self {
        Self(Kind::Async(store))
    }

    /// The value of a key.
    pub async fn get(&self, key: impl Into<Bytes>) -> Result<Option<Bytes>> {
        let key = key.into();
        match &self.0 {
            Kind::Sync(store) => {
                let reader = Arc::clone(store);
                run(store, move || reader.view()?.get(&key)).await
            }
            Kind::Async(store) => store.view().await?.get(&key).await,
        }
    }

    /// The values of several keys from one state, in one hop.
    pub async fn get_many(&self, keys: Vec<Bytes>) -> Result<Vec<Option<Bytes>>> {
        match &self.0 {
            Kind::Sync(store) => {
                let reader = Arc::clone(store);
                run(store, move || reader.view()?.get_many(&keys)).await
            }
            Kind::Async(store) => {
                let view = store.view().await?;
                let mut values = Vec::with_capacity(keys.len());
                for key in keys {
                    values.push(view.get(&key).await?);
                }
                Ok(values)
            }
        }
    }

    /// Commits a batch, as durable as the engine can make it.
    pub async fn write(&self, batch: WriteBatch) -> Result<()> {
        let strongest = match &self.0 {
            Kind::Sync(store) => store.capabilities().durability.strongest(),
            Kind::Async(store) => store.capabilities().durability.strongest(),
        };
        self.commit(batch, strongest).await
    }

    /// Commits a batch.
    pub async fn commit(&self, batch: WriteBatch, durability: Durability) -> Result<()> {
        match &self.0 {
            Kind::Sync(store) => {
                let writer = Arc::clone(store);
                run(store, move || writer.commit(&batch, durability)).await
            }
            Kind::Async(store) => {
                batch.check(store.capabilities(), durability)?;
                store.commit(&batch, durability).await
            }
        }
    }

    /// Makes every commit that has returned as durable as the engine can.
    pub async fn flush(&self) -> Result<()> {
        match &self.0 {
            Kind::Sync(store) => {
                let writer = Arc::clone(store);
                run(store, move || writer.flush()).await
            }
            Kind::Async(store) => store.flush().await,
        }
    }

    /// The entries of a range from one state, ascending, a page at a time.
    pub async fn pages(&self, range: KeyRange) -> Result<Pages> {
        let reader = match &self.0 {
            Kind::Sync(store) => {
                let opener = Arc::clone(store);
                Reader::Sync(Arc::clone(store), run(store, move || opener.view()).await?)
            }
            Kind::Async(store) => Reader::Async(store.view().await?.into()),
        };
        let mut request = PageRequest::first(&range.scan());
        request.direction = Direction::Forward;
        request.fetch = Fetch::Entries;
        Ok(Pages { reader: Some(reader), request: Some(request) })
    }
}

/// The pages of a range; see [`AsyncHandle::pages`].
pub struct Pages {
    /// `None` while a page is being read, and after an error.
    reader: Option<Reader>,
    /// `None` at the end.
    request: Option<PageRequest>,
}

enum Reader {
    Sync(Arc<dyn Store>, Box<dyn View>),
    Async(Arc<dyn AsyncView>),
}

impl fmt::Debug for Pages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pages").field("next", &self.request).finish_non_exhaustive()
    }
}

impl Pages {
    /// The next page; `None` at the end, and after an error.
    pub async fn next(&mut self) -> Result<Option<Vec<(Bytes, Bytes)>>> {
        let (Some(reader), Some(request)) = (self.reader.take(), self.request.take()) else {
            return Ok(None);
        };
        let (reader, page) = match reader {
            Reader::Async(view) => {
                let page = view.page(&request).await?;
                (Reader::Async(view), page)
            }
            Reader::Sync(store, view) => {
                let asked = request.clone();
                let (view, page) = run(&store, move || {
                    let page = read_page(&*view, &asked)?;
                    Ok((view, page))
                })
                .await?;
                (Reader::Sync(store, view), page)
            }
        };
        let Some((last, _)) = page.entries.last() else { return Ok(None) };
        if page.more {
            self.request = Some(request.next_from(std::ops::Bound::Excluded(last.as_ref())));
            self.reader = Some(reader);
        }
        Ok(Some(page.entries))
    }
}

/// Reads one page through a view of a sync store.
fn read_page(view: &dyn View, request: &PageRequest) -> Result<Page> {
    let mut page = Page::default();
    let mut bytes = 0;
    let mut take = visitor(|key: &[u8], value: Value<'_>| {
        let value = value.to_bytes()?;
        bytes += key.len() + value.len();
        page.entries.push((Bytes::copy_from_slice(key), value));
        page.more = bytes >= request.bytes;
        Ok(if page.more { Step::Stop } else { Step::Next })
    });
    view.scan(request.scan(), &mut take)?;
    Ok(page)
}

/// Runs a call to a sync store where it may block.
async fn run<T: Send + 'static>(
    store: &Arc<dyn Store>,
    call: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    hop(store.capabilities().execution, call).await?
}
