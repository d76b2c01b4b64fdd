//! Opening, closing and destroying stores.

mod creating;
mod modes;
mod places;

use crate::case::Case;

pub(super) const CASES: [&[Case]; 3] = [modes::CASES, places::CASES, creating::CASES];
