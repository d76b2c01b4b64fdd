#![doc = include_str!("../README.md")]

mod formats;
mod keys;
mod properties;
mod scale_at;
mod transfer;
mod versioned;
mod volume_at;

pub use formats::{
    CreateOptions, Format, GraySlice, ImageAxis, ImageInfo, ImageReader, ImageWriter, RawSpec, create_image,
    create_image_with, open_image, slice_png,
};
pub use keys::{chunk_key, chunk_of_key, full_chunk_of_key};
pub use properties::{Axis, Properties};
pub use transfer::{ImportOptions, Watch, export_region, import_image, write_image};
pub use versioned::{DATATYPE, Volume};
pub use volume_at::{StoredChunk, VolumeAt};
