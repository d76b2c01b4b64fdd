//! A file of arrays.

mod compact;
mod define;
mod flush;
mod history;
mod open;
mod read;
mod resize;
mod select;
mod statistics;
mod sweep;
mod values;
mod write;

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use object_store::ObjectStore;
use tokio::sync::Mutex;

use crate::array::{Array, ArrayMeta};
use crate::catalog::Catalog;
use crate::codec::BlockCodec;
use crate::config::FileConfig;
use crate::error::{Error, Result};
use crate::io::Io;
use crate::layer::Layer;
use crate::names::Names;
use crate::pending::Pending;
use crate::snapshot::Snapshot;
use crate::stats::ArrayStats;

pub use history::CommitInfo;
pub(crate) use open::check_head;
pub use statistics::ChunkInfo;
pub use sweep::Swept;

/// Arrays in a file on an object store: a stack of layers, and commits that say which count.
///
/// What is written is pending, and seen only through this value, until [`flush`](Self::flush) commits all of
/// it at once. Reading takes `&self` and may be done by many tasks at a time; others may have the file open,
/// to read and to write.
///
/// Every method that is `async` may be run on any executor. Compression and files are left to Tokio's pool for
/// blocking work where there is a Tokio runtime, and otherwise run where they are awaited.
#[derive(Debug)]
pub struct ArrayFile {
    io: Io,
    names: Names,
    config: FileConfig,
    committed: Snapshot,
    /// The arrays as they will be committed.
    catalog: Catalog,
    next_array: u64,
    /// The named commits as they will be committed.
    snapshots: Vec<(String, u64)>,
    pending: Pending,
    read_only: bool,
    /// Commits that were put and not answered for: each may have been made.
    attempts: Vec<(Bytes, Snapshot)>,
    /// Of the newest commit, by the arrays' ids, as far as they are known.
    stats: Mutex<KnownStats>,
}

#[derive(Debug, Default)]
struct KnownStats {
    /// Whether the file of statistics was looked at.
    loaded: bool,
    arrays: HashMap<u64, Option<ArrayStats>>,
}

impl ArrayFile {
    fn over(io: Io, names: Names, config: FileConfig, committed: Snapshot, read_only: bool) -> Self {
        Self {
            io,
            names,
            config,
            catalog: committed.catalog.clone(),
            next_array: committed.next_array,
            snapshots: committed.snapshots.clone(),
            pending: Pending::default(),
            read_only,
            attempts: Vec::new(),
            stats: Mutex::default(),
            committed,
        }
    }

    /// What is known of an array, as it is after what is pending.
    ///
    /// # Errors
    /// `ArrayNotFound`.
    pub fn get_array(&self, name: &str) -> Result<&ArrayMeta> {
        Ok(&self.catalog.get(name)?.meta)
    }

    /// The arrays, by name, as they are after what is pending.
    pub fn list_arrays(&self) -> impl Iterator<Item = &ArrayMeta> {
        self.catalog.iter().map(|array| &array.meta)
    }

    /// How many layers the commit has that is open.
    pub fn num_layers(&self) -> usize {
        self.committed.layers.len()
    }

    /// The number of the commit that is open; 0 before the first.
    pub fn commit(&self) -> u64 {
        self.committed.commit
    }

    /// Whether anything waits for a flush.
    pub fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// How many chunks wait in memory for a flush.
    pub fn pending_chunks(&self) -> usize {
        self.pending.chunks.len()
    }

    /// The store that the file is on.
    pub fn store(&self) -> &Arc<dyn ObjectStore> {
        &self.io.store
    }

    /// The file's path in its store.
    pub fn path(&self) -> String {
        self.names.head().to_string()
    }

    pub(crate) fn catalog_entry(&self, name: &str) -> Result<Arc<Array>> {
        self.catalog.get(name).cloned()
    }

    pub(crate) fn codec(&self) -> &BlockCodec {
        &self.config.codec
    }

    /// The layers in which chunks are looked up, the oldest first.
    fn layers(&self) -> Vec<Arc<Layer>> {
        self.committed.layers.iter().chain(&self.pending.spilled).cloned().collect()
    }

    fn check_writable(&self) -> Result<()> {
        if self.read_only { Err(Error::ReadOnly) } else { Ok(()) }
    }
}
