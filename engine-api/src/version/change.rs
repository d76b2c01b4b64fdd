//! Changing the DAG: each change is one batch, which fails when another came first and is then decided anew.

use std::sync::{Arc, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use uuid::Uuid;

use super::dag::{Version, VersionDag};
use super::record::{self, Counters};
use super::versioned::{State, Versioned};
use crate::ext::StoreExt;
use crate::key::VersionId;
use crate::spi::{Error, ErrorKind, Result, Store, WriteBatch};

const LONGEST_NAME: usize = 255;

/// A change of the DAG that is being decided.
pub(super) struct Change {
    pub(super) dag: VersionDag,
    pub(super) counters: Counters,
    pub(super) batch: WriteBatch,
}

impl Change {
    pub(super) fn next_version(&mut self) -> Result<VersionId> {
        take(&mut self.counters.next_version).map(VersionId)
    }

    pub(super) fn add_version(&mut self, version: Version) -> Result<Version> {
        self.batch.put(record::numbered(record::VERSION, version.id.0), record::encode(&version)?);
        self.dag.add_version(version.clone())?;
        Ok(version)
    }
}

pub(super) fn take(next: &mut u32) -> Result<u32> {
    let taken = *next;
    *next = taken
        .checked_add(1)
        .ok_or_else(|| Error::new(ErrorKind::Full, "the store has handed out all of its numbers"))?;
    Ok(taken)
}

pub(super) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

impl<S: Store> Versioned<S> {
    /// Decides a change on the DAG as it is, and commits it if no other came first.
    pub(super) fn change<T>(&self, decide: impl Fn(&mut Change) -> Result<T>) -> Result<T> {
        let _one_at_a_time = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let before = self.current()?;
            let mut change = Change {
                dag: before.dag.clone(),
                counters: record::decode(&before.counters)?,
                batch: WriteBatch::new(),
            };
            let answer = decide(&mut change)?;
            change.counters.changes += 1;
            let counters = record::encode(&change.counters)?;
            change
                .batch
                .require_equals(record::COUNTERS_KEY.as_slice(), before.counters.clone())
                .put(record::COUNTERS_KEY.as_slice(), counters.clone());
            match self.store.write(&change.batch) {
                Ok(()) => {
                    let changes = change.counters.changes;
                    self.replace(Arc::new(State::new(change.dag, counters, changes)));
                    return Ok(answer);
                }
                Err(error) if error.kind() == ErrorKind::Conflict => self.refresh()?,
                Err(error) => {
                    if error.kind() == ErrorKind::Ambiguous {
                        self.refresh()?;
                    }
                    return Err(error);
                }
            }
        }
    }
}

pub(super) fn unused(dag: &VersionDag, wanted: Option<Uuid>) -> Result<Uuid> {
    let uuid = wanted.unwrap_or_else(Uuid::new_v4);
    if dag.version_of_uuid(uuid).is_some() {
        return Err(Error::new(ErrorKind::AlreadyExists, "there is a version with this UUID")
            .with("uuid", uuid.simple()));
    }
    Ok(uuid)
}

/// Refuses names that couldn't be told from the rest of `[REPO:]NAME[~N]`, or seen.
pub(super) fn check_name(name: &str) -> Result<()> {
    let sound = !name.is_empty()
        && name.len() <= LONGEST_NAME
        && name
            .chars()
            .all(|letter| !letter.is_control() && !letter.is_whitespace() && !":~".contains(letter));
    if sound {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::InvalidArgument,
        "a name has 1 to 255 bytes, and no white space, control characters, colons or tildes",
    )
    .with("name", name.escape_debug()))
}
