//! Opening, closing and destroying stores.

mod modes;
mod places;

use crate::case::Case;

pub(super) const CASES: [&[Case]; 2] = [modes::CASES, places::CASES];
