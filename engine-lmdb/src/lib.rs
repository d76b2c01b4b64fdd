#![doc = include_str!("../README.md")]

mod begin;
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

use std::path::Path;
use std::sync::Arc;

use engine_api::embedded;
use engine_api::semver::Version;
use engine_api::{Config, Descriptor, Engine, Error, ErrorKind, OpenMode, Opened, Registration, Result};

use config::Settings;
use environment::Environment;
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
        let settings = Settings::of(config)?;
        embedded::destroy(config, |path| {
            let place = Place::of(path)?;
            let Found::Nothing(_claim) = process::find(&place.data) else {
                return Err(open_here("the store is open in this process"));
            };
            remove(&place, &settings)?;
            // A link to the store goes with it.
            embedded::remove_files(path.is_symlink().then_some(path))
        })
    }
}

fn open(config: &Config) -> Result<(LmdbStore, bool)> {
    let settings = Settings::of(config)?;
    let access = if config.mode() == OpenMode::ReadOnly { Access::Read } else { Access::Write };
    let create = |path: &Path| {
        let place = Place::of(path)?;
        match process::find(&place.data) {
            // Another thread has created it since we looked.
            Found::Open(_) => Err(Error::new(ErrorKind::AlreadyExists, "there is a store already")),
            Found::Nothing(claim) => open_alone(place, settings, access, true, claim),
        }
    };
    let open = |path: &Path| {
        let place = Place::of(path)?;
        match process::find(&place.data) {
            Found::Open(environment) if environment.suits(&settings, access) => Ok(environment),
            Found::Open(_) => {
                Err(open_here("the store is open in this process with other options, or for reading alone"))
            }
            Found::Nothing(claim) => open_alone(place, settings, access, false, claim),
        }
    };
    let (environment, created) = embedded::open_or_create(config, create, open)?;
    Ok((LmdbStore::new(environment, access.writes()), created))
}

#[cold]
fn open_here(message: &'static str) -> Error {
    Error::new(ErrorKind::Locked, message)
}

/// Opens a store that this process hasn't open, after it was created if it is to be.
fn open_alone(
    place: Place,
    settings: Settings,
    access: Access,
    create: bool,
    claim: Claim,
) -> Result<Arc<Environment>> {
    vacant(&place.data)?;
    let locked = place.check_lock()?;
    if create {
        place.create(&settings)?;
    }
    place.check_data()?;
    let _held = place.hold(false)?;
    // With a lock file there may be writers, and opening it leaves nothing that wasn't there. Without one,
    // what isn't a store is to be refused without leaving one.
    if !create && !locked {
        environment::open_handle(&place, settings.map, &settings, Access::ReadAlone)?;
    }
    if access.writes() {
        place.create_lock()?;
    }
    Environment::open(place, settings, access, claim)
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
