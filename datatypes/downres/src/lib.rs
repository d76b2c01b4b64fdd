#![doc = include_str!("../README.md")]

mod coarse_chunk;
mod downscaler;
mod ingest;
mod mutation;
mod recompute;
mod reduce;
mod reducer;
mod updater;
mod verify;
mod zorder;

pub use downscaler::{Downreser, Downscaler};
pub use ingest::{Journal, NoJournal, VoxelSource, WatchIngest, ingest};
pub use mutation::Mutation;
pub use recompute::{ScaleProgress, WatchScales, recompute, recompute_chunks};
pub use reduce::reduce_region;
pub use reducer::Reducer;
pub use updater::{ScaleGuard, Updater};
pub use verify::{Stale, verify};
