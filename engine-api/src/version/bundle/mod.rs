#![doc = include_str!("../../../BUNDLE.md")]

mod apply;
mod clone;
mod entries;
mod format;
mod header;
mod plan;
mod read;
mod write;

pub use apply::{Applied, ApplyOptions, apply_bundle};
pub use clone::clone_repo;
pub use format::BundleCounts;
pub use header::{BundleHeader, BundledInstance, BundledRepo, BundledTag, BundledVersion};
pub use read::read_bundle;
pub use write::{Selection, create_bundle};
