#![doc = include_str!("../README.md")]

mod edit;
mod export;
mod formats;
mod import;
mod keys;
mod labels;
mod progress;
mod properties;
mod scale_at;
mod versioned;
mod volume_at;

pub use edit::{add_scales, downres_since, downres_volume, edit_region, write_image};
pub use export::{Watch, export_region};
pub use formats::{
    CreateOptions, Format, GraySlice, ImageAxis, ImageInfo, ImageReader, ImageWriter, RawSpec, create_image,
    create_image_with, open_image, slice_png,
};
pub use import::{ImportOptions, RegionImage, ScaleChoice, import_image, import_regions};
pub use keys::{chunk_key, chunk_of_key, describe_key, full_chunk_of_key};
pub use labels::{LabelSize, LabelVisitor};
pub use progress::{Progress, Stage, WatchImport};
pub use properties::{Axis, Importing, Properties};
pub use versioned::{DATATYPE, Volume};
pub use volume_at::{StoredChunk, VolumeAt};
