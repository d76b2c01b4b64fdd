//! Playing a program on a store and on an ordered map.

use std::collections::BTreeMap;
use std::ops::Bound;

use bytes::Bytes;
use engine_api::{Durability, Scan, Step, Store, StoreExt as _, WriteBatch};

use super::Action;
use crate::checks::{Entry, check_entries, check_keys, entries, stepped};
use crate::context::{Context, Place};
use crate::verdict::{Halt, Verdict, check_eq};

type Model = BTreeMap<Bytes, Bytes>;

/// Plays a program on a store, which must be empty, and on an ordered map; it is what turns the listing of
/// a failed random case into a test. A [`Reopen`](Action::Reopen) is passed over.
///
/// # Errors
/// Where the two part, and how.
pub fn replay(store: &dyn Store, program: &[Action]) -> Result<(), String> {
    let mut model = Model::new();
    for (at, action) in program.iter().enumerate() {
        play(store, &mut model, action).map_err(|halt| parted(at, action, halt))?;
    }
    same(store, &model).map_err(|halt| parted(program.len(), &Action::Flush, halt))
}

/// The same on a new place of the context, reopening where the program says so.
pub(super) fn on_a_fresh_store(ctx: &Context, name: &str, program: &[Action]) -> Result<(), String> {
    let place = ctx.elsewhere(name).map_err(|halt| format!("{halt:?}"))?;
    let outcome = at_place(&place, program);
    match place.destroy() {
        Err(error) if outcome.is_ok() => Err(format!("the store can't be destroyed: {error:?}")),
        _ => outcome,
    }
}

fn at_place(place: &Place, program: &[Action]) -> Result<(), String> {
    let say = |error: engine_api::Error| format!("the store can't be opened: {error:?}");
    let mut store = place.open().map_err(say)?;
    let mut model = Model::new();
    for (at, action) in program.iter().enumerate() {
        if *action == Action::Reopen {
            store.flush().map_err(|error| parted(at, action, error.into()))?;
            store = place.reopen(store).map_err(say)?;
            same(&store, &model).map_err(|halt| parted(at, action, halt))?;
        }
        play(&store, &mut model, action).map_err(|halt| parted(at, action, halt))?;
    }
    same(&store, &model).map_err(|halt| parted(program.len(), &Action::Flush, halt))
}

fn parted(at: usize, action: &Action, halt: Halt) -> String {
    let (Halt::Failed(message) | Halt::Ignored(message)) = halt;
    format!("at action {at}, {action:?}: {message}")
}

fn same(store: &dyn Store, model: &Model) -> Verdict {
    let expected: Vec<Entry> = model.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
    check_entries(&entries(store.view()?.as_ref(), Scan::all())?, &expected, "all entries")
}

fn play(store: &dyn Store, model: &mut Model, action: &Action) -> Verdict {
    match action {
        Action::Get(key) => {
            check_eq!(store.get(key)?.as_ref(), model.get(*key), "the value of \"{}\"", key.escape_ascii());
        }
        Action::Scan(low, high) => {
            let got = entries(store.view()?.as_ref(), Scan::half_open(low, high))?;
            check_entries(&got, &inside(model, low, high), "the entries of the range")?;
        }
        Action::ScanReverse(low, high) => {
            let got = entries(store.view()?.as_ref(), Scan::half_open(low, high).reverse())?;
            let mut expected = inside(model, low, high);
            expected.reverse();
            check_entries(&got, &expected, "the entries of the range, descending")?;
        }
        Action::Seek(from, to) => {
            let scan = Scan::between(Bound::Included(from), Bound::Unbounded);
            let got = stepped(store.view()?.as_ref(), scan, &[Step::SeekTo(to)])?;
            let mut expected: Vec<&Bytes> = model
                .range::<[u8], _>((Bound::Included(*from), Bound::Unbounded))
                .map(|(key, _)| key)
                .collect();
            if let Some(first) = expected.first().copied() {
                expected.retain(|key| *key == first || key.as_ref() >= *to);
            }
            check_keys(&got, &expected, "the keys of the scan with a seek")?;
        }
        Action::Flush => store.flush()?,
        Action::Reopen => {}
        write => {
            let mut batch = WriteBatch::new();
            apply(write, &mut batch, model);
            store.commit(&batch, Durability::Relaxed)?;
        }
    }
    Ok(())
}

/// Adds what an action writes to a batch, and does it to the map.
fn apply(action: &Action, batch: &mut WriteBatch, model: &mut Model) {
    match action {
        Action::Put(key, length, byte) => {
            let value = Bytes::from(vec![*byte; *length]);
            batch.put(key, value.clone());
            model.insert(Bytes::from_static(key), value);
        }
        Action::Delete(key) => {
            batch.delete(key);
            model.remove(*key);
        }
        Action::DeleteRange(low, high) => {
            batch.delete_range(Bound::Included(low), Bound::Excluded(high));
            model.retain(|key, _| !(*low <= key.as_ref() && key.as_ref() < *high));
        }
        Action::Batch(inner) => {
            for action in *inner {
                apply(action, batch, model);
            }
        }
        Action::Get(_)
        | Action::Scan(..)
        | Action::ScanReverse(..)
        | Action::Seek(..)
        | Action::Flush
        | Action::Reopen => {}
    }
}

fn inside(model: &Model, low: &[u8], high: &[u8]) -> Vec<Entry> {
    model
        .iter()
        .filter(|(key, _)| low <= key.as_ref() && key.as_ref() < high)
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

#[test]
fn the_memory_store_replays_a_listing() -> engine_api::Result<()> {
    let store = engine_api::MemoryStore::new();
    let program = [
        Action::Put(b"a\x00", 3, 7),
        Action::Batch(&[Action::Put(b"b", 1, 1), Action::Delete(b"a\x00")]),
        Action::DeleteRange(b"b", b"c"),
        Action::Put(b"d", 0, 0),
        Action::Scan(b"a", b"z"),
        Action::ScanReverse(b"a", b"z"),
        Action::Seek(b"a", b"d"),
    ];
    assert_eq!(replay(&store, &program), Ok(()));
    assert_eq!(store.get("d")?.as_deref(), Some(b"".as_slice()));
    assert_eq!(format!("{:?}", program[0]), r#"Put(b"a\x00", 3, 7)"#);
    Ok(())
}
