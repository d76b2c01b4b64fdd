//! Neuroglancer's precomputed volumes: a folder with a description, `info`, and a folder of chunks per scale.
//!
//! The layout is that of
//! <https://github.com/google/neuroglancer/blob/master/src/datasource/precomputed/volume.md>. A chunk stores x
//! fastest, so that it is C order with the axes reversed, (z, y, x), and nothing is transposed. Chunks are raw
//! or compressed segmentation, each a file of its own or, only read, in shards; one that isn't there is zeros. Where the first element
//! lies in the world, `voxel_offset`, goes to the metadata.

mod files;
#[cfg(feature = "http")]
mod http;
mod info;
mod read;
mod sharded;
#[cfg(feature = "http")]
mod source;
#[cfg(feature = "http")]
mod url;
mod write;

pub(super) use read::{open_regions, scales_of};
#[cfg(feature = "http")]
pub(super) use source::{open_url, scales_of_url};
pub(super) use write::create_scales;

#[cfg(feature = "http")]
pub use http::HttpOptions;
#[cfg(feature = "http")]
pub use source::{PrecomputedSource, StoreImage};

/// The name of the description.
pub(super) const INFO: &str = "info";
