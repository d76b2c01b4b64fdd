//! An open folder: sled itself, its lock, and whether it can still be trusted.

use std::fs::{File, OpenOptions};
use std::io;
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, Ordering};

use engine_api::embedded::{Contained, Lock, contain, sync_folder};
use engine_api::{Error, ErrorKind, Result};
use sled::{Db, Tree};

use super::error::{convert, convert_io};

/// An open folder.
pub(crate) struct Database {
    // The lock goes after it, once sled has let go of the store.
    db: Contained<Db>,
    lock: Option<Lock>,
    pub(crate) log: File,
    pub(crate) blobs: PathBuf,
    health: AtomicU8,
}

/// All is well.
const SOUND: u8 = 0;

/// A batch has been applied in part: what is in memory isn't what was committed.
const POISONED: u8 = 1;

/// A write has failed. sled waits for it forever in every flush, and in its drop.
const STUCK: u8 = 2;

impl Database {
    pub(crate) fn new(db: Db, path: &Path, lock: Lock) -> Result<Self> {
        let opened = |error| convert_io(error, "the store's files can't be made durable");
        let log = to_sync(&path.join("db")).map_err(opened)?;
        // sled leaves this to chance.
        to_sync(&path.join("conf")).and_then(|conf| conf.sync_all()).map_err(opened)?;
        sync_folder(path).map_err(opened)?;
        let (db, lock, blobs) = (Contained::new(db), Some(lock), path.join("blobs"));
        Ok(Self { db, lock, log, blobs, health: AtomicU8::new(SOUND) })
    }

    pub(crate) fn tree(&self) -> Result<&Tree> {
        if self.health.load(Ordering::Acquire) != SOUND {
            return Err(Error::new(ErrorKind::Poisoned, "an earlier operation has failed part way"));
        }
        Ok(self.db.get()?)
    }

    /// Runs calls to sled that read.
    pub(crate) fn read<T>(
        &self,
        message: &'static str,
        calls: impl FnOnce(&Tree) -> sled::Result<T>,
    ) -> Result<T> {
        let tree = self.tree()?;
        contain(|| {
            calls(tree).map_err(|error| {
                // A reader may split a page, which writes.
                if matches!(&error, sled::Error::Io(error) if error.kind() != io::ErrorKind::NotFound) {
                    self.health.fetch_max(STUCK, Ordering::AcqRel);
                }
                convert(error, message)
            })
        })
    }

    /// Runs a call to sled that writes, and fails either before or after it has changed anything.
    pub(crate) fn write<T>(
        &self,
        convert: impl FnOnce(sled::Error) -> Error,
        call: impl FnOnce(&Tree) -> sled::Result<T>,
    ) -> Result<T> {
        let tree = self.tree()?;
        contain(|| {
            call(tree).map_err(|error| {
                if matches!(error, sled::Error::Io(_)) {
                    self.health.fetch_max(STUCK, Ordering::AcqRel);
                }
                convert(error)
            })
        })
    }

    pub(crate) fn poison(&self, _: &Error) {
        self.health.fetch_max(POISONED, Ordering::AcqRel);
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if self.health.load(Ordering::Acquire) == STUCK {
            // sled would wait forever. Its threads go on, and so the lock must be kept.
            mem::forget((self.db.take(), self.lock.take()));
        }
    }
}

/// Opens a file that is there to force it to the disk, for which Windows wants one that can be written.
pub(crate) fn to_sync(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).open(path)
}
