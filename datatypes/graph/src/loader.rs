//! Many things written one after another, in batches.

use std::fmt;

use engine_api::Result;
use engine_api::graph::{Graph, Item};
use engine_api::key::Context;

/// What is gathered before it is written.
const AT_ONCE: usize = 4096;
/// The bytes of properties at which what was gathered is written.
const BYTES_AT_ONCE: usize = 4 << 20;

/// How far work has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// So many elements of an array were looked at.
    Elements {
        /// Those that were.
        done: u64,
        /// All of them.
        total: u64,
    },
    /// So many vertices, edges and properties were written.
    Written(u64),
}

/// Is told how far work has come; an error of its own ends the work.
pub type Watch<'a> = dyn FnMut(Progress) -> Result<()> + 'a;

/// Writes items to a graph as they come, a batch at a time.
pub struct Loader<'a> {
    graph: &'a dyn Graph,
    ctx: &'a dyn Context,
    items: Vec<Item>,
    bytes: usize,
    written: u64,
}

impl fmt::Debug for Loader<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loader").field("written", &self.written).finish_non_exhaustive()
    }
}

impl<'a> Loader<'a> {
    /// A loader of a graph that is there.
    pub fn new(graph: &'a dyn Graph, ctx: &'a dyn Context) -> Self {
        Self { graph, ctx, items: Vec::new(), bytes: 0, written: 0 }
    }

    /// Adds an item; it is written with others, by [`flush`](Self::flush) at the latest.
    ///
    /// # Errors
    /// Those of [`Graph::load`], and of `watch`.
    pub fn push(&mut self, item: Item, watch: &mut Watch<'_>) -> Result<()> {
        if let Item::VertexProperty(_, _, value) | Item::EdgeProperty(_, _, _, value) = &item {
            self.bytes += value.len();
        }
        self.items.push(item);
        if self.items.len() < AT_ONCE && self.bytes < BYTES_AT_ONCE {
            return Ok(());
        }
        self.flush(watch)
    }

    /// Writes what was added.
    ///
    /// # Errors
    /// Those of [`Graph::load`], and of `watch`.
    pub fn flush(&mut self, watch: &mut Watch<'_>) -> Result<()> {
        self.graph.load(self.ctx, &self.items)?;
        self.written += self.items.len() as u64;
        self.items.clear();
        self.bytes = 0;
        watch(Progress::Written(self.written))
    }
}
