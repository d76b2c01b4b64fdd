#![doc = include_str!("../README.md")]

mod reduce;
mod reducer;

pub use reduce::{coarser_region, reduce_region};
pub use reducer::Reducer;
