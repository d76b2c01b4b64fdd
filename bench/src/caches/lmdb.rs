//! LMDB as a cache: entries, when each was used, and entries by when they were used.

use std::fmt;
use std::fs;
use std::ops::{Bound, Range};
use std::path::{Path, PathBuf};

use engine_api::{Config, Engine, Store};
use engine_lmdb::LMDB;
use engine_lmdb::bench::Beneath;
use heed::types::Bytes;
use heed::{Database, Env, RwTxn, WithoutTls};

use super::side::{COMMIT_BYTES, Contents, Reader, Side, Uses};
use crate::Outcome;

/// What a key begins with.
const DATA: u8 = b'd';
const USED: u8 = b'u';
const BY_USE: u8 = b'o';

type Table = Database<'static, Bytes, Bytes>;

pub(super) struct Lmdb {
    path: PathBuf,
    beneath: Beneath,
    _store: Box<dyn Store>,
    maximum: u64,
    held: u64,
    uses: Uses,
    /// Whether entries have a checksum behind their bytes, which LMDB itself has not.
    checked: bool,
}

impl fmt::Debug for Lmdb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lmdb").finish_non_exhaustive()
    }
}

impl Lmdb {
    pub(super) fn create(path: &Path, maximum: u64, checked: bool) -> Outcome<Self> {
        let (store, beneath) = engine_lmdb::bench::open(&Config::new(LMDB.descriptor()).at(path))?;
        let (path, uses) = (path.to_owned(), Uses::default());
        Ok(Self { path, beneath, _store: store, maximum, held: 0, uses, checked })
    }
}

fn key(kind: u8, number: u64) -> [u8; 9] {
    let mut key = [kind; 9];
    key[1..].copy_from_slice(&number.to_be_bytes());
    key
}

fn by_use(at: i64, number: u64) -> [u8; 17] {
    let mut key = [BY_USE; 17];
    key[1..9].copy_from_slice(&at.to_be_bytes());
    key[9..].copy_from_slice(&number.to_be_bytes());
    key
}

/// Notes when an entry was used.
fn touch(table: Table, txn: &mut RwTxn<'_>, number: u64, at: i64) -> Outcome {
    let used = key(USED, number);
    let before = table.get(txn, &used)?.map(<[u8; 8]>::try_from).transpose()?;
    if let Some(before) = before {
        table.delete(txn, &by_use(i64::from_be_bytes(before), number))?;
    }
    table.put(txn, &used, &at.to_be_bytes())?;
    Ok(table.put(txn, &by_use(at, number), &[])?)
}

/// Drops the entry that was used least recently; answers its length.
fn evict(table: Table, txn: &mut RwTxn<'_>) -> Outcome<u64> {
    let bounds = (Bound::Included([BY_USE].as_slice()), Bound::Unbounded);
    let mut found = table.range(txn, &bounds)?;
    let oldest = found.next().ok_or("there is nothing to evict")??.0;
    let oldest = <[u8; 17]>::try_from(oldest)?;
    drop(found);
    let mut number = [0; 8];
    number.copy_from_slice(&oldest[9..]);
    let number = u64::from_be_bytes(number);
    let data = key(DATA, number);
    let length = table.get(txn, &data)?.map_or(0, <[u8]>::len);
    table.delete(txn, &data)?;
    table.delete(txn, &key(USED, number))?;
    table.delete(txn, &oldest)?;
    Ok(u64::try_from(length)?)
}

impl Side for Lmdb {
    fn name(&self) -> &'static str {
        if self.checked { "LMDB and CRC-32C" } else { "LMDB" }
    }

    fn reader(&self) -> Outcome<Box<dyn Reader + '_>> {
        let Self { beneath, uses, checked, .. } = self;
        Ok(Box::new(Lookup { env: beneath.env(), table: beneath.table(), uses, checked: *checked }))
    }

    fn put(&mut self, numbers: Range<u64>, contents: &mut Contents) -> Outcome {
        let (env, table) = (self.beneath.env(), self.beneath.table());
        let length = u64::try_from(contents.len())?;
        let (mut txn, mut uncommitted) = (env.write_txn()?, 0);
        for number in numbers {
            if self.held + length > self.maximum {
                // As much at once as a dataset cache does.
                while self.held + (self.maximum / 16).min(16 << 20) > self.maximum {
                    self.held -= evict(table, &mut txn)?;
                }
            }
            let data = contents.of(number);
            if self.checked {
                let value = [data, &crc_fast::crc32_iscsi(data).to_le_bytes()].concat();
                table.put(&mut txn, &key(DATA, number), &value)?;
            } else {
                table.put(&mut txn, &key(DATA, number), data)?;
            }
            touch(table, &mut txn, number, self.uses.now())?;
            self.held += length;
            uncommitted += length;
            if uncommitted >= COMMIT_BYTES {
                for (number, at) in self.uses.take() {
                    touch(table, &mut txn, number, at)?;
                }
                txn.commit()?;
                (txn, uncommitted) = (env.write_txn()?, 0);
            }
        }
        Ok(txn.commit()?)
    }

    fn file_bytes(&self) -> Outcome<u64> {
        Ok(fs::metadata(&self.path)?.len())
    }
}

struct Lookup<'a> {
    env: &'a Env<WithoutTls>,
    table: Table,
    uses: &'a Uses,
    checked: bool,
}

impl Reader for Lookup<'_> {
    fn read(&mut self, number: u64, out: &mut [u8]) -> Outcome<bool> {
        let txn = self.env.read_txn()?;
        let Some(data) = self.table.get(&txn, &key(DATA, number))? else { return Ok(false) };
        let Some((data, checksum)) = data.split_at_checked(out.len()) else { return Ok(false) };
        out.copy_from_slice(data);
        if self.checked && checksum != crc_fast::crc32_iscsi(out).to_le_bytes() {
            return Ok(false);
        }
        self.uses.note(number);
        Ok(true)
    }
}
