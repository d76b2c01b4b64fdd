//! The contract between engines and everything above them: all that an author of an engine implements.

mod batch;
mod capabilities;
mod config;
mod durability;
mod engine;
mod error;
mod scan;
mod store;

pub use batch::{Expected, Op, Requirement, WriteBatch};
pub use capabilities::{
    Atomicity, Capabilities, Conditional, DeleteRange, Execution, Limits, Persistence, Processes, Reads,
    Reverse, Writers,
};
pub use config::{Config, OpenMode, OptionKind, OptionSpec, OptionValue};
pub use durability::{Durability, DurabilityLevels};
pub use engine::{Descriptor, Engine, Opened, Repaired};
pub use error::{Error, ErrorKind, Result, Retry};
pub use scan::{Advance, Direction, Fetch, LoadValue, Scan, Step, Value, Visitor, visitor};
pub use store::{Store, View};
