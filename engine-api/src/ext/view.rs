//! What users call on a view.

use std::ops::Bound;

use bytes::Bytes;

use super::cursor::{Cursor, Entry};
use super::range::KeyRange;
use crate::spi::{ErrorKind, Result, Scan, Step, Value, View, visitor};

/// What users call on a view, written once over [`View`].
pub trait ViewExt: View {
    /// Whether a key is there.
    fn exists(&self, key: &[u8]) -> Result<bool> {
        self.get_with(key, &mut |_| {})
    }

    /// The values of several keys, in the order of the keys.
    fn get_many<K: AsRef<[u8]>>(&self, keys: &[K]) -> Result<Vec<Option<Bytes>>> {
        keys.iter().map(|key| self.get(key.as_ref())).collect()
    }

    /// Calls `f` for each entry of a range, ascending; an error of `f` ends the scan and is returned.
    fn for_each(&self, range: &KeyRange, mut f: impl FnMut(&[u8], &[u8]) -> Result<()>) -> Result<()> {
        let mut each = visitor(|key: &[u8], value: Value<'_>| {
            f(key, value.bytes()?)?;
            Ok(Step::Next)
        });
        self.scan(range.scan(), &mut each)
    }

    /// The first entry of a range.
    fn first(&self, range: &KeyRange) -> Result<Option<Entry>> {
        first_of(self, range.scan())
    }

    /// The last entry of a range. On an engine without reverse scans this reads the whole range.
    fn last(&self, range: &KeyRange) -> Result<Option<Entry>> {
        match first_of(self, range.scan().reverse()) {
            Err(error) if error.kind() == ErrorKind::Unsupported => {
                let mut last = None;
                self.for_each(range, |key, value| {
                    last = Some((Bytes::copy_from_slice(key), Bytes::copy_from_slice(value)));
                    Ok(())
                })?;
                Ok(last)
            }
            answer => answer,
        }
    }

    /// The number of keys in a range, by reading every key of it.
    fn count(&self, range: &KeyRange) -> Result<u64> {
        let mut count = 0;
        let mut each = visitor(|_: &[u8], _: Value<'_>| {
            count += 1;
            Ok(Step::Next)
        });
        self.scan(range.scan().keys_only(), &mut each)?;
        Ok(count)
    }

    /// Every entry of a range, ascending, in memory.
    fn collect(&self, range: &KeyRange) -> Result<Vec<Entry>> {
        let mut entries = Vec::new();
        self.for_each(range, |key, value| {
            entries.push((Bytes::copy_from_slice(key), Bytes::copy_from_slice(value)));
            Ok(())
        })?;
        Ok(entries)
    }

    /// Every entry that begins with `prefix`, ascending, in memory.
    fn prefix(&self, prefix: &[u8]) -> Result<Vec<Entry>> {
        self.collect(&KeyRange::prefix(prefix))
    }

    /// A cursor over a range, ascending: entries are pulled rather than pushed.
    fn cursor(&self, range: KeyRange) -> Cursor<'_, Self> {
        Cursor::new(self, range, crate::spi::Direction::Forward)
    }

    /// A cursor over a range, descending.
    fn cursor_reverse(&self, range: KeyRange) -> Cursor<'_, Self> {
        Cursor::new(self, range, crate::spi::Direction::Reverse)
    }

    /// The first entry whose key is at or above `key`.
    fn at_or_after(&self, key: &[u8]) -> Result<Option<Entry>> {
        first_of(self, Scan::between(Bound::Included(key), Bound::Unbounded))
    }
}

impl<V: View + ?Sized> ViewExt for V {}

fn first_of<V: View + ?Sized>(view: &V, scan: Scan<'_>) -> Result<Option<Entry>> {
    let mut found = None;
    let mut take = visitor(|key: &[u8], value: Value<'_>| {
        found = Some((Bytes::copy_from_slice(key), value.to_bytes()?));
        Ok(Step::Stop)
    });
    view.scan(scan, &mut take)?;
    Ok(found)
}
