//! The file under a mutant: a magic, and every batch behind it, in the order of their commits.
//!
//! A batch is in the file once its durability asks for it, or when enough are pending; what a kill cuts off at the end is
//! left out when the file is read. Nothing is forced to the disk, and no more than the end of the process is promised.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::ops::Bound;
use std::path::Path;

use bytes::Bytes;
use engine_api::embedded::{Lock, must_be_file};
use engine_api::{Durability, Error, ErrorKind, Op, Result, WriteBatch};
use tempfile::NamedTempFile;

use super::flaw::Flaw;

const MAGIC: &[u8] = b"kvdag mutant 1\n";

const PUT: u8 = 0;
const DELETE: u8 = 1;
const DELETE_RANGE: u8 = 2;

/// So many bytes of relaxed commits wait for the next write: more than a case commits before it kills the process, for
/// with a write right before the kill nothing would be missing.
const MOST_PENDING: usize = 1 << 20;

/// The file of one open store, and what waits to be written to it.
#[derive(Debug)]
pub(super) struct Log {
    file: File,
    pending: Vec<u8>,
    flaw: Flaw,
    _lock: Option<Lock>,
}

impl Log {
    pub(super) fn create(path: &Path, flaw: Flaw) -> Result<Self> {
        let failed = |error| Error::from_io(error, "the log can't be created");
        // Whole and locked before it has its name, for others may be about to create it too.
        let mut file = NamedTempFile::new_in(path.parent().unwrap_or(path)).map_err(failed)?;
        file.write_all(MAGIC).map_err(failed)?;
        let lock = Self::lock(file.as_file(), flaw)?;
        let file = file.persist_noclobber(path).map_err(|error| failed(error.error))?;
        Ok(Self { file, pending: Vec::new(), flaw, _lock: lock })
    }

    /// Opens a log, and answers the batches in it.
    pub(super) fn open(path: &Path, flaw: Flaw) -> Result<(Self, Vec<WriteBatch>)> {
        let mut file = Self::file(path, flaw)?;
        let lock = Self::lock(&file, flaw)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(|error| Error::from_io(error, "the log can't be read"))?;
        let mut rest = &bytes[MAGIC.len().min(bytes.len())..];
        let mut batches = Vec::new();
        while let Some((batch, behind)) = decode(rest) {
            batches.push(batch);
            rest = behind;
        }
        let whole = u64::try_from(bytes.len() - rest.len()).unwrap_or(u64::MAX);
        file.set_len(whole)
            .and_then(|()| file.seek(SeekFrom::Start(whole)))
            .map_err(|error| Error::from_io(error, "the log's torn end can't be cut off"))?;
        Ok((Self { file, pending: Vec::new(), flaw, _lock: lock }, batches))
    }

    /// The file at the path, if it is a log.
    fn file(path: &Path, flaw: Flaw) -> Result<File> {
        must_be_file(path)?;
        let opened = OpenOptions::new().read(true).write(true).open(path);
        let mut file = opened.map_err(|error| Error::from_io(error, "the log can't be opened"))?;
        let mut head = Vec::new();
        let magic = u64::try_from(MAGIC.len()).unwrap_or(0);
        (&file)
            .take(magic)
            .read_to_end(&mut head)
            .map_err(|error| Error::from_io(error, "the log can't be read"))?;
        if flaw == Flaw::OverwritesForeignFiles && head != MAGIC {
            head = MAGIC.to_vec();
            file.set_len(0)
                .and_then(|()| file.rewind())
                .and_then(|()| file.write_all(MAGIC))
                .map_err(|error| Error::from_io(error, "the log can't be written"))?;
        }
        if head != MAGIC {
            return Err(Error::new(ErrorKind::Incompatible, "the file isn't the log of a mutant"));
        }
        file.rewind().map_err(|error| Error::from_io(error, "the log can't be read"))?;
        Ok(file)
    }

    fn lock(file: &File, flaw: Flaw) -> Result<Option<Lock>> {
        if flaw == Flaw::AdmitsSecondOpener {
            return Ok(None);
        }
        let own = file.try_clone().map_err(|error| Error::from_io(error, "the log can't be locked"))?;
        let lock = Lock::take(own)?;
        if flaw == Flaw::LocksForEver {
            std::mem::forget(lock);
            return Ok(None);
        }
        Ok(Some(lock))
    }

    /// Removes a log that nobody has open.
    pub(super) fn destroy(path: &Path, flaw: Flaw) -> Result<()> {
        let file = Self::file(path, flaw)?;
        let _lock = Self::lock(&file, flaw)?;
        std::fs::remove_file(path).map_err(|error| Error::from_io(error, "the log can't be removed"))
    }

    pub(super) fn append(&mut self, ops: &[Op], durability: Durability) -> Result<()> {
        if self.flaw == Flaw::LogsEachOperation {
            // In one write, so that no instant of a kill finds the file at the end of a batch.
            let mut ops = ops.iter().map(|op| encode(std::slice::from_ref(op)));
            let last = ops.next_back();
            self.pending.extend(ops.flatten());
            self.write()?;
            self.pending.extend(last.into_iter().flatten());
            return Ok(());
        }
        self.pending.extend(encode(ops));
        let due = durability > Durability::Relaxed && self.flaw != Flaw::HoldsBackDurableCommits;
        if due || self.pending.len() > MOST_PENDING { self.write() } else { Ok(()) }
    }

    pub(super) fn flush(&mut self) -> Result<()> {
        if matches!(self.flaw, Flaw::FlushDoesNothing | Flaw::ForgetsWhatIsPending) {
            return Ok(());
        }
        self.write()
    }

    fn write(&mut self) -> Result<()> {
        let written = self.file.write_all(&self.pending);
        self.pending.clear();
        written.map_err(|error| Error::from_io(error, "the log can't be written"))
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        if self.flaw != Flaw::ForgetsWhatIsPending {
            // Relaxed commits promise nothing.
            self.write().unwrap_or(());
        }
    }
}

/// A batch: its length, and for each operation a tag and its fields, each behind its length.
fn encode(ops: &[Op]) -> Vec<u8> {
    let mut body = Vec::new();
    for op in ops {
        match op {
            Op::Put { key, value } => {
                body.push(PUT);
                push(&mut body, key);
                push(&mut body, value);
            }
            Op::Delete { key } => {
                body.push(DELETE);
                push(&mut body, key);
            }
            Op::DeleteRange { start, end } => {
                body.push(DELETE_RANGE);
                push_bound(&mut body, start);
                push_bound(&mut body, end);
            }
        }
    }
    let mut batch = Vec::with_capacity(body.len() + 4);
    push(&mut batch, &body);
    batch
}

fn push(body: &mut Vec<u8>, field: &[u8]) {
    // The limits are far below what fits.
    body.extend(u32::try_from(field.len()).unwrap_or(u32::MAX).to_le_bytes());
    body.extend(field);
}

fn push_bound(body: &mut Vec<u8>, bound: &Bound<Bytes>) {
    let (kind, key): (u8, &[u8]) = match bound {
        Bound::Included(key) => (0, key),
        Bound::Excluded(key) => (1, key),
        Bound::Unbounded => (2, b""),
    };
    body.push(kind);
    push(body, key);
}

/// The first batch of the bytes, and what is behind it; `None` where none is whole.
fn decode(bytes: &[u8]) -> Option<(WriteBatch, &[u8])> {
    let (mut body, behind) = split(bytes)?;
    let mut batch = WriteBatch::new();
    while let Some((tag, rest)) = body.split_first() {
        body = match *tag {
            PUT => {
                let (key, rest) = split(rest)?;
                let (value, rest) = split(rest)?;
                batch.put(key, Bytes::copy_from_slice(value));
                rest
            }
            DELETE => {
                let (key, rest) = split(rest)?;
                batch.delete(key);
                rest
            }
            _ => {
                let (start, rest) = split_bound(rest)?;
                let (end, rest) = split_bound(rest)?;
                batch.delete_range(start, end);
                rest
            }
        };
    }
    Some((batch, behind))
}

fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)
}

fn split_bound(bytes: &[u8]) -> Option<(Bound<&[u8]>, &[u8])> {
    let (kind, rest) = bytes.split_first()?;
    let (key, rest) = split(rest)?;
    let bound = match kind {
        0 => Bound::Included(key),
        1 => Bound::Excluded(key),
        _ => Bound::Unbounded,
    };
    Some((bound, rest))
}
