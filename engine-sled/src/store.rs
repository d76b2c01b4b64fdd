//! The store: the default tree of one sled folder.

use std::collections::{BTreeMap, HashSet};
use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File};
use std::io;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use engine_api::{
    Atomicity, Bytes, Capabilities, Conditional, DeleteRange, Direction, Durability, DurabilityLevels, Error,
    ErrorKind, Execution, Limits, Op, Persistence, Processes, Reads, Result, Reverse, Scan, Store, View,
    WriteBatch, Writers,
};
use sled::{Batch, Db, IVec, Tree};

use super::error::{DAMAGED, contain, convert, convert_commit};
use super::view::{SledView, next, range};

const DURABILITY: DurabilityLevels =
    DurabilityLevels::new(&[Durability::Relaxed, Durability::Process, Durability::Power]);

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

/// An open folder.
pub(crate) struct Database {
    // Gone only while it is dropped.
    db: Option<Db>,
    log: File,
    blobs: PathBuf,
    // Unlocks the store once sled has let go of it.
    _marker: File,
}

impl Database {
    pub(crate) fn new(db: Db, path: &Path, marker: File) -> Result<Self> {
        let log = File::open(path.join("db"))
            .map_err(|error| super::convert_io(error, "the log can't be opened"))?;
        Ok(Self { db: Some(db), log, blobs: path.join("blobs"), _marker: marker })
    }

    pub(crate) fn tree(&self) -> Result<&Tree> {
        let db = self.db.as_ref().ok_or_else(|| Error::new(ErrorKind::Closed, "the store is closed"))?;
        Ok(db)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let db = self.db.take();
        // A drop can't answer an error, and what was committed is as safe as it was before.
        contain(DAMAGED, || {
            drop(db);
            Ok(())
        })
        .unwrap_or(());
    }
}

pub(crate) struct SledStore {
    database: Arc<Database>,
    // Between the reads that a batch depends on and its writes nothing may be committed.
    gate: Mutex<()>,
    // How many commits have been applied, and how many of them have been flushed.
    applied: AtomicU64,
    flushed: Mutex<Flushed>,
    // Set by a commit that failed part way: what sled has in memory then isn't what was committed.
    poisoned: AtomicBool,
}

/// How many commits have reached the operating system, and how many the disk.
#[derive(Default)]
struct Flushed {
    process: u64,
    power: u64,
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
            poisoned: AtomicBool::new(false),
        }
    }

    fn check_poison(&self) -> Result<()> {
        if self.poisoned.load(Ordering::Acquire) {
            return Err(Error::new(ErrorKind::Poisoned, "an earlier commit failed part way"));
        }
        Ok(())
    }

    /// Poisons the store if what was done on its files has failed.
    fn poisoning<T>(&self, outcome: Result<T>) -> Result<T> {
        if outcome.is_err() {
            self.poisoned.store(true, Ordering::Release);
        }
        outcome
    }

    /// Judges and applies a batch; answers how many have been applied with it.
    fn apply(&self, batch: &WriteBatch) -> Result<u64> {
        let _gate = self.gate.lock().unwrap_or_else(PoisonError::into_inner);
        self.check_poison()?;
        let tree = self.database.tree()?;
        contain(DAMAGED, || judge(tree, batch))?;
        let message = "a batch can't be committed";
        match batch.ops() {
            [] => return Ok(self.applied.load(Ordering::Acquire)),
            // What is atomic by itself needs no mark in the log, which costs several times as much.
            [Op::Put { key, value }] => self.poisoning(contain(DAMAGED, || {
                let inserted = tree.insert(key, value.as_ref());
                inserted.map(drop).map_err(|error| convert_commit(error, message))
            }))?,
            [Op::Delete { key }] => self.poisoning(contain(DAMAGED, || {
                tree.remove(key).map(drop).map_err(|error| convert_commit(error, message))
            }))?,
            ops => {
                let batch = contain(DAMAGED, || plan(tree, ops))?;
                self.poisoning(contain(DAMAGED, || {
                    tree.apply_batch(batch).map_err(|error| convert_commit(error, message))
                }))?;
            }
        }
        Ok(self.applied.fetch_add(1, Ordering::AcqRel) + 1)
    }

    /// Makes commits up to one durable. Whoever waits for another's flush finds its own commit flushed with
    /// it, as a rule.
    fn make_durable(&self, number: u64, level: Durability) -> Result<()> {
        let mut flushed = self.flushed.lock().unwrap_or_else(PoisonError::into_inner);
        let done = match level {
            Durability::Relaxed => return Ok(()),
            Durability::Process => flushed.process,
            Durability::Power => flushed.power,
        };
        if done >= number {
            return Ok(());
        }
        self.check_poison()?;
        let applied = self.applied.load(Ordering::Acquire);
        self.poisoning(self.flush_files(&mut flushed.blobs, level))?;
        flushed.process = applied;
        if level == Durability::Power {
            flushed.power = applied;
        }
        Ok(())
    }

    fn flush_files(&self, synced: &mut HashSet<OsString>, level: Durability) -> Result<()> {
        let Database { log, blobs, .. } = self.database.as_ref();
        let tree = self.database.tree()?;
        let failed = |error| Error::new(ErrorKind::Ambiguous, "the disk refuses a commit").caused_by(error);
        let power = level == Durability::Power;
        if power {
            // Before the log, which names them: sled itself never forces them to the disk.
            sync_blobs(blobs, synced).map_err(failed)?;
        }
        contain(DAMAGED, || {
            tree.flush().map(drop).map_err(|error| convert_commit(error, "the log can't be flushed"))
        })?;
        if power {
            // On Linux sled's flush leaves out the size of the file and the cache of the disk.
            log.sync_data().map_err(failed)?;
            sync_blobs(blobs, synced).map_err(failed)?;
        }
        Ok(())
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
        if batch.ops().is_empty() {
            return Ok(());
        }
        self.make_durable(number, level)
    }

    fn flush(&self) -> Result<()> {
        self.make_durable(self.applied.load(Ordering::Acquire), Durability::Power)
    }

    fn verify(&self) -> Result<()> {
        let mut entries = range(self.database.tree()?, Bound::Unbounded, Bound::Unbounded);
        let mut last: Option<IVec> = None;
        while let Some((key, _)) = next(&mut entries, Direction::Forward)? {
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

fn judge(tree: &Tree, batch: &WriteBatch) -> Result<()> {
    for requirement in batch.requirements() {
        let stored =
            tree.get(&requirement.key).map_err(|error| convert(error, "a required key can't be read"))?;
        requirement.judge(stored.as_deref())?;
    }
    Ok(())
}

/// What the operations come to, key by key.
fn plan(tree: &Tree, ops: &[Op]) -> Result<Batch> {
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
                let (start, end) = (as_slice(start), as_slice(end));
                if Scan::between(start, end).is_empty() {
                    continue;
                }
                for (_, value) in writes.range_mut::<[u8], _>((start, end)) {
                    *value = None;
                }
                let mut stored = range(tree, start, end);
                while let Some((key, _)) = next(&mut stored, Direction::Forward)? {
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

fn as_slice(bound: &Bound<Bytes>) -> Bound<&[u8]> {
    bound.as_ref().map(Bytes::as_ref)
}

/// Forces the files to the disk that haven't been, and their names.
fn sync_blobs(folder: &Path, synced: &mut HashSet<OsString>) -> io::Result<()> {
    let mut present = HashSet::new();
    let mut any = false;
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        if !synced.contains(&name) {
            match File::open(folder.join(&name)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                file => file?.sync_data()?,
            }
            any = true;
        }
        present.insert(name);
    }
    if any && cfg!(not(windows)) {
        File::open(folder)?.sync_all()?;
    }
    *synced = present;
    Ok(())
}
