//! What a store is opened with: a place, a mode, and options.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::descriptor::Descriptor;
use super::error::{Error, ErrorKind, Result};
use super::option::{OptionSpec, OptionValue};

/// Whether opening may create a store, and whether the store may be written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OpenMode {
    /// Open the store; create it when it isn't there.
    #[default]
    Create,
    /// Create the store; refuse when it is there.
    New,
    /// Open the store; refuse when it isn't there.
    Existing,
    /// Open the store for reading; refuse when it isn't there.
    ReadOnly,
}

impl OpenMode {
    /// The mode's name, as the `mode` option of every URL takes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::New => "new",
            Self::Existing => "existing",
            Self::ReadOnly => "read-only",
        }
    }

    /// Decides, by whether a file is there, what opening in this mode means: `Ok(true)` to create it.
    ///
    /// # Errors
    /// `NotFound` when it must be there and isn't, `AlreadyExists` the other way round.
    pub fn decide(self, path: &Path) -> Result<bool> {
        let present =
            path.try_exists().map_err(|error| Error::from_io(error, "the path can't be looked at"))?;
        match (self, present) {
            (Self::Create, present) => Ok(!present),
            (Self::New, false) => Ok(true),
            (Self::Existing | Self::ReadOnly, true) => Ok(false),
            (Self::New, true) => {
                Err(Error::new(ErrorKind::AlreadyExists, "there is a store already")
                    .with("path", path.display()))
            }
            (Self::Existing | Self::ReadOnly, false) => {
                Err(Error::new(ErrorKind::NotFound, "there is no store at this path")
                    .with("path", path.display()))
            }
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Create, Self::New, Self::Existing, Self::ReadOnly]
            .into_iter()
            .find(|mode| mode.as_str() == text)
    }
}

/// What a store is opened with.
///
/// Applications get one from a URL; see [`Registry::config`](crate::Registry::config).
#[derive(Clone, Debug)]
pub struct Config {
    engine: &'static Descriptor,
    authority: Option<String>,
    path: Option<PathBuf>,
    mode: Option<OpenMode>,
    given: BTreeMap<&'static str, OptionValue>,
}

impl Config {
    /// For an engine, with its default options, no place, and [`OpenMode::Create`].
    pub fn new(engine: &'static Descriptor) -> Self {
        Self { engine, authority: None, path: None, mode: None, given: BTreeMap::new() }
    }

    /// The same at `path`.
    #[must_use]
    pub fn at(mut self, path: impl Into<PathBuf>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// The same at a host, as in `scheme://host:port/path`.
    #[must_use]
    pub fn on(mut self, authority: impl Into<String>) -> Self {
        self.authority = Some(authority.into());
        self
    }

    /// The same in `mode`.
    #[must_use]
    pub fn with_mode(mut self, mode: OpenMode) -> Self {
        self.mode = Some(mode);
        self
    }

    /// The same in `mode`, unless a mode was asked for.
    #[must_use]
    pub fn with_default_mode(mut self, mode: OpenMode) -> Self {
        self.mode.get_or_insert(mode);
        self
    }

    /// The same with an option set, as it would be written in a URL.
    ///
    /// # Errors
    /// `InvalidConfig` names the options that there are, or the values that the option takes.
    pub fn with_option(mut self, name: &str, value: &str) -> Result<Self> {
        if name == OptionSpec::MODE.name {
            OptionSpec::MODE.parse(value)?;
            self.mode = OpenMode::parse(value);
            return Ok(self);
        }
        let spec = self.spec(name)?;
        self.given.insert(spec.name, spec.parse(value)?);
        Ok(self)
    }

    /// The engine that this is for.
    pub fn engine(&self) -> &'static Descriptor {
        self.engine
    }

    /// The host and port, for an engine across a network.
    pub fn authority(&self) -> Option<&str> {
        self.authority.as_deref()
    }

    /// The path, where one was given.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// The path of an engine that keeps its store in a local file or folder.
    ///
    /// # Errors
    /// `InvalidConfig` when there is no path, or a host.
    pub fn local_path(&self) -> Result<&Path> {
        if let Some(host) = &self.authority {
            return Err(Error::new(
                ErrorKind::InvalidConfig,
                "the engine keeps its store in a local path, and the URL names a host; write three slashes before an absolute path",
            )
            .with("engine", self.engine.name)
            .with("host", host));
        }
        self.path.as_deref().filter(|path| !path.as_os_str().is_empty()).ok_or_else(|| {
            Error::new(ErrorKind::InvalidConfig, "the URL names no path").with("engine", self.engine.name)
        })
    }

    /// Whether opening may create the store or write to it.
    pub fn mode(&self) -> OpenMode {
        self.mode.unwrap_or_default()
    }

    /// The value of a `Bytes` or `Integer` option: the one given, or the default.
    pub fn number(&self, name: &str) -> Result<u64> {
        match self.value(name)? {
            OptionValue::Number(number) => Ok(number),
            _ => Err(wrong_kind(name)),
        }
    }

    /// The value of a `Flag` option: the one given, or the default.
    pub fn flag(&self, name: &str) -> Result<bool> {
        match self.value(name)? {
            OptionValue::Flag(flag) => Ok(flag),
            _ => Err(wrong_kind(name)),
        }
    }

    /// The value of a `Choice` or `Text` option: the one given, or the default.
    pub fn text(&self, name: &str) -> Result<String> {
        match self.value(name)? {
            OptionValue::Text(text) => Ok(text),
            _ => Err(wrong_kind(name)),
        }
    }

    fn value(&self, name: &str) -> Result<OptionValue> {
        if let Some(value) = self.given.get(name) {
            Ok(value.clone())
        } else {
            let spec = self.spec(name)?;
            spec.parse(spec.default)
        }
    }

    fn spec(&self, name: &str) -> Result<&'static OptionSpec> {
        self.engine.options.iter().find(|spec| spec.name == name).ok_or_else(|| {
            let known: Vec<_> =
                std::iter::once(&OptionSpec::MODE).chain(self.engine.options).map(|spec| spec.name).collect();
            Error::new(ErrorKind::InvalidConfig, "the engine has no such option")
                .with("engine", self.engine.name)
                .with("option", name)
                .with("options", known.join(", "))
        })
    }
}

fn wrong_kind(name: &str) -> Error {
    Error::new(ErrorKind::Internal, "an option was read as another kind than it is").with("option", name)
}
