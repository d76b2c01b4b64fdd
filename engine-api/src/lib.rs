#![doc = include_str!("../README.md")]

pub mod aio;
pub mod embedded;
mod ext;
pub mod graph;
pub mod key;
pub mod layers;
mod memory;
mod registry;
#[doc = include_str!("../SPECIFICATION.md")]
pub mod specification {}
mod spi;
pub mod version;

pub use bytes::Bytes;
pub use inventory;
pub use semver;
pub use uuid::Uuid;

pub use ext::{Cursor, Entries, Entry, KeyRange, StoreExt, Txn, ViewExt};
pub use memory::{MEMORY, MemoryEngine, MemoryStore};
pub use registry::{Registration, Registry, engines_available};
pub use spi::{
    Advance, Atomicity, Capabilities, Conditional, Config, DeleteRange, Descriptor, Direction, Durability,
    DurabilityLevels, Engine, Error, ErrorKind, Execution, Expected, Fetch, Limits, LoadValue, Op, OpenMode,
    Opened, OptionKind, OptionSpec, OptionValue, Persistence, Processes, Reads, Repaired, Requirement,
    Requirements, Result, Retry, Reverse, Scan, Step, Store, Value, View, Visitor, WriteBatch, Writers,
    parse_bytes, visitor,
};
