//! Which engines there are, and opening stores by URL.

mod url;

use std::sync::OnceLock;

use crate::spi::{Config, Descriptor, Engine, Error, ErrorKind, Opened, Repaired, Result};

/// What an engine crate submits so that [`Registry::linked`] finds it.
///
/// ```standalone_crate
/// # use engine_api::{MEMORY as ENGINE, Registration};
/// engine_api::inventory::submit! { Registration::new(&ENGINE) }
/// # // The doctest's own submission makes the scheme a duplicate, which is what `linked` reports.
/// assert!(engine_api::Registry::linked().is_err());
/// ```
#[derive(Clone, Copy)]
pub struct Registration(&'static dyn Engine);

impl Registration {
    /// A registration of `engine`.
    pub const fn new(engine: &'static dyn Engine) -> Self {
        Self(engine)
    }
}

impl std::fmt::Debug for Registration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Registration").field(&self.0.descriptor().name).finish()
    }
}

inventory::collect!(Registration);

/// A set of engines, found by URL scheme.
#[derive(Clone, Default)]
pub struct Registry {
    engines: Vec<&'static dyn Engine>,
    default: Option<&'static str>,
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.engines.iter().map(|engine| engine.descriptor().name)).finish()
    }
}

impl Registry {
    /// No engine: for static libraries and targets without life before `main`, which name theirs with
    /// [`with`](Self::with).
    pub const fn new() -> Self {
        Self { engines: Vec::new(), default: None }
    }

    /// Every engine that is linked into this program, by name.
    ///
    /// A dependency that is listed and never named isn't linked: write `extern crate engine_redb as _;`.
    ///
    /// # Errors
    /// `InvalidConfig` when two engines answer to one scheme.
    pub fn linked() -> Result<Self> {
        let mut found: Vec<_> =
            inventory::iter::<Registration>().map(|registration| registration.0).collect();
        found.sort_by_key(|engine| engine.descriptor().name);
        found.into_iter().try_fold(Self::new(), Self::with)
    }

    /// The same with one engine more.
    ///
    /// # Errors
    /// `InvalidConfig` when another engine answers to one of its schemes.
    pub fn with(mut self, engine: &'static dyn Engine) -> Result<Self> {
        let new = engine.descriptor();
        for scheme in new.schemes {
            if let Some(other) = self.find(scheme) {
                return Err(Error::new(ErrorKind::InvalidConfig, "two engines answer to one scheme")
                    .with("scheme", scheme)
                    .with("engines", format_args!("{}, {}", other.descriptor().name, new.name)));
            }
        }
        self.engines.push(engine);
        Ok(self)
    }

    /// The same with the engine that plain paths without a scheme mean.
    #[must_use]
    pub const fn with_default(mut self, scheme: &'static str) -> Self {
        self.default = Some(scheme);
        self
    }

    /// The engines.
    pub fn engines(&self) -> &[&'static dyn Engine] {
        &self.engines
    }

    /// The engine that answers to `scheme`.
    ///
    /// # Errors
    /// `InvalidConfig` names the schemes that there are.
    pub fn engine(&self, scheme: &str) -> Result<&'static dyn Engine> {
        self.find(scheme).ok_or_else(|| {
            Error::new(ErrorKind::InvalidConfig, "no engine of this program answers to the scheme")
                .with("scheme", scheme)
                .with("schemes", self.schemes().join(", "))
        })
    }

    /// Parses a URL such as `redb:///data/brain.redb?cache=256MiB`, `redb:brain.redb` or `memory:`.
    ///
    /// A text without a scheme is a path of the default engine; write `./a:b` for a relative path with a colon.
    ///
    /// # Errors
    /// `InvalidConfig`: an unknown scheme, an unknown or malformed option; it names what there is.
    pub fn config(&self, url: &str) -> Result<Config> {
        self.resolve(url).map(|(_, config)| config)
    }

    /// Opens the store that `url` names.
    ///
    /// # Errors
    /// Those of [`config`](Self::config) and of [`Engine::open`].
    pub fn open(&self, url: &str) -> Result<Opened> {
        let (engine, config) = self.resolve(url)?;
        engine.open(&config)
    }

    /// Opens the store of a configuration that [`config`](Self::config) has given.
    pub fn open_config(&self, config: &Config) -> Result<Opened> {
        self.engine_of(config)?.open(config)
    }

    /// Removes the store that `url` names.
    pub fn destroy(&self, url: &str) -> Result<()> {
        let (engine, config) = self.resolve(url)?;
        engine.destroy(&config)
    }

    /// Mends the store of a configuration that [`config`](Self::config) has given.
    pub fn repair_config(&self, config: &Config) -> Result<Repaired> {
        self.engine_of(config)?.repair(config)
    }

    /// Mends the store that `url` names.
    pub fn repair(&self, url: &str) -> Result<Repaired> {
        let (engine, config) = self.resolve(url)?;
        engine.repair(&config)
    }

    /// The engine of a configuration.
    ///
    /// # Errors
    /// `InvalidConfig` when it isn't in the registry.
    pub fn engine_of(&self, config: &Config) -> Result<&'static dyn Engine> {
        self.engine(config.engine().schemes.first().copied().unwrap_or(config.engine().name))
    }

    fn resolve(&self, text: &str) -> Result<(&'static dyn Engine, Config)> {
        if let Some(scheme) = url::scheme(text) {
            let engine = self.engine(scheme)?;
            Ok((engine, url::parse(text, engine.descriptor())?))
        } else {
            let scheme = self.default.ok_or_else(|| {
                Error::new(ErrorKind::InvalidConfig, "a path without a scheme names no engine here")
                    .with("path", text)
                    .with("schemes", self.schemes().join(", "))
            })?;
            let engine = self.engine(scheme)?;
            Ok((engine, Config::new(engine.descriptor()).at(text)))
        }
    }

    fn find(&self, scheme: &str) -> Option<&'static dyn Engine> {
        self.engines
            .iter()
            .copied()
            .find(|engine| engine.descriptor().schemes.iter().any(|known| known.eq_ignore_ascii_case(scheme)))
    }

    fn schemes(&self) -> Vec<&'static str> {
        self.engines.iter().flat_map(|engine| engine.descriptor().schemes).copied().collect()
    }
}

/// What the engines that are linked into this program say of themselves, by name.
///
/// Empty when two of them answer to one scheme; [`Registry::linked`] says which.
pub fn engines_available() -> &'static [&'static Descriptor] {
    static FOUND: OnceLock<Vec<&'static Descriptor>> = OnceLock::new();
    FOUND.get_or_init(|| {
        Registry::linked()
            .map(|registry| registry.engines().iter().map(|engine| engine.descriptor()).collect())
            .unwrap_or_default()
    })
}
