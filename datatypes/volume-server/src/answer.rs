//! Answers, and how long a client may keep them.

use std::hash::{DefaultHasher, Hasher};

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use engine_api::{Error, ErrorKind, Result};
use serde::Serialize;

use crate::catalog::Served;

/// What a client may ask for again.
const REVALIDATE: HeaderValue = HeaderValue::from_static("no-cache");
/// What it needn't: a year, which is as long as caches look ahead.
const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// An answer's body, or that the client has it.
#[derive(Debug)]
pub(crate) struct Answer {
    content_type: &'static str,
    /// `None` where the client has it.
    body: Option<Vec<u8>>,
    tag: String,
    cache: HeaderValue,
}

impl Answer {
    /// Bytes that may be others the next time.
    pub(crate) fn changing(content_type: &'static str, body: Vec<u8>, has: &Has) -> Self {
        let mut hasher = DefaultHasher::new();
        hasher.write(&body);
        let tag = format!("W/\"{:x}-{:016x}\"", body.len(), hasher.finish());
        let body = (!has.has(&tag)).then_some(body);
        Self { content_type, body, tag, cache: REVALIDATE }
    }

    /// JSON that may be other the next time.
    ///
    /// # Errors
    /// `Internal`.
    pub(crate) fn json(value: &impl Serialize, has: &Has) -> Result<Self> {
        let body = serde_json::to_vec(value).map_err(|error| {
            Error::new(ErrorKind::Internal, "the answer can't be written as JSON").caused_by(error)
        })?;
        Ok(Self::changing("application/json", body, has))
    }

    /// Bytes that follow from the URL and the elements of the version.
    ///
    /// Where the version is committed they are made once: a client that has them isn't sent them, and nothing is
    /// read to know that. Where the URL gives the version's own name besides, and not one that may come to
    /// mean another, it needn't ask.
    ///
    /// # Errors
    /// Those of `make`.
    pub(crate) fn of_version(
        content_type: &'static str,
        served: &Served<'_>,
        named: &str,
        has: &Has,
        make: impl FnOnce() -> Result<Vec<u8>>,
    ) -> Result<Self> {
        if !served.committed {
            return Ok(Self::changing(content_type, make()?, has));
        }
        let name: String = served.version.chars().filter(char::is_ascii_alphanumeric).collect();
        let tag = format!("W/\"{name}-{}\"", env!("CARGO_PKG_VERSION"));
        let body = if has.has(&tag) { None } else { Some(make()?) };
        let cache = if served.version == named { FOR_EVER } else { REVALIDATE };
        Ok(Self { content_type, body, tag, cache })
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let status = if self.body.is_some() { StatusCode::OK } else { StatusCode::NOT_MODIFIED };
        let mut response = (status, Body::from(self.body.unwrap_or_default())).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, self.cache);
        if let Ok(tag) = HeaderValue::from_str(&self.tag) {
            headers.insert(header::ETAG, tag);
        }
        if status == StatusCode::OK {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.content_type));
            headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        }
        response
    }
}

/// The tags of what a client has: its If-None-Match.
#[derive(Debug, Default)]
pub(crate) struct Has(Vec<String>);

impl Has {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let values = headers.get_all(header::IF_NONE_MATCH).iter();
        let tags = values.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
        Self(tags.map(|tag| weak(tag.trim()).to_owned()).collect())
    }

    /// Tags are compared as weak ones: none of ours has a comma.
    fn has(&self, tag: &str) -> bool {
        self.0.iter().any(|had| had == "*" || had == weak(tag))
    }
}

fn weak(tag: &str) -> &str {
    tag.strip_prefix("W/").unwrap_or(tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has(values: &[&'static str]) -> Has {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::IF_NONE_MATCH, HeaderValue::from_static(value));
        }
        Has::of(&headers)
    }

    #[test]
    fn any_of_several_tags_is_seen_weak_or_not() {
        for values in [&["W/\"a\""][..], &["\"a\""], &["\"b\", W/\"a\""], &["\"b\"", "\"a\""], &["*"]] {
            assert!(has(values).has("W/\"a\""), "{values:?}");
        }
        for values in [&[][..], &["\"b\""], &["a"], &["\"a\"b"], &[""]] {
            assert!(!has(values).has("W/\"a\""), "{values:?}");
        }
    }

    #[test]
    fn what_changes_has_another_tag() {
        let tag = |body: &[u8]| Answer::changing("text/plain", body.to_vec(), &Has::default()).tag;
        assert_ne!(tag(b"a"), tag(b"b"));
        assert_eq!(tag(b"a"), tag(b"a"));
    }
}
