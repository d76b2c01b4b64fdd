//! What a store is opened with: a place, a mode, and options that the engine has described.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use super::engine::Descriptor;
use super::error::{Error, ErrorKind, Result};

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

    fn parse(text: &str) -> Option<Self> {
        [Self::Create, Self::New, Self::Existing, Self::ReadOnly]
            .into_iter()
            .find(|mode| mode.as_str() == text)
    }
}

/// What values an option takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OptionKind {
    /// A number of bytes, such as `4096`, `64KiB` or `1GiB`, between two bounds.
    Bytes {
        /// The least.
        min: u64,
        /// The most.
        max: u64,
    },
    /// A whole number between two bounds.
    Integer {
        /// The least.
        min: u64,
        /// The most.
        max: u64,
    },
    /// `true` or `false`.
    Flag,
    /// One of some words.
    Choice(&'static [&'static str]),
    /// Any text.
    Text,
}

impl fmt::Display for OptionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes { min, max } => write!(f, "bytes, {} to {}", bytes_text(*min), bytes_text(*max)),
            Self::Integer { min, max } => write!(f, "a whole number, {min} to {max}"),
            Self::Flag => f.write_str("true or false"),
            Self::Choice(words) => f.write_str(&words.join(" or ")),
            Self::Text => f.write_str("text"),
        }
    }
}

/// One option of an engine's URLs: parsing, help and the tables of the docs all come from here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OptionSpec {
    /// The name in the URL's query.
    pub name: &'static str,
    /// What values it takes.
    pub kind: OptionKind,
    /// The value when the URL doesn't give one, as it would be written there.
    pub default: &'static str,
    /// One sentence on what it does.
    pub about: &'static str,
}

impl OptionSpec {
    /// The option that every engine has.
    pub const MODE: Self = Self {
        name: "mode",
        kind: OptionKind::Choice(&["create", "new", "existing", "read-only"]),
        default: "create",
        about: "Whether opening may create the store, must, or must not; or opens it for reading alone.",
    };

    fn parse(&self, text: &str) -> Result<OptionValue> {
        let value = match self.kind {
            OptionKind::Bytes { min, max } => {
                parse_bytes(text).filter(|n| (min..=max).contains(n)).map(OptionValue::Number)
            }
            OptionKind::Integer { min, max } => {
                text.parse().ok().filter(|n| (min..=max).contains(n)).map(OptionValue::Number)
            }
            OptionKind::Flag => text.parse().ok().map(OptionValue::Flag),
            OptionKind::Choice(words) => {
                words.iter().find(|word| **word == text).map(|word| OptionValue::Text((*word).to_owned()))
            }
            OptionKind::Text => Some(OptionValue::Text(text.to_owned())),
        };
        value.ok_or_else(|| {
            Error::new(ErrorKind::InvalidConfig, "an option's value can't be understood")
                .with("option", self.name)
                .with("value", text)
                .with("expected", self.kind)
        })
    }
}

/// An option's value, parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OptionValue {
    /// Of `Bytes` and `Integer` options.
    Number(u64),
    /// Of `Flag` options.
    Flag(bool),
    /// Of `Choice` and `Text` options.
    Text(String),
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

const UNITS: [(&str, u64); 4] = [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];

fn parse_bytes(text: &str) -> Option<u64> {
    let (digits, unit) = UNITS
        .iter()
        .find_map(|(name, unit)| text.strip_suffix(name).map(|digits| (digits, *unit)))
        .unwrap_or((text, 1));
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

fn bytes_text(bytes: u64) -> String {
    UNITS
        .iter()
        .find(|(_, unit)| bytes >= *unit && bytes.is_multiple_of(*unit))
        .map_or_else(|| bytes.to_string(), |(name, unit)| format!("{}{name}", bytes / unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn byte_counts_are_parsed_and_shown() {
        assert_eq!(parse_bytes("64KiB"), Some(65536));
        assert_eq!(parse_bytes("7"), Some(7));
        assert_eq!(parse_bytes("99999999TiB"), None, "more than 64 bits");
        assert_eq!(parse_bytes("1 KiB"), None);
        assert_eq!(parse_bytes("-1"), None);
        assert_eq!(bytes_text(3 << 20), "3MiB");
        assert_eq!(bytes_text(1000), "1000");
    }
}
