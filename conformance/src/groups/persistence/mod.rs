//! What stays.

mod crash;
mod kill;
mod reopen;

use crate::case::Case;

pub(super) const CASES: [&[Case]; 3] = [reopen::CASES, kill::CASES, crash::CASES];
