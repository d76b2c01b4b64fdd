//! A view: the store's tree as it changes.

use std::ops::Bound;
use std::sync::Arc;

use engine_api::{Advance, Bytes, Direction, Result, Scan, Value, View, Visitor};
use sled::{IVec, Iter};

use super::database::Database;

/// Values shorter than this are copied, which costs less than to count who shares them.
const LEND_FROM: usize = 1024;

pub(crate) struct SledView {
    database: Arc<Database>,
}

impl SledView {
    pub(crate) fn new(database: Arc<Database>) -> Self {
        Self { database }
    }

    fn find(&self, key: &[u8]) -> Result<Option<IVec>> {
        self.database.read("a key can't be read", |tree| tree.get(key))
    }
}

impl View for SledView {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>> {
        Ok(self.find(key)?.map(|value| {
            if value.len() < LEND_FROM { Bytes::copy_from_slice(&value) } else { Bytes::from_owner(value) }
        }))
    }

    fn get_with(&self, key: &[u8], read: &mut dyn FnMut(&[u8])) -> Result<bool> {
        Ok(self.find(key)?.map(|value| read(&value)).is_some())
    }

    fn scan(&self, scan: Scan<'_>, visitor: &mut dyn Visitor) -> Result<()> {
        if scan.is_empty() {
            return Ok(());
        }
        let mut entries = Entries::new(&self.database, scan)?;
        while let Some((key, value)) = entries.next()? {
            match scan.advance(&key, visitor.visit(&key, Value::ready(&value))?) {
                Advance::Next => {}
                Advance::Stop => return Ok(()),
                Advance::Seek(target) => entries.seek(target)?,
            }
        }
        Ok(())
    }
}

/// A walk over a range of the tree as it changes.
pub(crate) struct Entries<'a> {
    database: &'a Database,
    scan: Scan<'a>,
    iter: Iter,
}

impl<'a> Entries<'a> {
    /// A walk over a range that isn't empty.
    pub(crate) fn new(database: &'a Database, scan: Scan<'a>) -> Result<Self> {
        Ok(Self { database, scan, iter: range(database, scan.start, scan.end)? })
    }

    fn seek(&mut self, target: &[u8]) -> Result<()> {
        let target = Bound::Included(target);
        self.iter = match self.scan.direction {
            Direction::Forward => range(self.database, target, self.scan.end),
            Direction::Reverse => range(self.database, self.scan.start, target),
        }?;
        Ok(())
    }

    pub(crate) fn next(&mut self) -> Result<Option<(IVec, IVec)>> {
        self.database.read("the next key of a scan can't be read", |_| {
            match self.scan.direction {
                Direction::Forward => self.iter.next(),
                Direction::Reverse => self.iter.next_back(),
            }
            .transpose()
        })
    }
}

fn range(database: &Database, start: Bound<&[u8]>, end: Bound<&[u8]>) -> Result<Iter> {
    database.read("a scan can't be begun", |tree| Ok(tree.range::<&[u8], _>((start, end))))
}
