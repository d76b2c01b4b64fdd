//! Playing a program on a store and on an ordered map.

use std::collections::BTreeMap;
use std::ops::Bound;

use bytes::Bytes;
use engine_api::{
    Direction, Durability, ErrorKind, KeyRange, Persistence, Scan, Step, Store, View, ViewExt as _,
    WriteBatch,
};

use super::Action;
use crate::checks::{Entry, check_entries, check_keys, check_refused, entries, stepped};
use crate::context::{Place, scratch};
use crate::model::Parted;
use crate::target::{Options, Target};
use crate::verdict::{Halt, Verdict, check_eq};

type Map = BTreeMap<Bytes, Bytes>;

/// Plays a program on a fresh store of the target and on an ordered map; it is what the test of a failed
/// random case calls.
///
/// # Errors
/// Where the two part, and how.
pub fn replay(target: &Target, program: &[Action]) -> Result<(), String> {
    let dir = scratch(&Options::new()).map_err(|error| format!("no directory for a store: {error}"))?;
    let place = Place::new(target, dir.path()).map_err(|error| format!("no place for a store: {error:?}"))?;
    at_place(&place, program).map_err(|parted| parted.message)?;
    place.destroy().map_err(|error| format!("the store can't be destroyed: {error:?}"))
}

pub(super) fn at_place(place: &Place, program: &[Action]) -> Result<(), Parted> {
    let store = place.open().map_err(|error| Parted::beside(0, error.into()))?;
    let mut player = Player { place, store: Some(store), map: Map::new(), kept: BTreeMap::new() };
    for (at, action) in program.iter().enumerate() {
        player.play(action).map_err(|halt| Parted::at(at, action, halt))?;
    }
    player.all_entries().map_err(|halt| Parted::beside(program.len(), halt))
}

struct Player<'p> {
    place: &'p Place,
    /// Absent while it is opened again.
    store: Option<Box<dyn Store>>,
    map: Map,
    /// The views that are kept, each with the map as it was.
    kept: BTreeMap<usize, (Box<dyn View>, Map)>,
}

impl Player<'_> {
    fn store(&self) -> Verdict<&dyn Store> {
        self.store.as_deref().ok_or_else(|| Halt::failed("the store couldn't be opened again"))
    }

    fn all_entries(&self) -> Verdict {
        let expected: Vec<Entry> = self.map.clone().into_iter().collect();
        check_entries(&entries(self.store()?.view()?.as_ref(), Scan::all())?, &expected, "all entries")
    }

    fn play(&mut self, action: &Action) -> Verdict {
        match *action {
            Action::Batch(durability, inner) => self.commit(inner, durability),
            Action::View(number) => {
                // Given back first: there may be no room for one more.
                self.kept.remove(&number);
                let view = self.store()?.view()?;
                self.kept.insert(number, (view, self.map.clone()));
                Ok(())
            }
            Action::Drop(number) => {
                self.kept.remove(&number);
                Ok(())
            }
            Action::Get(number, _)
            | Action::Exists(number, _)
            | Action::Scan(number, ..)
            | Action::Seek(number, ..)
            | Action::Cursor(number, ..) => match self.kept.get(&number) {
                Some((view, map)) => read(view.as_ref(), map, action),
                None => read(self.store()?.view()?.as_ref(), &self.map, action),
            },
            Action::Flush => Ok(self.store()?.flush()?),
            Action::Reopen => self.reopen(),
            write => self.commit(&[write], Durability::Relaxed),
        }
    }

    fn reopen(&mut self) -> Verdict {
        self.kept.clear();
        let store = self.store()?;
        store.flush()?;
        if store.capabilities().persistence == Persistence::Memory {
            return Ok(());
        }
        if let Some(store) = self.store.take() {
            self.store = Some(self.place.reopen(store)?);
        }
        self.all_entries()
    }

    /// Commits a batch and does it to the map, or is refused and leaves the map as it is.
    fn commit(&mut self, actions: &[Action], durability: Durability) -> Verdict {
        let mut batch = WriteBatch::new();
        let mut after = self.map.clone();
        for action in actions {
            add(*action, &mut batch, &mut after);
        }
        let holds = |requirement: &engine_api::Requirement| {
            requirement.expected.holds(self.map.get(&requirement.key).map(AsRef::as_ref))
        };
        let holds = batch.requirements().iter().all(holds);
        let answer = self.store()?.commit(&batch, durability);
        if !holds {
            return check_refused(answer, ErrorKind::Conflict, "a batch of which a requirement fails");
        }
        answer?;
        self.map = after;
        Ok(())
    }
}

/// Adds what an action writes or requires to a batch, and does it to a map.
fn add(action: Action, batch: &mut WriteBatch, map: &mut Map) {
    let value = |length, byte| Bytes::from(vec![byte; length]);
    match action {
        Action::Put(key, length, byte) => {
            batch.put(key, value(length, byte));
            map.insert(Bytes::from_static(key), value(length, byte));
        }
        Action::Delete(key) => {
            batch.delete(key);
            map.remove(key);
        }
        Action::DeleteRange(low, high) => {
            batch.delete_range(low, high);
            map.retain(|key, _| !contains((low, high), key));
        }
        Action::RequireAbsent(key) => drop(batch.require_absent(key)),
        Action::RequirePresent(key) => drop(batch.require_present(key)),
        Action::RequireEquals(key, length, byte) => drop(batch.require_equals(key, value(length, byte))),
        Action::Batch(_, inner) => inner.iter().for_each(|action| add(*action, batch, map)),
        _ => {}
    }
}

type Ends = (Bound<&'static [u8]>, Bound<&'static [u8]>);

fn contains((low, high): Ends, key: &[u8]) -> bool {
    let above = match low {
        Bound::Included(low) => low <= key,
        Bound::Excluded(low) => low < key,
        Bound::Unbounded => true,
    };
    let below = match high {
        Bound::Included(high) => key <= high,
        Bound::Excluded(high) => key < high,
        Bound::Unbounded => true,
    };
    above && below
}

/// The entries of a range in the order of a direction.
fn inside(map: &Map, ends: Ends, direction: Direction) -> Vec<Entry> {
    let mut inside: Vec<Entry> = map
        .iter()
        .filter(|(key, _)| contains(ends, key))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    if direction == Direction::Reverse {
        inside.reverse();
    }
    inside
}

/// Whether a key is at a target or beyond it.
fn reaches(key: &[u8], target: &[u8], direction: Direction) -> bool {
    match direction {
        Direction::Forward => key >= target,
        Direction::Reverse => key <= target,
    }
}

fn read(view: &dyn View, map: &Map, action: &Action) -> Verdict {
    match *action {
        Action::Get(_, key) => {
            check_eq!(view.get(key)?.as_ref(), map.get(key), "the value of \"{}\"", key.escape_ascii());
        }
        Action::Exists(_, key) => {
            check_eq!(
                view.exists(key)?,
                map.contains_key(key),
                "whether \"{}\" is there",
                key.escape_ascii()
            );
        }
        Action::Scan(_, low, high, direction) => {
            let got = entries(view, Scan::between(low, high).in_direction(direction))?;
            check_entries(&got, &inside(map, (low, high), direction), "the entries of the scan")?;
        }
        Action::Seek(_, low, high, direction, targets) => {
            let steps: Vec<_> = targets.iter().map(|target| Step::SeekTo(target)).collect();
            let got = stepped(view, Scan::between(low, high).in_direction(direction), &steps)?;
            let mut left = inside(map, (low, high), direction).into_iter().map(|(key, _)| key);
            let mut expected: Vec<Bytes> = left.next().into_iter().collect();
            for target in targets {
                // A target behind the position counts as the next entry.
                expected.extend(left.find(|key| reaches(key, target, direction)));
            }
            expected.extend(left);
            check_keys(&got, &expected, "the keys of the scan with seeks")?;
        }
        Action::Cursor(_, low, high, direction, moves, target) => {
            let range = KeyRange::new::<&[u8]>((low, high));
            let mut cursor = match direction {
                Direction::Forward => view.cursor(range),
                Direction::Reverse => view.cursor_reverse(range),
            };
            let own =
                |(key, value): (&[u8], &[u8])| (Bytes::copy_from_slice(key), Bytes::copy_from_slice(value));
            let all = inside(map, (low, high), direction);
            for at in 0..moves {
                check_eq!(cursor.next()?.map(own).as_ref(), all.get(at), "entry {at} of the cursor");
            }
            cursor.seek(target);
            let got: Vec<Entry> = cursor.entries().collect::<engine_api::Result<_>>()?;
            let expected: Vec<Entry> =
                all.into_iter().filter(|(key, _)| reaches(key, target, direction)).collect();
            check_entries(&got, &expected, "the entries of the cursor from where it was sought to")?;
        }
        _ => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_engine_replays_a_program_of_every_action() {
        let target = Target::new(&engine_api::MEMORY, |_| "memory:".to_owned());
        let (all, from_a) = (Bound::Unbounded, Bound::Included(&b"a"[..]));
        let program = [
            Action::Put(b"a\x00", 3, 7),
            Action::View(1),
            Action::Batch(Durability::Relaxed, &[Action::Put(b"b", 1, 1), Action::Delete(b"a\x00")]),
            Action::Batch(Durability::Relaxed, &[Action::RequirePresent(b"a\x00"), Action::Put(b"b", 9, 9)]),
            Action::RequireEquals(b"b", 1, 1),
            Action::RequireEquals(b"b", 9, 9),
            Action::RequireAbsent(b"b"),
            Action::Get(1, b"a\x00"),
            Action::Exists(0, b"a\x00"),
            Action::Put(b"d", 0, 0),
            Action::Put(b"c", 0, 0),
            Action::Scan(1, all, all, Direction::Forward),
            Action::Scan(0, from_a, Bound::Excluded(b"d"), Direction::Reverse),
            Action::Seek(0, from_a, all, Direction::Forward, &[b"d", b"a"]),
            Action::Seek(0, from_a, all, Direction::Reverse, &[b"b"]),
            Action::Cursor(0, all, all, Direction::Forward, 2, b"c"),
            Action::Cursor(0, all, all, Direction::Reverse, 5, b"b"),
            Action::DeleteRange(Bound::Excluded(b"b"), Bound::Included(b"d")),
            Action::Drop(1),
            Action::Flush,
            Action::Reopen,
            Action::Scan(0, all, all, Direction::Forward),
        ];
        assert_eq!(replay(&target, &program), Ok(()));
        assert_eq!(format!("{:?}", program[0]), r#"Put(b"a\x00", 3, 7)"#);
        assert_eq!(
            format!("{:?}", program[12]),
            r#"Scan(0, Bound::Included(b"a"), Bound::Excluded(b"d"), Direction::Reverse)"#
        );
    }
}
