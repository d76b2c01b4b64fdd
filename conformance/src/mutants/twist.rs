//! A batch as a flaw has it.

use std::collections::HashSet;
use std::ops::Bound;

use bytes::Bytes;
use engine_api::{
    Expected, KeyRange, MemoryStore, Op, Result, Scan, Step, Store as _, StoreExt as _, Value, View,
    WriteBatch, visitor,
};

use super::flaw::Flaw;

/// The operations of a batch alone.
pub(super) fn operations(ops: &[Op]) -> WriteBatch {
    let mut batch = WriteBatch::new();
    for op in ops {
        batch.push(op.clone());
    }
    batch
}

/// The batch that the flaw makes of one.
pub(super) fn twisted(batch: &WriteBatch, flaw: Flaw, stored: &MemoryStore) -> Result<WriteBatch> {
    let mut ops = batch.ops().to_vec();
    match flaw {
        Flaw::DeletesFirst => ops.sort_by_key(|op| !matches!(op, Op::Delete { .. })),
        Flaw::DeletesRangesLast => ops.sort_by_key(|op| matches!(op, Op::DeleteRange { .. })),
        Flaw::FirstOperationWins => {
            let mut seen = HashSet::new();
            ops.retain(|op| match op {
                Op::Put { key, .. } | Op::Delete { key } => seen.insert(key.clone()),
                Op::DeleteRange { .. } => true,
            });
        }
        _ => {}
    }
    let mut twisted = WriteBatch::new();
    for op in ops {
        for op in operation(op, flaw, stored)? {
            twisted.push(op);
        }
    }
    let requirements = batch.requirements();
    let skipped = match flaw {
        Flaw::IgnoresRequirements => requirements.len(),
        Flaw::JudgesOneRequirement => requirements.len().saturating_sub(1),
        _ => 0,
    };
    for requirement in requirements.iter().skip(skipped) {
        let expected = match (flaw, &requirement.expected) {
            (Flaw::JudgesByPrefix, Expected::Equals(value)) => match stored.get(&requirement.key)? {
                Some(found) if found.starts_with(value) => Expected::Equals(found),
                _ => requirement.expected.clone(),
            },
            (_, expected) => expected.clone(),
        };
        twisted.require(&requirement.key, expected);
    }
    Ok(twisted)
}

/// What becomes of one operation.
fn operation(op: Op, flaw: Flaw, stored: &MemoryStore) -> Result<Vec<Op>> {
    let one = match (flaw, op) {
        (Flaw::DropsDeletes, Op::Delete { .. }) => return Ok(Vec::new()),
        (Flaw::FirstPutWins, Op::Put { key, .. }) if stored.exists(&key)? => return Ok(Vec::new()),
        (Flaw::TombstonesExpire, Op::Put { key, .. }) if is_tombstone(&key) => return Ok(Vec::new()),
        (Flaw::DeleteStoresEmpty, Op::Delete { key }) => Op::Put { key, value: Bytes::new() },
        (Flaw::DeletesExtensions, Op::Delete { key }) => {
            let range = KeyRange::prefix(&key);
            Op::DeleteRange { start: owned(range.start()), end: owned(range.end()) }
        }
        (Flaw::EmptyIsAbsent, Op::Put { key, value }) if value.is_empty() => Op::Delete { key },
        (Flaw::CutsValues, Op::Put { key, value }) => {
            Op::Put { key, value: value.slice(..value.len().min(65_535)) }
        }
        (Flaw::ValuesAreText, Op::Put { key, value }) => {
            Op::Put { key, value: String::from_utf8_lossy(&value).into_owned().into() }
        }
        (Flaw::KeepsTails, Op::Put { key, value }) => {
            let mut whole = value.to_vec();
            if let Some(old) = stored.get(&key)? {
                whole.extend_from_slice(old.get(value.len()..).unwrap_or_default());
            }
            Op::Put { key, value: whole.into() }
        }
        (Flaw::CutsTrailingZeros | Flaw::FoldsCase, Op::Put { key, value }) => {
            Op::Put { key: key_as(&key, flaw), value }
        }
        (Flaw::CutsTrailingZeros | Flaw::FoldsCase, Op::Delete { key }) => {
            Op::Delete { key: key_as(&key, flaw) }
        }
        (Flaw::DeletesIncludedEnd, Op::DeleteRange { start, end: Bound::Excluded(end) }) => {
            Op::DeleteRange { start, end: Bound::Included(end) }
        }
        (Flaw::DeletesOnePage, Op::DeleteRange { start, end }) => {
            match last_of_page(stored.view()?.as_ref(), Scan::of_range(&start, &end))? {
                Some(last) => Op::DeleteRange { start, end: Bound::Included(last) },
                None => return Ok(Vec::new()),
            }
        }
        (_, op) => op,
    };
    Ok(vec![one])
}

/// Whether the layer of versions marks a deletion with this key: class 1, and the mark 4F at the end.
fn is_tombstone(key: &[u8]) -> bool {
    key.first() == Some(&1) && key.last() == Some(&0x4F)
}

/// The key that the flaw takes for this one.
pub(super) fn key_as(key: &[u8], flaw: Flaw) -> Bytes {
    match flaw {
        Flaw::CutsTrailingZeros => {
            let length = key.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
            Bytes::copy_from_slice(&key[..length])
        }
        Flaw::FoldsCase => key.to_ascii_lowercase().into(),
        _ => Bytes::copy_from_slice(key),
    }
}

fn owned(bound: Bound<&[u8]>) -> Bound<Bytes> {
    bound.map(Bytes::copy_from_slice)
}

fn last_of_page(view: &dyn View, scan: Scan<'_>) -> Result<Option<Bytes>> {
    let (mut last, mut seen) = (None, 0);
    let mut page = visitor(|key: &[u8], _: Value<'_>| {
        last = Some(Bytes::copy_from_slice(key));
        seen += 1;
        Ok(if seen == 1000 { Step::Stop } else { Step::Next })
    });
    view.scan(scan, &mut page)?;
    Ok(last)
}
