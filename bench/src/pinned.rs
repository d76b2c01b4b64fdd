//! A store whose views are all one.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use engine_api::{
    Bytes, Capabilities, Durability, Error, ErrorKind, Result, Scan, Store, View, Visitor, WriteBatch,
};

/// A store whose views are all one, taken when it is made.
///
/// A store of versions takes a view for each read. Over this one it reads as it would with one that it
/// holds, but for a lock and an allocation each time, which weigh some 30 ns.
pub(crate) struct Pinned<S> {
    store: S,
    view: Arc<Mutex<Box<dyn View>>>,
}

impl<S: Store> Pinned<S> {
    /// Over the state that is committed now.
    pub(crate) fn new(store: S) -> Result<Self> {
        let view = Arc::new(Mutex::new(store.view()?));
        Ok(Self { store, view })
    }
}

impl<S: fmt::Debug> fmt::Debug for Pinned<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pinned").field("store", &self.store).finish_non_exhaustive()
    }
}

impl<S: Store> Store for Pinned<S> {
    fn capabilities(&self) -> &Capabilities {
        self.store.capabilities()
    }

    fn view(&self) -> Result<Box<dyn View>> {
        Ok(Box::new(Shared(Arc::clone(&self.view))))
    }

    fn commit(&self, _: &WriteBatch, _: Durability) -> Result<()> {
        Err(Error::new(ErrorKind::ReadOnly, "the store shows one state for good"))
    }

    fn flush(&self) -> Result<()> {
        self.store.flush()
    }
}

struct Shared(Arc<Mutex<Box<dyn View>>>);

impl Shared {
    fn with<T>(&self, read: impl FnOnce(&dyn View) -> T) -> T {
        read(&**self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl View for Shared {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>> {
        self.with(|view| view.get(key))
    }

    fn get_with(&self, key: &[u8], read: &mut dyn FnMut(&[u8])) -> Result<bool> {
        self.with(|view| view.get_with(key, read))
    }

    fn scan(&self, scan: Scan<'_>, visitor: &mut dyn Visitor) -> Result<()> {
        self.with(|view| view.scan(scan, visitor))
    }
}

#[cfg(test)]
mod tests {
    use engine_api::{MemoryStore, StoreExt};

    use super::*;

    #[test]
    fn every_view_shows_the_state_it_was_made_over() {
        let store = MemoryStore::new();
        store.put("a", "1").unwrap();
        let pinned = Pinned::new(&store).unwrap();
        store.put("a", "2").unwrap();
        assert_eq!(pinned.get("a").unwrap().as_deref(), Some(b"1".as_slice()));
        assert_eq!(pinned.put("a", "3").unwrap_err().kind(), ErrorKind::ReadOnly);
    }
}
