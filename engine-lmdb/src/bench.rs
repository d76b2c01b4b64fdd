//! The environment beneath a store, for measurements that must read the very pages that the store reads.
//!
//! LMDB opens a file once in a process, so the two can't be opened side by side. Nothing here is meant for
//! other use: what is written through the environment isn't the store's concern to keep sound.

use std::fmt;

use engine_api::{Config, Result, Store};
use heed::types::Bytes;
use heed::{Database, Env, WithoutTls};

use super::environment::Entered;

/// The environment beneath a store. The map doesn't grow while it is there.
pub struct Beneath(Entered);

impl Beneath {
    /// The environment.
    pub fn env(&self) -> &Env<WithoutTls> {
        &self.0.handle.env
    }

    /// The table that a store keeps everything in; its keys and values are byte strings.
    pub fn table(&self) -> Database<'static, Bytes, Bytes> {
        self.0.handle.table
    }
}

impl fmt::Debug for Beneath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Beneath").finish_non_exhaustive()
    }
}

/// Opens a store as [`Engine::open`](engine_api::Engine::open) does, and the environment beneath it.
pub fn open(config: &Config) -> Result<(Box<dyn Store>, Beneath)> {
    let (store, _) = super::open(config)?;
    let beneath = Beneath(store.enter()?);
    Ok((Box::new(store), beneath))
}
