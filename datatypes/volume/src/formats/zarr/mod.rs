//! Zarr, version 3: an array in a folder of chunks, and OME-Zarr 0.5, a folder of arrays that are the scales of
//! one image.
//!
//! The layouts are those of <https://zarr-specs.readthedocs.io/en/latest/v3/core/> and
//! <https://ngff.openmicroscopy.org/0.5/>, and the crate `zarrs` knows the first. Axes are in C order already.
//! Chunks are read through the codecs `bytes`, `transpose`, `gzip`, `zstd`, `crc32c`, `blosc` and
//! `sharding_indexed`, each of which writes no more than the chunk can have: what decompresses is ours, and what
//! zarrs allocates by is checked before. They are written as `bytes` and `zstd`, and not at all where every
//! element is zero.

mod array;
mod blosc;
mod bounded;
mod codecs;
mod metadata;
mod ome;
mod store;
mod write;

use std::path::Path;

use engine_api::{Error, ErrorKind, Result};
use serde_json::Value;

use super::file::read_text;
use super::info::ImageInfo;
use super::open::no_such_scale;
use super::regions::RegionReader;
use array::ZarrArray;
use metadata::ArrayMetadata;

pub(super) use write::{create_array, create_ome};

/// The name of the metadata of an array and of a group.
pub(super) const METADATA: &str = "zarr.json";

/// What the metadata of earlier versions is called.
pub(super) const OLD_METADATA: [&str; 3] = [".zarray", ".zgroup", ".zattrs"];

/// The images of all scales; an array alone has one.
pub(super) fn scales_of(path: &Path) -> Result<Vec<ImageInfo>> {
    match Node::open(path)? {
        Node::Array(array) => Ok(vec![array.image()?]),
        Node::Image(image) => {
            (0..image.scales()).map(|scale| image.image(scale, &array_of(path, &image, scale)?)).collect()
        }
    }
}

/// Opens a scale.
pub(super) fn open_regions(path: &Path, scale: usize) -> Result<Box<dyn RegionReader>> {
    match Node::open(path)? {
        Node::Array(array) if scale == 0 => {
            let image = array.image()?;
            Ok(Box::new(ZarrArray::new(path, &array, image)?))
        }
        Node::Array(_) => Err(no_such_scale(scale, 1)),
        Node::Image(image) if scale < image.scales() => {
            let array = array_of(path, &image, scale)?;
            let info = image.image(scale, &array)?;
            Ok(Box::new(ZarrArray::new(&path.join(image.folder(scale)?), &array, info)?))
        }
        Node::Image(image) => Err(no_such_scale(scale, image.scales())),
    }
}

/// What a folder is.
enum Node {
    Array(Box<ArrayMetadata>),
    Image(ome::Multiscale),
}

impl Node {
    fn open(path: &Path) -> Result<Self> {
        let json: Value = serde_json::from_slice(&read_text(&path.join(METADATA))?)
            .map_err(|error| corrupt("its metadata isn't JSON").caused_by(error))?;
        match (json.get("zarr_format").and_then(Value::as_u64), json.get("node_type").and_then(Value::as_str))
        {
            (Some(3), Some("array")) => Ok(Self::Array(Box::new(ArrayMetadata::parse(json)?))),
            (Some(3), Some("group")) => Ok(Self::Image(ome::Multiscale::parse(&json)?)),
            (Some(3), _) => Err(corrupt("it is neither an array nor a group")),
            (Some(other), _) => {
                Err(Error::new(ErrorKind::Incompatible, "only version 3 of Zarr can be read")
                    .with("zarr_format", other))
            }
            _ => Err(corrupt("it has no zarr_format")),
        }
    }
}

fn array_of(path: &Path, image: &ome::Multiscale, scale: usize) -> Result<ArrayMetadata> {
    match Node::open(&path.join(image.folder(scale)?))? {
        Node::Array(array) => Ok(*array),
        Node::Image(_) => Err(corrupt("a scale of the image isn't an array")),
    }
}

pub(super) fn corrupt(how: &'static str) -> Error {
    Error::new(ErrorKind::Corrupt, "the Zarr is damaged").with("how", how)
}

fn unsupported(what: &'static str, name: &str) -> Error {
    Error::new(ErrorKind::Unsupported, "the Zarr has what can't be read").with(what, name.escape_debug())
}
