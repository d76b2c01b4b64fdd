//! Random histories.

use std::collections::BTreeSet;
use std::ops::Bound;

use proptest::collection::vec;
use proptest::option::of;
use proptest::sample::select;
use proptest::strategy::{BoxedStrategy, Just, Strategy as _};

use super::dag::Dag;
use super::{VersionAction, Weights};
use crate::model::drive::{Machine, either};
use crate::model::interned;
use crate::model::regression::Kind;

type Key = &'static [u8];

/// Few, so that versions meet in them.
const KEYS: &[Key] = &[b"a", b"b", b"", b"a\x00", b"ab", b"\x7f", b"\xff"];

/// Enough for merges of merges; more make a history slow to judge by the rule on sets.
const MOST_VERSIONS: usize = 14;

/// Histories of versions, writes and reads.
pub(super) struct Histories {
    weights: Weights,
    persistent: bool,
}

impl Histories {
    pub(super) fn new(weights: Weights, persistent: bool) -> Self {
        Self { weights, persistent }
    }
}

/// Mostly one of two, on which versions meet.
fn key() -> BoxedStrategy<Key> {
    either([(4, select(&KEYS[..2]).boxed()), (1, select(KEYS).boxed())])
}

fn value() -> BoxedStrategy<Key> {
    let text = (0..1000_u32).prop_map(|number| interned::bytes(format!("v{number}").as_bytes()));
    either([(7, text.boxed()), (1, Just(&b""[..]).boxed())])
}

fn bound() -> BoxedStrategy<Bound<Key>> {
    either([
        (2, key().prop_map(Bound::Included).boxed()),
        (2, key().prop_map(Bound::Excluded).boxed()),
        (1, Just(Bound::Unbounded).boxed()),
    ])
}

/// One of the versions that `wanted` is true of, mostly; now and then any.
fn version(dag: &Dag, wanted: impl Fn(usize) -> bool) -> BoxedStrategy<usize> {
    let some: Vec<_> = (1..=dag.len()).filter(|number| wanted(*number)).collect();
    let any = (1..=dag.len()).boxed();
    if some.is_empty() { any } else { either([(24, select(some).boxed()), (1, any)]) }
}

/// Up to four versions, mostly of those that `wanted` is true of.
fn several(dag: &Dag, wanted: impl Fn(usize) -> bool) -> BoxedStrategy<&'static [usize]> {
    let distinct = |mut nodes: Vec<usize>| {
        let mut seen = BTreeSet::new();
        nodes.retain(|node| seen.insert(*node));
        &*nodes.leak()
    };
    // More are drawn than are needed, for one may be drawn twice.
    vec(version(dag, wanted), 3..=4).prop_map(distinct).boxed()
}

impl Machine for Histories {
    type State = Dag;
    type Action = VersionAction;

    fn kind(&self) -> Kind {
        Kind::Versions
    }

    fn actions(&self, dag: &Dag) -> BoxedStrategy<VersionAction> {
        let open = || version(dag, |number| dag.is_open(number));
        let committed = || version(dag, |number| !dag.is_open(number));
        let any = || (1..=dag.len()).boxed();
        let put = (open(), key(), value()).prop_map(|(at, key, value)| VersionAction::Put(at, key, value));
        let delete = (open(), key()).prop_map(|(at, key)| VersionAction::Delete(at, key));
        let range =
            (open(), bound(), bound()).prop_map(|(at, low, high)| VersionAction::DeleteRange(at, low, high));
        let batch = (open(), vec((key(), of(value())), 1..=3))
            .prop_map(|(at, edits)| VersionAction::Batch(at, edits.leak()));
        let written = version(dag, |number| dag.is_written(number));
        let merges = dag.open_merges();
        let sides = if merges.is_empty() { (any(), any()).boxed() } else { select(merges.clone()).boxed() };
        let resolve = (sides, key()).prop_map(|((at, side), key)| VersionAction::Resolve(at, key, side));
        let conflicts =
            either([(1, any().prop_map(|node| &*vec![node].leak()).boxed()), (2, several(dag, |_| true))]);
        let Weights { keys, ranges, conflicts: listed } = self.weights;
        let count = |wanted: &dyn Fn(usize) -> bool| (1..=dag.len()).filter(|number| wanted(*number)).count();
        let is_committed = |number| !dag.is_open(number);
        // What is refused is drawn on purpose, and seldom because there is nothing else to draw.
        let often = |weight, can: bool| if can { weight } else { 1 };
        let open_ones = count(&|number| dag.is_open(number));
        let writable = open_ones > 0;
        let some_written = count(&|number| dag.is_written(number)) > 0;
        let mut actions = vec![
            (often(16, writable), put.boxed()),
            (often(6, writable), delete.boxed()),
            (often(2, writable), range.boxed()),
            (often(3, writable), batch.boxed()),
            (often(12, !merges.is_empty()), resolve.boxed()),
            (often(12, some_written), written.prop_map(VersionAction::Commit).boxed()),
            (keys, (any(), key()).prop_map(|(at, key)| VersionAction::Get(at, key)).boxed()),
            (
                ranges,
                (any(), bound(), bound())
                    .prop_map(|(at, low, high)| VersionAction::Range(at, low, high))
                    .boxed(),
            ),
            (listed, conflicts.prop_map(VersionAction::Conflicts).boxed()),
        ];
        if dag.len() < MOST_VERSIONS {
            // Few at a time, so that they are written, committed and merged rather than forgotten.
            let room = open_ones < 3 && count(&is_committed) > 0;
            let heads = count(&|number| dag.is_head(number));
            let from_heads = several(dag, |number| dag.is_head(number));
            let from_any = several(dag, is_committed);
            actions.extend([
                (often(4, room), committed().prop_map(VersionAction::NewVersion).boxed()),
                (often(12, room), committed().prop_map(VersionAction::Branch).boxed()),
                (often(24, heads > 1), from_heads.prop_map(VersionAction::Merge).boxed()),
                (often(2, count(&is_committed) > 1), from_any.prop_map(VersionAction::Merge).boxed()),
            ]);
        }
        if self.persistent {
            actions.push((1, Just(VersionAction::Reopen).boxed()));
        }
        either(actions)
    }

    fn allows(&self, dag: &Dag, action: &VersionAction) -> bool {
        dag.has_versions_of(action)
    }

    fn next(&self, mut dag: Dag, action: &VersionAction) -> Dag {
        dag.apply(action);
        dag
    }
}
