//! An engine: what opens stores, and what it says of itself.

use super::config::Config;
use super::descriptor::Descriptor;
use super::error::{Error, ErrorKind, Result};
use super::store::Store;

/// What opens, destroys and repairs stores of one kind. It is registered once, as a static.
pub trait Engine: Send + Sync + 'static {
    /// What the engine says of itself.
    fn descriptor(&self) -> &'static Descriptor;

    /// Opens the store that `config` names.
    ///
    /// # Contract
    /// - [`OpenMode`](crate::OpenMode) decides whether a store is created, and [`Opened::created`] says whether it was
    ///   (`open.created-is-reported`).
    /// - What isn't a store of this engine is refused and left as it was
    ///   (`open.foreign-file-is-refused-and-kept`).
    /// - Where the engine admits one process, a second opener is refused with `Locked`
    ///   (`open.second-opener-is-locked`).
    ///
    /// # Errors
    /// `NotFound`, `AlreadyExists`, `Locked`, `ReadOnly`, `Incompatible`, `Corrupt`, `InvalidConfig`, `Io`.
    fn open(&self, config: &Config) -> Result<Opened>;

    /// Removes the store that `config` names, and nothing else. Removing one that isn't there is no error.
    ///
    /// # Errors
    /// `Locked` while it is open elsewhere; `Incompatible` for what isn't a store of this engine, which is
    /// left as it was (`open.foreign-file-is-not-destroyed`).
    fn destroy(&self, config: &Config) -> Result<()>;

    /// Mends a store that was left damaged, as far as the engine can.
    fn repair(&self, config: &Config) -> Result<Repaired> {
        let _ = config;
        Err(Error::new(ErrorKind::Unsupported, "the engine has no repair")
            .with("engine", self.descriptor().name))
    }
}

/// A store that was opened.
#[derive(Debug)]
pub struct Opened {
    /// The store.
    pub store: Box<dyn Store>,
    /// Whether it was newly created, and so is empty.
    pub created: bool,
}

/// What a repair did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repaired {
    /// Nothing was wrong.
    Sound,
    /// Something was, and is mended.
    Mended,
}
