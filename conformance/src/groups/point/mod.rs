//! Reads and writes of single keys.

mod keys;
mod values;

use crate::case::Case;

pub(super) const CASES: [&[Case]; 2] = [values::CASES, keys::CASES];
