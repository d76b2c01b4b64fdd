//! URLs of stores: `scheme:path?option=value&…`, `scheme:///absolute/path`, `scheme://host:port/path`.

use percent_encoding::percent_decode_str;
use url::Url;

use crate::spi::{Config, Descriptor, Error, ErrorKind, Result};

/// The scheme of a URL; `None` for a plain path. One letter before a colon is a drive, not a scheme.
pub(super) fn scheme(text: &str) -> Option<&str> {
    let (scheme, _) = text.split_once(':')?;
    let mut letters = scheme.chars();
    let plausible = letters.next().is_some_and(|first| first.is_ascii_alphabetic())
        && letters.clone().next().is_some()
        && letters.all(|letter| letter.is_ascii_alphanumeric() || "+-.".contains(letter));
    plausible.then_some(scheme)
}

/// Parses a URL for an engine whose scheme it has.
pub(super) fn parse(text: &str, engine: &'static Descriptor) -> Result<Config> {
    let url =
        Url::parse(text).map_err(|error| invalid(text, "the URL can't be understood").caused_by(error))?;
    if url.fragment().is_some() {
        return Err(invalid(text, "the URL has a fragment; write %23 for # in a path"));
    }
    let mut config = Config::new(engine);
    if let Some(host) = url.host_str().filter(|host| !host.is_empty()) {
        config = config.on(url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")));
    }
    let path = percent_decode_str(url.path())
        .decode_utf8()
        .map_err(|error| invalid(text, "the URL's path isn't UTF-8").caused_by(error))?;
    if path.contains('\0') {
        return Err(invalid(text, "the URL's path has a NUL in it"));
    }
    if !path.is_empty() {
        config = config.at(path.as_ref());
    }
    let mut seen = Vec::new();
    for (name, value) in url.query_pairs() {
        if seen.contains(&name) {
            return Err(invalid(text, "the URL gives an option twice").with("option", name));
        }
        config = config.with_option(&name, &value)?;
        seen.push(name);
    }
    Ok(config)
}

fn invalid(url: &str, message: &'static str) -> Error {
    Error::new(ErrorKind::InvalidConfig, message).with("url", url)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::Registry;
    use crate::memory::MEMORY;

    fn config(text: &str) -> Result<Config> {
        Registry::new().with(&MEMORY)?.with_default("memory").config(text)
    }

    #[test]
    fn relative_absolute_and_plain_paths() {
        assert_eq!(config("memory:a/b.x").unwrap().path(), Some(Path::new("a/b.x")));
        assert_eq!(config("memory:../b.x").unwrap().path(), Some(Path::new("../b.x")));
        assert_eq!(config("memory:///a/b").unwrap().path(), Some(Path::new("/a/b")));
        assert_eq!(config("memory:/a/b").unwrap().path(), Some(Path::new("/a/b")));
        assert_eq!(config("memory:a%3Fb%20c").unwrap().path(), Some(Path::new("a?b c")));
        assert_eq!(config("memory:").unwrap().path(), None);
        assert_eq!(config("plain/path?x").unwrap().path(), Some(Path::new("plain/path?x")));
        assert_eq!(config("./a:b").unwrap().path(), Some(Path::new("./a:b")));
        assert_eq!(config("memory://host:7/db").unwrap().authority(), Some("host:7"));
    }

    #[test]
    fn errors_name_what_there_is() {
        let error = config("nosuch:x").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig);
        assert_eq!(error.field("schemes"), Some("memory"));
        let error = config("memory:?nosuch=1").unwrap_err();
        assert_eq!(error.field("options"), Some("mode"));
        let error = config("memory:?mode=maybe").unwrap_err();
        assert_eq!(error.field("expected"), Some("create or new or existing or read-only"));
        assert!(config("memory:?mode=new&mode=new").unwrap_err().message().contains("twice"));
        assert!(config("memory:x#y").unwrap_err().message().contains("fragment"));
        assert!(config("memory:%FF").unwrap_err().message().contains("UTF-8"));
        assert!(config("memory:a%00b").unwrap_err().message().contains("NUL"));
    }

    #[test]
    fn two_engines_with_one_scheme_are_refused() {
        let error = Registry::new().with(&MEMORY).unwrap().with(&MEMORY).unwrap_err();
        assert_eq!(error.field("engines"), Some("memory, memory"));
    }
}
