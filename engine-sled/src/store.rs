//! The store: the default tree of one sled folder.

use std::collections::{BTreeMap, HashSet};
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use engine_api::embedded::sync_folder;
use engine_api::{
    Atomicity, Capabilities, Conditional, DeleteRange, Durability, DurabilityLevels, Error, ErrorKind,
    Execution, Limits, Op, Persistence, Processes, Reads, Result, Reverse, Scan, Store, View, WriteBatch,
    Writers,
};
use sled::{Batch, IVec, Tree};

use super::database::{Database, to_sync};
use super::error::{convert, convert_commit};
use super::view::{Entries, SledView};

/// Commits are forced to the disk, and a power cut may still tear a batch: see the README.
const DURABILITY: DurabilityLevels = DurabilityLevels::new(&[Durability::Relaxed, Durability::Process]);

/// sled states no limit; this is what its pages, of up to sixteen entries each, take with ease.
const KEY_BYTES: usize = 65_535;

/// sled states no limit, but whatever changes beside a value in its page has all of the page written anew.
const VALUE_BYTES: usize = 64 << 20;

pub(crate) const CAPABILITIES: Capabilities = Capabilities::MINIMAL
    .reads(Reads::Live)
    .atomicity(Atomicity::Store)
    .conditional(Conditional::Batch)
    .reverse(Reverse::Native)
    .delete_range(DeleteRange::PerKey)
    .persistence(Persistence::Disk)
    .durability(DURABILITY)
    // sled applies one batch at a time, and its transactions can't read ranges: a lock here does for both.
    .writers(Writers::Single)
    .processes(Processes::One)
    // A get of a page in the cache takes a microsecond, but one that isn't reads the disk, a commit waits
    // for the writer before it, and no call can say beforehand which it will be.
    .execution(Execution::Blocking)
    .limits(Limits::NONE.key_bytes(KEY_BYTES).value_bytes(VALUE_BYTES));

pub(crate) struct SledStore {
    database: Arc<Database>,
    // Between the reads that a batch depends on and its writes nothing may be committed.
    gate: Mutex<()>,
    // How many commits have been applied, and how many of them have been flushed.
    applied: AtomicU64,
    flushed: Mutex<Flushed>,
}

/// How many commits have reached the disk.
#[derive(Default)]
struct Flushed {
    commits: u64,
    // Large values that have reached the disk; sled keeps each in a file, which it writes once.
    blobs: HashSet<OsString>,
}

impl SledStore {
    pub(crate) fn new(database: Database) -> Self {
        Self {
            database: Arc::new(database),
            gate: Mutex::new(()),
            applied: AtomicU64::new(0),
            flushed: Mutex::default(),
        }
    }

    #[cfg(feature = "bench")]
    pub(crate) fn database(&self) -> Arc<Database> {
        Arc::clone(&self.database)
    }

    /// Judges and applies a batch; answers how many have been applied with it.
    fn apply(&self, batch: &WriteBatch) -> Result<u64> {
        let _gate = self.gate.lock().unwrap_or_else(PoisonError::into_inner);
        let database = self.database.as_ref();
        judge(database, batch)?;
        let one = |error| convert(error, "a write can't be applied");
        match batch.ops() {
            [] => return Ok(0),
            // What is atomic by itself needs no mark in the log, and has changed nothing when it fails.
            [Op::Put { key, value }] => {
                database.write(one, |tree| tree.insert(key, value.as_ref()))?;
            }
            [Op::Delete { key }] => {
                database.write(one, |tree| tree.remove(key))?;
            }
            ops => {
                let batch = plan(database, ops)?;
                let many = |error| convert_commit(error, "a batch can't be applied");
                database
                    .write(many, |tree| tree.apply_batch(batch))
                    .inspect_err(|error| database.poison(error))?;
            }
        }
        Ok(self.applied.fetch_add(1, Ordering::AcqRel) + 1)
    }

    /// Makes commits up to one durable. Whoever waits for another's flush finds its own commit flushed with
    /// it, as a rule.
    fn make_durable(&self, number: u64) -> Result<()> {
        let mut flushed = self.flushed.lock().unwrap_or_else(PoisonError::into_inner);
        if flushed.commits >= number {
            return Ok(());
        }
        let applied = self.applied.load(Ordering::Acquire);
        self.flush_files(&mut flushed.blobs).inspect_err(|error| self.database.poison(error))?;
        flushed.commits = applied;
        Ok(())
    }

    fn flush_files(&self, synced: &mut HashSet<OsString>) -> Result<()> {
        let Database { log, blobs, .. } = self.database.as_ref();
        let failed = |error| Error::new(ErrorKind::Ambiguous, "the disk refuses a commit").caused_by(error);
        // Before the log, which names them: sled itself never forces them to the disk.
        sync_blobs(blobs, synced).map_err(failed)?;
        self.database.write(|error| convert_commit(error, "the log can't be flushed"), Tree::flush)?;
        // On Linux sled's flush leaves out the size of the file and the cache of the disk.
        log.sync_data().map_err(failed)?;
        sync_blobs(blobs, synced).map_err(failed)
    }
}

impl Store for SledStore {
    fn capabilities(&self) -> &Capabilities {
        &CAPABILITIES
    }

    fn view(&self) -> Result<Box<dyn View>> {
        Ok(Box::new(SledView::new(Arc::clone(&self.database))))
    }

    fn commit(&self, batch: &WriteBatch, durability: Durability) -> Result<()> {
        batch.check(&CAPABILITIES, durability)?;
        let level = DURABILITY.serve(durability)?;
        let number = self.apply(batch)?;
        if level == Durability::Relaxed {
            return Ok(());
        }
        self.make_durable(number)
    }

    fn flush(&self) -> Result<()> {
        self.make_durable(self.applied.load(Ordering::Acquire))
    }

    fn verify(&self) -> Result<()> {
        let mut entries = Entries::new(&self.database, Scan::all())?;
        let mut last: Option<IVec> = None;
        while let Some((key, _)) = entries.next()? {
            if last.is_some_and(|last| last >= key) {
                return Err(Error::new(ErrorKind::Corrupt, "keys are out of order").with_key("key", &key));
            }
            last = Some(key);
        }
        Ok(())
    }
}

impl fmt::Debug for SledStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SledStore").finish_non_exhaustive()
    }
}

fn judge(database: &Database, batch: &WriteBatch) -> Result<()> {
    for requirement in batch.requirements() {
        let stored = database.read("a required key can't be read", |tree| tree.get(&requirement.key))?;
        requirement.judge(stored.as_deref())?;
    }
    Ok(())
}

/// What the operations come to, key by key.
fn plan(database: &Database, ops: &[Op]) -> Result<Batch> {
    let mut writes: BTreeMap<IVec, Option<IVec>> = BTreeMap::new();
    for op in ops {
        match op {
            Op::Put { key, value } => {
                writes.insert(key.as_ref().into(), Some(value.as_ref().into()));
            }
            Op::Delete { key } => {
                writes.insert(key.as_ref().into(), None);
            }
            Op::DeleteRange { start, end } => {
                let range = Scan::of_range(start, end);
                if range.is_empty() {
                    continue;
                }
                for (_, value) in writes.range_mut::<[u8], _>((range.start, range.end)) {
                    *value = None;
                }
                let mut stored = Entries::new(database, range)?;
                while let Some((key, _)) = stored.next()? {
                    writes.insert(key, None);
                }
            }
        }
    }
    let mut batch = Batch::default();
    for (key, value) in writes {
        match value {
            Some(value) => batch.insert(key, value),
            None => batch.remove(key),
        }
    }
    Ok(batch)
}

/// Forces the files to the disk that haven't been, and their names.
fn sync_blobs(folder: &Path, synced: &mut HashSet<OsString>) -> io::Result<()> {
    let mut present = HashSet::new();
    let mut any = false;
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        if !synced.contains(&name) {
            match to_sync(&folder.join(&name)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                file => file?.sync_data()?,
            }
            any = true;
        }
        present.insert(name);
    }
    if any {
        sync_folder(folder)?;
    }
    *synced = present;
    Ok(())
}
