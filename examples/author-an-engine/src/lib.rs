#![doc = include_str!("../README.md")]

mod database;
mod error;
mod store;
mod view;

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind as Os, Write};
use std::path::Path;

use engine_api::embedded::{self, Lock, NewFolder};
use engine_api::layers::ReadOnly;
use engine_api::semver::Version;
use engine_api::{
    Config, Descriptor, Engine, Error, ErrorKind, OpenMode, Opened, OptionKind, OptionSpec, Registration,
    Result, Store,
};

use database::Database;
use store::FjallStore;

/// The fjall engine, under the scheme `fjall:`. A store is a folder.
pub static FJALL: FjallEngine = FjallEngine;

engine_api::inventory::submit! { Registration::new(&FJALL) }

/// See [`FJALL`].
#[derive(Clone, Copy, Debug)]
pub struct FjallEngine;

static DESCRIPTOR: Descriptor = Descriptor::new(
    "fjall",
    &["fjall"],
    Version::new(3, 1, 13),
    "A log-structured merge tree in a folder, in Rust: snapshots, writes that cost the same in any order.",
    store::CAPABILITIES,
)
.choose("For many small writes all over the keys, which a tree of pages would write a page for each.")
.options(OPTIONS);

const OPTIONS: &[OptionSpec] = &[OptionSpec {
    name: "cache",
    kind: OptionKind::Bytes { min: 1 << 20, max: 1 << 40 },
    default: "256MiB",
    about: "Memory for blocks of tables; what isn't in a table yet takes some 64 MiB beside it.",
}];

/// The file that makes a folder a store of this engine, rather than another application's fjall. Whoever has
/// the store open holds a lock on it.
const MARKER: &str = "kvdag-fjall";

/// What the marker holds: a magic and the version of this layout.
const MAGIC: &[u8] = b"kvdag fjall 1\n";

/// The folder beside it that is fjall's.
const DATA: &str = "data";

impl Engine for FjallEngine {
    fn descriptor(&self) -> &'static Descriptor {
        &DESCRIPTOR
    }

    fn open(&self, config: &Config) -> Result<Opened> {
        let cache = config.number("cache")?;
        let create = |path: &Path| Database::open(&path.join(DATA), cache, create(path, cache)?);
        let open = |path: &Path| Database::open(&path.join(DATA), cache, hold(path)?);
        let (database, created) = embedded::open_or_create(config, create, open)?;
        let store = FjallStore::new(database);
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

/// Makes a store, with its marker locked. It has its name once it is whole and on the disk: what fjall leaves of
/// a creation that was cut short, it can't open later.
fn create(path: &Path, cache: u64) -> Result<Lock> {
    let new = NewFolder::create(path, ".fjall-")?;
    let lock = Lock::take(mark(new.path())?)?;
    Database::create(&new.path().join(DATA), cache)?;
    new.give_name()?;
    Ok(lock)
}

fn mark(folder: &Path) -> Result<File> {
    let mark = || {
        let mut marker = OpenOptions::new().write(true).create_new(true).open(folder.join(MARKER))?;
        marker.write_all(MAGIC)?;
        marker.sync_all()?;
        Ok(marker)
    };
    mark().map_err(|error| Error::from_io(error, "the new folder can't be marked"))
}

/// Locks a store that is there, and refuses what isn't one before fjall would make it one.
fn hold(path: &Path) -> Result<Lock> {
    let foreign =
        Error::new(ErrorKind::Incompatible, "the folder isn't a store of this engine").with("marker", MARKER);
    embedded::must_be_folder(path)?;
    let marker = path.join(MARKER);
    match embedded::head(&marker, MAGIC.len()) {
        Ok(magic) if magic == MAGIC => {}
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => return Err(foreign),
    }
    let marker = OpenOptions::new().read(true).write(true).open(marker);
    Lock::take(marker.map_err(|error| Error::from_io(error, "the folder's marker can't be opened"))?)
}

/// Removes fjall's files, then the marker that tells that they are there to be removed, then the folder. What
/// else is in the folder stays, and so does the folder then.
fn remove(path: &Path, _held: &Lock) -> Result<()> {
    let remove = || {
        match fs::remove_dir_all(path.join(DATA)) {
            Err(error) if error.kind() == Os::NotFound => {}
            removed => removed.and_then(|()| embedded::sync_folder(path))?,
        }
        fs::remove_file(path.join(MARKER))?;
        match fs::remove_dir(path) {
            Err(error) if error.kind() == Os::DirectoryNotEmpty => embedded::sync_folder(path),
            removed => removed.and_then(|()| embedded::sync_folder(embedded::folder_of(path))),
        }
    };
    remove().map_err(|error| Error::from_io(error, "the store can't be removed"))
}
