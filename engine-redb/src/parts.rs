//! Values in two parts. A page of redb is a power of two, so that a value which is a little longer than one
//! would take twice what it needs: of memory, of checksums and of the disk, at every write and read of it.
//! Chunks of images are such values: a power of two, and a header. Of them the table has as much as fills a
//! page, and [`REST`] has what is behind that, under the same key.
//!
//! Nothing is noted of it: a first part is told by its length, which a whole value may have too. Whoever finds
//! that length looks whether there is a rest.

use std::cell::OnceCell;

use engine_api::Result;
use engine_api::embedded::contain;
use redb::{ReadOnlyTable, ReadTransaction, TableDefinition, TableError};

use super::error::convert;

pub(crate) type Slice = &'static [u8];

/// What is behind the first parts of values, in a table that stores without such values don't have.
pub(crate) const REST: TableDefinition<'static, Slice, Slice> = TableDefinition::new("kv-rest");

/// The pages that first parts fill. Below, little would be saved; above, a value is better lent from its page
/// than put together in memory.
const PAGES: std::ops::RangeInclusive<usize> = 128 << 10..=64 << 20;

/// Left free in a page of a first part beside the key: redb needs 12 bytes of them.
const MARGIN: usize = 64;

/// A rest is at most a page's length divided by this.
const SHARE: usize = 2;

/// The length of a value's first part, where the value is kept in two.
pub(crate) fn first_part(key: &[u8], value: &[u8]) -> Option<usize> {
    let needed = key.len() + value.len() + MARGIN;
    let page = 1 << needed.ilog2();
    let over = needed - page;
    (PAGES.contains(&page) && 0 < over && over <= page / SHARE).then(|| value.len() - over)
}

/// Whether there may be more of a value than the table has.
pub(crate) fn may_be_part(key: &[u8], value: &[u8]) -> bool {
    let needed = key.len() + value.len() + MARGIN;
    needed.is_power_of_two() && PAGES.contains(&needed)
}

/// Puts a value together.
pub(crate) fn join(first: &[u8], rest: &[u8]) -> Vec<u8> {
    let mut whole = Vec::with_capacity(first.len() + rest.len());
    whole.extend_from_slice(first);
    whole.extend_from_slice(rest);
    whole
}

/// The rests of a snapshot, of which most views read none.
pub(crate) struct Rests {
    txn: ReadTransaction,
    table: OnceCell<Option<ReadOnlyTable<Slice, Slice>>>,
}

impl Rests {
    pub(crate) fn new(txn: ReadTransaction) -> Self {
        Self { txn, table: OnceCell::new() }
    }

    /// The whole of a value of which there is more than `first`; `None` where that is all.
    pub(crate) fn whole(&self, key: &[u8], first: &[u8]) -> Result<Option<Vec<u8>>> {
        if !may_be_part(key, first) {
            return Ok(None);
        }
        contain(|| {
            let Some(table) = self.table()? else { return Ok(None) };
            let rest = table.get(key).map_err(|error| convert(error, "the rest of a value can't be read"))?;
            Ok(rest.map(|rest| join(first, rest.value())))
        })
    }

    fn table(&self) -> Result<Option<&ReadOnlyTable<Slice, Slice>>> {
        if let Some(table) = self.table.get() {
            return Ok(table.as_ref());
        }
        let table = match self.txn.open_table(REST) {
            Ok(table) => Some(table),
            Err(TableError::TableDoesNotExist(_)) => None,
            Err(error) => return Err(convert(error, "the table of rests can't be opened")),
        };
        Ok(self.table.get_or_init(|| table).as_ref())
    }
}
