//! The engines that are measured.

mod lmdb;
mod memory;
mod redb;
mod sled;
mod sqlite;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use engine_api::{Descriptor, Durability, Store};

use super::Outcome;
use super::peer::Peer;
use super::target::Targets;

pub(crate) use lmdb::Lmdb;
pub(crate) use memory::Memory;
pub(crate) use redb::Redb;
pub(crate) use sled::Sled;
pub(crate) use sqlite::Sqlite;

/// An engine that is measured.
pub(crate) trait Contender {
    /// What it says of itself.
    fn descriptor(&self) -> &'static Descriptor;

    /// Its name and version, as a heading shows them.
    fn name(&self) -> String {
        format!("{} {}", self.descriptor().name, self.descriptor().version)
    }

    /// Whether there is a raw engine that is called in another way.
    fn has_peer(&self) -> bool {
        true
    }

    /// What operations may cost where engines differ in it.
    fn targets(&self) -> Targets {
        Targets::COMMON
    }

    /// Whether ranges of large values are measured: they take room, and time to write.
    fn takes_heavy_values(&self) -> bool {
        false
    }

    /// Makes an empty store at this path, for commits of this durability.
    fn create(&self, path: &Path, durability: Durability) -> Outcome<Subject>;
}

/// A store, and the raw engine over the same pages.
pub(crate) struct Subject {
    /// The store, as users have it.
    pub(crate) store: Arc<dyn Store>,
    /// The engine beneath, where there is one that is called in another way.
    pub(crate) peer: Option<Box<dyn Peer>>,
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subject").field("store", &self.store).field("peer", &self.peer).finish()
    }
}
