#![doc = include_str!("../README.md")]

mod archive;
mod edit;
mod export;
mod formats;
mod import;
mod keys;
mod label_index;
mod labels;
mod progress;
mod properties;
mod scale_at;
mod versioned;
mod volume_at;

pub use archive::{Archive, ArchiveFormat, ArchiveRegistration, ArchiveWriter, Transferred, WatchTransfer};
pub use edit::{add_scales, downres_since, downres_volume, edit_region, write_image};
pub use export::{
    Watch, export_image, export_region, export_region_through, export_scales, export_scales_through,
};
pub use formats::{
    Compression, CreateOptions, DeflateLevel, Format, GraySlice, ImageAxis, ImageInfo, ImageReader,
    ImageWriter, NpyNumber, RawSpec, RegionReader, create_image, create_image_with, create_npy_parts,
    create_scales, decode_compressed_segmentation, encode_compressed_segmentation, gray_level, is_url,
    open_image, open_npy_parts, open_regions, open_scale, open_scale_regions, scales_of, slice_png,
    split_dataset,
};
#[cfg(feature = "http")]
pub use formats::{HttpOptions, PrecomputedSource, StoreImage};
#[cfg(feature = "hdf5")]
pub use formats::{Variable, VariableAttribute, Variables};
pub use import::{ImportOptions, ScaleChoice, import_image, import_regions};
pub use keys::{chunk_key, chunk_of_key, describe_key, full_chunk_of_key};
pub use labels::{LabelSize, LabelVisitor};
pub use progress::{Progress, Stage, WatchImport};
pub use properties::{Axis, Importing, Properties};
pub use versioned::{DATATYPE, Volume};
pub use volume_at::{StoredChunk, VolumeAt};
