//! TIFF and `BigTIFF` stacks: one page per z slice, one number per pixel.
//!
//! Pages may be stripped or tiled, and compressed by deflate, LZW or `PackBits`. A page whose photometric
//! interpretation is `WhiteIsZero` is inverted, so that larger is brighter.
//!
//! What OME-XML in the first page's description says of axes and spacings is believed, and checked against the
//! pages; without it the pages are z.

mod directory;
mod ome;
mod read;
mod strips;
mod write;

pub(super) use read::open;
pub(super) use write::{create, create_ome, encode_slice};
