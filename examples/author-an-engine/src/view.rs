//! A view: a snapshot of fjall's, and the database that it reads from.

use std::cell::Cell;
use std::ops::Bound;
use std::sync::Arc;

use engine_api::embedded::{contain, contain_between};
use engine_api::{Advance, Bytes, Direction, LoadValue, Result, Scan, Value, View, Visitor};
use fjall::{Iter, Readable, Slice, Snapshot};

use super::database::Database;
use super::error::convert;
use super::store::{KEY_BYTES, LIMITS};

/// Shorter values are copied: to lend one keeps all of its block, of 4 KiB and more, for as long as it is kept.
const LEND_FROM: usize = 4096;

pub(crate) struct FjallView {
    snapshot: Snapshot,
    database: Arc<Database>,
}

impl FjallView {
    pub(crate) fn new(database: Arc<Database>) -> Self {
        Self { snapshot: database.fjall.snapshot(), database }
    }

    pub(crate) fn find(&self, key: &[u8]) -> Result<Option<Slice>> {
        if !LIMITS.admits_key(key) {
            return Ok(None);
        }
        contain(|| {
            let found = self.snapshot.get(&self.database.keys, key);
            found.map_err(|error| convert(error, "a key can't be read"))
        })
    }

    /// Hands over the keys of a range that isn't empty.
    pub(crate) fn each_key(&self, range: Scan<'_>, mut each: impl FnMut(Bytes)) -> Result<()> {
        contain(|| {
            for entry in self.entries(range.start, range.end).into_iter().flatten() {
                each(entry.key().map_err(|error| convert(error, "the next key can't be read"))?.into());
            }
            Ok(())
        })
    }

    /// The entries between two bounds. None is none at all: fjall panics over bounds that are inverted, or longer
    /// than a key can be.
    fn entries(&self, start: Bound<&[u8]>, end: Bound<&[u8]>) -> Option<Iter> {
        let scan = Scan::between(lower(start), upper(end));
        let bounds = (scan.start, scan.end);
        (!scan.is_empty()).then(|| self.snapshot.range::<&[u8], _>(&self.database.keys, bounds))
    }

    fn walk(&self, scan: Scan<'_>, visitor: &mut dyn Visitor, visiting: &Cell<bool>) -> Result<()> {
        let mut entries = self.entries(scan.start, scan.end);
        loop {
            let entry = entries.as_mut().and_then(|entries| match scan.direction {
                Direction::Forward => entries.next(),
                Direction::Reverse => entries.next_back(),
            });
            let Some(entry) = entry else { return Ok(()) };
            let (key, value) =
                entry.into_inner().map_err(|error| convert(error, "the next entry can't be read"))?;
            let large = Large(&value);
            visiting.set(true);
            let shown = if value.len() < LEND_FROM { Value::ready(&value) } else { Value::deferred(&large) };
            let step = visitor.visit(&key, shown)?;
            visiting.set(false);
            match scan.advance(&key, step) {
                Advance::Next => {}
                Advance::Stop => return Ok(()),
                Advance::Seek(target) => {
                    let target = Bound::Included(target);
                    entries = match scan.direction {
                        Direction::Forward => self.entries(target, scan.end),
                        Direction::Reverse => self.entries(scan.start, target),
                    };
                }
            }
        }
    }
}

impl View for FjallView {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>> {
        let found = self.find(key)?;
        Ok(found
            .map(|value| if value.len() < LEND_FROM { Bytes::copy_from_slice(&value) } else { value.into() }))
    }

    fn get_with(&self, key: &[u8], read: &mut dyn FnMut(&[u8])) -> Result<bool> {
        Ok(self.find(key)?.map(|value| read(&value)).is_some())
    }

    fn scan(&self, scan: Scan<'_>, visitor: &mut dyn Visitor) -> Result<()> {
        // fjall's panics are damage, a visitor's are its own.
        let visiting = Cell::new(false);
        contain_between(&visiting, || self.walk(scan, visitor, &visiting))
    }
}

/// A large value that a scan stands on, which can be kept without a copy.
struct Large<'a>(&'a Slice);

impl LoadValue for Large<'_> {
    fn load(&self) -> Result<&[u8]> {
        Ok(self.0)
    }

    fn ready_len(&self) -> Option<usize> {
        Some(self.0.len())
    }

    fn keep(&self) -> Result<Bytes> {
        Ok(self.0.clone().into())
    }
}

/// The part that fjall can compare of a key that is longer than any that is stored.
fn too_long(key: &[u8]) -> Option<&[u8]> {
    key.get(..KEY_BYTES).filter(|part| part.len() < key.len())
}

/// No stored key lies between a key that is too long and the part of it that isn't.
fn lower(bound: Bound<&[u8]>) -> Bound<&[u8]> {
    match bound {
        Bound::Included(key) | Bound::Excluded(key) => too_long(key).map_or(bound, Bound::Excluded),
        Bound::Unbounded => bound,
    }
}

fn upper(bound: Bound<&[u8]>) -> Bound<&[u8]> {
    match bound {
        Bound::Included(key) | Bound::Excluded(key) => too_long(key).map_or(bound, Bound::Included),
        Bound::Unbounded => bound,
    }
}
