#![doc = include_str!("../README.md")]

mod aio;
mod check;
mod chunk_store;
mod compact;
mod create;
mod element;
mod frames;
mod head;
mod io;
mod json;
mod opened;
mod pool;
mod progress;
mod records;
mod relocate;
mod scales;
mod seal;
mod spec;
mod table;
mod verify;
mod volume;
mod writer;

pub mod blosc;

pub use aio::AsyncBlockFs;
pub use check::{DirectoryContents, check_directory, check_records};
pub use compact::{Compacted, compact};
pub use element::ElementType;
pub use pool::WriterPool;
pub use progress::{Progress, Stage, Watch};
pub use relocate::{Relocation, rebase, relocate};
pub use scales::BlockScales;
pub use spec::BlockFsSpec;
pub use verify::{Counts, Damage, Verified};
pub use volume::{BlockFs, BlockState, Info};
pub use writer::{BlockWriter, WriterOptions};
