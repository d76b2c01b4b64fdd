//! Random programs of operations.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use engine_api::{Capabilities, Direction, Durability, Reads};
use proptest::collection::vec;
use proptest::sample::select;
use proptest::strategy::{BoxedStrategy, Just, Strategy as _};

use super::{Action, Shape};
use crate::checks::fitting_value;
use crate::model::drive::{Machine, either};
use crate::model::interned;
use crate::model::regression::Kind;
use crate::need::Need;

type Key = &'static [u8];
type Ends = (Bound<Key>, Bound<Key>);

/// How many views are kept at once.
const KEPT: usize = 3;

/// Programs that a store of these capabilities must play.
pub(super) struct Operations {
    shape: Shape,
    value: usize,
    capabilities: Capabilities,
    kept: usize,
}

/// What is in the store, and which views are kept.
#[derive(Clone, Debug, Default)]
pub(super) struct State {
    entries: BTreeMap<Key, (usize, u8)>,
    views: BTreeSet<usize>,
}

impl Operations {
    pub(super) fn new(shape: Shape, capabilities: Capabilities) -> Self {
        // One is left for the reads that take a view of their own.
        let slots = capabilities.limits.views.map_or(KEPT, |views| views.saturating_sub(1).min(KEPT));
        Self {
            shape,
            value: fitting_value(&capabilities.limits, shape.value),
            kept: if matches!(capabilities.reads, Reads::Snapshot) { slots } else { 0 },
            capabilities,
        }
    }

    fn has(&self, need: Need) -> bool {
        need.unmet_by(&self.capabilities).is_none()
    }

    /// A short key of few letters behind the stem: keys meet often, and extend each other.
    fn key(&self) -> BoxedStrategy<Key> {
        let stem = vec![b's'; self.shape.stem];
        let shortest = usize::from(self.shape.stem > 0 || !self.capabilities.limits.empty_key);
        let letters = select(&[b'a', b'b', 0x00, 0x01, 0xFE, 0xFF][..]);
        vec(letters, shortest..=3).prop_map(move |end| interned::bytes(&[&stem[..], &end].concat())).boxed()
    }

    /// A key that is there, as often as not.
    fn likely(&self, state: &State) -> BoxedStrategy<Key> {
        let there: Vec<Key> = state.entries.keys().copied().collect();
        if there.is_empty() { self.key() } else { either([(1, self.key()), (1, select(there).boxed())]) }
    }

    /// The ends of a range, now and then the wrong way round.
    fn ends(&self) -> BoxedStrategy<Ends> {
        let end = either([
            (3, self.key().prop_map(Bound::Included).boxed()),
            (3, self.key().prop_map(Bound::Excluded).boxed()),
            (1, Just(Bound::Unbounded).boxed()),
        ]);
        let key = |end: &Bound<Key>| match *end {
            Bound::Included(key) | Bound::Excluded(key) => Some(key),
            Bound::Unbounded => None,
        };
        (end.clone(), end, 0..10_u8)
            .prop_map(move |(one, other, order)| match (key(&one), key(&other)) {
                (Some(low), Some(high)) if (low > high) == (order > 0) => (other, one),
                _ => (one, other),
            })
            .boxed()
    }

    fn direction(&self) -> BoxedStrategy<Direction> {
        if self.has(Need::Reverse) {
            select(&[Direction::Forward, Direction::Reverse][..]).boxed()
        } else {
            Just(Direction::Forward).boxed()
        }
    }

    fn write(&self, state: &State) -> BoxedStrategy<Action> {
        let put = (self.likely(state), 0..=self.value, proptest::num::u8::ANY)
            .prop_map(|(key, length, byte)| Action::Put(key, length, byte));
        let mut writes = vec![(8, put.boxed()), (3, self.likely(state).prop_map(Action::Delete).boxed())];
        if self.has(Need::DeleteRange) {
            let range = self.ends().prop_map(|(low, high)| Action::DeleteRange(low, high));
            writes.push((1, range.boxed()));
        }
        either(writes)
    }

    /// Something that holds, mostly.
    fn requirement(&self, state: &State) -> BoxedStrategy<Action> {
        let there: Vec<_> = state.entries.iter().map(|(key, value)| (*key, *value)).collect();
        let mut requirements = vec![
            (1, self.key().prop_map(Action::RequireAbsent).boxed()),
            (1, (self.key(), 0..=self.value).prop_map(|(key, n)| Action::RequireEquals(key, n, 0)).boxed()),
        ];
        if !there.is_empty() {
            let equal =
                select(there.clone()).prop_map(|(key, (n, byte))| Action::RequireEquals(key, n, byte));
            let present = select(there).prop_map(|(key, _)| Action::RequirePresent(key));
            requirements.extend([(3, equal.boxed()), (2, present.boxed())]);
        }
        either(requirements)
    }

    fn batch(&self, state: &State) -> BoxedStrategy<Action> {
        let most = self.capabilities.limits.batch_ops.unwrap_or(8).min(8);
        let few = vec(self.write(state), 0..=most);
        let requirements = if self.has(Need::Conditional) {
            let some = vec(self.requirement(state), 1..=2);
            either([(1, Just(Vec::new()).boxed()), (1, some.boxed())])
        } else {
            Just(Vec::new()).boxed()
        };
        let durability = if self.shape.reopens {
            select(self.capabilities.durability.levels()).boxed()
        } else {
            Just(Durability::Relaxed).boxed()
        };
        (durability, requirements, few)
            .prop_map(|(durability, mut inner, writes)| {
                inner.extend(writes);
                Action::Batch(durability, inner.leak())
            })
            .boxed()
    }

    fn reads(&self, state: &State) -> BoxedStrategy<Action> {
        let range = || (view(state), self.ends(), self.direction());
        let scan = range().prop_map(|(view, (low, high), way)| Action::Scan(view, low, high, way));
        let seek = (range(), vec(self.likely(state), 1..=3))
            .prop_map(|((view, (low, high), way), to)| Action::Seek(view, low, high, way, to.leak()));
        let cursor =
            (range(), 0..6_usize, self.likely(state)).prop_map(|((view, (low, high), way), moves, to)| {
                Action::Cursor(view, low, high, way, moves, to)
            });
        either([
            (2, (view(state), self.likely(state)).prop_map(|(v, key)| Action::Get(v, key)).boxed()),
            (1, (view(state), self.likely(state)).prop_map(|(v, key)| Action::Exists(v, key)).boxed()),
            (3, scan.boxed()),
            (2, seek.boxed()),
            (2, cursor.boxed()),
        ])
    }
}

/// Which view is read: a fresh one, or one that is kept.
fn view(state: &State) -> BoxedStrategy<usize> {
    let kept: Vec<_> = state.views.iter().copied().collect();
    if kept.is_empty() { Just(0).boxed() } else { either([(1, Just(0).boxed()), (1, select(kept).boxed())]) }
}

impl Machine for Operations {
    type State = State;
    type Action = Action;

    fn kind(&self) -> Kind {
        Kind::Store
    }

    fn actions(&self, state: &State) -> BoxedStrategy<Action> {
        let mut actions = vec![
            (10, self.write(state)),
            (5, self.batch(state)),
            (9, self.reads(state)),
            (1, Just(Action::Flush).boxed()),
        ];
        if self.has(Need::Conditional) {
            actions.push((1, self.requirement(state)));
        }
        if self.kept > 0 {
            actions.push((2, (1..=self.kept).prop_map(Action::View).boxed()));
        }
        if !state.views.is_empty() {
            let kept: Vec<_> = state.views.iter().copied().collect();
            actions.push((1, select(kept).prop_map(Action::Drop).boxed()));
        }
        if self.shape.reopens {
            actions.push((1, Just(Action::Reopen).boxed()));
        }
        either(actions)
    }

    fn allows(&self, state: &State, action: &Action) -> bool {
        match action {
            Action::Drop(view) => state.views.contains(view),
            Action::Get(view, _)
            | Action::Exists(view, _)
            | Action::Scan(view, ..)
            | Action::Seek(view, ..)
            | Action::Cursor(view, ..) => *view == 0 || state.views.contains(view),
            _ => true,
        }
    }

    fn next(&self, mut state: State, action: &Action) -> State {
        match action {
            Action::View(view) => drop(state.views.insert(*view)),
            Action::Drop(view) => drop(state.views.remove(view)),
            Action::Reopen => state.views.clear(),
            Action::Batch(_, inner) if !inner.iter().all(|action| holds(&state.entries, action)) => {}
            Action::Batch(_, inner) => inner.iter().for_each(|action| apply(&mut state.entries, action)),
            other => apply(&mut state.entries, other),
        }
        state
    }
}

/// Whether a requirement holds; whatever else an action is, it requires nothing.
fn holds(entries: &BTreeMap<Key, (usize, u8)>, action: &Action) -> bool {
    match action {
        Action::RequireAbsent(key) => !entries.contains_key(key),
        Action::RequirePresent(key) => entries.contains_key(key),
        Action::RequireEquals(key, 0, _) => entries.get(key).is_some_and(|(length, _)| *length == 0),
        Action::RequireEquals(key, length, byte) => entries.get(key) == Some(&(*length, *byte)),
        _ => true,
    }
}

fn apply(entries: &mut BTreeMap<Key, (usize, u8)>, action: &Action) {
    match action {
        Action::Put(key, length, byte) => drop(entries.insert(key, (*length, *byte))),
        Action::Delete(key) => drop(entries.remove(key)),
        Action::DeleteRange(low, high) => {
            entries.retain(|key, _| !engine_api::KeyRange::new::<Key>((*low, *high)).contains(key));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use engine_api::{Engine as _, MEMORY};

    use super::*;
    use crate::model::drive::Program;

    /// How often something was met.
    #[derive(Debug, Default)]
    struct Met {
        holding: usize,
        failing: usize,
        views_of_the_past: usize,
        kinds: BTreeSet<String>,
    }

    fn met(shape: Shape, seeds: u64) -> Met {
        let mut met = Met::default();
        for seed in 0..seeds {
            let operations = || Operations::new(shape, MEMORY.descriptor().capabilities);
            let machine = operations();
            let mut state = State::default();
            // What was there when each view was taken.
            let mut taken = BTreeMap::new();
            for action in Program::new(operations(), seed, 200).unwrap().actions() {
                assert!(machine.allows(&state, &action), "{action:?}");
                let name = format!("{action:?}");
                met.kinds.insert(name.split('(').next().unwrap_or_default().to_owned());
                match action {
                    Action::Batch(_, inner)
                        if inner.iter().any(|inner| format!("{inner:?}").starts_with("Require")) =>
                    {
                        let holds = inner.iter().all(|inner| holds(&state.entries, inner));
                        *if holds { &mut met.holding } else { &mut met.failing } += 1;
                    }
                    Action::View(view) => drop(taken.insert(view, state.entries.clone())),
                    Action::Scan(view, ..) | Action::Get(view, _) | Action::Cursor(view, ..) if view > 0 => {
                        met.views_of_the_past += usize::from(taken[&view] != state.entries);
                    }
                    _ => {}
                }
                state = machine.next(state, &action);
            }
        }
        met
    }

    #[test]
    fn programs_meet_what_they_are_for() {
        let few = met(Shape::SMALL_KEYS, 10);
        assert!(few.holding > 30 && few.failing > 30 && few.views_of_the_past > 50, "{few:?}");
        let all = [
            "Batch",
            "Cursor",
            "Delete",
            "DeleteRange",
            "Drop",
            "Exists",
            "Flush",
            "Get",
            "Put",
            "RequireAbsent",
            "RequireEquals",
            "RequirePresent",
            "Scan",
            "Seek",
            "View",
        ];
        assert!(few.kinds.iter().eq(all), "{few:?}");
        assert!(met(Shape::REOPENING, 3).kinds.contains("Reopen"));
    }
}
