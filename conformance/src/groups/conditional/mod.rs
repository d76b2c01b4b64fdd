//! Requirements of batches, and transactions made of them.

mod requirements;
mod update;

use crate::case::Case;

pub(super) const CASES: [&[Case]; 2] = [requirements::CASES, update::CASES];
