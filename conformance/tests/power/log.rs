//! A store that is a log of batches, each with its length and a checksum; everything is in memory as well.

use std::fs::{File, OpenOptions};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use engine_api::embedded::{NewFile, failed_commit};
use engine_api::{
    Capabilities, Durability, Error, ErrorKind, MemoryStore, Op, Result, Store, View, WriteBatch,
};

use crate::engine::{CAPABILITIES, Flaw};

const MAGIC: &[u8] = b"log of batches 1";

/// What comes before a batch: its length, and a checksum.
const HEAD: usize = 16;

#[derive(Debug)]
pub(crate) struct LogStore {
    memory: MemoryStore,
    log: Mutex<Log>,
    flaw: Flaw,
}

#[derive(Debug)]
struct Log {
    file: File,
    /// Where the last whole batch ends.
    end: u64,
    /// What the flaw keeps back.
    kept_back: Vec<u8>,
    poisoned: bool,
}

impl LogStore {
    pub(crate) fn create(path: &Path, flaw: Flaw) -> Result<Self> {
        let failed = |error| Error::from_io(error, "the log can't be created");
        if flaw == Flaw::SyncsNoFolder {
            let mut file = File::create_new(path).map_err(failed)?;
            file.write_all(MAGIC).and_then(|()| file.sync_all()).map_err(failed)?;
        } else {
            let new = NewFile::create(path, ".log-")?;
            let mut file = new.open()?;
            file.write_all(MAGIC).and_then(|()| file.sync_all()).map_err(failed)?;
            new.give_name()?;
        }
        Self::open(path, flaw)
    }

    pub(crate) fn open(path: &Path, flaw: Flaw) -> Result<Self> {
        let failed = |error| Error::from_io(error, "the log can't be opened");
        let mut file = OpenOptions::new().read(true).write(true).open(path).map_err(failed)?;
        let mut bytes = Vec::new();
        match file.read_to_end(&mut bytes) {
            Err(_) if flaw == Flaw::TakesFailedReadsForTheEnd && bytes.starts_with(MAGIC) => {}
            read => drop(read.map_err(failed)?),
        }
        if !bytes.starts_with(MAGIC) {
            return Err(Error::new(ErrorKind::Incompatible, "the file isn't a log"));
        }
        let memory = MemoryStore::new();
        let mut at = MAGIC.len();
        while let Some((batch, length)) = read_batch(bytes.get(at..).unwrap_or_default(), flaw) {
            memory.commit(&batch, Durability::Relaxed)?;
            at += length;
        }
        let end = u64::try_from(at).unwrap_or(u64::MAX);
        if at < bytes.len() || flaw == Flaw::TakesFailedReadsForTheEnd {
            // What a cut has left of a batch mustn't be taken for the end of one that follows.
            file.set_len(end).and_then(|()| file.sync_all()).map_err(failed)?;
        }
        let log = Log { file, end, kept_back: Vec::new(), poisoned: false };
        Ok(Self { memory, log: Mutex::new(log), flaw })
    }

    fn log(&self) -> Result<MutexGuard<'_, Log>> {
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        if log.poisoned {
            return Err(Error::new(ErrorKind::Poisoned, "an earlier commit has failed"));
        }
        Ok(log)
    }

    fn append(&self, log: &mut Log, bytes: &[u8]) -> Result<()> {
        let Log { file, end, .. } = log;
        let written = file.seek(SeekFrom::Start(*end)).and_then(|_| match self.flaw {
            Flaw::WritesOnce => file.write(bytes).map(drop),
            _ => file.write_all(bytes),
        });
        match written {
            Err(_) if self.flaw == Flaw::IgnoresFailedWrites => {}
            Err(error) => {
                if self.flaw == Flaw::LeavesHalfARecord {
                    *end = file.stream_position().unwrap_or(*end);
                } else {
                    log.poisoned = file.set_len(*end).is_err();
                }
                return Err(Error::from_io(error, "a batch can't be written"));
            }
            Ok(()) => {}
        }
        log.end += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        Ok(())
    }

    fn sync(&self, log: &mut Log) -> Result<()> {
        let synced = match self.flaw {
            Flaw::NeverSyncs => Ok(()),
            Flaw::IgnoresFailedSyncs => log.file.sync_all().or(Ok(())),
            Flaw::GoesOnAfterFailedSyncs => log.file.sync_all().or_else(|_| log.file.sync_all()),
            _ => log.file.sync_all(),
        };
        synced.map_err(|error: io::Error| {
            log.poisoned = true;
            failed_commit(error, "a batch can't be forced to the disk")
        })
    }
}

impl Store for LogStore {
    fn capabilities(&self) -> &Capabilities {
        &CAPABILITIES
    }

    fn view(&self) -> Result<Box<dyn View>> {
        self.memory.view()
    }

    fn commit(&self, batch: &WriteBatch, durability: Durability) -> Result<()> {
        batch.check(&CAPABILITIES, durability)?;
        let mut log = self.log()?;
        let bytes = write_batch(batch);
        let later = match self.flaw {
            Flaw::WritesLater => durability < Durability::Power,
            Flaw::BuffersInTheProcess => durability == Durability::Process,
            _ => false,
        };
        if later {
            log.kept_back.extend(bytes);
        } else {
            self.append(&mut log, &bytes)?;
            if durability == Durability::Power {
                self.sync(&mut log)?;
            }
            if self.flaw == Flaw::WritesLater {
                let kept_back = std::mem::take(&mut log.kept_back);
                self.append(&mut log, &kept_back)?;
            }
        }
        self.memory.commit(batch, Durability::Relaxed)
    }

    fn flush(&self) -> Result<()> {
        if self.flaw == Flaw::FlushesNothing {
            return Ok(());
        }
        let mut log = self.log()?;
        self.sync(&mut log)
    }
}

impl Drop for LogStore {
    fn drop(&mut self) {
        if let Ok(mut log) = self.log() {
            let kept_back = std::mem::take(&mut log.kept_back);
            // Nobody is left to be told.
            drop(self.append(&mut log, &kept_back));
        }
    }
}

fn sum(payload: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    payload.hash(&mut hasher);
    hasher.finish()
}

fn number(length: usize) -> [u8; 8] {
    u64::try_from(length).unwrap_or(u64::MAX).to_le_bytes()
}

fn write_batch(batch: &WriteBatch) -> Vec<u8> {
    let mut payload = Vec::new();
    for op in batch.ops() {
        let (kind, key, value) = match op {
            Op::Put { key, value } => (1, &key[..], &value[..]),
            Op::Delete { key } => (2, &key[..], &[][..]),
            Op::DeleteRange { .. } => continue,
        };
        payload.push(kind);
        payload.extend(number(key.len()));
        payload.extend(number(value.len()));
        payload.extend(key);
        payload.extend(value);
    }
    let head = [number(payload.len()), sum(&payload).to_le_bytes()].concat();
    [head, payload].concat()
}

/// The batch at the beginning, and how long it is with its head.
fn read_batch(bytes: &[u8], flaw: Flaw) -> Option<(WriteBatch, usize)> {
    let mut rest = bytes;
    let length = take_number(&mut rest)?;
    let (expected, rest) = rest.split_at_checked(8)?;
    let payload = match rest.get(..length) {
        None if flaw == Flaw::ChecksNoSums => rest,
        payload => payload?,
    };
    if payload.is_empty() || (flaw != Flaw::ChecksNoSums && sum(payload).to_le_bytes() != expected) {
        return None;
    }
    let (mut batch, mut ops) = (WriteBatch::new(), payload);
    while let Some(op) = read_op(&mut ops) {
        batch.push(op);
    }
    Some((batch, HEAD + payload.len()))
}

fn read_op(bytes: &mut &[u8]) -> Option<Op> {
    let (kind, rest) = bytes.split_first()?;
    *bytes = rest;
    let (key, value) = (take_number(bytes)?, take_number(bytes)?);
    let (key, value) = (take(bytes, key)?.to_vec().into(), take(bytes, value)?.to_vec().into());
    match kind {
        1 => Some(Op::Put { key, value }),
        2 => Some(Op::Delete { key }),
        _ => None,
    }
}

fn take<'b>(bytes: &mut &'b [u8], length: usize) -> Option<&'b [u8]> {
    let (taken, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(taken)
}

fn take_number(bytes: &mut &[u8]) -> Option<usize> {
    let taken = take(bytes, 8)?;
    usize::try_from(u64::from_le_bytes(taken.try_into().ok()?)).ok()
}
