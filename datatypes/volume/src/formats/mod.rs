//! Images in files and folders: read and written slab by slab, and where the format allows it read anywhere.

#[cfg(not(all(feature = "hdf5", feature = "http", feature = "jpeg2000")))]
mod absent;
mod bytes;
mod chunked;
mod compressed_segmentation;
mod create;
mod dataset_name;
mod detect;
mod file;
#[cfg(feature = "hdf5")]
mod hdf5;
mod info;
mod io;
#[cfg(feature = "jpeg2000")]
mod jpeg2000;
mod linear;
mod named;
mod nifti;
mod npy;
mod open;
mod partial_dir;
mod partial_file;
mod pictures;
mod png;
mod precomputed;
mod raw;
mod regions;
mod slice_names;
mod tiff;
mod units;
mod url;
#[cfg(feature = "hdf5")]
mod variables;
mod zarr;

pub use compressed_segmentation::{decode_compressed_segmentation, encode_compressed_segmentation};
pub use create::{Compression, CreateOptions, DeflateLevel, create_image, create_image_with, create_scales};
pub use dataset_name::split_dataset;
pub use detect::Format;
pub use info::{ImageAxis, ImageInfo};
pub use io::{ImageReader, ImageWriter};
pub use npy::{NpyNumber, create_npy_parts, open_npy_parts};
pub use open::{open_image, open_regions, open_scale, open_scale_regions, scales_of};
pub use png::{GraySlice, gray_level, slice_png};
#[cfg(feature = "http")]
pub use precomputed::{HttpOptions, PrecomputedSource, StoreImage};
pub use raw::RawSpec;
pub use regions::RegionReader;
pub use url::is_url;
#[cfg(feature = "hdf5")]
pub use variables::{Variable, VariableAttribute, Variables};
