//! Images in files and folders: read and written slab by slab, and where the format allows it read anywhere.

mod bytes;
mod chunked;
mod compressed_segmentation;
mod create;
mod detect;
mod file;
mod info;
mod io;
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
mod tiff;
mod units;
mod zarr;

pub use compressed_segmentation::{decode_compressed_segmentation, encode_compressed_segmentation};
pub use create::{CreateOptions, create_image, create_image_with, create_scales};
pub use detect::Format;
pub use info::{ImageAxis, ImageInfo};
pub use io::{ImageReader, ImageWriter};
pub use open::{open_image, open_regions, open_scale, open_scale_regions, scales_of};
pub use png::{GraySlice, gray_level, slice_png};
pub use raw::RawSpec;
pub use regions::RegionReader;
