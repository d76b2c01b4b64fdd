//! Sizes that an engine takes.

use super::error::{Error, ErrorKind, Result};

/// Sizes beyond which an engine answers `TooLarge`; `None` where it states none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Limits {
    /// The longest key, in bytes.
    pub key_bytes: Option<usize>,
    /// The longest value, in bytes.
    pub value_bytes: Option<usize>,
    /// The most operations in one batch.
    pub batch_ops: Option<usize>,
    /// The most bytes of keys and values in one batch.
    pub batch_bytes: Option<usize>,
    /// The most views open at once; one more is `Busy`.
    pub views: Option<usize>,
    /// Whether the empty key can be stored. Where it can't, reading it answers that it is absent.
    pub empty_key: bool,
}

impl Limits {
    /// No stated limit.
    pub const NONE: Self = Self {
        key_bytes: None,
        value_bytes: None,
        batch_ops: None,
        batch_bytes: None,
        views: None,
        empty_key: true,
    };

    /// The same with a longest key.
    #[must_use]
    pub const fn key_bytes(mut self, bytes: usize) -> Self {
        self.key_bytes = Some(bytes);
        self
    }

    /// The same with a longest value.
    #[must_use]
    pub const fn value_bytes(mut self, bytes: usize) -> Self {
        self.value_bytes = Some(bytes);
        self
    }

    /// The same with a most number of operations in a batch.
    #[must_use]
    pub const fn batch_ops(mut self, ops: usize) -> Self {
        self.batch_ops = Some(ops);
        self
    }

    /// The same with a most number of bytes in a batch.
    #[must_use]
    pub const fn batch_bytes(mut self, bytes: usize) -> Self {
        self.batch_bytes = Some(bytes);
        self
    }

    /// The same with a most number of views.
    #[must_use]
    pub const fn views(mut self, views: usize) -> Self {
        self.views = Some(views);
        self
    }

    /// The same without an empty key.
    #[must_use]
    pub const fn no_empty_key(mut self) -> Self {
        self.empty_key = false;
        self
    }

    /// Whether a key of this store can have these bytes; a read of one that can't finds nothing.
    pub fn admits_key(&self, key: &[u8]) -> bool {
        self.key_bytes.is_none_or(|limit| key.len() <= limit) && (self.empty_key || !key.is_empty())
    }

    /// Refuses a key that can't be stored.
    pub fn check_key(&self, key: &[u8]) -> Result<()> {
        if !self.empty_key && key.is_empty() {
            return Err(Error::new(ErrorKind::InvalidArgument, "the engine can't store the empty key"));
        }
        within(key.len(), self.key_bytes, "the key is longer than the engine allows")
            .map_err(|error| error.with_key("key", key))
    }

    /// Refuses a value that can't be stored.
    pub fn check_value(&self, value: &[u8]) -> Result<()> {
        within(value.len(), self.value_bytes, "the value is longer than the engine allows")
    }

    /// Refuses a batch of too many operations and requirements, or too many bytes.
    pub fn check_batch(&self, ops: usize, bytes: usize) -> Result<()> {
        within(ops, self.batch_ops, "the batch has more operations than the engine allows")?;
        within(bytes, self.batch_bytes, "the batch has more bytes than the engine allows")
    }
}

fn within(length: usize, limit: Option<usize>, message: &'static str) -> Result<()> {
    match limit {
        Some(limit) if length > limit => {
            Err(Error::new(ErrorKind::TooLarge, message).with("length", length).with("limit", limit))
        }
        _ => Ok(()),
    }
}
