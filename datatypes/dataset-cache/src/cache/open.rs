//! Caches that are created and opened.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex, RwLock};

use engine_api::embedded::NewFile;
use engine_api::{Error, ErrorKind, Result};

use super::{DatasetCache, Mode, Reader, State, Writer};
use crate::clock::Moments;
use crate::file::{DiskFile, StorageFile};
use crate::flight::Flights;
use crate::header::{CACHE_HEADER, CacheHeader, STORAGE_HEADER, StorageHeader, begins_a_cache};
use crate::index::{Index, LAST_USED, PRIMARY};
use crate::load::load as load_tree;
use crate::lock::FileLock;
use crate::lookup::TreeInFile;
use crate::node::{Expected, PAGE_BYTES, Page};
use crate::numbers::wide;
use crate::options::CacheOptions;
use crate::statistics::Counters;
use crate::storage::BlockStorage;

const OFFSET: u64 = DatasetCache::STORAGE_OFFSET;

/// Where the data begins.
pub(super) const DATA: u64 = OFFSET + 32;

pub(crate) fn create(path: &Path, maximum: u64, options: &CacheOptions) -> Result<DatasetCache> {
    let (file, lock) = open_or_make(path, maximum)?;
    let file = disk_file(file, options)?;
    must_begin_a_cache(&*file, path)?;
    let mut cache = create_in(file, maximum, options)?;
    cache.lock = Some(lock);
    Ok(cache)
}

pub(crate) fn create_or_open(path: &Path, maximum: u64, options: &CacheOptions) -> Result<DatasetCache> {
    let (file, lock) = open_or_make(path, maximum)?;
    let file = disk_file(file, options)?;
    must_begin_a_cache(&*file, path)?;
    let opened = match CacheHeader::read(&*file) {
        Ok(header) if header.maximum == maximum => open_in(file, false, options),
        // Its creation was cut short; or it is of another maximum.
        Err(error) if error.kind() == ErrorKind::Corrupt => create_in(file, maximum, options),
        Ok(_) => create_in(file, maximum, options),
        Err(error) => Err(error),
    };
    let mut cache = opened.map_err(|error| error.with("path", path.display()))?;
    cache.lock = Some(lock);
    Ok(cache)
}

pub(crate) fn open(path: &Path, read_only: bool, options: &CacheOptions) -> Result<DatasetCache> {
    let failed = |error| Error::from_io(error, "the cache can't be opened").with("path", path.display());
    let file = OpenOptions::new().read(true).write(!read_only).open(path).map_err(failed)?;
    let lock = if read_only { FileLock::shared(&file) } else { FileLock::exclusive(&file).map(Some) };
    let lock = lock.map_err(|error| error.with("path", path.display()))?;
    let file = disk_file(file, options)?;
    let mut cache = open_in(file, read_only, options).map_err(|error| error.with("path", path.display()))?;
    cache.lock = lock;
    Ok(cache)
}

pub(crate) fn create_in(
    file: Arc<dyn StorageFile>,
    maximum: u64,
    options: &CacheOptions,
) -> Result<DatasetCache> {
    check_maximum(maximum)?;
    let mut storage = BlockStorage::empty(Arc::clone(&file), OFFSET);
    storage.space.set_limit(limit(maximum));
    storage.reset(&CacheHeader { maximum, ..CacheHeader::default() }.bytes())?;
    Ok(cache(file, maximum, writer(storage, Index::new(), maximum, options)))
}

pub(crate) fn open_in(
    file: Arc<dyn StorageFile>,
    read_only: bool,
    options: &CacheOptions,
) -> Result<DatasetCache> {
    let header = CacheHeader::read(&*file)?;
    if read_only {
        let mode = reader(&*file, header)?;
        return Ok(cache(file, header.maximum, mode));
    }
    check_maximum(header.maximum)?;
    match load(&file, header) {
        Ok((storage, index)) => {
            let mode = writer(storage, index, header.maximum, options);
            Ok(cache(file, header.maximum, mode))
        }
        Err(error) if error.kind() == ErrorKind::Corrupt => {
            let cache = create_in(file, header.maximum, options)?;
            cache.count(|counters| &counters.clears);
            Ok(cache)
        }
        Err(error) => Err(error),
    }
}

/// Opens the file to write, locked; makes a whole and empty cache if there is none.
fn open_or_make(path: &Path, maximum: u64) -> Result<(File, FileLock)> {
    check_maximum(maximum)?;
    let open = || OpenOptions::new().read(true).write(true).open(path);
    let failed = |error| Error::from_io(error, "the cache can't be opened").with("path", path.display());
    let file = match open() {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let new = NewFile::create(path, ".dataset-cache-")
                .map_err(|error| error.with("path", path.display()))?;
            let header = CacheHeader { maximum, ..CacheHeader::default() }.bytes();
            let headers = [header.as_slice(), &StorageHeader::default().bytes()].concat();
            let mut file = new.open()?;
            file.write_all(&headers)
                .and_then(|()| file.sync_all())
                .map_err(|error| Error::from_io(error, "the new cache can't be written"))?;
            drop(file);
            match new.give_name() {
                Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
                _ => open().map_err(failed)?,
            }
        }
        Err(error) => return Err(failed(error)),
    };
    let lock = FileLock::exclusive(&file).map_err(|error| error.with("path", path.display()))?;
    Ok((file, lock))
}

fn disk_file(file: File, options: &CacheOptions) -> Result<Arc<dyn StorageFile>> {
    let file = DiskFile::new(file, options.mapped);
    Ok(Arc::new(file.map_err(|error| Error::from_io(error, "the cache can't be opened"))?))
}

/// Whoever has named a wrong path doesn't lose what is there.
fn must_begin_a_cache(file: &dyn StorageFile, path: &Path) -> Result<()> {
    let mut head = [0; 8];
    let read = file.read_at(&mut head, 0).map_err(|error| Error::from_io(error, "the file can't be read"))?;
    if read == 0 || begins_a_cache(&head[..read]) {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Incompatible,
        "there is a file that isn't a dataset cache; it is left as it is",
    )
    .with("path", path.display()))
}

fn check_maximum(maximum: u64) -> Result<()> {
    let least = wide(CACHE_HEADER + STORAGE_HEADER);
    if maximum == 0 || (least..=i64::MAX.unsigned_abs()).contains(&maximum) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::InvalidArgument, "a cache can't have this maximum")
        .with("bytes", maximum)
        .with("least", least))
}

fn limit(maximum: u64) -> u64 {
    if maximum == 0 { u64::MAX } else { maximum }
}

fn load(file: &Arc<dyn StorageFile>, header: CacheHeader) -> Result<(BlockStorage, Index)> {
    let corrupt = |message| Error::new(ErrorKind::Corrupt, message);
    let storage = StorageHeader::read(&**file, OFFSET)?;
    let roots = [header.primary, header.last_used, storage.allocations, storage.free];
    let mut storage = BlockStorage::load(Arc::clone(file), OFFSET, limit(header.maximum))?;
    if roots == [0; 4] {
        // What is behind the headers of an empty cache is of a commit that wasn't made, and may be longer than the maximum.
        storage.free_passing()?;
        return Ok((storage, Index::new()));
    }
    if roots.contains(&0) {
        return Err(corrupt("some roots are there and some aren't"));
    }
    // The storage's roots are of one commit, which these must be of too.
    let commit = Page::read(
        &**file,
        crate::space::ALLOCATIONS,
        Expected { address: roots[2], level: None, commit: None },
    )?
    .commit;
    let (primary, _) = load_tree(&**file, PRIMARY, header.primary, Some(commit), DATA)?;
    let (last_used, _) = load_tree(&**file, LAST_USED, header.last_used, Some(commit), DATA)?;
    let nodes = storage.check_nodes(&[&primary, &last_used])?;
    let index = Index::from_trees(primary, last_used, |block| {
        storage.space.block(block).filter(|(_, passing)| !passing).map(|(size, _)| size)
    })?;
    storage.free_passing()?;
    if storage.space.blocks() != nodes + index.blocks() {
        return Err(corrupt("a block is nobody's, or somebody's twice"));
    }
    if storage.space.end() > limit(header.maximum) {
        return Err(corrupt("the file is longer than its maximum"));
    }
    Ok((storage, index))
}

fn reader(file: &dyn StorageFile, header: CacheHeader) -> Result<Mode> {
    let storage = StorageHeader::read(file, OFFSET)?;
    let (primary, last_used) = (header.primary, header.last_used);
    let roots = [primary, last_used, storage.allocations, storage.free];
    if roots == [0; 4] {
        return Ok(Mode::Reader(None));
    }
    let mut commit = None;
    let layouts = [PRIMARY, LAST_USED, crate::space::ALLOCATIONS, crate::space::FREE_CHUNKS];
    for (address, layout) in roots.into_iter().zip(layouts) {
        commit = Some(Page::read(file, layout, Expected { address, level: None, commit })?.commit);
    }
    Ok(Mode::Reader(commit.map(|commit| {
        let primary = TreeInFile::new(PRIMARY, primary, commit);
        Box::new(Reader { primary, last_used: TreeInFile::new(LAST_USED, last_used, commit) })
    })))
}

fn writer(storage: BlockStorage, index: Index, maximum: u64, options: &CacheOptions) -> Mode {
    let moments = Moments::new(Arc::clone(&options.clock), index.latest().unwrap_or(0));
    let state = State {
        storage,
        index,
        uncommitted: 0,
        since: None,
        freed: 0,
        changed: false,
        removed: false,
        in_flight: 0,
        clears: 0,
    };
    Mode::Writer(Box::new(Writer {
        state: RwLock::new(state),
        committing: Mutex::default(),
        moments,
        options: options.clone(),
        spare_pages: (maximum / 64).min(8 << 20) / PAGE_BYTES,
    }))
}

fn cache(file: Arc<dyn StorageFile>, maximum: u64, mode: Mode) -> DatasetCache {
    let (counters, flights) = (Counters::default(), Flights::default());
    DatasetCache { file, maximum, mode, counters, flights, lock: None }
}
