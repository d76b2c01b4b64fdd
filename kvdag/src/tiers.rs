//! Opening several stores as one, as a TOML file says: the scheme `tiers:`, whose path is the file's.
//!
//! ```toml
//! [stores]
//! bulk = "redb:bulk.redb"
//! cold = "sqlite:cold.sqlite"
//!
//! [tiers]
//! mutable = "bulk"
//! immutable = "cold"
//! ```
//!
//! The repository's `docs/tiers.md` says what else may stand in it, and what holds between the stores.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::path::Path;

use engine_api::version::tiers::{Assignment, Guard, Member, Rule, Tiered};
use engine_api::{
    Capabilities, Config, Descriptor, Engine, Error, ErrorKind, OpenMode, Opened, Registry, Repaired, Result,
};
use serde::Deserialize;

/// Several stores as one, under the scheme `tiers:`. It keeps stores with versions and nothing else, so it isn't among
/// the engines that a program links: [`stores`](crate::stores) adds it.
pub static TIERS: TiersEngine = TiersEngine;

/// See [`TIERS`].
#[derive(Clone, Copy, Debug)]
pub struct TiersEngine;

static DESCRIPTOR: Descriptor = Descriptor::new(
    "tiers",
    &["tiers"],
    engine_api::semver::Version::new(0, 1, 0),
    "Several stores as one, as a TOML file says.",
    // Those of a store are what all of its stores can do.
    Capabilities::MINIMAL,
);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    stores: BTreeMap<String, String>,
    tiers: Tiers,
    #[serde(default)]
    rule: Vec<Rule>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Tiers {
    metadata: Option<String>,
    mutable: String,
    immutable: Option<String>,
}

/// The stores that a file names, and its rules.
struct Plan {
    registry: Registry,
    stores: Vec<(String, Config)>,
    assignment: Assignment,
}

impl Plan {
    fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path)
            .map_err(|error| Error::from_io(error, "the file that names the stores can't be read"))?;
        let description: Description = toml::from_str(&text).map_err(|error| {
            Error::new(ErrorKind::InvalidConfig, "the file doesn't say which stores there are")
                .with("why", error.message())
                .with("line", error.span().map_or(0, |span| text[..span.start].lines().count().max(1)))
        })?;
        let Description { stores, tiers: Tiers { metadata, mutable, immutable }, rule: rules } = description;
        let assignment = Assignment { metadata, mutable, immutable, rules };
        let registry = crate::registry()?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let stores = stores
            .into_iter()
            .map(|(name, url)| {
                let config = registry.config(&url).map_err(|error| error.with("store", &name))?;
                let path = config.path().map(|path| folder.join(path));
                Ok((
                    name,
                    match path {
                        Some(path) => config.at(path),
                        None => config,
                    },
                ))
            })
            .collect::<Result<Vec<_>>>()?;
        let plan = Self { registry, stores, assignment };
        plan.check()?;
        Ok(plan)
    }

    fn check(&self) -> Result<()> {
        let names: Vec<_> = self.stores.iter().map(|(name, _)| name.as_str()).collect();
        self.assignment.check(&names)?;
        let place =
            |config: &Config| config.path().map(|path| std::path::absolute(path).unwrap_or(path.to_owned()));
        for (at, (name, config)) in self.stores.iter().enumerate() {
            let twice = self.stores[..at]
                .iter()
                .find(|(_, other)| place(other).is_some() && place(other) == place(config));
            if let Some((other, _)) = twice {
                return Err(Error::new(ErrorKind::InvalidConfig, "two names stand for one store")
                    .with("names", format_args!("{other}, {name}")));
            }
        }
        Ok(())
    }

    fn each<T>(&self, call: impl Fn(&Config) -> Result<T>) -> Result<Vec<T>> {
        self.stores
            .iter()
            .map(|(name, config)| call(config).map_err(|error| error.with("store", name)))
            .collect()
    }
}

/// Opens the stores that a file names; also answers whether they are new.
///
/// # Errors
/// `InvalidConfig` for a file that says something else than which stores there are; `Locked` while another process
/// has them open; those of opening each, and of [`Tiered::open`].
pub fn open(config: &Config) -> Result<(Tiered, bool)> {
    let path = config.local_path()?;
    let at = |error: Error| error.with("path", path.display());
    let plan = Plan::read(path).map_err(at)?;
    let mode = config.mode();
    let guard = lock(path, mode).map_err(at)?;
    let opened = plan.each(|config| plan.registry.open_config(&config.clone().with_default_mode(mode)))?;
    let mut created = false;
    let members = plan
        .stores
        .iter()
        .zip(opened)
        .map(|((name, _), opened)| {
            created |= opened.created && name == plan.assignment.metadata();
            Member { name: name.clone(), store: opened.store }
        })
        .collect();
    let tiered =
        Tiered::open(members, plan.assignment, mode != OpenMode::ReadOnly, Some(guard)).map_err(at)?;
    Ok((tiered, created))
}

/// A lock on the file: stores can be shared by processes one by one, but not what holds between them.
fn lock(path: &Path, mode: OpenMode) -> Result<Guard> {
    let file = File::open(path)
        .map_err(|error| Error::from_io(error, "the file that names the stores can't be opened"))?;
    let locked = if mode == OpenMode::ReadOnly { file.try_lock_shared() } else { file.try_lock() };
    match locked {
        Ok(()) => Ok(Box::new(Held(file))),
        Err(TryLockError::WouldBlock) => Err(Error::new(ErrorKind::Locked, "the stores are open elsewhere")),
        Err(TryLockError::Error(error)) => Err(Error::from_io(error, "the stores can't be locked")),
    }
}

struct Held(File);

impl Drop for Held {
    fn drop(&mut self) {
        // A process that another thread is starting has the file open too, for a moment.
        self.0.unlock().unwrap_or(());
    }
}

impl Engine for TiersEngine {
    fn descriptor(&self) -> &'static Descriptor {
        &DESCRIPTOR
    }

    fn open(&self, config: &Config) -> Result<Opened> {
        open(config).map(|(store, created)| Opened { store: Box::new(store), created })
    }

    fn destroy(&self, config: &Config) -> Result<()> {
        let plan = Plan::read(config.local_path()?)?;
        let _guard = lock(config.local_path()?, OpenMode::Existing)?;
        plan.each(|config| plan.registry.engine_of(config)?.destroy(config)).map(drop)
    }

    fn repair(&self, config: &Config) -> Result<Repaired> {
        let plan = Plan::read(config.local_path()?)?;
        let _guard = lock(config.local_path()?, OpenMode::Existing)?;
        let outcomes = plan.each(|config| match plan.registry.repair_config(config) {
            Err(error) if error.kind() == ErrorKind::Unsupported => Ok(Repaired::Sound),
            outcome => outcome,
        })?;
        Ok(outcomes.into_iter().find(|outcome| *outcome == Repaired::Mended).unwrap_or(Repaired::Sound))
    }
}
