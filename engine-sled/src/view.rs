//! A view: the store's tree as it changes.

use std::ops::Bound;
use std::sync::Arc;

use engine_api::{Advance, Bytes, Direction, Result, Scan, Value, View, Visitor};
use sled::{IVec, Iter, Tree};

use super::error::{DAMAGED, contain, convert};
use super::store::Database;

/// Values shorter than this are copied, which costs less than to count who shares them.
const LEND_FROM: usize = 512;

pub(crate) struct SledView {
    database: Arc<Database>,
}

impl SledView {
    pub(crate) fn new(database: Arc<Database>) -> Self {
        Self { database }
    }

    fn find(&self, key: &[u8]) -> Result<Option<IVec>> {
        let tree = self.database.tree()?;
        contain(DAMAGED, || tree.get(key).map_err(|error| convert(error, "a key can't be read")))
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
        let tree = self.database.tree()?;
        let mut entries = range(tree, scan.start, scan.end);
        while let Some((key, value)) = next(&mut entries, scan.direction)? {
            match scan.advance(&key, visitor.visit(&key, Value::ready(&value))?) {
                Advance::Next => {}
                Advance::Stop => return Ok(()),
                Advance::Seek(target) => {
                    let target = Bound::Included(target);
                    entries = match scan.direction {
                        Direction::Forward => range(tree, target, scan.end),
                        Direction::Reverse => range(tree, scan.start, target),
                    };
                }
            }
        }
        Ok(())
    }
}

pub(crate) fn range(tree: &Tree, start: Bound<&[u8]>, end: Bound<&[u8]>) -> Iter {
    tree.range::<&[u8], _>((start, end))
}

/// The next entry of a range.
pub(crate) fn next(entries: &mut Iter, direction: Direction) -> Result<Option<(IVec, IVec)>> {
    contain(DAMAGED, || {
        match direction {
            Direction::Forward => entries.next(),
            Direction::Reverse => entries.next_back(),
        }
        .transpose()
        .map_err(|error| convert(error, "the next key of a scan can't be read"))
    })
}
