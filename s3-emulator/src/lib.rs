#![doc = include_str!("../README.md")]

mod answer;
mod bucket;
mod emulator;
mod faults;
mod list;
mod operation;
mod request;
mod signature;

pub use emulator::{Emulator, KEY_ID, REGION, SECRET};
pub use faults::Conditions;
pub use request::Asked;
