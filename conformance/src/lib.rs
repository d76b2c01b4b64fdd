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
mod outcome;
mod repeat;
mod report;
mod rng;
mod runner;
mod serve;
mod target;
mod verdict;
mod watchdog;

pub use case::Case;
pub use catalogue::catalogue;
pub use harness::harness;
pub use level::{Holds, Level, Standing};
pub use model::{Action, GraphAction, VersionAction, replay, replay_graph, replay_versions};
pub use need::Need;
pub use outcome::{CaseReport, Failure, Outcome};
pub use report::{Report, cases_markdown, catalogue_markdown, html_page, levels_markdown, options_markdown};
pub use runner::{Progress, run, run_with};
pub use serve::serve_child;
pub use target::{Options, Target};
