//! redb, called as its own documentation calls it, on the database beneath the store.

use std::ops::Bound;
use std::path::Path;
use std::rc::Rc;

use engine_api::{Config, Descriptor, Direction, Durability, Engine};
use engine_redb::REDB;
use engine_redb::bench::{Beneath, TABLE};
use redb::{Database, ReadOnlyTable, ReadableDatabase, ReadableTable};

use super::{Contender, Subject};
use crate::Outcome;
use crate::contest::Side;
use crate::data::{digest, glance};
use crate::peer::{Batches, Keys, Peer, Ranges, Snapshot};
use crate::target::Targets;

/// See the module.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Redb;

impl Contender for Redb {
    fn descriptor(&self) -> &'static Descriptor {
        REDB.descriptor()
    }

    fn targets(&self) -> Targets {
        Targets::REDB
    }

    fn takes_heavy_values(&self) -> bool {
        true
    }

    fn create(&self, path: &Path, _: Durability) -> Outcome<Subject> {
        let (store, beneath) = engine_redb::bench::open(&Config::new(REDB.descriptor()).at(path))?;
        Ok(Subject { store: store.into(), peer: Some(Box::new(Raw(beneath))) })
    }
}

type Slice = &'static [u8];

#[derive(Debug)]
struct Raw(Beneath);

impl Raw {
    fn table(&self) -> Outcome<ReadOnlyTable<Slice, Slice>> {
        Ok(self.0.database()?.begin_read()?.open_table(TABLE)?)
    }
}

fn read(table: &ReadOnlyTable<Slice, Slice>, key: &[u8]) -> Outcome<u64> {
    let value = ReadableTable::get(table, key)?.ok_or("a key is absent that was stored")?;
    Ok(digest(value.value()))
}

impl Peer for Raw {
    fn get(&self, keys: Keys, snapshot: Snapshot) -> Outcome<Side<'_>> {
        Ok(match snapshot {
            Snapshot::Held => {
                let table = self.table()?;
                Side::over("get", keys, move |key| read(&table, key))
            }
            Snapshot::Each => {
                let database = self.0.database()?;
                Side::over("begin_read, open_table, get", keys, move |key| {
                    read(&database.begin_read()?.open_table(TABLE)?, key)
                })
            }
        })
    }

    fn scans(&self, ranges: Ranges, direction: Direction) -> Outcome<Vec<Side<'_>>> {
        let (iterated, stepped) = (self.table()?, self.table()?);
        Ok(vec![
            Side::over("range", Rc::clone(&ranges), move |(start, end)| {
                iterate(&iterated, start, end, direction)
            }),
            Side::over("cursor", ranges, move |(start, end)| step(&stepped, start, end, direction)),
        ])
    }

    fn seeks(&self, runs: Rc<[Vec<Vec<u8>>]>) -> Outcome<Side<'_>> {
        let table = self.table()?;
        Ok(Side::over("lower_bound per key", runs, move |keys| {
            let mut sum = 0_u64;
            for key in keys {
                let mut cursor = table.lower_bound(Bound::Included(key.as_slice()))?;
                if let Some((_, value)) = cursor.next()? {
                    sum = sum.wrapping_add(glance(&[], value.value()));
                }
            }
            Ok(sum)
        }))
    }

    fn puts(&self, batches: Batches, durability: Durability) -> Outcome<Side<'_>> {
        let database = self.0.database()?;
        Ok(Side::over("insert", batches, move |entries| insert(database, entries, durability).map(|()| 0)))
    }
}

fn iterate(
    table: &ReadOnlyTable<Slice, Slice>,
    start: &[u8],
    end: &[u8],
    direction: Direction,
) -> Outcome<u64> {
    let mut range = ReadableTable::range::<&[u8]>(table, start..end)?;
    let mut sum = 0_u64;
    loop {
        let entry = match direction {
            Direction::Forward => range.next(),
            Direction::Reverse => range.next_back(),
        };
        let Some(entry) = entry else { return Ok(sum) };
        let (key, value) = entry?;
        sum = sum.wrapping_add(glance(key.value(), value.value()));
    }
}

fn step(table: &ReadOnlyTable<Slice, Slice>, start: &[u8], end: &[u8], direction: Direction) -> Outcome<u64> {
    let mut cursor = match direction {
        Direction::Forward => table.lower_bound(Bound::Included(start))?,
        Direction::Reverse => table.upper_bound(Bound::Excluded(end))?,
    };
    let mut sum = 0_u64;
    loop {
        let entry = match direction {
            Direction::Forward => cursor.next()?,
            Direction::Reverse => cursor.prev()?,
        };
        let Some((key, value)) = entry else { return Ok(sum) };
        let key = key.value();
        if key >= end || key < start {
            return Ok(sum);
        }
        sum = sum.wrapping_add(glance(key, value.value()));
    }
}

fn insert(database: &Database, entries: &[(Vec<u8>, Vec<u8>)], durability: Durability) -> Outcome {
    let mut txn = database.begin_write()?;
    if durability == Durability::Relaxed {
        txn.set_durability(redb::Durability::None)?;
    }
    {
        let mut table = txn.open_table(TABLE)?;
        for (key, value) in entries {
            table.insert(key.as_slice(), value.as_slice())?;
        }
    }
    txn.commit()?;
    Ok(())
}
