//! NIfTI-1 in one file, plain or compressed by gzip.
//!
//! The layout is that of the official `nifti1.h` (<https://nifti.nimh.nih.gov/pub/dist/src/niftilib/nifti1.h>).
//! A NIfTI file stores x fastest, so its elements are C order with the axes reversed, (t, z, y, x), and
//! nothing is transposed. Stored values are kept: `scl_slope` and `scl_inter` go to the metadata.

mod header;
mod metadata;
mod read;
mod write;

pub(super) use header::looks_like_header;
pub(super) use read::{open, open_regions};
pub(super) use write::create;
