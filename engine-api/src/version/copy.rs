//! A store copied to another engine, range by range, so that a copy that was cut short goes on where it was.
//!
//! While it is under way, the target has no format marker, so nothing takes it for a store, and for each range
//! that is done a record: `02 | number u32 BE` with the range's last key, its counts, and a checksum. The last
//! batch puts the marker and removes the records. A copy that goes on compares the source with each record
//! first, and copies anew from the first range that has changed since.

use std::ops::{Bound, ControlFlow};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::kv::Flow;
use super::record;
use crate::ext::{KeyRange, StoreExt, ViewExt};
use crate::spi::{
    DeleteRange, Error, ErrorKind, Requirements, Result, Scan, Step, Store, Value, View, WriteBatch, visitor,
};

/// A range ends when it has this many bytes of keys and values.
const RANGE_BYTES: u64 = 4 << 20;
/// … or this many entries.
const RANGE_ENTRIES: u64 = 10_000;

/// What was copied, or compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Copied {
    /// Entries, those of an earlier run that was cut short among them.
    pub entries: u64,
    /// Bytes of their keys and values.
    pub bytes: u64,
    /// Ranges.
    pub ranges: u64,
    /// How many of the ranges an earlier run had copied.
    pub resumed: u64,
}

/// What is known of a range.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct RangeSum {
    last: Vec<u8>,
    entries: u64,
    bytes: u64,
    crc: u32,
}

impl RangeSum {
    const EMPTY: Self = Self { last: Vec::new(), entries: 0, bytes: 0, crc: 0 };

    fn add(&mut self, key: &[u8], value: &[u8]) {
        // Lengths are summed too, or a byte could move from the key to the value unseen.
        for part in [key, value] {
            let length = u64::try_from(part.len()).unwrap_or(u64::MAX);
            self.crc = crc32c::crc32c_append(self.crc, &length.to_le_bytes());
            self.crc = crc32c::crc32c_append(self.crc, part);
            self.bytes += length;
        }
        self.entries += 1;
        self.last.clear();
        self.last.extend_from_slice(key);
    }

    fn is_full(&self) -> bool {
        self.bytes >= RANGE_BYTES || self.entries >= RANGE_ENTRIES
    }
}

const STATE: u8 = 0x02;

fn state_key(number: u64) -> Result<Vec<u8>> {
    let number = u32::try_from(number)
        .map_err(|error| Error::new(ErrorKind::TooLarge, "the store has too many ranges").caused_by(error))?;
    let mut key = vec![STATE];
    key.extend_from_slice(&number.to_be_bytes());
    Ok(key)
}

/// Copies a store with versions to an empty one, or goes on with a copy that was cut short.
///
/// The source is read from one view. `watch` is called after each range with what is done so far; an error
/// from it ends the copy, which can be gone on with.
///
/// # Errors
/// `Incompatible` when the source is no store with versions, or the target is neither empty nor a copy under
/// way; `AlreadyExists` when the target is complete; `Unsupported` when its engine lacks what versions need;
/// `TooLarge` when it can't hold an entry.
pub fn copy_store(
    source: &dyn Store,
    target: &dyn Store,
    watch: &mut dyn FnMut(&Copied) -> Result<()>,
) -> Result<Copied> {
    Requirements::new("versions").atomic().conditional().check(target.capabilities())?;
    let view = source.view()?;
    let marker = view.get(&record::single(record::FORMAT))?;
    record::check_marker(marker.as_deref())?;
    let mut done = Copied::default();
    let mut from = resume(&*view, target, &mut done)?;
    watch(&done)?;
    while let Some((sum, mut batch)) = next_range(&*view, from.as_deref())? {
        batch.put(state_key(done.ranges)?, record::encode(&sum)?);
        target.write(&batch)?;
        done.entries += sum.entries;
        done.bytes += sum.bytes;
        done.ranges += 1;
        from = Some(sum.last);
        watch(&done)?;
    }
    let mut last = WriteBatch::new();
    for number in 0..done.ranges {
        last.delete(state_key(number)?);
    }
    last.put(record::single(record::FORMAT), record::marker());
    target.write(&last)?;
    done.entries += 1;
    Ok(done)
}

/// Reads the next range, all but the format marker; `None` at the end.
fn next_range(view: &dyn View, after: Option<&[u8]>) -> Result<Option<(RangeSum, WriteBatch)>> {
    let mut sum = RangeSum::EMPTY;
    let mut batch = WriteBatch::new();
    each(view, after, Bound::Unbounded, &mut |key, value| {
        sum.add(key, value);
        batch.put(key, Bytes::copy_from_slice(value));
        Ok(if sum.is_full() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    })?;
    Ok((sum.entries > 0).then_some((sum, batch)))
}

type Each<'a> = dyn FnMut(&[u8], &[u8]) -> Result<Flow> + 'a;

/// Visits entries, all but the format marker.
fn each(view: &dyn View, after: Option<&[u8]>, end: Bound<&[u8]>, visit: &mut Each<'_>) -> Result<()> {
    let marker = record::single(record::FORMAT);
    let mut take = visitor(|key: &[u8], value: Value<'_>| {
        if key == marker.as_slice() {
            return Ok(Step::Next);
        }
        Ok(match visit(key, value.bytes()?)? {
            ControlFlow::Continue(()) => Step::Next,
            ControlFlow::Break(()) => Step::Stop,
        })
    });
    view.scan(Scan::between(after.map_or(Bound::Unbounded, Bound::Excluded), end), &mut take)
}

fn sum_of(view: &dyn View, after: Option<&[u8]>, last: &[u8]) -> Result<RangeSum> {
    let mut sum = RangeSum::EMPTY;
    each(view, after, Bound::Included(last), &mut |key, value| {
        sum.add(key, value);
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(sum)
}

/// Finds where a copy that was cut short is to go on, and removes from there on what the target has.
fn resume(view: &dyn View, target: &dyn Store, done: &mut Copied) -> Result<Option<Vec<u8>>> {
    let copied = target.view()?;
    if copied.exists(&record::single(record::FORMAT))? {
        return Err(Error::new(ErrorKind::AlreadyExists, "the target is a store already"));
    }
    let Some((first, _)) = copied.first(&KeyRange::ALL)? else { return Ok(None) };
    let mut from: Option<Vec<u8>> = None;
    let mut stale = false;
    let mut known = 0;
    while let Some(stored) = copied.get(&state_key(known)?)? {
        known += 1;
        let sum: RangeSum = record::decode(&stored)?;
        stale = stale || sum_of(view, from.as_deref(), &sum.last)? != sum;
        if !stale {
            done.entries += sum.entries;
            done.bytes += sum.bytes;
            done.ranges += 1;
            done.resumed += 1;
            from = Some(sum.last);
        }
    }
    if known == 0 {
        return Err(Error::new(
            ErrorKind::Incompatible,
            "the target isn't empty, and no copy that was cut short",
        )
        .with_key("key", &first));
    }
    if stale {
        if target.capabilities().delete_range == DeleteRange::None {
            return Err(Error::new(
                ErrorKind::Conflict,
                "the source has changed since the copy was cut short, and the target's engine has no range deletes; copy to another target",
            ));
        }
        let mut clean = WriteBatch::new();
        clean.delete_range(
            from.as_deref().map_or(Bound::Unbounded, Bound::Excluded),
            Bound::Excluded(&[STATE]),
        );
        for number in done.ranges..known {
            clean.delete(state_key(number)?);
        }
        target.write(&clean)?;
    }
    Ok(from)
}

/// Compares two stores entry by entry, in ranges; `watch` is called after each.
///
/// # Errors
/// `Corrupt` names the range that differs; whatever `watch` answers.
pub fn compare_stores(
    left: &dyn Store,
    right: &dyn Store,
    watch: &mut dyn FnMut(&Copied) -> Result<()>,
) -> Result<Copied> {
    let (left, right) = (left.view()?, right.view()?);
    for view in [&left, &right] {
        record::check_marker(view.get(&record::single(record::FORMAT))?.as_deref())?;
    }
    let mut done = Copied { entries: 1, ..Copied::default() };
    let mut from: Option<Vec<u8>> = None;
    loop {
        let mut sum = RangeSum::EMPTY;
        each(&*left, from.as_deref(), Bound::Unbounded, &mut |key, value| {
            sum.add(key, value);
            Ok(if sum.is_full() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        let at_end = sum.entries == 0;
        let end = if at_end { Bound::Unbounded } else { Bound::Included(sum.last.as_slice()) };
        let mut other = RangeSum::EMPTY;
        each(&*right, from.as_deref(), end, &mut |key, value| {
            other.add(key, value);
            Ok(ControlFlow::Continue(()))
        })?;
        if sum != other {
            return Err(Error::new(ErrorKind::Corrupt, "the stores differ in a range")
                .with_key("after", from.as_deref().unwrap_or_default())
                .with_key("up_to", &sum.last));
        }
        if at_end {
            return Ok(done);
        }
        done.entries += sum.entries;
        done.bytes += sum.bytes;
        done.ranges += 1;
        from = Some(sum.last);
        watch(&done)?;
    }
}
