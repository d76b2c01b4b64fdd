#![doc = include_str!("../README.md")]

mod formats;
mod properties;
mod transfer;
mod versioned;

pub use formats::{
    CreateOptions, Format, GraySlice, ImageAxis, ImageInfo, ImageReader, ImageWriter, RawSpec, create_image,
    create_image_with, open_image, slice_png,
};
pub use properties::{Axis, Properties};
pub use transfer::{ImportOptions, Watch, export_region, import_image, write_image};
pub use versioned::{DATATYPE, Volume, VolumeAt, chunk_key, coords_of};
