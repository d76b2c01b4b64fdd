//! All entries, one by one.

use std::sync::atomic::Ordering;

use engine_api::Result;

use super::open::DATA;
use super::{DatasetCache, Mode};
use crate::index::{Entry, KeyBytes, LAST_USED, PRIMARY, after};
use crate::key::CacheKey;
use crate::load::load as load_tree;
use crate::lookup::TreeInFile;
use crate::node::Layout;
use crate::numbers::{array, wide};
use crate::tree::Tree;

/// An entry, without its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EntryInfo {
    /// What it is of.
    pub key: CacheKey,
    /// How many bytes it has; `None` when it says that there is nothing.
    pub bytes: Option<u32>,
    /// When it was used last, in microseconds since 1970.
    pub last_used: i64,
}

/// How far [`DatasetCache::verify_with`] has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Entries that were read.
    pub done: u64,
    /// All that there are, as far as it is known.
    pub total: u64,
}

/// What [`DatasetCache::verify`] has found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verified {
    /// Entries whose bytes are what was put in.
    pub sound: u64,
    /// Entries that were damaged.
    pub damaged: u64,
    /// The bytes of those that are sound.
    pub bytes: u64,
}

impl DatasetCache {
    /// Visits all entries in the order of their keys: those of a dataset together. Others may insert meanwhile.
    ///
    /// # Errors
    /// Those of the visitor; `Corrupt` when the cache is open to be read and its index is damaged.
    pub fn entries(&self, visit: &mut dyn FnMut(EntryInfo) -> Result<()>) -> Result<()> {
        self.walk(&mut |key, entry| {
            visit(EntryInfo {
                key: CacheKey::decode(key)?,
                bytes: (!entry.absent).then_some(entry.length),
                last_used: entry.last_used,
            })
        })
    }

    /// Reads all entries, and compares their checksums. Those that are damaged are dropped, if the cache may be written.
    ///
    /// # Errors
    /// As [`entries`](Self::entries).
    pub fn verify(&self) -> Result<Verified> {
        self.verify_with(&mut |_| Ok(()))
    }

    /// As [`verify`](Self::verify); `watch` is told after each entry how far it is, and ends it with an error.
    ///
    /// # Errors
    /// As [`entries`](Self::entries); those of `watch`.
    pub fn verify_with(&self, watch: &mut dyn FnMut(Progress) -> Result<()>) -> Result<Verified> {
        let mut progress = Progress { done: 0, total: self.len_when_verified()? };
        let mut verified = Verified::default();
        let before = self.counters.damaged.load(Ordering::Relaxed);
        self.walk(&mut |key, entry| {
            // One that isn't found and isn't damaged was evicted since.
            if self.look_up_value(key)?.is_some() {
                verified.sound += 1;
                verified.bytes += u64::from(entry.length);
            }
            progress.done += 1;
            // Others may have put some in since they were counted.
            progress.total = progress.total.max(progress.done);
            watch(progress)
        })?;
        verified.damaged = self.counters.damaged.load(Ordering::Relaxed) - before;
        Ok(verified)
    }

    /// How many entries there are, by the index that isn't walked; one that is damaged is an error.
    fn len_when_verified(&self) -> Result<u64> {
        Ok(wide(match &self.mode {
            Mode::Writer(writer) => writer.read().index.len(),
            Mode::Reader(None) => 0,
            Mode::Reader(Some(reader)) => self.load(LAST_USED, &reader.last_used)?.len(),
        }))
    }

    fn load(&self, layout: Layout, tree: &TreeInFile) -> Result<Tree> {
        let (root, commit) = tree.root();
        load_tree(&*self.file, layout, root, Some(commit), DATA).map(|(tree, _)| tree)
    }

    fn walk(&self, visit: &mut dyn FnMut(&KeyBytes, &Entry) -> Result<()>) -> Result<()> {
        match &self.mode {
            Mode::Writer(writer) => {
                let mut from = Vec::new();
                loop {
                    let state = writer.read();
                    let keys = state.index.keys_from(&from, 1024);
                    let entries: Vec<_> =
                        keys.iter().filter_map(|key| Some((*key, state.index.find(key)?))).collect();
                    drop(state);
                    let Some(last) = keys.last() else { return Ok(()) };
                    from = after(last);
                    for (key, entry) in &entries {
                        visit(key, entry)?;
                    }
                }
            }
            Mode::Reader(None) => Ok(()),
            Mode::Reader(Some(reader)) => {
                let tree = self.load(PRIMARY, &reader.primary)?;
                tree.for_each(&mut |key, value| visit(&array(key, 0), &Entry::decode(value)?))
            }
        }
    }
}
