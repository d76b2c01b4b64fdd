#![doc = include_str!("../README.md")]

#[cfg(feature = "bench")]
pub mod bench;
mod config;
mod error;
mod parts;
mod store;
mod view;
mod write;

use std::path::Path;
use std::sync::atomic::Ordering;

use engine_api::embedded::{self, Contained, NewFile, contain};
use engine_api::semver::Version;
use engine_api::{
    Config, Descriptor, Engine, Error, ErrorKind, OpenMode, Opened, Registration, Repaired, Result,
};
use redb::ReadableDatabase;

use config::Settings;
use error::{convert, convert_open};
use store::{Database, RedbStore, TABLE};

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
        let settings = Settings::of(config)?;
        let create = |path: &Path| create(path, &settings).map(writable);
        let open = |path: &Path| match config.mode() {
            OpenMode::ReadOnly => open_read_only(path, &settings).map(Database::ReadOnly),
            _ => open_existing(path, &settings).map(writable),
        };
        let (database, created) = embedded::open_or_create(config, create, open)?;
        Ok(Opened { store: Box::new(RedbStore::new(database, settings)), created })
    }

    fn destroy(&self, config: &Config) -> Result<()> {
        let settings = Settings { repair: false, ..Settings::of(config)? };
        embedded::destroy(config, |path| remove(path, &settings))
    }

    fn repair(&self, config: &Config) -> Result<Repaired> {
        let settings = Settings::of(config)?;
        embedded::repair(config, |path| mend(path, &settings))
    }
}

fn writable(database: redb::Database) -> Database {
    Database::Writable(Contained::new(database))
}

fn create(path: &Path, settings: &Settings) -> Result<redb::Database> {
    let new = NewFile::create(path, ".redb-")?;
    let database = settings
        .builder()
        .create_file(new.open()?)
        .map_err(|error| convert(error, "the new file can't be made a database"))?;
    let txn = database.begin_write().map_err(|error| convert(error, "a write transaction can't be begun"))?;
    txn.open_table(TABLE).map_err(|error| convert(error, "the table can't be created"))?;
    txn.commit().map_err(|error| convert(error, "the table can't be committed"))?;
    new.give_name()?;
    Ok(database)
}

fn open_existing(path: &Path, settings: &Settings) -> Result<redb::Database> {
    inspect(path, settings)?;
    contain(|| {
        let database = settings.builder().open(path).map_err(convert_open)?;
        has_table(&database)?;
        Ok(database)
    })
}

fn open_read_only(path: &Path, settings: &Settings) -> Result<redb::ReadOnlyDatabase> {
    if embedded::head(path, MAGIC.len())? != MAGIC {
        return Err(Error::new(ErrorKind::Incompatible, "the file isn't a redb database"));
    }
    contain(|| {
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

fn has_table(database: &impl ReadableDatabase) -> Result<()> {
    let txn = database.begin_read().map_err(|error| convert(error, "a read transaction can't be begun"))?;
    let table = txn.open_table(TABLE);
    table.map(drop).map_err(|error| convert(error, "the table of a store can't be opened"))
}

fn remove(path: &Path, settings: &Settings) -> Result<()> {
    inspect(path, settings)?;
    // Held while it is removed. What is damaged can be removed too.
    let _held = match contain(|| settings.builder().open(path).map_err(convert_open)) {
        Err(error) if error.kind() != ErrorKind::Corrupt => return Err(error),
        opened => opened.map(Contained::new),
    };
    embedded::remove_files([path])
}

fn mend(path: &Path, settings: &Settings) -> Result<Repaired> {
    inspect(path, settings)?;
    let (builder, reopened) = settings.mending_builder();
    let sound = contain(|| {
        let mut database = builder.open(path).map_err(convert_open)?;
        has_table(&database)?;
        database.check_integrity().map_err(|error| convert(error, "the file is damaged beyond repair"))
    })?;
    Ok(if sound && !reopened.load(Ordering::Relaxed) { Repaired::Sound } else { Repaired::Mended })
}
