//! The engines that are measured.

mod memory;
mod redb;

use std::fmt;
use std::path::Path;

use engine_api::Store;

use super::Outcome;
use super::peer::Peer;

pub(crate) use memory::Memory;
pub(crate) use redb::Redb;

/// An engine that is measured.
pub(crate) trait Contender {
    /// Its name and version, as a heading shows them.
    fn name(&self) -> String;

    /// Makes an empty store in a file of this path.
    fn create(&self, path: &Path) -> Outcome<Subject>;
}

/// A store, and the raw engine over the same pages.
pub(crate) struct Subject {
    /// The store, as users have it.
    pub(crate) store: Box<dyn Store>,
    /// The engine beneath, where there is one that is called in another way.
    pub(crate) peer: Option<Box<dyn Peer>>,
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subject").field("store", &self.store).field("peer", &self.peer).finish()
    }
}
