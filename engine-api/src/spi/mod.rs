//! The contract between engines and everything above them: all that an author of an engine implements.

mod batch;
mod capabilities;
mod config;
mod descriptor;
mod durability;
mod engine;
mod error;
mod limits;
mod option;
mod requirements;
mod scan;
mod store;

pub use batch::{Expected, Op, Requirement, WriteBatch};
pub use capabilities::{
    Atomicity, Capabilities, Conditional, DeleteRange, Execution, Persistence, Processes, Reads, Reverse,
    Writers,
};
pub use config::{Config, OpenMode};
pub use descriptor::Descriptor;
pub use durability::{Durability, DurabilityLevels};
pub use engine::{Engine, Opened, Repaired};
pub use error::{Error, ErrorKind, Result, Retry};
pub use limits::Limits;
pub use option::{OptionKind, OptionSpec, OptionValue, parse_bytes};
pub use requirements::Requirements;
pub use scan::{Advance, Direction, Fetch, LoadValue, Scan, Step, Value, Visitor, visitor};
pub use store::{Store, View};
