//! Neuroglancer's precomputed volumes: a folder with a description, `info`, and a folder of chunks per scale.
//!
//! The layout is that of
//! <https://github.com/google/neuroglancer/blob/master/src/datasource/precomputed/volume.md>. A chunk stores x
//! fastest, so that it is C order with the axes reversed, (z, y, x), and nothing is transposed. Chunks are raw
//! or compressed segmentation, each a file of its own or, only read, in shards; one that isn't there is zeros. Where the first element
//! lies in the world, `voxel_offset`, goes to the metadata.

mod files;
mod info;
mod read;
mod sharded;
mod write;

pub(super) use read::{open_regions, scales_of};
pub(super) use write::create_scales;

/// The name of the description.
pub(super) const INFO: &str = "info";
