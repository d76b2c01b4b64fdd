//! A store that counts what is read from it and written to it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;

use crate::spi::{
    Capabilities, Durability, Fetch, Result, Scan, Step, Store, Value, View, Visitor, WriteBatch,
};

/// What was read and written so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Point reads.
    pub gets: u64,
    /// Scans.
    pub scans: u64,
    /// Entries that scans visited.
    pub entries_read: u64,
    /// Bytes of keys and values that gets found and scans visited; a value that its visitor never asked for
    /// counts where the engine had it at hand.
    pub bytes_read: u64,
    /// Commits that succeeded.
    pub commits: u64,
    /// Operations of those commits.
    pub ops_written: u64,
    /// Bytes of their keys and values.
    pub bytes_written: u64,
}

/// Counts, and passes everything through. A count is one relaxed addition; nothing is shared but the counters.
pub struct Metered<S> {
    inner: S,
    counters: Arc<Counters>,
}

#[derive(Default)]
struct Counters {
    gets: AtomicU64,
    scans: AtomicU64,
    entries_read: AtomicU64,
    bytes_read: AtomicU64,
    commits: AtomicU64,
    ops_written: AtomicU64,
    bytes_written: AtomicU64,
}

fn add(counter: &AtomicU64, count: usize) {
    counter.fetch_add(u64::try_from(count).unwrap_or(u64::MAX), Ordering::Relaxed);
}

impl<S: Store> Metered<S> {
    /// Wraps `inner`; the counters begin at zero.
    pub fn new(inner: S) -> Self {
        Self { inner, counters: Arc::default() }
    }

    /// The counters as they are now. Each is exact; together they may be of slightly different moments.
    pub fn usage(&self) -> Usage {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let counters = &self.counters;
        Usage {
            gets: read(&counters.gets),
            scans: read(&counters.scans),
            entries_read: read(&counters.entries_read),
            bytes_read: read(&counters.bytes_read),
            commits: read(&counters.commits),
            ops_written: read(&counters.ops_written),
            bytes_written: read(&counters.bytes_written),
        }
    }
}

impl<S: fmt::Debug> fmt::Debug for Metered<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Metered").field(&self.inner).finish()
    }
}

impl<S: Store> Store for Metered<S> {
    fn capabilities(&self) -> &Capabilities {
        self.inner.capabilities()
    }

    fn view(&self) -> Result<Box<dyn View>> {
        Ok(Box::new(MeteredView { inner: self.inner.view()?, counters: Arc::clone(&self.counters) }))
    }

    fn commit(&self, batch: &WriteBatch, durability: Durability) -> Result<()> {
        self.inner.commit(batch, durability)?;
        add(&self.counters.commits, 1);
        add(&self.counters.ops_written, batch.ops().len());
        add(&self.counters.bytes_written, batch.bytes());
        Ok(())
    }

    fn flush(&self) -> Result<()> {
        self.inner.flush()
    }

    fn compact(&self) -> Result<()> {
        self.inner.compact()
    }

    fn verify(&self) -> Result<()> {
        self.inner.verify()
    }
}

struct MeteredView {
    inner: Box<dyn View>,
    counters: Arc<Counters>,
}

impl View for MeteredView {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>> {
        let found = self.inner.get(key)?;
        add(&self.counters.gets, 1);
        if let Some(value) = &found {
            add(&self.counters.bytes_read, key.len() + value.len());
        }
        Ok(found)
    }

    fn get_with(&self, key: &[u8], read: &mut dyn FnMut(&[u8])) -> Result<bool> {
        let counters = &self.counters;
        add(&counters.gets, 1);
        self.inner.get_with(key, &mut |value| {
            add(&counters.bytes_read, key.len() + value.len());
            read(value);
        })
    }

    fn scan(&self, scan: Scan<'_>, visitor: &mut dyn Visitor) -> Result<()> {
        add(&self.counters.scans, 1);
        let mut metered = MeteredVisitor { inner: visitor, fetch: scan.fetch, entries: 0, bytes: 0 };
        let outcome = self.inner.scan(scan, &mut metered);
        add(&self.counters.entries_read, metered.entries);
        add(&self.counters.bytes_read, metered.bytes);
        outcome
    }
}

struct MeteredVisitor<'a> {
    inner: &'a mut dyn Visitor,
    fetch: Fetch,
    entries: usize,
    bytes: usize,
}

impl Visitor for MeteredVisitor<'_> {
    fn visit(&mut self, key: &[u8], value: Value<'_>) -> Result<Step<'_>> {
        self.entries += 1;
        self.bytes += key.len();
        if self.fetch == Fetch::Entries {
            self.bytes += value.ready_len().unwrap_or(0);
        }
        self.inner.visit(key, value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{KeyRange, MemoryStore, StoreExt, ViewExt};

    #[test]
    fn what_is_read_and_written_is_counted() {
        let store = Metered::new(MemoryStore::new());
        let mut batch = WriteBatch::new();
        batch.put("ab", "1234").put("cd", "").delete("e");
        store.write(&batch).unwrap();
        let view = store.view().unwrap();
        view.get(b"ab").unwrap();
        view.exists(b"nosuch").unwrap();
        view.collect(&KeyRange::ALL).unwrap();
        view.count(&KeyRange::ALL).unwrap();
        let usage = store.usage();
        assert_eq!(
            usage,
            Usage {
                gets: 2,
                scans: 2,
                entries_read: 4,
                bytes_read: 6 + 8 + 4,
                commits: 1,
                ops_written: 3,
                bytes_written: 9,
            }
        );
    }

    #[test]
    fn a_commit_that_fails_writes_nothing() {
        let store = Metered::new(MemoryStore::new());
        let mut batch = WriteBatch::new();
        batch.require_present("nosuch").put("a", "1");
        store.write(&batch).unwrap_err();
        assert_eq!(store.usage(), Usage::default());
    }
}
