#![doc = include_str!("../README.md")]

#[cfg(feature = "bench")]
pub mod bench;
mod config;
mod error;
mod store;
mod view;

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{self, Path};
use std::thread;
use std::time::{Duration, Instant};

use engine_api::layers::ReadOnly;
use engine_api::semver::Version;
use engine_api::{
    Config, Descriptor, Engine, Error, ErrorKind, OpenMode, Opened, Registration, Result, Store,
};

use config::Settings;
use error::{DAMAGED, contain, convert_io, convert_open};
use store::{Database, SledStore, sync_names};

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
    "To read them, and copy them to another engine: its release is of 2021, two reads of a view may differ, and \
     after a failed write a store can't be used until the process ends.",
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
        let path = config.local_path()?;
        if !OpenMode::Create.decide(path)? {
            hold(path)
                .and_then(|lock| remove(path, &lock))
                .map_err(|error| error.with("path", path.display()))?;
        }
        Ok(())
    }
}

/// Opens a store; whether it was created.
fn open_store(config: &Config) -> Result<(SledStore, bool)> {
    let (path, settings, mode) = (config.local_path()?, Settings::of(config)?, config.mode());
    let mut created = mode.decide(path)?;
    let mut lock = if created { create(path) } else { hold(path) };
    // Another process has created it since we looked.
    if mode == OpenMode::Create && matches!(&lock, Err(error) if error.kind() == ErrorKind::AlreadyExists) {
        created = false;
        lock = hold(path);
    }
    let database = lock.and_then(|lock| open(path, &settings, mode, lock));
    let store = SledStore::new(database.map_err(|error| error.with("path", path.display()))?);
    Ok((store, created))
}

fn open(path: &Path, settings: &Settings, mode: OpenMode, lock: Lock) -> Result<Database> {
    // sled opens files beside its log for as long as it runs, wherever the process goes meanwhile.
    let path = path::absolute(path).map_err(|error| convert_io(error, "the path can't be made absolute"))?;
    wait_for_threads(&path)?;
    let mut sled = settings.sled();
    if mode == OpenMode::ReadOnly {
        // There will be nothing to flush, and nothing should be rearranged.
        sled = sled.flush_every_ms(None);
    }
    let db = contain(DAMAGED, || sled.path(&path).open().map_err(convert_open))?;
    Database::new(db, &path, lock)
}

/// Creates the folder under another name and gives it its own once it is a store, so that a process that
/// dies on the way leaves no folder that is half one, and of two that create one, one fails. sled's own
/// files come when it is first opened. The lock on the marker is held throughout.
fn create(path: &Path) -> Result<Lock> {
    let parent = parent_of(path);
    let mut unnamed = tempfile::Builder::new();
    unnamed.prefix(".sled-");
    #[cfg(unix)]
    unnamed.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o777));
    let unnamed = unnamed.tempdir_in(parent).map_err(|error| {
        convert_io(error, "no folder can be created in the folder").with("folder", parent.display())
    })?;
    let marked = mark(unnamed.path()).map_err(|error| convert_io(error, "the new folder can't be marked"))?;
    let lock = Lock::take(marked)?;
    sync(unnamed.path())?;
    fs::rename(unnamed.path(), path).map_err(|error| match error.kind() {
        io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::NotADirectory => {
            Error::new(ErrorKind::AlreadyExists, "there is something at the path already").caused_by(error)
        }
        _ => convert_io(error, "the new folder can't be given its name"),
    })?;
    // It isn't there any more under the name by which it would be removed.
    drop(unnamed.keep());
    sync(parent)?;
    Ok(lock)
}

fn mark(folder: &Path) -> io::Result<File> {
    let mut marker = OpenOptions::new().write(true).create_new(true).open(folder.join(MARKER))?;
    marker.write_all(MAGIC)?;
    marker.sync_all()?;
    Ok(marker)
}

/// Locks a store that is there, and refuses what isn't one without writing to it, which sled would do.
fn hold(path: &Path) -> Result<Lock> {
    let foreign = |message| Err(Error::new(ErrorKind::Incompatible, message));
    let metadata = fs::metadata(path).map_err(|error| convert_io(error, "the path can't be looked at"))?;
    if !metadata.is_dir() {
        return foreign("a store of this engine is a folder, and this isn't one");
    }
    let mut marker = match OpenOptions::new().read(true).write(true).open(path.join(MARKER)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return foreign("the folder isn't a store of this engine: its marker, engine-sled, isn't in it");
        }
        marker => marker.map_err(|error| convert_io(error, "the folder's marker can't be opened"))?,
    };
    let mut magic = Vec::with_capacity(MAGIC.len());
    (&mut marker)
        .take(MAGIC.len() as u64)
        .read_to_end(&mut magic)
        .map_err(|error| convert_io(error, "the folder's marker can't be read"))?;
    if magic != MAGIC {
        return foreign("the folder's marker is of another kind, or of another version of this engine");
    }
    Lock::take(marker)
}

/// A lock on a file.
pub(crate) struct Lock(File);

impl Lock {
    fn take(file: File) -> Result<Self> {
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => {
                Err(Error::new(ErrorKind::Locked, "the store is open elsewhere"))
            }
            Err(TryLockError::Error(error)) => Err(convert_io(error, "the store can't be locked")),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing the file releases it too, but not while another thread starts a process, which has all
        // files of this one open for a moment.
        self.0.unlock().unwrap_or(());
    }
}

/// Waits for threads of sled that outlive the store that was open before, and keep its log locked.
fn wait_for_threads(path: &Path) -> Result<()> {
    let start = Instant::now();
    loop {
        let log = match OpenOptions::new().read(true).write(true).open(path.join("db")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
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
    match fs::remove_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => sync(path),
        removed => removed.map_err(failed).and_then(|()| sync(parent_of(path))),
    }
}

fn parent_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn sync(folder: &Path) -> Result<()> {
    sync_names(folder).map_err(|error| convert_io(error, "the folder can't be made durable"))
}
