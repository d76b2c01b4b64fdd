//! LMDB itself: opening a file, and growing its map. All that is unsafe is here.
#![allow(
    unsafe_code,
    reason = "that nothing but LMDB changes the file is a promise which heed asks of its caller"
)]

use std::path::Path;

use heed::types::Bytes as Raw;
use heed::{CommitOrAbort, Database, Env, EnvFlags, EnvOpenOptions, WithoutTls};

use super::config::Settings;

/// The table that a store keeps everything in. A file without it is another application's, and heed can't
/// tell what kind of a table it is, so the name is one that no other application has.
const TABLE: &str = "kvdag";

pub(crate) type Table = Database<'static, Raw, Raw>;

/// What transactions are begun with.
#[derive(Clone)]
pub(crate) struct Handle {
    pub(crate) env: Env<WithoutTls>,
    pub(crate) table: Table,
}

/// Who else may have the file open.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Other processes, which are kept apart by the lock file.
    Write,
    /// The same, and this one doesn't write.
    Read,
    /// Nobody, so that no lock file is needed.
    WriteAlone,
    /// The same, and this one doesn't write.
    ReadAlone,
}

impl Access {
    pub(crate) const fn writes(self) -> bool {
        matches!(self, Self::Write | Self::WriteAlone)
    }
}

/// Opens a file; one that is empty becomes an environment without a table.
///
/// The file must have been found to be LMDB's, or be empty, and with [`Access::WriteAlone`] and
/// [`Access::ReadAlone`] the caller keeps everybody else out.
pub(crate) fn open(
    path: &Path,
    map: usize,
    settings: &Settings,
    access: Access,
) -> heed::Result<Env<WithoutTls>> {
    let mut flags = EnvFlags::NO_SUB_DIR;
    flags.set(EnvFlags::READ_ONLY, !access.writes());
    flags.set(EnvFlags::NO_LOCK, matches!(access, Access::WriteAlone | Access::ReadAlone));
    flags.set(EnvFlags::NO_SYNC, !settings.sync);
    let mut options = EnvOpenOptions::new().read_txn_without_tls();
    options.map_size(map).max_readers(settings.readers).max_dbs(1);
    // SAFETY: the map stays sound as long as the file is changed through LMDB alone, and its lock file
    // kept. This crate writes to neither beside LMDB: it replaces or removes them only while it holds the
    // lock file for itself, with no environment open. heed opens a path once in a process. NO_LOCK is set
    // where the caller keeps everybody else out, and NO_SYNC bears on what a power cut leaves, which the
    // option says, and not on this process's memory.
    unsafe { options.flags(flags).open(path) }
}

/// Grows the map.
///
/// No transaction of this process may be open, nor any be begun until this returns. After an error the
/// environment must be closed, and not be used for anything else.
pub(crate) fn grow(env: &Env<WithoutTls>, map: usize) -> heed::Result<()> {
    // SAFETY: the map may move, and nothing points into it while there is no transaction, which the only
    // caller makes sure of: it counts them, and holds new ones back.
    unsafe { env.resize(map) }
}

/// The table of a store, where there is one.
pub(crate) fn table(env: &Env<WithoutTls>) -> heed::Result<Option<Table>> {
    let txn = env.read_txn()?;
    let opened = env.open_databases_and_commit(txn, |opener, txn| {
        opener.open_database::<Raw, Raw>(txn, Some(TABLE)).map(CommitOrAbort::<_, ()>::Commit)
    })?;
    Ok(opened.commit().flatten())
}

/// Creates the table of a store.
pub(crate) fn create_table(env: &Env<WithoutTls>) -> heed::Result<()> {
    let txn = env.write_txn()?;
    env.create_databases_and_commit(txn, |opener, txn| {
        opener.create_database::<Raw, Raw>(txn, Some(TABLE)).map(CommitOrAbort::<_, ()>::Commit)
    })?;
    Ok(())
}
