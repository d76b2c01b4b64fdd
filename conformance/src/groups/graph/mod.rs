//! Graphs on the engine: its own, where it has them, or those in keys and values; with versions and without.

mod edges;
mod graphs;
mod lab;
mod merges;
mod missing;
mod persistence;
mod properties;
mod random;
mod threads;
mod vertices;
mod visits;

use crate::case::Case;
use crate::need::Need;

pub(crate) use persistence::remove_hub;

pub(super) const CASES: [&[Case]; 10] = [
    graphs::CASES,
    vertices::CASES,
    edges::CASES,
    properties::CASES,
    missing::CASES,
    visits::CASES,
    merges::CASES,
    threads::CASES,
    persistence::CASES,
    random::CASES,
];

/// What graphs in keys and values need of an engine, and room for the keys of the cases in full.
const NEEDS: &[Need] = &[Need::AtomicBatches, Need::Conditional, Need::KeysOf(128)];
