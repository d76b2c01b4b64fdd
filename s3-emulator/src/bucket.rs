//! Objects under names, and the conditions under which they are put and read.

use std::collections::BTreeMap;

use bytes::Bytes;
use chrono::{DateTime, SubsecRound, Utc};
use xxhash_rust::xxh3::xxh3_128;

#[derive(Clone, Debug)]
pub(crate) struct Object {
    pub(crate) bytes: Bytes,
    pub(crate) etag: String,
    /// In whole seconds.
    pub(crate) modified: DateTime<Utc>,
}

pub(crate) type Bucket = BTreeMap<String, Object>;

impl Object {
    pub(crate) fn new(bytes: Bytes) -> Self {
        let etag = format!("\"{:032x}\"", xxh3_128(&bytes));
        let now: DateTime<Utc> = std::time::SystemTime::now().into();
        Self { bytes, etag, modified: now.trunc_subsecs(0) }
    }
}

/// The headers that make a request conditional.
#[derive(Clone, Debug, Default)]
pub(crate) struct Condition {
    pub(crate) if_match: Option<String>,
    pub(crate) if_none_match: Option<String>,
}

impl Condition {
    pub(crate) fn is_given(&self) -> bool {
        self.if_match.is_some() || self.if_none_match.is_some()
    }

    /// Whether `If-Match` holds for what is there.
    pub(crate) fn matches(&self, there: Option<&Object>) -> bool {
        self.if_match.as_deref().is_none_or(|wanted| there.is_some_and(|object| is_one_of(object, wanted)))
    }

    /// Whether `If-None-Match` holds for what is there.
    pub(crate) fn is_other(&self, there: Option<&Object>) -> bool {
        self.if_none_match
            .as_deref()
            .is_none_or(|shunned| !there.is_some_and(|object| is_one_of(object, shunned)))
    }
}

fn is_one_of(object: &Object, tags: &str) -> bool {
    tags.split(',').map(str::trim).any(|tag| tag == "*" || tag == object.etag)
}
