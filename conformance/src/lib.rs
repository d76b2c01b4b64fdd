#![doc = include_str!("../README.md")]

mod case;
mod catalogue;
mod checks;
mod child;
mod context;
mod crash;
mod groups;
mod harness;
mod history;
mod jobs;
mod level;
mod linearisable;
mod model;
pub mod mutants;
mod need;
mod oracle;
mod repeat;
mod report;
mod rng;
mod runner;
mod target;
mod verdict;
mod watchdog;

pub use case::Case;
pub use catalogue::catalogue;
pub use child::serve_child;
pub use harness::harness;
pub use level::{Holds, Level, Standing};
pub use model::{Action, VersionAction, replay, replay_versions};
pub use need::Need;
pub use report::{
    CaseReport, Failure, Outcome, Report, cases_markdown, catalogue_markdown, html_page, levels_markdown,
    options_markdown,
};
pub use runner::{Progress, run, run_with};
pub use target::{Options, Target};
