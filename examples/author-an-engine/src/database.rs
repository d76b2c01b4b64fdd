//! An open folder: fjall itself, the one keyspace of it that is the store, and the lock.

use std::path::Path;

use engine_api::embedded::{Lock, contain, sync_folder};
use engine_api::{Error, ErrorKind, Result};
use fjall::{Keyspace, KeyspaceCreateOptions, PersistMode};

use super::error::convert;

const KEYSPACE: &str = "kv";

/// An open folder. The lock goes last, once fjall has let go of the files.
pub(crate) struct Database {
    pub(crate) keys: Keyspace,
    pub(crate) fjall: fjall::Database,
    _lock: Lock,
}

impl Database {
    /// Makes an empty database in a folder that isn't there yet, and closes it.
    pub(crate) fn create(folder: &Path, cache: u64) -> Result<()> {
        contain(|| {
            let fjall = open(folder, cache)?;
            keyspace(&fjall).map(drop)
        })?;
        // fjall forces its files and their folders to the disk, but not the name of the folder of a keyspace.
        let names = folder.join("keyspaces");
        sync_folder(&names).map_err(|error| Error::from_io(error, "the new folder can't be made durable"))
    }

    /// Opens a database that is there; fjall would make one of whatever it is given.
    pub(crate) fn open(folder: &Path, cache: u64, lock: Lock) -> Result<Self> {
        let damaged = || Error::new(ErrorKind::Corrupt, "the store's data is gone");
        if !folder.join("version").is_file() {
            return Err(damaged());
        }
        contain(|| {
            let fjall = open(folder, cache)?;
            if !fjall.keyspace_exists(KEYSPACE) {
                return Err(damaged());
            }
            Ok(Self { keys: keyspace(&fjall)?, fjall, _lock: lock })
        })
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // A thread of fjall's may outlive it for a moment, and with it the journal. It mustn't have anything left
        // to write: the folder may be open again by then.
        contain(|| {
            self.fjall.persist(PersistMode::SyncAll).map_err(|error| convert(error, "it can't be closed"))
        })
        .unwrap_or(());
    }
}

fn open(folder: &Path, cache: u64) -> Result<fjall::Database> {
    let builder = fjall::Database::builder(folder).cache_size(cache);
    builder.open().map_err(|error| convert(error, "the store can't be opened"))
}

fn keyspace(fjall: &fjall::Database) -> Result<Keyspace> {
    let keyspace = fjall.keyspace(KEYSPACE, KeyspaceCreateOptions::default);
    keyspace.map_err(|error| convert(error, "the store's keyspace can't be opened"))
}
