//! LMDB, called through heed as heed's documentation calls it, on the environment beneath the store.

use std::ops::Bound;
use std::path::Path;
use std::rc::Rc;

use engine_api::{Config, Descriptor, Direction, Durability, Engine};
use engine_lmdb::LMDB;
use engine_lmdb::bench::Beneath;
use heed::types::Bytes;
use heed::{Database, RoTxn};

use super::{Contender, Subject};
use crate::Outcome;
use crate::contest::Side;
use crate::data::{digest, glance};
use crate::peer::{Batches, Keys, Peer, Ranges, Snapshot};
use crate::target::Targets;

/// See the module.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lmdb;

impl Contender for Lmdb {
    fn descriptor(&self) -> &'static Descriptor {
        LMDB.descriptor()
    }

    fn targets(&self) -> Targets {
        Targets::LMDB
    }

    fn takes_heavy_values(&self) -> bool {
        true
    }

    fn create(&self, path: &Path, durability: Durability) -> Outcome<Subject> {
        // LMDB can't be asked for less of one commit, only of all.
        let sync = if durability == Durability::Power { "full" } else { "none" };
        let config = Config::new(LMDB.descriptor()).at(path).with_option("sync", sync)?;
        let (store, beneath) = engine_lmdb::bench::open(&config)?;
        Ok(Subject { store: store.into(), peer: Some(Box::new(Raw(beneath))) })
    }
}

type Table = Database<'static, Bytes, Bytes>;

#[derive(Debug)]
struct Raw(Beneath);

fn read(table: Table, txn: &RoTxn<'_>, key: &[u8]) -> Outcome<u64> {
    Ok(digest(table.get(txn, key)?.ok_or("a key is absent that was stored")?))
}

impl Peer for Raw {
    fn get(&self, keys: Keys, snapshot: Snapshot) -> Outcome<Side<'_>> {
        let (env, table) = (self.0.env(), self.0.table());
        Ok(match snapshot {
            Snapshot::Held => {
                let txn = env.read_txn()?;
                Side::over("get", keys, move |key| read(table, &txn, key))
            }
            Snapshot::Each => Side::over("read_txn, get", keys, move |key| {
                let txn = env.read_txn()?;
                read(table, &txn, key)
            }),
        })
    }

    fn scans(&self, ranges: Ranges, direction: Direction) -> Outcome<Vec<Side<'_>>> {
        let (txn, table) = (self.0.env().read_txn()?, self.0.table());
        let side = match direction {
            Direction::Forward => {
                Side::over("range", ranges, move |(start, end)| sum(table.range(&txn, &bounds(start, end))?))
            }
            Direction::Reverse => Side::over("rev_range", ranges, move |(start, end)| {
                sum(table.rev_range(&txn, &bounds(start, end))?)
            }),
        };
        Ok(vec![side])
    }

    fn seeks(&self, runs: Rc<[Vec<Vec<u8>>]>) -> Outcome<Side<'_>> {
        let (txn, table) = (self.0.env().read_txn()?, self.0.table());
        Ok(Side::over("get_greater_than_or_equal_to per key", runs, move |keys| {
            let mut sum = 0_u64;
            for key in keys {
                if let Some((_, value)) = table.get_greater_than_or_equal_to(&txn, key)? {
                    sum = sum.wrapping_add(glance(&[], value));
                }
            }
            Ok(sum)
        }))
    }

    fn puts(&self, batches: Batches, _: Durability) -> Outcome<Side<'_>> {
        let (env, table) = (self.0.env(), self.0.table());
        Ok(Side::over("put", batches, move |entries| {
            let mut txn = env.write_txn()?;
            for (key, value) in entries {
                table.put(&mut txn, key, value)?;
            }
            txn.commit()?;
            Ok(0)
        }))
    }
}

fn bounds<'k>(start: &'k [u8], end: &'k [u8]) -> (Bound<&'k [u8]>, Bound<&'k [u8]>) {
    (Bound::Included(start), Bound::Excluded(end))
}

fn sum<'t>(entries: impl Iterator<Item = heed::Result<(&'t [u8], &'t [u8])>>) -> Outcome<u64> {
    let mut sum = 0_u64;
    for entry in entries {
        let (key, value) = entry?;
        sum = sum.wrapping_add(glance(key, value));
    }
    Ok(sum)
}
