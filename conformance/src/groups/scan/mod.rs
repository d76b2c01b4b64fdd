//! Scans of ranges.

mod bounds;
mod order;
mod seek;
mod visiting;

use crate::case::Case;

pub(super) const CASES: [&[Case]; 4] = [order::CASES, bounds::CASES, seek::CASES, visiting::CASES];
