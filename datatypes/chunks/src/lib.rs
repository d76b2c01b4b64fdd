#![doc = include_str!("../README.md")]

mod axes;
mod buffer;
mod cells;
mod codec;
mod coords;
mod copy;
mod dtype;
mod fill;
mod grid;
mod memory;
mod memory_scales;
mod multiscale;
mod pages;
mod region;
mod region_io;
mod scales;
mod source;
mod store;
mod walk;
mod workers;

pub use axes::MAX_RANK;
pub use buffer::zeroed;
pub use cells::coarser_region;
pub use codec::{
    Codec, Compression, FRAME_HEADER_BYTES, decode_chunk, decode_frame, encode_frame, plain_elements,
    reference_frame, reference_of,
};
pub use coords::{Coords, decode_coords, encode_coords};
pub use copy::{copy_region, fill_region};
pub use dtype::DType;
pub use fill::Fill;
pub use grid::{Grid, MAX_CHUNK_BYTES};
pub use memory::MemoryChunks;
pub use memory_scales::MemoryScales;
pub use multiscale::{Derived, DerivedChunks, MultiscaleStore, ScaleReader};
pub use pages::lay_on_large_pages;
pub use region::Region;
pub use region_io::{read_region, write_region};
pub use scales::{MAX_SCALES, Scales};
pub use source::{ChunkSource, EncodedChunk, encode_chunks};
pub use store::{ChunkSink, ChunkStore, stored_chunks};
pub use walk::ChunksIn;
pub use workers::{for_each_parallel, for_each_waiting, limit_workers, worker_count};
