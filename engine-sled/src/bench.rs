//! The tree beneath a store, for measurements that must read the very pages that the store reads.
//!
//! sled opens a folder once, so the two can't be opened side by side. Nothing here is meant for other use:
//! what is written through the tree isn't the store's concern to keep sound.

use std::fmt;
use std::sync::Arc;

use engine_api::{Config, Result, Store};
use sled::Tree;

use super::database::Database;

/// The tree beneath a store. It keeps the folder open.
pub struct Beneath(Arc<Database>);

impl Beneath {
    /// The tree that a store keeps everything in; its keys and values are byte strings.
    ///
    /// # Errors
    /// `Poisoned`.
    pub fn tree(&self) -> Result<&Tree> {
        self.0.tree()
    }
}

impl fmt::Debug for Beneath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Beneath").finish_non_exhaustive()
    }
}

/// Opens a store as [`Engine::open`](engine_api::Engine::open) does, for writing, and the tree beneath it.
pub fn open(config: &Config) -> Result<(Box<dyn Store>, Beneath)> {
    let (store, _) = super::open_store(config)?;
    let beneath = Beneath(store.database());
    Ok((Box::new(store), beneath))
}
