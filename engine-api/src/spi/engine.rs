//! An engine: what opens stores, and what it says of itself.

use std::path::Path;

use semver::Version;

use super::capabilities::Capabilities;
use super::config::{Config, OpenMode, OptionSpec};
use super::error::{Error, ErrorKind, Result};
use super::store::Store;

/// What opens, destroys and repairs stores of one kind. It is registered once, as a static.
pub trait Engine: Send + Sync + 'static {
    /// What the engine says of itself.
    fn descriptor(&self) -> &'static Descriptor;

    /// Opens the store that `config` names.
    ///
    /// # Contract
    /// - [`OpenMode`] decides whether a store is created, and [`Opened::created`] says whether it was
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

/// What an engine says of itself.
#[derive(Debug)]
#[non_exhaustive]
pub struct Descriptor {
    /// The engine's name, such as `redb`.
    pub name: &'static str,
    /// The URL schemes that it answers to; the first is the one that is shown.
    pub schemes: &'static [&'static str],
    /// The version of the engine underneath.
    pub version: Version,
    /// One sentence on what it is.
    pub about: &'static str,
    /// What a store opened with default options declares. An open store's own capabilities are exact.
    pub capabilities: Capabilities,
    /// The options of its URLs.
    pub options: &'static [OptionSpec],
}

impl Descriptor {
    /// A descriptor without options.
    pub const fn new(
        name: &'static str,
        schemes: &'static [&'static str],
        version: Version,
        about: &'static str,
        capabilities: Capabilities,
    ) -> Self {
        Self { name, schemes, version, about, capabilities, options: &[] }
    }

    /// The same with options.
    #[must_use]
    pub const fn options(mut self, options: &'static [OptionSpec]) -> Self {
        self.options = options;
        self
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

impl OpenMode {
    /// Decides, by whether a file is there, what opening in this mode means: `Ok(true)` to create it.
    ///
    /// # Errors
    /// `NotFound` when it must be there and isn't, `AlreadyExists` the other way round.
    pub fn decide(self, path: &Path) -> Result<bool> {
        let present =
            path.try_exists().map_err(|error| Error::from_io(error, "the path can't be looked at"))?;
        match (self, present) {
            (Self::Create, present) => Ok(!present),
            (Self::New, false) => Ok(true),
            (Self::Existing | Self::ReadOnly, true) => Ok(false),
            (Self::New, true) => {
                Err(Error::new(ErrorKind::AlreadyExists, "there is a store already")
                    .with("path", path.display()))
            }
            (Self::Existing | Self::ReadOnly, false) => {
                Err(Error::new(ErrorKind::NotFound, "there is no store at this path")
                    .with("path", path.display()))
            }
        }
    }
}
