#![doc = include_str!("../README.md")]

mod case;
mod catalogue;
mod checks;
mod child;
mod context;
mod crash;
mod groups;
mod harness;
mod model;
mod need;
mod oracle;
mod report;
mod rng;
mod runner;
mod target;
mod verdict;

pub use case::Case;
pub use catalogue::catalogue;
pub use child::serve_child;
pub use harness::harness;
pub use model::{Action, replay};
pub use need::Need;
pub use report::{CaseReport, Outcome, Report, catalogue_markdown, options_markdown};
pub use runner::{run, run_with};
pub use target::{Options, Target};
