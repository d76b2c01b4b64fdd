//! What cases are made of: filling a store, reading it back, and comparing.

use std::cell::Cell;
use std::ops::Bound;

use bytes::Bytes;
use engine_api::{
    Durability, ErrorKind, Limits, Result, Scan, Step, Store, Value, View, Visitor, WriteBatch, visitor,
};

use crate::verdict::{Halt, Verdict};

pub(crate) type Entry = (Bytes, Bytes);

/// Puts entries in as few batches as the limits allow, without waiting for a disk.
pub(crate) fn load<K, V>(store: &dyn Store, entries: impl IntoIterator<Item = (K, V)>) -> Result<()>
where
    K: AsRef<[u8]>,
    V: Into<Bytes>,
{
    let limits = store.capabilities().limits;
    let (most_ops, most_bytes) =
        (limits.batch_ops.unwrap_or(usize::MAX).min(10_000), limits.batch_bytes.unwrap_or(16 << 20));
    let mut batch = WriteBatch::new();
    for (key, value) in entries {
        let (key, value) = (key.as_ref(), value.into());
        let full = batch.ops().len() >= most_ops || batch.bytes() + key.len() + value.len() > most_bytes;
        if full && !batch.is_empty() {
            store.commit(&batch, Durability::Relaxed)?;
            batch = WriteBatch::new();
        }
        batch.put(key, value);
    }
    store.commit(&batch, Durability::Relaxed)
}

/// Puts keys, each with a value that tells it apart.
pub(crate) fn load_keys<K: AsRef<[u8]>>(store: &dyn Store, keys: &[K]) -> Result<()> {
    load(store, keys.iter().map(|key| (key, value_of(key.as_ref()))))
}

/// The value that [`load_keys`] puts under a key.
pub(crate) fn value_of(key: &[u8]) -> Bytes {
    [b"value of ", key].concat().into()
}

/// The entries that a scan visits, in the order of the visits.
pub(crate) fn entries(view: &dyn View, scan: Scan<'_>) -> Result<Vec<Entry>> {
    let mut found = Vec::new();
    let mut take = visitor(|key: &[u8], value: Value<'_>| {
        found.push((Bytes::copy_from_slice(key), value.to_bytes()?));
        Ok(Step::Next)
    });
    view.scan(scan, &mut take)?;
    Ok(found)
}

/// The keys that a scan visits, in the order of the visits.
pub(crate) fn keys(view: &dyn View, scan: Scan<'_>) -> Result<Vec<Bytes>> {
    Ok(entries(view, scan)?.into_iter().map(|(key, _)| key).collect())
}

/// All keys of a store.
pub(crate) fn all_keys(store: &dyn Store) -> Result<Vec<Bytes>> {
    keys(store.view()?.as_ref(), Scan::all())
}

/// The keys visited by a scan whose visitor answers what `step` says of each.
pub(crate) fn steered<'s>(
    view: &dyn View,
    scan: Scan<'_>,
    step: impl Fn(&[u8]) -> Step<'s>,
) -> Result<Vec<Bytes>> {
    struct Steered<'s, F> {
        step: F,
        // Kept so that the type says how long a target lives.
        last: Step<'s>,
        seen: Vec<Bytes>,
    }
    impl<'s, F: Fn(&[u8]) -> Step<'s>> Visitor for Steered<'s, F> {
        fn visit(&mut self, key: &[u8], _: Value<'_>) -> Result<Step<'_>> {
            self.seen.push(Bytes::copy_from_slice(key));
            self.last = (self.step)(key);
            Ok(self.last)
        }
    }
    let mut steered = Steered { step, last: Step::Next, seen: Vec::new() };
    view.scan(scan, &mut steered)?;
    Ok(steered.seen)
}

/// The keys visited by a scan that answers `steps` one after another, and `Next` when they are used up.
pub(crate) fn stepped(view: &dyn View, scan: Scan<'_>, steps: &[Step<'_>]) -> Result<Vec<Bytes>> {
    let at = Cell::new(0);
    steered(view, scan, |_| {
        let step = steps.get(at.get()).copied().unwrap_or(Step::Next);
        at.set(at.get() + 1);
        step
    })
}

/// Fails unless the keys are the expected ones, and says where they part.
pub(crate) fn check_keys<K: AsRef<[u8]>>(got: &[Bytes], expected: &[K], what: &str) -> Verdict {
    let same =
        got.len() == expected.len() && got.iter().zip(expected).all(|(got, want)| got == want.as_ref());
    if same {
        return Ok(());
    }
    let expected: Vec<_> = expected.iter().map(|key| Bytes::copy_from_slice(key.as_ref())).collect();
    Err(Halt::failed(difference(what, got, &expected)))
}

/// Fails unless the entries are the expected ones, and says where they part.
pub(crate) fn check_entries(got: &[Entry], expected: &[Entry], what: &str) -> Verdict {
    if got == expected {
        return Ok(());
    }
    Err(Halt::failed(difference(what, got, expected)))
}

fn difference<T: PartialEq + std::fmt::Debug>(what: &str, got: &[T], expected: &[T]) -> String {
    const SHOWN: usize = 12;
    if got.len().max(expected.len()) <= SHOWN {
        return format!("{what}: got {got:?}, expected {expected:?}");
    }
    let at = got.iter().zip(expected).take_while(|(got, want)| got == want).count();
    format!(
        "{what}: got {} and expected {}; the first that differs is number {at}: got {:?}, expected {:?}",
        got.len(),
        expected.len(),
        got.get(at),
        expected.get(at)
    )
}

/// Fails unless the answer is an error of this kind.
pub(crate) fn check_refused<T>(answer: Result<T>, kind: ErrorKind, what: &str) -> Verdict {
    match answer {
        Err(error) if error.kind() == kind => Ok(()),
        Err(error) => Err(Halt::failed(format!("{what} must be refused as {kind}, and was with {error:?}"))),
        Ok(_) => Err(Halt::failed(format!("{what} must be refused as {kind}, and was accepted"))),
    }
}

/// Fails unless the store takes a write and gives it back.
pub(crate) fn check_usable(store: &dyn Store, after: &str) -> Verdict {
    use engine_api::StoreExt as _;
    let unusable = |error| Halt::failed(format!("the store isn't usable after {after}: {error:?}"));
    store.put("still usable", after.to_owned()).map_err(unusable)?;
    match store.get("still usable").map_err(unusable)? {
        Some(value) if value == after.as_bytes() => store.delete("still usable").map_err(unusable),
        other => Err(Halt::failed(format!("after {after} a write isn't read back: {other:?}"))),
    }
}

/// A batch of one put that takes its key and value as they are: a large one is never copied.
pub(crate) fn put_owned(key: impl Into<Bytes>, value: impl Into<Bytes>) -> WriteBatch {
    let mut batch = WriteBatch::new();
    batch.push(engine_api::Op::Put { key: key.into(), value: value.into() });
    batch
}

/// The longest value of at most `wanted` bytes that fits.
pub(crate) fn fitting_value(limits: &Limits, wanted: usize) -> usize {
    let batch = limits.batch_bytes.map_or(usize::MAX, |bytes| bytes.saturating_sub(64));
    wanted.min(limits.value_bytes.unwrap_or(usize::MAX)).min(batch)
}

/// The longest key of at most `wanted` bytes that fits.
pub(crate) fn fitting_key(limits: &Limits, wanted: usize) -> usize {
    wanted.min(limits.key_bytes.unwrap_or(usize::MAX))
}

/// A value of `length` bytes without a pattern that a page size could hide.
pub(crate) fn patterned(length: usize) -> Vec<u8> {
    let mut rng = crate::rng::Rng::new(length as u64);
    let block = rng.bytes(length.min(4093));
    block.iter().copied().cycle().take(length).collect()
}

/// The three kinds of bound at a key.
pub(crate) fn bounds_at(key: &[u8]) -> [Bound<&[u8]>; 3] {
    [Bound::Included(key), Bound::Excluded(key), Bound::Unbounded]
}
