//! Reading objects: whole, in pages, and ranges of them.

use std::ops::Range;

use bytes::Bytes;
use engine_api::{Error, ErrorKind, Result};
use object_store::path::Path;
use object_store::{GetOptions, GetRange};

use crate::block;
use crate::core::{ATTEMPTS, Core, record_at};
use crate::error::{OfObject, STORE, failed, not_found};
use crate::keys;
use crate::layout::Block;
use crate::record::{Content, Record};
use crate::space::Reading;

/// What a read has found.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) record: Record,
    /// The range that was asked for.
    pub(crate) range: Range<u64>,
    /// The first of its bytes: all of them, or a page.
    pub(crate) first: Bytes,
}

impl Core {
    /// Reads an object's record and the first page of a range of it, from one state.
    pub(crate) fn get(&self, path: &Path, options: &GetOptions) -> object_store::Result<Found> {
        if options.version.is_some() {
            let error = Error::new(
                ErrorKind::Unsupported,
                "an object has no versions of its own; open the store at the version that is meant",
            );
            return Err(failed(path.as_ref(), error));
        }
        self.read_whole(path, |reading, record| {
            if let Err(refusal) = options.check_preconditions(&record.meta(path.clone())) {
                return Ok(Some(Err(refusal)));
            }
            let range = match options.range.as_ref().map(|range| range.as_range(record.size())) {
                None => 0..record.size(),
                Some(Ok(range)) => range,
                Some(Err(error)) => return Ok(Some(Err(out_of_range(error)))),
            };
            let page = u64::try_from(self.page_bytes()).unwrap_or(u64::MAX);
            let first = range.start..if options.head {
                range.start
            } else {
                range.end.min(range.start.saturating_add(page))
            };
            let Some(read) = read_ranges(reading, &record, &[first])? else { return Ok(None) };
            let first = read.into_iter().next().unwrap_or_default();
            Ok(Some(Ok(Found { record, range, first })))
        })
    }

    /// Reads ranges of an object, all from one state.
    pub(crate) fn get_ranges(&self, path: &Path, ranges: &[Range<u64>]) -> object_store::Result<Vec<Bytes>> {
        self.read_whole(path, |reading, record| {
            let size = record.size();
            let within: std::result::Result<Vec<_>, _> =
                ranges.iter().map(|range| GetRange::Bounded(range.clone()).as_range(size)).collect();
            match within {
                Ok(within) => Ok(read_ranges(reading, &record, &within)?.map(Ok)),
                Err(error) => Ok(Some(Err(out_of_range(error)))),
            }
        })
    }

    /// Reads something of an object's blocks, once more where an engine has shown half of a commit. `read` answers
    /// `None` when a block isn't there.
    fn read_whole<T>(
        &self,
        path: &Path,
        mut read: impl FnMut(&dyn Reading, Record) -> Result<Option<object_store::Result<T>>>,
    ) -> object_store::Result<T> {
        for attempt in 0..ATTEMPTS {
            let answer = self.reading(|reading| {
                let Some(record) = record_at(reading, path.as_ref())? else {
                    return Ok(Some(Err(not_found(path.as_ref()))));
                };
                read(reading, record)
            });
            match answer {
                Ok(Some(answer)) => return answer,
                Ok(None) if self.reads_one_state() => break,
                Ok(None) => Self::back_off(attempt),
                Err(error) if error.kind() == ErrorKind::SnapshotExpired => Self::back_off(attempt),
                Err(error) => return Err(failed(path.as_ref(), error)),
            }
        }
        Err(failed(path.as_ref(), missing()))
    }

    /// Reads more of an object of which the record was read before.
    ///
    /// # Errors
    /// `SnapshotExpired` when the object was replaced or deleted since, and its blocks are gone.
    pub(crate) fn read_on(
        &self,
        path: &Path,
        record: &Record,
        range: Range<u64>,
    ) -> object_store::Result<Bytes> {
        for attempt in 0..ATTEMPTS {
            let answer = self.reading(|reading| {
                if let Some(read) = read_ranges(reading, record, std::slice::from_ref(&range))? {
                    return Ok(Some(read.into_iter().next().unwrap_or_default()));
                }
                let now = record_at(reading, path.as_ref())?;
                if now.is_none_or(|now| now.generation != record.generation) {
                    return Err(Error::new(
                        ErrorKind::SnapshotExpired,
                        "the object was replaced or deleted while it was being read; read it again",
                    ));
                }
                Ok(None)
            });
            match answer.of(path.as_ref())? {
                Some(bytes) => return Ok(bytes),
                None if self.reads_one_state() => break,
                None => Self::back_off(attempt),
            }
        }
        Err(failed(path.as_ref(), missing()))
    }
}

fn missing() -> Error {
    Error::new(ErrorKind::Corrupt, "a block of the object is missing")
}

fn out_of_range(error: impl std::error::Error + Send + Sync + 'static) -> object_store::Error {
    object_store::Error::Generic { store: STORE, source: Box::new(error) }
}

/// A range of which the bytes up to its start were read.
struct Pending {
    rest: Range<u64>,
    /// Which of the ranges it is.
    index: usize,
}

/// Reads ranges that lie within an object; `None` when a block isn't there.
///
/// Each block is read once, in the order of the object, whatever ranges touch it. What is read grows with the blocks that
/// are there: a size that is claimed allocates no more than a page.
fn read_ranges(reading: &dyn Reading, record: &Record, ranges: &[Range<u64>]) -> Result<Option<Vec<Bytes>>> {
    let layout = match &record.content {
        Content::Blocks(layout) => layout,
        Content::Inline(bytes) => return ranges.iter().map(|range| slice(bytes, range)).collect(),
    };
    let mut out = vec![Vec::new(); ranges.len()];
    let mut pending: Vec<_> = ranges
        .iter()
        .enumerate()
        .filter(|(_, range)| !range.is_empty())
        .map(|(index, range)| Pending { rest: range.clone(), index })
        .collect();
    pending.sort_unstable_by_key(|pending| pending.rest.start);
    // Those before it are done, and those behind it are in the order of their starts.
    let mut first = 0;
    while let Some(position) = pending.get(first).map(|pending| pending.rest.start) {
        let block = layout.block_at(position).ok_or_else(missing)?;
        let touched = pending[first..].iter().take_while(|p| p.rest.start < block.extent.end).count();
        let end = first + touched;
        let (active, _) = pending.split_at_mut(end);
        let active = &mut active[first..];
        if !read_block(reading, record, &block, &mut |data| copy_from(&block, data, active, &mut out))? {
            return Ok(None);
        }
        let mut kept = end;
        for at in (first..end).rev() {
            if !pending[at].rest.is_empty() {
                kept -= 1;
                pending.swap(kept, at);
            }
        }
        first = kept;
    }
    Ok(Some(out.into_iter().map(Bytes::from).collect()))
}

/// Copies what each range wants of a block.
fn copy_from(block: &Block, data: &[u8], active: &mut [Pending], out: &mut [Vec<u8>]) -> Result<()> {
    for pending in active {
        let until = pending.rest.end.min(block.extent.end);
        let within = pending.rest.start - block.extent.start..until - block.extent.start;
        let wanted = usize::try_from(within.start)
            .ok()
            .zip(usize::try_from(within.end).ok())
            .and_then(|(start, end)| data.get(start..end))
            .ok_or_else(missing)?;
        let bytes = &mut out[pending.index];
        if bytes.is_empty() {
            let whole = usize::try_from(pending.rest.end - pending.rest.start).unwrap_or(usize::MAX);
            bytes.reserve_exact(whole.min(4 << 20));
        }
        bytes.extend_from_slice(wanted);
        pending.rest.start = until;
    }
    Ok(())
}

/// Hands a block's bytes, which were checked, to `take`; answers whether it is there.
fn read_block(
    reading: &dyn Reading,
    record: &Record,
    block: &Block,
    take: &mut dyn FnMut(&[u8]) -> Result<()>,
) -> Result<bool> {
    let tkey = keys::block(record.generation, block.slot, block.number);
    let length = block.extent.end - block.extent.start;
    let mut outcome = Ok(());
    let there = reading.get_with(&tkey, &mut |value| {
        outcome = block::open(&tkey, value, length).and_then(&mut *take);
    })?;
    outcome?;
    if there {
        return Ok(true);
    }
    // A branch that replaced the object has removed its blocks there. A record that was chosen at a merge outlives that.
    let Some(value) = reading.get_of_any_version(&tkey)? else { return Ok(false) };
    block::open(&tkey, &value, length).and_then(take)?;
    Ok(true)
}

fn slice(bytes: &Bytes, range: &Range<u64>) -> Result<Option<Bytes>> {
    let (start, end) = (usize::try_from(range.start), usize::try_from(range.end));
    match (start, end) {
        (Ok(start), Ok(end)) if start <= end && end <= bytes.len() => Ok(Some(bytes.slice(start..end))),
        _ => Err(missing()),
    }
}
