//! The operations through the framework: a store and its views, both behind `dyn`.

use std::rc::Rc;

use engine_api::{
    Bytes, Direction, Durability, KeyRange, Scan, Step, Store, Value, View, ViewExt, WriteBatch, visitor,
};

use super::Outcome;
use super::contest::{Settle, Side};
use super::data::{digest, glance};
use super::peer::{Batches, Keys, Ranges, Snapshot};

const OURS: &str = "ours";

/// Reads a value that the view lends.
pub(crate) fn get_borrowed(store: &dyn Store, keys: Keys, snapshot: Snapshot) -> Outcome<Side<'_>> {
    get(store, keys, snapshot, |view, key| {
        let mut read = None;
        view.get_with(key, &mut |value| read = Some(digest(value)))?;
        read.ok_or_else(|| ABSENT.into())
    })
}

/// Reads a value that the view hands over.
pub(crate) fn get_owned(store: &dyn Store, keys: Keys, snapshot: Snapshot) -> Outcome<Side<'_>> {
    get(store, keys, snapshot, |view, key| Ok(digest(&view.get(key)?.ok_or(ABSENT)?)))
}

const ABSENT: &str = "a key is absent that was stored";

fn get<'a>(
    store: &'a dyn Store,
    keys: Keys,
    snapshot: Snapshot,
    read: impl Fn(&dyn View, &[u8]) -> Outcome<u64> + 'a,
) -> Outcome<Side<'a>> {
    Ok(match snapshot {
        Snapshot::Held => {
            let view = store.view()?;
            Side::over(OURS, keys, move |key| read(&*view, key))
        }
        Snapshot::Each => Side::over(OURS, keys, move |key| read(&*store.view()?, key)),
    })
}

/// Visits the entries of a range.
pub(crate) fn scan(store: &dyn Store, ranges: Ranges, direction: Direction) -> Outcome<Side<'_>> {
    let view = store.view()?;
    Ok(Side::over(OURS, ranges, move |(start, end)| {
        let mut sum = 0_u64;
        let mut each = visitor(|key: &[u8], value: Value<'_>| {
            sum = sum.wrapping_add(glance(key, value.bytes()?));
            Ok(Step::Next)
        });
        view.scan(Scan::half_open(start, end).in_direction(direction), &mut each)?;
        Ok(sum)
    }))
}

/// Pulls the entries of a range from a cursor that lends them.
pub(crate) fn cursor(store: &dyn Store, ranges: Ranges, direction: Direction) -> Outcome<Side<'_>> {
    let view = store.view()?;
    Ok(Side::over(OURS, ranges, move |(start, end)| {
        let range = KeyRange::new(start.as_slice()..end.as_slice());
        let mut cursor = match direction {
            Direction::Forward => view.cursor(range),
            Direction::Reverse => view.cursor_reverse(range),
        };
        let mut sum = 0_u64;
        while let Some((key, value)) = cursor.next()? {
            sum = sum.wrapping_add(glance(key, value));
        }
        Ok(sum)
    }))
}

/// Makes a batch, whose keys and values it copies as a caller who keeps his own must, and commits it.
pub(crate) fn puts(store: &dyn Store, batches: Batches, durability: Durability) -> Side<'_> {
    Side::over(OURS, batches, move |entries| {
        let mut batch = WriteBatch::new();
        for (key, value) in entries {
            batch.put(key, Bytes::copy_from_slice(value));
        }
        store.commit(&batch, durability)?;
        Ok(0)
    })
}

/// Reads back what a turn has written, and makes it durable, so that no turn leaves work to the next.
pub(crate) fn read_back(store: &dyn Store, keys: Rc<[Vec<u8>]>) -> Settle<'_> {
    Box::new(move || {
        store.flush()?;
        let view = store.view()?;
        let mut sum = 0_u64;
        for key in keys.iter() {
            let value = view.get(key)?.ok_or(ABSENT)?;
            sum = sum.rotate_left(1).wrapping_add(digest(&value));
        }
        Ok(sum)
    })
}
