//! What is said of a version after it was made: lines that are only ever added, committed or not.

use serde::{Deserialize, Serialize};

use super::change::now;
use super::record;
use super::versioned::Versioned;
use crate::ext::{StoreExt, ViewExt};
use crate::key::VersionId;
use crate::spi::{Error, ErrorKind, Result, Step, Store, Value, WriteBatch, visitor};

/// A line of a version's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// When it was added, in milliseconds since 1970 UTC.
    pub at: u64,
    /// What it says.
    pub text: String,
}

impl<S: Store> Versioned<S> {
    /// Adds a line to a version's log. That changes nothing of the version, so it may be committed.
    ///
    /// # Errors
    /// `NotFound`; `InvalidArgument` for an empty text; `TooLarge` for one that the engine can't hold.
    pub fn log_version(&self, id: VersionId, text: &str) -> Result<LogLine> {
        if text.is_empty() {
            return Err(Error::new(ErrorKind::InvalidArgument, "a line of a log says something"));
        }
        let there = record::numbered(record::VERSION, id.0);
        let line = LogLine { at: now(), text: text.to_owned() };
        let value = record::encode(&line)?;
        // Lines of one millisecond, of whichever process, are told apart by a number.
        for sequence in 0..=u32::MAX {
            let key = record::log_line(id, line.at, sequence);
            let mut batch = WriteBatch::new();
            batch.require_present(&there).require_absent(&key).put(&key, value.clone());
            match self.store.write(&batch) {
                Err(error) if error.kind() == ErrorKind::Conflict => {
                    if !self.store.exists(&there)? {
                        return Err(missing(id));
                    }
                }
                outcome => return outcome.map(|()| line),
            }
        }
        Err(Error::new(ErrorKind::Full, "a version's log has no more room at this moment")
            .with("version", id))
    }

    /// The lines of a version's log, oldest first.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn log_of(&self, id: VersionId) -> Result<Vec<LogLine>> {
        let view = self.store.view()?;
        if !view.exists(&record::numbered(record::VERSION, id.0))? {
            return Err(missing(id));
        }
        let mut lines = Vec::new();
        let mut take = visitor(|_: &[u8], value: Value<'_>| {
            lines.push(record::decode(value.bytes()?)?);
            Ok(Step::Next)
        });
        view.scan(record::log(id).scan(), &mut take)?;
        Ok(lines)
    }
}

fn missing(id: VersionId) -> Error {
    Error::new(ErrorKind::NotFound, "there is no such version").with("version", id)
}
