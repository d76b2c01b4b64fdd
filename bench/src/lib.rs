#![doc = include_str!("../README.md")]

pub mod block_files;
pub mod caches;
mod clock;
mod contenders;
mod contest;
mod data;
pub mod graphs;
mod history;
pub mod http;
mod measure;
mod noise;
mod options;
mod ours;
mod peer;
mod plain_server;
mod plans;
mod room;
mod run;
mod scan_all;
mod stage;
mod stopwatch;
mod table;
mod tangle;
mod target;
mod timing;
pub mod volumes;

use std::error::Error;

pub use options::Options;
pub use run::run;

/// What everything here answers: a benchmark has nobody to tell one error from another.
pub type Outcome<T = ()> = Result<T, Box<dyn Error>>;
