//! The database beneath a store, for measurements that must read the very pages that the store reads.
//!
//! redb opens a file once in a process, so the two can't be opened side by side. Nothing here is meant for
//! other use: what is written through the database isn't the store's concern to keep sound.

use std::fmt;
use std::sync::Arc;

use engine_api::{Config, Engine, Result, Store};

use super::config::Settings;
use super::store::{self, Database, RedbStore};
use super::{REDB, open_existing};

/// The name of the table that a store keeps everything in but the second parts of long values; its keys and values
/// are byte strings.
pub const TABLE: redb::TableDefinition<'static, &'static [u8], &'static [u8]> = store::TABLE;

/// The database beneath a store that is open for writing. It keeps the database open.
pub struct Beneath(Arc<Database>);

impl Beneath {
    /// The database.
    ///
    /// # Errors
    /// `Closed`.
    pub fn database(&self) -> Result<&redb::Database> {
        store::writable(&self.0)
    }
}

impl fmt::Debug for Beneath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Beneath").finish_non_exhaustive()
    }
}

/// Opens a store as [`Engine::open`] does, for writing, and the database beneath it.
pub fn open(config: &Config) -> Result<(Box<dyn Store>, Beneath)> {
    REDB.open(config)?;
    let (path, settings) = (config.local_path()?, Settings::of(config)?);
    let store = RedbStore::new(super::writable(open_existing(path, &settings)?), settings);
    let beneath = Beneath(Arc::clone(&store.shared()));
    Ok((Box::new(store), beneath))
}
