//! Options of an engine's URLs.

use std::fmt;

use super::error::{Error, ErrorKind, Result};

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

    pub(super) fn parse(&self, text: &str) -> Result<OptionValue> {
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

const UNITS: [(&str, u64); 4] = [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];

/// A number of bytes as URLs and commands write it: `7`, `64KiB`, `256MiB`, `1GiB`, `2TiB`; `None` for anything else.
pub fn parse_bytes(text: &str) -> Option<u64> {
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
