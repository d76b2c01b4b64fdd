//! Decorators: stores that wrap a store.

mod faulty;
mod read_only;

pub use faulty::{Fault, Faults, Faulty};
pub use read_only::ReadOnly;
