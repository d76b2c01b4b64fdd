//! Decorators: stores that wrap a store.

mod faulty;
mod immutable;
mod metered;
mod read_only;
mod relaxed;

pub use faulty::{Fault, Faults, Faulty};
pub use immutable::Immutable;
pub use metered::{Metered, Usage};
pub use read_only::ReadOnly;
pub use relaxed::Relaxed;
