#![doc = include_str!("../README.md")]

mod formats;
mod properties;
mod transfer;
mod versioned;

pub use formats::{
    CreateOptions, Format, GraySlice, ImageAxis, ImageInfo, ImageReader, ImageWriter, RawSpec, RegionReader,
    create_image, create_image_with, create_scales, decode_compressed_segmentation,
    encode_compressed_segmentation, open_image, open_regions, open_scale, open_scale_regions, scales_of,
    slice_png,
};
pub use properties::{Axis, Properties};
pub use transfer::{ImportOptions, Watch, export_region, import_image, write_image};
pub use versioned::{DATATYPE, Volume, VolumeAt, chunk_key, coords_of};
