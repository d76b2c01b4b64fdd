//! Random programs beside petgraph.

use super::NEEDS;
use crate::case::Case;
use crate::context::Context;
use crate::model::{Grows, graph_agrees};
use crate::verdict::Verdict;

pub(super) const CASES: &[Case] = &[
    Case::new(
        "graph.random-program-agrees-with-petgraph",
        random_program_agrees,
        "Random programs of every operation leave the graph that petgraph has, and are answered alike, with directions and \
         without.",
        "Cases that somebody thought of don't have what nobody thought of.",
    )
    .needs(NEEDS),
    Case::new(
        "graph.random-program-at-versions-agrees-with-petgraph",
        random_program_at_versions_agrees,
        "Random programs that go on at new versions and on branches leave at each version the graph that petgraph had there.",
        "A version is read long after it was written, through what later ones have put above it.",
    )
    .needs(NEEDS),
];

fn random_program_agrees(ctx: &Context) -> Verdict {
    graph_agrees(ctx, "graph.random-program-agrees-with-petgraph", Grows::Flat)
}

fn random_program_at_versions_agrees(ctx: &Context) -> Verdict {
    graph_agrees(ctx, "graph.random-program-at-versions-agrees-with-petgraph", Grows::Versions)
}
