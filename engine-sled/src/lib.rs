#![doc = include_str!("../README.md")]

#[cfg(feature = "bench")]
pub mod bench;
mod config;
mod database;
mod error;
mod store;
mod view;

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind as Os, Result as IoResult, Write, copy, sink};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use engine_api::embedded::{self, Lock, NewFolder, contain, folder_of, head, sync_folder};
use engine_api::layers::ReadOnly;
use engine_api::semver::Version;
use engine_api::{
    Config, Descriptor, Engine, Error, ErrorKind, OpenMode, Opened, Registration, Result, Store,
};

use config::Settings;
use database::Database;
use error::{convert_io, convert_open};
use store::SledStore;

/// The sled engine, under the scheme `sled:`. A store is a folder.
pub static SLED: SledEngine = SledEngine;

engine_api::inventory::submit! { Registration::new(&SLED) }

/// See [`SLED`].
#[derive(Clone, Copy, Debug)]
pub struct SledEngine;

static DESCRIPTOR: Descriptor = Descriptor::new(
    "sled",
    &["sled"],
    Version::new(0, 34, 7),
    "A log-structured tree in a folder, in Rust: live reads, legacy, for stores that are there already.",
    store::CAPABILITIES,
)
.choose(
    "To read them, and copy them to another engine: its release is of 2021, two reads of a view may differ, a power \
     cut may leave half of a batch, and after a failed write a store can't be used until the process ends.",
)
.options(config::OPTIONS);

/// The file that makes a folder a store of this engine, rather than another application's sled. Whoever has
/// the store open holds a lock on it.
const MARKER: &str = "engine-sled";

/// What the marker holds: a magic and the version of this layout.
const MAGIC: &[u8] = b"kvdag engine-sled 1\n";

/// How long sled's threads, which outlive a store that was dropped, are waited for.
const PATIENCE: Duration = Duration::from_secs(10);

impl Engine for SledEngine {
    fn descriptor(&self) -> &'static Descriptor {
        &DESCRIPTOR
    }

    fn open(&self, config: &Config) -> Result<Opened> {
        let (store, created) = open_store(config)?;
        let store: Box<dyn Store> = match config.mode() {
            OpenMode::ReadOnly => Box::new(ReadOnly(store)),
            _ => Box::new(store),
        };
        Ok(Opened { store, created })
    }

    fn destroy(&self, config: &Config) -> Result<()> {
        embedded::destroy(config, |path| remove(path, &hold(path)?))
    }
}

/// Opens a store; whether it was created.
fn open_store(config: &Config) -> Result<(SledStore, bool)> {
    let settings = Settings::of(config)?;
    let create = |path: &Path| open(path, &settings, create(path)?);
    let open = |path: &Path| open(path, &settings, hold(path)?);
    let (database, created) = embedded::open_or_create(config, create, open)?;
    Ok((SledStore::new(database), created))
}

fn open(path: &Path, settings: &Settings, lock: Lock) -> Result<Database> {
    // sled opens files beside its log for as long as it runs.
    let path = embedded::absolute(path)?;
    wait_for_threads(&path)?;
    remove_unfinished_snapshots(&path)?;
    read_through(&path.join("db"))?;
    let db = contain(|| settings.sled().path(&path).open().map_err(convert_open))?;
    Database::new(db, &path, lock)
}

/// Creates the folder, with its marker locked. sled's own files come when it is first opened.
fn create(path: &Path) -> Result<Lock> {
    let new = NewFolder::create(path, ".sled-")?;
    let mark = || {
        let mut marker = OpenOptions::new().write(true).create_new(true).open(new.path().join(MARKER))?;
        marker.write_all(MAGIC)?;
        marker.sync_all()?;
        IoResult::Ok(marker)
    };
    let lock = Lock::take(mark().map_err(|error| convert_io(error, "the new folder can't be marked"))?)?;
    new.give_name()?;
    Ok(lock)
}

/// Locks a store that is there, and refuses what isn't one without writing to it, which sled would do.
fn hold(path: &Path) -> Result<Lock> {
    let foreign = |message| Err(Error::new(ErrorKind::Incompatible, message));
    embedded::must_be_folder(path)?;
    let marker = path.join(MARKER);
    match head(&marker, MAGIC.len()) {
        Ok(magic) if magic == MAGIC => {}
        Ok(_) => {
            return foreign("the folder's marker is of another kind, or of another version of this engine");
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return foreign("the folder isn't a store of this engine: its marker, engine-sled, isn't in it");
        }
        Err(error) => return Err(error),
    }
    let marker = OpenOptions::new().read(true).write(true).open(marker);
    Lock::take(marker.map_err(|error| convert_io(error, "the folder's marker can't be opened"))?)
}

/// Waits for threads of sled that outlive the store that was open before, and keep its log locked.
fn wait_for_threads(path: &Path) -> Result<()> {
    let start = Instant::now();
    loop {
        let log = match OpenOptions::new().read(true).write(true).open(path.join("db")) {
            Err(error) if error.kind() == Os::NotFound => return Ok(()),
            log => log.map_err(|error| convert_io(error, "the log can't be opened"))?,
        };
        match Lock::take(log) {
            Err(error) if error.kind() == ErrorKind::Locked && start.elapsed() < PATIENCE => {
                thread::sleep(Duration::from_millis(1));
            }
            outcome => return outcome.map(drop),
        }
    }
}

/// Removes what a full disk or the end of a process left of a snapshot that sled was writing. sled would take
/// it for its latest one, and the store for damaged; what it was made from is all there, and is read in its
/// place.
fn remove_unfinished_snapshots(path: &Path) -> Result<()> {
    let failed = |error| convert_io(error, "an unfinished snapshot can't be removed");
    for entry in fs::read_dir(path).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with("snap.") && name.ends_with(".generating") {
            fs::remove_file(entry.path()).map_err(failed)?;
        }
    }
    Ok(())
}

/// Reads the log once, to find out whether it can be read. sled takes a read that fails for the end of the log,
/// and overwrites what comes after it.
fn read_through(log: &Path) -> Result<()> {
    let read = File::open(log).and_then(|mut log| copy(&mut log, &mut sink()));
    match read {
        Err(error) if error.kind() == Os::NotFound => Ok(()),
        read => read.map(drop).map_err(|error| convert_io(error, "the log can't be read")),
    }
}

/// Removes sled's files, then the marker that tells that they are there to be removed, then the folder. What
/// else is in the folder stays, and so does the folder then.
fn remove(path: &Path, _held: &Lock) -> Result<()> {
    wait_for_threads(path)?;
    let failed = |error| convert_io(error, "the store can't be removed");
    for entry in fs::read_dir(path).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name == "blobs" {
            fs::remove_dir_all(entry.path()).map_err(failed)?;
        } else if name == "db" || name == "conf" || name.starts_with("snap.") {
            fs::remove_file(entry.path()).map_err(failed)?;
        }
    }
    fs::remove_file(path.join(MARKER)).map_err(failed)?;
    let synced = match fs::remove_dir(path) {
        Err(error) if error.kind() == Os::DirectoryNotEmpty => sync_folder(path),
        removed => removed.and_then(|()| sync_folder(folder_of(path))),
    };
    synced.map_err(failed)
}
