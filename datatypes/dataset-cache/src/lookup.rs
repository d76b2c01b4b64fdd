//! Lookups in a tree as it is in the file, for those that only read: opening reads the roots and nothing else.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use engine_api::Result;

use crate::file::StorageFile;
use crate::node::{Expected, Layout, Page};
use crate::numbers::array;

/// A tree that nobody writes, with the inner nodes that were met: of fifty nodes some one is an inner one.
#[derive(Debug)]
pub(crate) struct TreeInFile {
    layout: Layout,
    root: u64,
    commit: u64,
    inner: RwLock<HashMap<u64, Arc<Page>>>,
}

impl TreeInFile {
    pub(crate) fn new(layout: Layout, root: u64, commit: u64) -> Self {
        Self { layout, root, commit, inner: RwLock::default() }
    }

    /// Where the root is, and the number of the commit.
    pub(crate) fn root(&self) -> (u64, u64) {
        (self.root, self.commit)
    }

    /// The value of a key.
    ///
    /// # Errors
    /// `Corrupt` when a node on the way is damaged.
    pub(crate) fn find<const V: usize>(&self, file: &dyn StorageFile, key: &[u8]) -> Result<Option<[u8; V]>> {
        let mut expected = Expected { address: self.root, level: None, commit: Some(self.commit) };
        loop {
            let known =
                self.inner.read().unwrap_or_else(PoisonError::into_inner).get(&expected.address).cloned();
            if let Some(page) = known.filter(|page| expected.level.is_none_or(|level| level == page.level)) {
                expected = self.child(&page, key);
                continue;
            }
            let page = Page::read(file, self.layout, expected)?;
            if page.level == 0 {
                let at = page.lower_bound(key);
                let found = at < page.count && page.key(at) == key;
                return Ok(found.then(|| array(page.value(at), 0)));
            }
            let address = expected.address;
            expected = self.child(&page, key);
            self.inner.write().unwrap_or_else(PoisonError::into_inner).insert(address, Arc::new(page));
        }
    }

    fn child(&self, page: &Page, key: &[u8]) -> Expected {
        let address = page.child(page.child_of(key));
        Expected { address, level: Some(page.level.saturating_sub(1)), commit: Some(self.commit) }
    }
}
