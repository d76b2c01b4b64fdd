#![doc = include_str!("../README.md")]

mod chunk_store;
mod element;
mod head;
mod io;
mod json;
mod opened;
mod records;
mod seal;
mod spec;
mod table;
mod volume;
mod writer;

pub mod blosc;

pub use element::ElementType;
pub use spec::BlockFsSpec;
pub use volume::{BlockFs, BlockState, Info};
pub use writer::{BlockWriter, WriterOptions};
