#![doc = include_str!("../README.md")]

#[cfg(feature = "bench")]
pub mod bench;
mod config;
mod environment;
mod error;
mod files;
mod layout;
mod pages;
mod process;
mod raw;
mod store;
mod view;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use engine_api::semver::Version;
use engine_api::{Config, Descriptor, Engine, Error, ErrorKind, OpenMode, Opened, Registration, Result};

use config::Settings;
use environment::Environment;
use error::convert_io;
use files::{Exclusive, Place};
use process::{Claim, Found};
use raw::Access;
use store::LmdbStore;

/// The LMDB engine, under the scheme `lmdb:`. A store is a file, with a lock file beside it.
pub static LMDB: LmdbEngine = LmdbEngine;

engine_api::inventory::submit! { Registration::new(&LMDB) }

/// See [`LMDB`].
#[derive(Clone, Copy, Debug)]
pub struct LmdbEngine;

static DESCRIPTOR: Descriptor = Descriptor::new(
    "lmdb",
    &["lmdb"],
    Version::new(0, 9, 70),
    "A memory-mapped copy-on-write B-tree in one file: the fastest reads, shared by several processes.",
    store::CAPABILITIES,
)
.choose(
    "For data that memory holds and that is read far more than written. Not for keys beyond 511 bytes, nor on a disk \
     that isn't to be trusted: pages have no checksums, and a damaged one may end the process.",
)
.options(config::OPTIONS);

impl Engine for LmdbEngine {
    fn descriptor(&self) -> &'static Descriptor {
        &DESCRIPTOR
    }

    fn open(&self, config: &Config) -> Result<Opened> {
        let (store, created) = open(config)?;
        Ok(Opened { store: Box::new(store), created })
    }

    fn destroy(&self, config: &Config) -> Result<()> {
        let (path, settings) = (config.local_path()?, Settings::of(config)?);
        let at = |error: Error| error.with("path", path.display());
        if OpenMode::Create.decide(path)? {
            return Ok(());
        }
        let place = Place::of(path).map_err(at)?;
        let Found::Nothing(claim) = process::find(&place.data) else {
            return Err(at(open_here("the store is open in this process")));
        };
        remove(&place, &settings).map_err(at)?;
        drop(claim);
        if path.is_symlink() {
            fs::remove_file(path).map_err(|error| at(convert_io(error, "the link can't be removed")))?;
        }
        Ok(())
    }
}

fn open(config: &Config) -> Result<(LmdbStore, bool)> {
    let (path, settings, mode) = (config.local_path()?, Settings::of(config)?, config.mode());
    let absent = mode.decide(path)?;
    let access = if mode == OpenMode::ReadOnly { Access::Read } else { Access::Write };
    let opened = Place::of(path).and_then(|place| match process::find(&place.data) {
        // Another thread has created it since we looked.
        Found::Open(_) if mode == OpenMode::New => {
            Err(Error::new(ErrorKind::AlreadyExists, "there is a store already"))
        }
        Found::Open(environment) => share(environment, &settings, access).map(|shared| (shared, false)),
        Found::Nothing(claim) => open_alone(place, settings, access, (mode, absent), claim),
    });
    let (environment, created) = opened.map_err(|error| error.with("path", path.display()))?;
    Ok((LmdbStore::new(environment, access.writes()), created))
}

fn share(environment: Arc<Environment>, settings: &Settings, access: Access) -> Result<Arc<Environment>> {
    if environment.suits(settings, access) {
        return Ok(environment);
    }
    Err(open_here("the store is open in this process with other options, or for reading alone"))
}

#[cold]
fn open_here(message: &'static str) -> Error {
    Error::new(ErrorKind::Locked, message)
}

/// Opens a store that this process hasn't open; whether it was created.
fn open_alone(
    place: Place,
    settings: Settings,
    access: Access,
    (mode, absent): (OpenMode, bool),
    claim: Claim,
) -> Result<(Arc<Environment>, bool)> {
    let mut created = false;
    vacant(&place.data)?;
    let locked = place.check_lock()?;
    if absent {
        created = match place.create(&settings) {
            // Another opener has created it since we looked.
            Err(error) if error.kind() == ErrorKind::AlreadyExists && mode == OpenMode::Create => false,
            made => made.map(|()| true)?,
        };
    }
    place.check_data()?;
    let _held = place.hold(false)?;
    // With a lock file there may be writers, and opening it leaves nothing that wasn't there. Without one,
    // what isn't a store is to be refused without leaving one.
    if !created && !locked {
        environment::open_handle(&place, settings.map, &settings, Access::ReadAlone)?;
    }
    if access.writes() {
        place.create_lock()?;
    }
    Ok((Environment::open(place, settings, access, claim)?, created))
}

/// Refuses what another part of this process has opened through heed: to look at the lock file would give
/// up its locks.
fn vacant(data: &Path) -> Result<()> {
    match heed::env_closing_event(data) {
        Some(_) => Err(open_here("another part of this process has the file open")),
        None => Ok(()),
    }
}

fn remove(place: &Place, settings: &Settings) -> Result<()> {
    vacant(&place.data)?;
    let locked = place.check_lock()?;
    place.check_data()?;
    let _held = place.hold(true)?;
    let access = if locked { Access::Read } else { Access::ReadAlone };
    match environment::open_handle(place, settings.map, settings, access) {
        // What is damaged can be removed.
        Err(error) if error.kind() != ErrorKind::Corrupt => return Err(error),
        opened => drop(opened),
    }
    place.create_lock()?;
    let others_out = Exclusive::take(place)?;
    others_out.reset()?;
    place.remove()
}
