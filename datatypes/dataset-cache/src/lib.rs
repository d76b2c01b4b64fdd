#![doc = include_str!("../README.md")]

mod blocks;
mod cache;
mod cached;
mod checksum;
mod clock;
mod commit;
mod file;
mod flight;
mod header;
mod index;
mod key;
mod load;
mod lock;
mod lookup;
#[cfg(unix)]
mod map;
mod node;
mod numbers;
mod options;
mod pins;
mod space;
mod statistics;
mod storage;
mod tree;

pub use blocks::BlockInfo;
pub use cache::{DatasetCache, EntryInfo, Found, Progress, Value, Verified};
pub use cached::Cached;
pub use clock::Clock;
pub use file::{DiskFile, MemoryFile, StorageFile};
pub use key::{CacheKey, DatasetId};
pub use options::CacheOptions;
pub use statistics::Statistics;
pub use storage::BlockStorage;
