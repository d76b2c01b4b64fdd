//! A request as it is read before it is known what it asks for.

use std::collections::BTreeMap;

use bytes::Bytes;
use hyper::HeaderMap;
use hyper::http::request::Parts;
use percent_encoding::percent_decode_str;

use crate::bucket::Condition;

/// What a client has asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Asked {
    /// The method of HTTP.
    pub method: String,
    /// The object's name in its bucket, empty where the bucket is meant.
    pub key: String,
    /// Whether the request has a condition.
    pub conditional: bool,
    /// The status of the answer; 0 where it was lost.
    pub status: u16,
}

#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// The path as it came, encoded.
    pub(crate) path: String,
    pub(crate) bucket: String,
    pub(crate) key: String,
    pub(crate) query: BTreeMap<String, String>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Request {
    pub(crate) fn new(parts: Parts, body: Bytes) -> Self {
        let path = parts.uri.path().to_owned();
        let (bucket, key) = match path.trim_start_matches('/').split_once('/') {
            Some((bucket, key)) => (decoded(bucket), decoded(key)),
            None => (decoded(path.trim_start_matches('/')), String::new()),
        };
        let pairs = parts.uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
        let query = pairs
            .map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                (decoded(name), decoded(&value.replace('+', " ")))
            })
            .collect();
        Self { method: parts.method.to_string(), path, bucket, key, query, headers: parts.headers, body }
    }

    /// A header, empty where it isn't there.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    pub(crate) fn condition(&self) -> Condition {
        let given = |name| Some(self.header(name).to_owned()).filter(|value| !value.is_empty());
        Condition { if_match: given("if-match"), if_none_match: given("if-none-match") }
    }
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}
