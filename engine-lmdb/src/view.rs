//! A view: a read transaction, and the environment that it reads from.

use std::ops::Bound;

use engine_api::{Advance, Bytes, Direction, Limits, Result, Scan, Value, View, Visitor};
use heed::types::Bytes as Raw;
use heed::{RoRange, RoRevRange, RoTxn, WithoutTls};

use super::environment::User;
use super::error::convert;
use super::raw::Table;

pub(crate) struct LmdbView {
    // Fields are dropped in this order: the transaction ends before the environment counts it out.
    txn: RoTxn<'static, WithoutTls>,
    table: Table,
    limits: Limits,
    _user: User,
}

impl LmdbView {
    pub(crate) fn new(txn: RoTxn<'static, WithoutTls>, table: Table, limits: Limits, user: User) -> Self {
        Self { txn, table, limits, _user: user }
    }

    /// The entries from a bound on; where they end is the scan's to say.
    fn entries(&self, direction: Direction, from: Bound<&[u8]>) -> heed::Result<Entries<'_>> {
        Ok(match direction {
            Direction::Forward => Entries::Up(self.table.range(&self.txn, &(from, Bound::Unbounded))?),
            Direction::Reverse => Entries::Down(self.table.rev_range(&self.txn, &(Bound::Unbounded, from))?),
        })
    }
}

impl View for LmdbView {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>> {
        let mut found = None;
        self.get_with(key, &mut |value| found = Some(Bytes::copy_from_slice(value)))?;
        Ok(found)
    }

    fn get_with(&self, key: &[u8], read: &mut dyn FnMut(&[u8])) -> Result<bool> {
        if !self.limits.admits_key(key) {
            return Ok(false);
        }
        let found = self.table.get(&self.txn, key).map_err(|error| convert(error, "a key can't be read"))?;
        Ok(found.map(read).is_some())
    }

    fn scan(&self, scan: Scan<'_>, visitor: &mut dyn Visitor) -> Result<()> {
        let from = match scan.from() {
            // LMDB can't look for the empty key. No key is below it, and it isn't one itself.
            Bound::Included([]) | Bound::Excluded([]) => match scan.direction {
                Direction::Forward => Bound::Unbounded,
                Direction::Reverse => return Ok(()),
            },
            from => from,
        };
        if scan.is_empty() {
            return Ok(());
        }
        let at_first = |error| convert(error, "the first key of a scan can't be found");
        let mut entries = self.entries(scan.direction, from).map_err(at_first)?;
        while let Some(entry) = entries.next() {
            let (key, value) =
                entry.map_err(|error| convert(error, "the next key of a scan can't be read"))?;
            if scan.is_past(key) {
                return Ok(());
            }
            match scan.advance(key, visitor.visit(key, Value::ready(value))?) {
                Advance::Next => {}
                // Only a descending scan can be sent to the empty key, and nothing is at it or below.
                Advance::Stop | Advance::Seek([]) => return Ok(()),
                // heed's cursors can't be moved, so each seek opens one.
                Advance::Seek(target) => {
                    entries = self.entries(scan.direction, Bound::Included(target)).map_err(at_first)?;
                }
            }
        }
        Ok(())
    }
}

enum Entries<'txn> {
    Up(RoRange<'txn, Raw, Raw>),
    Down(RoRevRange<'txn, Raw, Raw>),
}

impl<'txn> Iterator for Entries<'txn> {
    type Item = heed::Result<(&'txn [u8], &'txn [u8])>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Up(range) => range.next(),
            Self::Down(range) => range.next(),
        }
    }
}
