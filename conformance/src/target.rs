//! What is put to the test, and how.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use engine_api::{Config, Engine, Registry, Result};

use crate::rng::Rng;

type MakeUrl = dyn Fn(&Path) -> String + Send + Sync;

/// An engine, and how to name a store of it in a directory.
#[derive(Clone)]
pub struct Target {
    pub(crate) engine: &'static dyn Engine,
    pub(crate) url: Arc<MakeUrl>,
    pub(crate) name: String,
    /// How the engine and the function were written, where that is known.
    pub(crate) spelled: Option<(&'static str, &'static str)>,
}

impl Target {
    /// An engine, with a function that makes the URL of a store in a directory.
    ///
    /// The function is called with directories that exist, are empty, and differ from case to case; an
    /// engine across a network takes the directory's name as the name of a space of its own.
    pub fn new(engine: &'static dyn Engine, url: impl Fn(&Path) -> String + Send + Sync + 'static) -> Self {
        Self { engine, url: Arc::new(url), name: engine.descriptor().name.to_owned(), spelled: None }
    }

    /// The same of the engine that is linked for a scheme.
    ///
    /// # Errors
    /// `InvalidConfig` when there is none.
    pub fn linked(scheme: &str, url: impl Fn(&Path) -> String + Send + Sync + 'static) -> Result<Self> {
        Ok(Self::new(Registry::linked()?.engine(scheme)?, url))
    }

    /// The same, with its engine and its function as they are written in code, which the tests that random
    /// cases print repeat. [`main!`](crate::main!) says so by itself.
    #[must_use]
    pub fn spelled(mut self, engine: &'static str, url: &'static str) -> Self {
        self.spelled = Some((engine, url));
        self
    }

    /// The same under another name in reports, such as the engine's with an option.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// The name in reports.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The configuration that a URL means to an engine.
pub(crate) fn configure(engine: &'static dyn Engine, url: &str) -> Result<Config> {
    let scheme = engine.descriptor().schemes.first().copied().unwrap_or_default();
    Registry::new().with(engine)?.with_default(scheme).config(url)
}

/// How the cases are run.
#[derive(Clone, Debug)]
pub struct Options {
    pub(crate) filters: Vec<String>,
    pub(crate) groups: Vec<String>,
    pub(crate) waivers: Vec<(String, String)>,
    pub(crate) timeout: Duration,
    pub(crate) seed: u64,
    pub(crate) scratch: Option<PathBuf>,
    pub(crate) child_process: bool,
    pub(crate) jobs: usize,
    pub(crate) repeat: usize,
    pub(crate) rounds: Option<usize>,
    pub(crate) degree: Option<u64>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            filters: Vec::new(),
            groups: Vec::new(),
            waivers: Vec::new(),
            timeout: Duration::from_mins(1),
            seed: 4711,
            scratch: None,
            child_process: false,
            jobs: 1,
            repeat: 1,
            rounds: None,
            degree: None,
        }
    }
}

impl Options {
    /// Every case once, one after another, a minute each, the usual seed.
    pub fn new() -> Self {
        Self::default()
    }

    /// Only the cases whose id contains `text`; called again, those of either.
    #[must_use]
    pub fn only(mut self, text: impl Into<String>) -> Self {
        self.filters.push(text.into());
        self
    }

    /// Only the cases of the group; called again, those of either, and those that [`only`](Self::only) names.
    #[must_use]
    pub fn group(mut self, name: impl Into<String>) -> Self {
        self.groups.push(name.into());
        self
    }

    /// Expects a case to fail, for a reason that the report shows. Once it passes, that is a failure: the
    /// waiver has expired.
    #[must_use]
    pub fn waive(mut self, id: impl Into<String>, reason: impl Into<String>) -> Self {
        self.waivers.push((id.into(), reason.into()));
        self
    }

    /// How long a case may run before it counts as hung, and so as failed.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// What random cases start from.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Where stores are made, in place of the system's temporary directory.
    #[must_use]
    pub fn scratch(mut self, directory: impl Into<PathBuf>) -> Self {
        self.scratch = Some(directory.into());
        self
    }

    /// How many edges a vertex has while whose removal processes are killed, in place of the few thousand that take a
    /// second or two. Cases get the time that it takes.
    #[must_use]
    pub fn degree(mut self, edges: u64) -> Self {
        self.degree = Some(edges);
        self.timeout += Duration::from_millis(20).saturating_mul(u32::try_from(edges).unwrap_or(u32::MAX));
        self
    }

    /// How often each case that kills processes or cuts the power does so, in place of the few times that take
    /// a second or two. Cases get the time that it takes.
    #[must_use]
    pub fn rounds(mut self, rounds: usize) -> Self {
        self.rounds = Some(rounds);
        self.timeout += Duration::from_secs(2) * u32::try_from(rounds).unwrap_or(u32::MAX >> 1);
        self
    }

    /// Says that this program's `main` calls [`serve_child`](crate::serve_child) first, so that cases may
    /// start it again as a process to be killed.
    #[must_use]
    pub fn with_child_process(mut self) -> Self {
        self.child_process = true;
        self
    }

    /// How many cases run at once. The report is in the order of the catalogue, however many.
    #[must_use]
    pub fn jobs(mut self, jobs: usize) -> Self {
        self.jobs = jobs.max(1);
        self
    }

    /// How often each case runs: the first time with the seed, and then each time with another that follows from it. A
    /// failure names the one it was seen with, so that a run with that seed alone shows it again.
    #[must_use]
    pub fn repeat(mut self, times: usize) -> Self {
        self.repeat = times.max(1);
        self
    }

    /// How often each case is to run.
    pub fn repetitions(&self) -> usize {
        self.repeat
    }

    /// Whether the case of a name is asked for.
    pub fn asks_for(&self, id: &str) -> bool {
        let all = self.filters.is_empty() && self.groups.is_empty();
        let named = || self.filters.iter().any(|text| id.contains(text.as_str()));
        let group = id.split_once('.').map_or(id, |(group, _)| group);
        all || named() || self.groups.iter().any(|asked| group == asked)
    }

    /// The seed of each repetition.
    pub(crate) fn seeds(&self) -> impl Iterator<Item = u64> {
        let mut later = Rng::new(self.seed);
        std::iter::once(self.seed).chain(std::iter::repeat_with(move || later.next())).take(self.repeat)
    }
}
