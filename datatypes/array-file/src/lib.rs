#![doc = include_str!("../README.md")]

mod array;
mod attribute;
mod buffers;
mod cache;
mod catalog;
mod cells;
mod check;
mod codec;
mod commits;
mod config;
mod coord;
mod dtype;
mod dtype_names;
mod element;
mod encode;
mod error;
mod fetch;
mod file;
mod io;
mod layer;
mod local_disk;
mod locate;
mod manifest;
mod names;
mod objects;
mod pending;
mod runs;
mod snapshot;
mod spec;
mod stats;
mod stats_file;
mod sync;
mod transfer;
mod value;
mod wire;

pub use array::{ArrayMeta, MAX_RANK};
pub use attribute::AttributeValue;
pub use cache::BlockCache;
pub use check::{LayerContents, ManifestContents, check_head, check_layer, check_manifest, check_stats};
pub use codec::{BlockCodec, CodecRegistry, CompressionCodec};
pub use config::{
    DEFAULT_BLOCK_TARGET_SIZE, DEFAULT_CACHE_CAPACITY, DEFAULT_GRACE, DEFAULT_IO_CACHE_CAPACITY,
    DEFAULT_WRITE_BUFFER_SIZE, FileConfig,
};
pub use dtype::DType;
pub use element::{ArrayElement, List, TimestampNs};
pub use error::{Error, Result};
pub use file::{ArrayFile, ChunkInfo, CommitInfo, Swept};
pub use local_disk::LocalDisk;
pub use objects::{FileObject, ObjectRole, list_objects};
pub use spec::ArraySpec;
pub use stats::{ArrayStats, StatValue};
pub use sync::{ArrayChunks, ArrayScales, SyncFile};
pub use value::FillValue;
