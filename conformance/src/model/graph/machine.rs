//! Random programs of graphs.

use proptest::collection::vec;
use proptest::prelude::any;
use proptest::sample::select;
use proptest::strategy::{BoxedStrategy, Just, Strategy as _};

use super::{GraphAction, Grows};
use crate::model::drive::{Machine, either};
use crate::model::regression::Kind;

/// Numbers of several lengths; few, so that edges meet.
pub(super) const IDS: [u64; 6] = [0, 1, 2, 256, 65_536, u64::MAX];
pub(super) const NAMES: [&str; 4] = ["", "a", "ab", "\u{e9}\0"];
/// Enough to go back to; each takes a comparison at the end.
const MOST_VERSIONS: usize = 10;

pub(super) struct Graphs {
    grows: Grows,
    persistent: bool,
}

impl Graphs {
    pub(super) fn new(grows: Grows, persistent: bool) -> Self {
        Self { grows, persistent }
    }
}

fn id() -> BoxedStrategy<u64> {
    either([(3, select(&IDS[..3]).boxed()), (1, select(&IDS[..]).boxed())])
}

fn name() -> BoxedStrategy<&'static str> {
    select(&NAMES[..]).boxed()
}

fn weight() -> BoxedStrategy<f64> {
    // Halves are short in a message.
    either([(6, (-8_i8..8).prop_map(|number| f64::from(number) / 2.0).boxed()), (1, Just(1e300).boxed())])
}

impl Machine for Graphs {
    /// How many versions there are beyond the first.
    type State = usize;
    type Action = GraphAction;

    fn kind(&self) -> Kind {
        Kind::Graph(self.grows)
    }

    fn actions(&self, versions: &usize) -> BoxedStrategy<GraphAction> {
        use GraphAction as Do;
        let mut actions = vec![
            (8, (id(), weight()).prop_map(|(id, weight)| Do::AddVertex(id, weight)).boxed()),
            (12, (id(), id(), weight()).prop_map(|(from, to, weight)| Do::AddEdge(from, to, weight)).boxed()),
            (2, (id(), weight()).prop_map(|(id, weight)| Do::WeighVertex(id, weight)).boxed()),
            (
                2,
                (id(), id(), weight()).prop_map(|(from, to, weight)| Do::WeighEdge(from, to, weight)).boxed(),
            ),
            (
                4,
                (id(), name(), any::<u8>())
                    .prop_map(|(id, name, value)| Do::SetVertexProperty(id, name, value))
                    .boxed(),
            ),
            (
                6,
                (id(), id(), name(), any::<u8>())
                    .prop_map(|(from, to, name, value)| Do::SetEdgeProperty(from, to, name, value))
                    .boxed(),
            ),
            (4, id().prop_map(Do::RemoveVertex).boxed()),
            (4, (id(), id()).prop_map(|(from, to)| Do::RemoveEdge(from, to)).boxed()),
            (1, (id(), name()).prop_map(|(id, name)| Do::RemoveVertexProperty(id, name)).boxed()),
            (
                2,
                (id(), id(), name())
                    .prop_map(|(from, to, name)| Do::RemoveEdgeProperty(from, to, name))
                    .boxed(),
            ),
            (
                3,
                (vec((id(), id()), 1..6), weight())
                    .prop_map(|(edges, weight)| Do::Load(edges.leak(), weight))
                    .boxed(),
            ),
            (1, any::<bool>().prop_map(Do::Anew).boxed()),
            (3, Just(Do::Compare).boxed()),
        ];
        if self.grows == Grows::Versions && *versions < MOST_VERSIONS {
            actions.push((4, Just(Do::NextVersion).boxed()));
            actions.push((3, (0..=*versions).prop_map(Do::Branch).boxed()));
        }
        if self.persistent {
            actions.push((1, Just(Do::Reopen).boxed()));
        }
        either(actions)
    }

    fn allows(&self, versions: &usize, action: &GraphAction) -> bool {
        !matches!(action, GraphAction::Branch(version) if version > versions)
    }

    fn next(&self, versions: usize, action: &GraphAction) -> usize {
        versions + usize::from(matches!(action, GraphAction::NextVersion | GraphAction::Branch(_)))
    }
}
