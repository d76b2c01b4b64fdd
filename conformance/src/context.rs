//! What a case runs in: a fresh place for a store, destroyed afterwards.

use std::path::Path;
use std::process::Command;

use engine_api::{Capabilities, Config, Engine, OpenMode, Opened, Result, Store};
use tempfile::TempDir;

use crate::child::{self, Task};
use crate::need::Facts;
use crate::rng::Rng;
use crate::target::{Options, Target, configure};
use crate::verdict::{Halt, Verdict};
use crate::watchdog::Noted;

/// A place where a store can be.
#[derive(Debug)]
pub(crate) struct Place {
    target: Target,
    url: String,
    config: Config,
}

impl Place {
    pub(crate) fn new(target: &Target, dir: &Path) -> Result<Self> {
        let url = (target.url)(dir);
        let config = configure(target.engine, &url)?;
        Ok(Self { target: target.clone(), url, config })
    }

    pub(crate) fn engine(&self) -> &'static dyn Engine {
        self.target.engine
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    /// Opens the store; creates it when it isn't there.
    pub(crate) fn open(&self) -> Result<Box<dyn Store>> {
        Ok(self.open_in(OpenMode::Create)?.store)
    }

    pub(crate) fn open_in(&self, mode: OpenMode) -> Result<Opened> {
        let opened = self.engine().open(&self.config.clone().with_mode(mode))?;
        Ok(Opened { store: Box::new(Noted(opened.store)), ..opened })
    }

    /// Closes the store and opens it again.
    pub(crate) fn reopen(&self, store: Box<dyn Store>) -> Result<Box<dyn Store>> {
        drop(store);
        Ok(self.open_in(OpenMode::Existing)?.store)
    }

    pub(crate) fn destroy(&self) -> Result<()> {
        self.engine().destroy(&self.config)
    }
}

/// What a case is handed: a [`Place`] of its own, and what is known of the target.
#[derive(Debug)]
pub(crate) struct Context {
    place: Place,
    target: Target,
    dir: TempDir,
    facts: Facts,
    seed: u64,
    rounds: Option<usize>,
    degree: Option<u64>,
}

impl std::ops::Deref for Context {
    type Target = Place;

    fn deref(&self) -> &Place {
        &self.place
    }
}

impl Context {
    pub(crate) fn new(target: &Target, options: &Options, facts: Facts) -> Verdict<Self> {
        let dir = scratch(options)?;
        let home = dir.path().join("case");
        std::fs::create_dir(&home)?;
        Ok(Self {
            place: Place::new(target, &home)?,
            target: target.clone(),
            dir,
            facts,
            seed: options.seed,
            rounds: options.rounds,
            degree: options.degree,
        })
    }

    pub(crate) fn target(&self) -> &Target {
        &self.target
    }

    pub(crate) fn capabilities(&self) -> &Capabilities {
        &self.facts.capabilities
    }

    /// The seed of random cases; a failure's message must give it.
    pub(crate) fn seed(&self) -> u64 {
        self.seed
    }

    pub(crate) fn rng(&self) -> Rng {
        Rng::new(self.seed)
    }

    /// How often a case kills a process or cuts the power: `usually`, unless the run says otherwise.
    pub(crate) fn rounds(&self, usually: usize) -> usize {
        self.rounds.unwrap_or(usually)
    }

    /// How many edges a vertex has that is removed: `usually`, unless the run says otherwise.
    pub(crate) fn degree(&self, usually: u64) -> u64 {
        self.degree.unwrap_or(usually)
    }

    /// The directory that goes with the case.
    pub(crate) fn scratch(&self) -> &Path {
        self.dir.path()
    }

    /// A place in a directory of the caller's.
    pub(crate) fn place_in(&self, dir: &Path) -> Verdict<Place> {
        Ok(Place::new(&self.target, dir)?)
    }

    /// A second place, in an empty directory of its own.
    pub(crate) fn elsewhere(&self, name: &str) -> Verdict<Place> {
        Ok(Place::new(&self.target, &self.empty_dir(name)?)?)
    }

    /// An empty directory that goes with the case.
    pub(crate) fn empty_dir(&self, name: &str) -> Verdict<std::path::PathBuf> {
        let dir = self.dir.path().join(name);
        std::fs::create_dir_all(&dir)?;
        Ok(dir)
    }

    /// This program again, as a process that does `task` to the case's store.
    pub(crate) fn child(&self, task: Task) -> Verdict<Command> {
        child::command(task, self.url())
            .map_err(|error| Halt::failed(format!("the child process can't be started: {error}")))
    }
}

pub(crate) fn scratch(options: &Options) -> std::io::Result<TempDir> {
    let mut builder = tempfile::Builder::new();
    builder.prefix("conformance-");
    match &options.scratch {
        Some(directory) => {
            std::fs::create_dir_all(directory)?;
            builder.tempdir_in(directory)
        }
        None => builder.tempdir(),
    }
}
