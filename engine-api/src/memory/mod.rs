//! The reference engine: a persistent ordered map in memory.
//!
//! It is the model that tests compare with and the template that authors of engines copy, so it does
//! everything that the contract describes in the plainest way there is. A snapshot is a clone of the map,
//! which shares all its nodes; a commit works on another clone, and puts it in the store's place when
//! nothing has failed.

mod store;
mod view;

use semver::Version;

use crate::registry::Registration;
use crate::spi::{Config, Descriptor, Engine, Error, ErrorKind, OpenMode, Opened, Repaired, Result};

pub use store::MemoryStore;

/// The memory engine, under the scheme `memory:`. Each open is a store of its own.
pub static MEMORY: MemoryEngine = MemoryEngine;

inventory::submit! { Registration::new(&MEMORY) }

/// See [`MEMORY`].
#[derive(Clone, Copy, Debug)]
pub struct MemoryEngine;

static DESCRIPTOR: Descriptor = Descriptor::new(
    "memory",
    &["memory"],
    Version::new(0, 1, 0),
    "An ordered map in this process's memory, gone when it is closed: the reference engine.",
    MemoryStore::CAPABILITIES,
)
.choose("Tests, caches, and data that may go with the process. Nothing is kept.");

impl Engine for MemoryEngine {
    fn descriptor(&self) -> &'static Descriptor {
        &DESCRIPTOR
    }

    fn open(&self, config: &Config) -> Result<Opened> {
        no_path(config)?;
        match config.mode() {
            OpenMode::Create | OpenMode::New => {
                Ok(Opened { store: Box::new(MemoryStore::new()), created: true })
            }
            OpenMode::Existing | OpenMode::ReadOnly => Err(Error::new(
                ErrorKind::NotFound,
                "a memory store is gone when it is closed, so there is none to open",
            )),
        }
    }

    fn destroy(&self, config: &Config) -> Result<()> {
        no_path(config)
    }

    fn repair(&self, config: &Config) -> Result<Repaired> {
        no_path(config).map(|()| Repaired::Sound)
    }
}

fn no_path(config: &Config) -> Result<()> {
    match (config.path(), config.authority()) {
        (None, None) => Ok(()),
        _ => Err(Error::new(
            ErrorKind::InvalidConfig,
            "a memory store has no path; write memory: and nothing after it",
        )),
    }
}
