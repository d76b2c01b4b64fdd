//! What survives a disk that forgets, fails or is full.

mod cuts;
mod faults;

use engine_api::Durability;

use crate::case::Case;
use crate::need::Need;

pub(super) const CASES: [&[Case]; 2] = [cuts::CASES, faults::CASES];

/// An engine that doesn't declare that commits survive a power cut isn't asked what does.
const NEEDS: &[Need] = &[
    Need::Persistent,
    Need::DurableTo(Durability::Power),
    Need::AtomicBatches,
    Need::LocalPath,
    Need::ChildProcess,
    Need::PowerLoss,
];
