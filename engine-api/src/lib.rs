//! The contract for ordered key-value engines, and everything that is written once above them.
//!
//! - An author of an engine implements [`Engine`], [`Store`] and [`View`]: nine methods.
//! - An application opens a store by URL through a [`Registry`], and calls [`StoreExt`] and [`ViewExt`].
//!
//! ```
//! use engine_api::{Registry, StoreExt};
//!
//! # fn main() -> engine_api::Result<()> {
//! let store = Registry::linked()?.open("memory:")?.store;
//! store.put("greeting", "hello")?;
//! assert_eq!(store.get("greeting")?.as_deref(), Some(b"hello".as_slice()));
//! # Ok(())
//! # }
//! ```

pub mod aio;
mod ext;
pub mod key;
pub mod layers;
mod memory;
mod registry;
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
    Result, Retry, Reverse, Scan, Step, Store, Value, View, Visitor, WriteBatch, Writers, visitor,
};
