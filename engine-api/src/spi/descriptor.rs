//! What an engine says of itself.

use semver::Version;

use super::capabilities::Capabilities;
use super::option::OptionSpec;

/// What an engine says of itself.
#[derive(Debug)]
#[non_exhaustive]
pub struct Descriptor {
    /// The engine's name, such as `redb`.
    pub name: &'static str,
    /// The URL schemes that it answers to; the first is the one that is shown.
    pub schemes: &'static [&'static str],
    /// The version of the engine underneath.
    pub version: Version,
    /// One sentence on what it is.
    pub about: &'static str,
    /// When to choose it over others, and when not; empty where there is nothing to say.
    pub choose: &'static str,
    /// What a store opened with default options declares. An open store's own capabilities are exact.
    pub capabilities: Capabilities,
    /// The options of its URLs.
    pub options: &'static [OptionSpec],
}

impl Descriptor {
    /// A descriptor without options, and without a word on when to choose it.
    pub const fn new(
        name: &'static str,
        schemes: &'static [&'static str],
        version: Version,
        about: &'static str,
        capabilities: Capabilities,
    ) -> Self {
        Self { name, schemes, version, about, choose: "", capabilities, options: &[] }
    }

    /// The same with a word on when to choose it.
    #[must_use]
    pub const fn choose(mut self, choose: &'static str) -> Self {
        self.choose = choose;
        self
    }

    /// The same with options.
    #[must_use]
    pub const fn options(mut self, options: &'static [OptionSpec]) -> Self {
        self.options = options;
        self
    }
}
