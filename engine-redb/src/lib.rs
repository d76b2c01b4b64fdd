#![doc = include_str!("../README.md")]

#[cfg(feature = "bench")]
pub mod bench;
mod config;
mod error;
mod store;
mod view;

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use std::sync::atomic::Ordering;

use engine_api::semver::Version;
use engine_api::{
    Config, Descriptor, Engine, Error, ErrorKind, OpenMode, Opened, Registration, Repaired, Result,
};
use redb::ReadableDatabase;

use config::Settings;
use error::{DAMAGED, contain, convert, convert_io, convert_open};
use store::{Closing, Database, RedbStore, TABLE};

/// The redb engine, under the scheme `redb:`. A store is one file.
pub static REDB: RedbEngine = RedbEngine;

engine_api::inventory::submit! { Registration::new(&REDB) }

/// See [`REDB`].
#[derive(Clone, Copy, Debug)]
pub struct RedbEngine;

static DESCRIPTOR: Descriptor = Descriptor::new(
    "redb",
    &["redb"],
    Version::new(4, 4, 0),
    "A copy-on-write B-tree in one file, in safe Rust: snapshots, one writer, durable commits.",
    store::CAPABILITIES,
)
.choose("The default: whole after any crash, long keys, long values, and nothing but Rust. For one process at a time.")
.options(config::OPTIONS);

/// What every redb file begins with.
const MAGIC: [u8; 9] = *b"redb\x1A\x0A\xA9\x0D\x0A";

impl Engine for RedbEngine {
    fn descriptor(&self) -> &'static Descriptor {
        &DESCRIPTOR
    }

    fn open(&self, config: &Config) -> Result<Opened> {
        let (path, settings, mode) = (config.local_path()?, Settings::of(config)?, config.mode());
        let mut created = mode.decide(path)?;
        let mut database = match mode {
            _ if created => create(path, &settings).map(writable),
            OpenMode::ReadOnly => open_read_only(path, &settings).map(Database::ReadOnly),
            _ => open_existing(path, &settings).map(writable),
        };
        // Another process has created it since we looked.
        if mode == OpenMode::Create
            && matches!(&database, Err(error) if error.kind() == ErrorKind::AlreadyExists)
        {
            created = false;
            database = open_existing(path, &settings).map(writable);
        }
        let database = database.map_err(|error| error.with("path", path.display()))?;
        Ok(Opened { store: Box::new(RedbStore::new(database, settings)), created })
    }

    fn destroy(&self, config: &Config) -> Result<()> {
        let (path, settings) = (config.local_path()?, Settings { repair: false, ..Settings::of(config)? });
        let at = |error: Error| error.with("path", path.display());
        if !OpenMode::Create.decide(path)? {
            inspect(path, &settings).map_err(at)?;
            let opened = contain(DAMAGED, || settings.builder().open(path).map_err(convert_open));
            let held = match opened {
                Err(error) if error.kind() != ErrorKind::Corrupt => return Err(at(error)),
                opened => opened.map(Closing::new),
            };
            fs::remove_file(path).map_err(|error| at(convert_io(error, "the file can't be removed")))?;
            drop(held);
            sync(folder_of(path))?;
        }
        Ok(())
    }

    fn repair(&self, config: &Config) -> Result<Repaired> {
        let (path, settings) = (config.local_path()?, Settings::of(config)?);
        OpenMode::Existing.decide(path)?;
        mend(path, &settings).map_err(|error| error.with("path", path.display()))
    }
}

fn writable(database: redb::Database) -> Database {
    Database::Writable(Closing::new(database))
}

/// Creates the file under another name and gives it its own once it is a store, so that a process that
/// dies on the way leaves no file that is half one, and of two that create one, one fails.
fn create(path: &Path, settings: &Settings) -> Result<redb::Database> {
    let folder = folder_of(path);
    let mut unnamed = tempfile::Builder::new();
    unnamed.prefix(".redb-");
    #[cfg(unix)]
    unnamed.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let unnamed = unnamed.tempfile_in(folder).map_err(|error| {
        convert_io(error, "no file can be created in the folder").with("folder", folder.display())
    })?;
    let file =
        unnamed.as_file().try_clone().map_err(|error| convert_io(error, "the new file can't be shared"))?;
    let database = settings
        .builder()
        .create_file(file)
        .map_err(|error| convert(error, "the new file can't be made a database"))?;
    let txn = database.begin_write().map_err(|error| convert(error, "a write transaction can't be begun"))?;
    txn.open_table(TABLE).map_err(|error| convert(error, "the table can't be created"))?;
    txn.commit().map_err(|error| convert(error, "the table can't be committed"))?;
    unnamed
        .persist_noclobber(path)
        .map_err(|error| convert_io(error.error, "the new file can't be given its name"))?;
    sync(folder)?;
    Ok(database)
}

fn open_existing(path: &Path, settings: &Settings) -> Result<redb::Database> {
    inspect(path, settings)?;
    contain(DAMAGED, || {
        let database = settings.builder().open(path).map_err(convert_open)?;
        has_table(&database)?;
        Ok(database)
    })
}

fn open_read_only(path: &Path, settings: &Settings) -> Result<redb::ReadOnlyDatabase> {
    has_magic(path)?;
    contain(DAMAGED, || {
        let database = settings.builder().open_read_only(path).map_err(convert_open)?;
        has_table(&database)?;
        Ok(database)
    })
}

/// Refuses what isn't a store without writing to it, which opening it for writing would do. A file that is
/// damaged or wasn't closed passes: only opening it can tell more.
fn inspect(path: &Path, settings: &Settings) -> Result<()> {
    match open_read_only(path, settings) {
        Err(error) if error.kind() != ErrorKind::Corrupt => Err(error),
        _ => Ok(()),
    }
}

fn has_magic(path: &Path) -> Result<()> {
    let foreign = |message| Err(Error::new(ErrorKind::Incompatible, message));
    let metadata = fs::metadata(path).map_err(|error| convert_io(error, "the file can't be looked at"))?;
    if !metadata.is_file() {
        return foreign("a store of this engine is a file, and this isn't one");
    }
    let mut head = Vec::with_capacity(MAGIC.len());
    File::open(path)
        .and_then(|file| file.take(MAGIC.len() as u64).read_to_end(&mut head))
        .map_err(|error| convert_io(error, "the file can't be read"))?;
    if head == MAGIC { Ok(()) } else { foreign("the file isn't a redb database") }
}

fn has_table(database: &impl ReadableDatabase) -> Result<()> {
    let txn = database.begin_read().map_err(|error| convert(error, "a read transaction can't be begun"))?;
    match txn.open_table(TABLE) {
        Ok(_) => Ok(()),
        Err(error) => Err(convert(error, "the table of a store can't be opened")),
    }
}

fn mend(path: &Path, settings: &Settings) -> Result<Repaired> {
    inspect(path, settings)?;
    let (builder, reopened) = settings.mending_builder();
    let sound = contain("the file is damaged beyond repair", || {
        let mut database = builder.open(path).map_err(convert_open)?;
        has_table(&database)?;
        database.check_integrity().map_err(|error| convert(error, "the file is damaged beyond repair"))
    })?;
    Ok(if sound && !reopened.load(Ordering::Relaxed) { Repaired::Sound } else { Repaired::Mended })
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Makes the names in a folder survive a power cut. Windows keeps them so without being asked.
fn sync(folder: &Path) -> Result<()> {
    if cfg!(windows) {
        return Ok(());
    }
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|error| convert_io(error, "the folder can't be made durable"))
}
