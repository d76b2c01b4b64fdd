//! What all operations share: where objects are kept, and how much goes into one batch.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use engine_api::version::Resolved;
use engine_api::{Error, ErrorKind, Execution, Reads, Result};
use object_store::path::Path;

use crate::block;
use crate::error::{OfObject, failed};
use crate::keys;
use crate::record::Record;
use crate::space::{Reading, Space, Writes};

/// A read or a write that others keep overtaking is made so many times.
pub(crate) const ATTEMPTS: u32 = 64;

/// The bytes of a block, where the engine takes that many.
const BLOCK_BYTES: usize = 128 << 10;
/// The most operations of a batch, where the engine takes that many.
const BATCH_OPS: usize = 4096;
/// The bytes of a batch, where the engine takes that many.
const BATCH_BYTES: usize = 8 << 20;
/// What is left of an engine's limits for the requirements that versions add to a batch.
const SPARE_OPS: usize = 16;
/// The most bytes that are read in one go.
const PAGE_BYTES: usize = 4 << 20;

/// Objects in a space.
#[derive(Clone, Debug)]
pub(crate) struct Core {
    pub(crate) space: Arc<dyn Space>,
    pub(crate) block_bytes: u32,
    pub(crate) batch_ops: usize,
    pub(crate) batch_bytes: usize,
}

impl Core {
    pub(crate) fn new(space: Arc<dyn Space>) -> Self {
        let limits = space.capabilities().limits;
        // At a version a put is two operations.
        let ops = limits.batch_ops.map_or(BATCH_OPS, |limit| (limit / 2).saturating_sub(SPARE_OPS));
        let bytes = limits.batch_bytes.map_or(BATCH_BYTES, |limit| limit / 2);
        let mut core = Self {
            space,
            block_bytes: 1,
            batch_ops: ops.clamp(1, BATCH_OPS),
            batch_bytes: bytes.min(BATCH_BYTES),
        };
        core.set_block_bytes(BLOCK_BYTES);
        core
    }

    /// Cuts what is written from now on into blocks of so many bytes, or of as many as the engine takes.
    pub(crate) fn set_block_bytes(&mut self, bytes: usize) {
        let value = self.space.capabilities().limits.value_bytes;
        let value = value.map_or(usize::MAX, |limit| limit.saturating_sub(block::CHECKSUM));
        let bytes = bytes.min(value).min(self.batch_bytes).clamp(1, 1 << 30);
        self.block_bytes = u32::try_from(bytes).unwrap_or(1);
    }

    /// The bytes that are read in one go: whole blocks.
    pub(crate) fn page_bytes(&self) -> usize {
        let block = usize::try_from(self.block_bytes).unwrap_or(1);
        (PAGE_BYTES / block).max(1) * block
    }

    pub(crate) fn execution(&self) -> Execution {
        self.space.capabilities().execution
    }

    /// Whether what a reader reads is of one state.
    pub(crate) fn reads_one_state(&self) -> bool {
        self.space.capabilities().reads != Reads::Live
    }

    /// What `read` answers from one reader.
    pub(crate) fn reading<T>(&self, mut read: impl FnMut(&dyn Reading) -> Result<T>) -> Result<T> {
        let mut answer = None;
        self.space.read(&mut |reading| {
            answer = Some(read(reading)?);
            Ok(())
        })?;
        answer.ok_or_else(|| Error::new(ErrorKind::Internal, "a reader wasn't asked"))
    }

    /// Refuses a path under which nothing can be stored.
    pub(crate) fn check_path(&self, path: &Path) -> object_store::Result<()> {
        if path.is_root() {
            let error = Error::new(ErrorKind::InvalidArgument, "an object has a path of one part at least");
            return Err(failed("", error));
        }
        let key = self.space.key_bytes(&keys::object(path.as_ref()));
        self.space.capabilities().limits.check_key(&key).of(path.as_ref())
    }

    /// Whether what a batch required still holds.
    pub(crate) fn holds(&self, writes: &Writes) -> Result<bool> {
        self.reading(|reading| {
            for (tkey, resolved) in &writes.required {
                if reading.resolve(tkey)? != *resolved {
                    return Ok(false);
                }
            }
            Ok(true)
        })
    }

    /// Makes writes. An engine with many writers may refuse one for another's sake; it is then made again.
    ///
    /// # Errors
    /// `Conflict` when a requirement doesn't hold.
    pub(crate) fn commit(&self, writes: &Writes) -> Result<()> {
        let mut attempt = 0;
        loop {
            match self.space.commit(writes) {
                Err(error) if error.kind() == ErrorKind::Conflict => {
                    if attempt == ATTEMPTS || !self.holds(writes)? {
                        return Err(error);
                    }
                    Self::back_off(attempt);
                    attempt += 1;
                }
                outcome => return outcome,
            }
        }
    }

    /// Waits, the longer the more often it was overtaken, so that losers of a race spread out.
    pub(crate) fn back_off(attempt: u32) {
        thread::sleep(Duration::from_micros(u64::from(attempt) * 20));
    }
}

/// What an object's key is. What is kept of it doesn't hold the reader's state.
pub(crate) fn resolve_object(reading: &dyn Reading, path: &str) -> Result<Resolved> {
    Ok(match reading.resolve(&keys::object(path))? {
        Resolved::Found { value, version } => {
            Resolved::Found { value: Bytes::copy_from_slice(&value), version }
        }
        other => other,
    })
}

/// The record of an object, where there is one.
///
/// # Errors
/// `Conflict` names the versions between which nothing has chosen; `Corrupt`, `Incompatible`.
pub(crate) fn record_at(reading: &dyn Reading, path: &str) -> Result<Option<Record>> {
    let value = reading.resolve(&keys::object(path))?.into_value()?;
    value.map(|value| Record::decode(&value)).transpose()
}

/// The record whose blocks go with an object that is replaced or deleted.
///
/// A damaged one doesn't say which they are; it can still be replaced. Values in conflict are left alone: another branch
/// may choose one of them.
///
/// # Errors
/// `Incompatible`: what a later version of the format has stored isn't removed by an earlier one.
pub(crate) fn with_blocks(resolved: &Resolved) -> Result<Option<Record>> {
    let Resolved::Found { value, .. } = resolved else { return Ok(None) };
    match Record::decode(value) {
        Ok(record) => Ok(Some(record).filter(Record::has_blocks)),
        Err(error) if error.kind() == ErrorKind::Corrupt => Ok(None),
        Err(error) => Err(error),
    }
}
