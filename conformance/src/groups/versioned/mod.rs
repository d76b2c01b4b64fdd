//! Versions on the engine: the layer is written once, and rests on what the engine does.

mod keys;
mod lab;
mod layer;
mod merges;
mod random;
mod ranges;
mod read_rule;
mod writes;

use crate::case::Case;
use crate::need::Need;

pub(super) const CASES: [&[Case]; 7] =
    [read_rule::CASES, merges::CASES, writes::CASES, keys::CASES, ranges::CASES, layer::CASES, random::CASES];

/// What versions need of an engine, and room for the keys of the cases in full.
const NEEDS: &[Need] = &[Need::AtomicBatches, Need::Conditional, Need::KeysOf(128)];
