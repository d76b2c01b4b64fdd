//! Processes that commit numbered batches and come to a sudden end, and what must be there afterwards.

mod batches;
mod ledger;
mod machine;
mod running;
mod script;

pub(crate) use ledger::Ledger;
pub(crate) use machine::{Fault, Machine};
pub(crate) use running::{Moment, Running, Told};
pub(crate) use script::{Pace, Script};
