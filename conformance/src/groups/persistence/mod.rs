//! What stays.

mod kill;
mod reopen;

use crate::case::Case;

pub(super) const CASES: [&[Case]; 2] = [reopen::CASES, kill::CASES];
