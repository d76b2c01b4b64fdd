//! Opening stores for commands.

use engine_api::key::{RepoId, VersionId};
use engine_api::version::{Instance, Version, Versioned, Work};
use engine_api::{Error, ErrorKind, KeyRange, OpenMode, Opened, Result, Store, StoreExt, Uuid};

use super::init;

/// A store as commands use it.
pub(crate) type AnyStore = Versioned<Box<dyn Store>>;

/// Opens a store that must be there, to read it.
pub(crate) fn open_to_read(url: &str) -> Result<AnyStore> {
    Versioned::open(open_engine(url)?)
}

/// Opens the engine's store, which must be there, to read it.
pub(crate) fn open_engine(url: &str) -> Result<Box<dyn Store>> {
    let registry = kvdag::stores()?;
    let config = registry.config(url)?;
    let read_only = config.clone().with_default_mode(OpenMode::ReadOnly);
    match registry.open_config(&read_only) {
        Ok(opened) => Ok(opened.store),
        // A store that wasn't closed is mended as it is opened, which takes more than reading.
        Err(error) if matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Unsupported) => {
            registry.open_config(&config.with_default_mode(OpenMode::Existing)).map(|opened| opened.store)
        }
        Err(error) => Err(error),
    }
}

/// Opens a store that must be there, to change it. Work that was cut short is done first.
pub(crate) fn open_to_write(url: &str) -> Result<AnyStore> {
    let registry = kvdag::stores()?;
    let config = registry.config(url)?.with_default_mode(OpenMode::Existing);
    let store = Versioned::open(registry.open_config(&config)?.store)?;
    let mut unfinished = store.unfinished()?;
    unfinished.retain(|work| !matches!(work, Work::Apply(_)));
    if !unfinished.is_empty() {
        for work in &unfinished {
            eprintln!("going on with what was cut short: {work}");
        }
        store.resume()?;
    }
    Ok(store)
}

/// Makes a store that must not be there.
pub(crate) fn create(url: &str) -> Result<AnyStore> {
    let registry = kvdag::stores()?;
    let config = registry.config(url)?.with_default_mode(OpenMode::New);
    let Opened { store, .. } = registry.open_config(&config)?;
    Versioned::create(store)
}

/// Makes a store of one that the engine has made and nobody has written to; `None` when there is something in it.
fn begun(url: &str) -> Result<Option<AnyStore>> {
    let registry = kvdag::stores()?;
    let config = registry.config(url)?.with_default_mode(OpenMode::Existing);
    let store = registry.open_config(&config)?.store;
    let empty = store.first(&KeyRange::ALL)?.is_none();
    empty.then(|| Versioned::create(store)).transpose()
}

/// Opens a store, or makes it with a repo where there is none; what a kill has left of making one is gone on with.
pub(crate) fn open_or_create(url: &str) -> Result<AnyStore> {
    let store = match open_to_write(url) {
        Err(error) if error.kind() == ErrorKind::NotFound => create(url)?,
        Err(error) if error.kind() == ErrorKind::Incompatible => begun(url)?.ok_or(error)?,
        outcome => outcome?,
    };
    if store.dag()?.repos().next().is_none() {
        init::set_up(&store, init::DEFAULT_REPO, None)?;
    }
    Ok(store)
}

/// Does work on a store, which is made, where that is asked for, when it isn't there. One that was made for work
/// that fails, and has no repo, is removed.
pub(crate) fn with_target<T>(
    url: &str,
    create: bool,
    work: impl FnOnce(&AnyStore) -> Result<T>,
) -> Result<T> {
    let registry = kvdag::stores()?;
    let mode = if create { OpenMode::Create } else { OpenMode::Existing };
    let config = registry.config(url)?.with_default_mode(mode);
    let Opened { store, created } = registry.open_config(&config)?;
    let store = if created { Versioned::create(store)? } else { Versioned::open(store)? };
    let outcome = work(&store);
    let empty = outcome.is_err() && created && store.dag().is_ok_and(|dag| dag.repos().next().is_none());
    drop(store);
    if empty {
        // That it failed is what is told; an empty store does no harm.
        registry.destroy(url).ok();
    }
    outcome
}

/// A UUID that a command line gives.
pub(crate) fn uuid(text: Option<&str>) -> Result<Option<Uuid>> {
    let parse = |text| {
        Uuid::try_parse(text).map_err(|error| {
            Error::new(ErrorKind::InvalidArgument, "a UUID has 32 hexadecimal digits")
                .with("uuid", text)
                .caused_by(error)
        })
    };
    text.map(parse).transpose()
}

/// The version that a command line names: the newest on `main` when it names none.
pub(crate) fn version(store: &AnyStore, spec: Option<&str>) -> Result<Version> {
    match spec {
        Some(spec) => store.find(spec),
        None => {
            let repo = store.only_repo()?;
            let dag = store.dag()?;
            dag.find(&format!("{}:{}", repo.alias, dag.main_branch(repo.id)?)).cloned()
        }
    }
}

/// The number of the version that a command line names.
pub(crate) fn version_id(store: &AnyStore, spec: Option<&str>) -> Result<VersionId> {
    version(store, spec).map(|version| version.id)
}

/// The instance that a command line names, or each of the repo's that has versions.
pub(crate) fn instances(store: &AnyStore, repo: RepoId, name: Option<&str>) -> Result<Vec<Instance>> {
    let of_repo = |instance: &&Instance| instance.repo == repo && instance.versioned;
    match name {
        Some(name) => Ok(vec![store.instance(name)?]),
        None => Ok(store.dag()?.instances().filter(of_repo).cloned().collect()),
    }
}

/// The first digits of a UUID: enough to tell versions apart, and what `log` shows.
pub(crate) fn short(uuid: &Uuid) -> String {
    let mut digits = uuid.simple().to_string();
    digits.truncate(12);
    digits
}
