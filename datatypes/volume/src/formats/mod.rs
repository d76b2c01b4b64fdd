//! Image files: NIfTI-1, TIFF stacks, NumPy arrays and raw elements, read and written slab by slab.

mod bytes;
mod detect;
mod file;
mod info;
mod io;
mod linear;
mod nifti;
mod npy;
mod partial_file;
mod png;
mod raw;
mod tiff;

pub use detect::{CreateOptions, Format, create_image, create_image_with, open_image};
pub use info::{ImageAxis, ImageInfo};
pub use io::{ImageReader, ImageWriter};
pub use png::{GraySlice, slice_png};
pub use raw::RawSpec;
