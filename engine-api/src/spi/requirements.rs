//! What something that stands on a store needs of it.

use super::capabilities::{Atomicity, Capabilities, Conditional, DeleteRange, Persistence, Reads, Reverse};
use super::durability::Durability;
use super::error::{Error, ErrorKind, Result};

/// What a layer or a datatype needs of a store, checked when it is put on one.
///
/// ```
/// use engine_api::{MemoryStore, Requirements, Store};
///
/// let store = MemoryStore::new();
/// Requirements::new("versions").atomic().conditional().check(store.capabilities())?;
/// let error = Requirements::new("an archive").durable().check(store.capabilities()).unwrap_err();
/// assert_eq!(error.field("missing"), Some("commits that survive a power cut"));
/// # Ok::<(), engine_api::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Requirements {
    of: &'static str,
    needed: Vec<(&'static str, Met)>,
}

type Met = fn(&Capabilities) -> bool;

impl Requirements {
    /// Those of `of`, which error texts name; none yet.
    pub const fn new(of: &'static str) -> Self {
        Self { of, needed: Vec::new() }
    }

    fn need(mut self, what: &'static str, met: Met) -> Self {
        self.needed.push((what, met));
        self
    }

    /// Batches that are atomic over the store.
    #[must_use]
    pub fn atomic(self) -> Self {
        self.need("batches that are atomic over the store", |store| store.atomicity == Atomicity::Store)
    }

    /// Batches with requirements.
    #[must_use]
    pub fn conditional(self) -> Self {
        self.need("conditional batches", |store| store.conditional == Conditional::Batch)
    }

    /// Views of one state, for as long as they live.
    #[must_use]
    pub fn snapshots(self) -> Self {
        self.need("snapshots", |store| store.reads == Reads::Snapshot)
    }

    /// Descending scans.
    #[must_use]
    pub fn reverse(self) -> Self {
        self.need("descending scans", |store| store.reverse != Reverse::None)
    }

    /// Range deletes.
    #[must_use]
    pub fn delete_range(self) -> Self {
        self.need("range deletes", |store| store.delete_range != DeleteRange::None)
    }

    /// Data that outlives the store's closing.
    #[must_use]
    pub fn persistent(self) -> Self {
        self.need("data that outlives the process", |store| store.persistence != Persistence::Memory)
    }

    /// Commits that survive a power cut.
    #[must_use]
    pub fn durable(self) -> Self {
        self.need("commits that survive a power cut", |store| {
            store.durability.strongest() == Durability::Power
        })
    }

    /// Refuses a store that lacks something.
    ///
    /// # Errors
    /// `Unsupported`, with a list of all that is missing.
    pub fn check(&self, capabilities: &Capabilities) -> Result<()> {
        let missing: Vec<_> =
            self.needed.iter().filter(|(_, met)| !met(capabilities)).map(|(what, _)| *what).collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Unsupported, "the engine lacks what is needed")
            .with("for", self.of)
            .with("missing", missing.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_missing_is_listed() {
        let all = Requirements::new("a test")
            .atomic()
            .conditional()
            .snapshots()
            .reverse()
            .delete_range()
            .persistent()
            .durable();
        let error = all.check(&Capabilities::MINIMAL).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert_eq!(error.field("missing").unwrap().split(", ").count(), 7);
        Requirements::new("nothing").check(&Capabilities::MINIMAL).unwrap();
    }
}
