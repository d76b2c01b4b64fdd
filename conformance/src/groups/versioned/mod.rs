//! Versions on the engine: the layer is written once, and rests on what the engine does.

mod batches;
mod conflicts;
mod deletes;
mod history;
mod keys;
mod lab;
mod layer;
mod merges;
mod random;
mod ranges;
mod raw;
mod read_rule;
mod scale;
mod stories;
mod writes;

use crate::case::Case;
use crate::need::Need;

pub(super) const CASES: [&[Case]; 14] = [
    read_rule::CASES,
    merges::CASES,
    conflicts::CASES,
    writes::CASES,
    deletes::CASES,
    batches::CASES,
    raw::CASES,
    keys::CASES,
    ranges::CASES,
    history::CASES,
    stories::CASES,
    scale::CASES,
    layer::CASES,
    random::CASES,
];

/// What versions need of an engine, and room for the keys of the cases in full.
const NEEDS: &[Need] = &[Need::AtomicBatches, Need::Conditional, Need::KeysOf(128)];
