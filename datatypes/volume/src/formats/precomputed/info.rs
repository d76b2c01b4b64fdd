//! The description of a precomputed volume.

use std::path::{Component, Path};

use chunks::{DType, Grid};
use engine_api::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::sharded::Sharding;
use crate::formats::info::{ImageAxis, ImageInfo};

/// What a volume's `@type` is, where it says one.
const TYPE: &str = "neuroglancer_multiscale_volume";

/// The file `info`.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Info {
    #[serde(rename = "@type", default)]
    at_type: Option<String>,
    #[serde(rename = "type", default)]
    pub(super) kind: Option<String>,
    data_type: String,
    num_channels: u64,
    pub(super) scales: Vec<Scale>,
}

/// One scale; every triple is x, y, z.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Scale {
    key: String,
    pub(super) size: [u64; 3],
    pub(super) resolution: [f64; 3],
    #[serde(default)]
    pub(super) voxel_offset: [i64; 3],
    chunk_sizes: Vec<[u64; 3]>,
    encoding: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    compressed_segmentation_block_size: Option<[u64; 3]>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sharding: Option<Value>,
}

/// How the elements of a chunk are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    /// Elements and nothing else.
    Raw,
    /// Labels in blocks of these extents, z, y, x.
    CompressedSegmentation([u64; 3]),
}

impl Info {
    pub(super) fn new(kind: &str, dtype: DType, scales: Vec<Scale>) -> Self {
        Self {
            at_type: Some(TYPE.to_owned()),
            kind: Some(kind.to_owned()),
            data_type: dtype.numpy_name().to_owned(),
            num_channels: 1,
            scales,
        }
    }

    /// # Errors
    /// `Corrupt` for what isn't a description of a volume; `Unsupported` for several channels.
    pub(super) fn parse(text: &[u8]) -> Result<Self> {
        let info: Self = serde_json::from_slice(text).map_err(|error| {
            Error::new(ErrorKind::Corrupt, "the file info isn't that of a precomputed volume")
                .caused_by(error)
        })?;
        if let Some(other) = info.at_type.as_ref().filter(|name| *name != TYPE) {
            return Err(Error::new(ErrorKind::Unsupported, "the precomputed data isn't a volume")
                .with("@type", other.escape_debug()));
        }
        if info.num_channels != 1 {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "the volume has several channels; convert it to one volume per channel",
            )
            .with("num_channels", info.num_channels));
        }
        if info.scales.is_empty() {
            return Err(Error::new(ErrorKind::Corrupt, "the precomputed volume has no scale"));
        }
        Ok(info)
    }

    pub(super) fn dtype(&self) -> Result<DType> {
        let name = self.data_type.to_ascii_lowercase();
        DType::ALL.iter().copied().find(|dtype| dtype.numpy_name() == name && is_known(*dtype)).ok_or_else(
            || {
                Error::new(ErrorKind::Unsupported, "the volume's elements are of a type that can't be read")
                    .with("data_type", self.data_type.escape_debug())
            },
        )
    }

    /// The image of a scale.
    pub(super) fn image(&self, scale: &Scale) -> Result<ImageInfo> {
        let shape = reversed(scale.size);
        if shape.contains(&0) {
            return Err(Error::new(ErrorKind::Corrupt, "an extent of the volume is zero")
                .with("size", format_args!("{:?}", scale.size)));
        }
        let axes = ["z", "y", "x"].into_iter().zip(reversed(scale.resolution)).map(|(name, resolution)| {
            let known = resolution.is_finite() && resolution > 0.0;
            ImageAxis {
                name: name.to_owned(),
                spacing: known.then_some(resolution),
                unit: known.then(|| "nm".to_owned()),
            }
        });
        let mut image = ImageInfo::new(&shape, self.dtype()?)?.with_axes(axes.collect())?;
        let mut fields = Map::new();
        if let Some(kind) = &self.kind {
            fields.insert("type".to_owned(), kind.as_str().into());
        }
        fields.insert("voxel_offset".to_owned(), json!(scale.voxel_offset));
        fields.insert("encoding".to_owned(), scale.encoding.as_str().into());
        if let Some(block) = scale.compressed_segmentation_block_size {
            fields.insert("compressed_segmentation_block_size".to_owned(), json!(block));
        }
        image.metadata.insert("precomputed".to_owned(), fields.into());
        Ok(image)
    }
}

impl Scale {
    /// A scale of an image of z, y, x.
    pub(super) fn new(
        key: String,
        grid: &Grid,
        resolution: [f64; 3],
        voxel_offset: [i64; 3],
        encoding: Encoding,
    ) -> Self {
        let block = match encoding {
            Encoding::Raw => None,
            Encoding::CompressedSegmentation(block) => Some(reversed(block)),
        };
        let xyz = |shape: &[u64]| [shape[2], shape[1], shape[0]];
        Self {
            key,
            size: xyz(grid.shape()),
            resolution,
            voxel_offset,
            chunk_sizes: vec![xyz(grid.chunk_shape())],
            encoding: if block.is_some() { "compressed_segmentation" } else { "raw" }.to_owned(),
            compressed_segmentation_block_size: block,
            sharding: None,
        }
    }

    /// How the image is cut, each chunk of a size that is checked. Where there are several sizes of chunks each
    /// is of all elements, and the first will do.
    pub(super) fn grid(&self, image: &ImageInfo) -> Result<Grid> {
        let chunk = *self
            .chunk_sizes
            .first()
            .filter(|chunk| !chunk.contains(&0))
            .ok_or_else(|| Error::new(ErrorKind::Corrupt, "the scale has no size of chunks"))?;
        let grid = Grid::new(image.shape(), &reversed(chunk), image.dtype())?;
        let named = self.voxel_offset.iter().zip(self.size).all(|(start, length)| {
            // The names of files have the first element and the end.
            start.checked_add_unsigned(length).is_some()
        });
        if named {
            Ok(grid)
        } else {
            Err(Error::new(ErrorKind::Corrupt, "the scale's voxel_offset is too far out"))
        }
    }

    /// How chunks are in shards, if they are.
    pub(super) fn sharding(&self, grid: &Grid) -> Result<Option<Sharding>> {
        let Some(json) = self.sharding.as_ref().filter(|sharding| !sharding.is_null()) else {
            return Ok(None);
        };
        let [z, y, x] = grid.chunk_counts()[..] else { return Ok(None) };
        Sharding::parse(json, [x, y, z]).map(Some)
    }

    /// # Errors
    /// `Unsupported` for what can't be read.
    pub(super) fn encoding(&self, dtype: DType) -> Result<Encoding> {
        let name = self.encoding.to_ascii_lowercase();
        match (name.as_str(), self.compressed_segmentation_block_size) {
            ("raw", _) => Ok(Encoding::Raw),
            ("compressed_segmentation", Some(block)) if matches!(dtype, DType::U32 | DType::U64) => {
                Ok(Encoding::CompressedSegmentation(reversed(block)))
            }
            ("compressed_segmentation", _) => Err(Error::new(
                ErrorKind::Corrupt,
                "compressed segmentation needs labels of u32 or u64, and the size of its blocks",
            )
            .with("type", dtype)),
            _ => Err(Error::new(
                ErrorKind::Unsupported,
                "the scale's encoding can't be read: only raw and compressed_segmentation",
            )
            .with("encoding", self.encoding.escape_debug())),
        }
    }

    /// The folder of the chunks, inside the volume's.
    ///
    /// # Errors
    /// `Unsupported` for a key that leads out of it: what a volume names elsewhere isn't opened.
    pub(super) fn key(&self) -> Result<&str> {
        let path = Path::new(&self.key);
        let inside = path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        if inside && !self.key.is_empty() && !self.key.contains('\0') {
            return Ok(&self.key);
        }
        Err(Error::new(
            ErrorKind::Unsupported,
            "the scale's key isn't the name of a folder inside the volume's",
        )
        .with("key", self.key.escape_debug()))
    }
}

/// Whether it is one of the types that precomputed volumes have.
pub(super) fn is_known(dtype: DType) -> bool {
    !matches!(dtype, DType::I64 | DType::F64 | DType::Bool)
}

/// x, y, z from z, y, x, or the other way round.
pub(super) fn reversed<T: Copy>([a, b, c]: [T; 3]) -> [T; 3] {
    [c, b, a]
}

/// The name of a chunk's file: `x0-x1_y0-y1_z0-z1`, the ends left out of the chunk.
pub(super) fn chunk_name(region: &chunks::Region, voxel_offset: [i64; 3]) -> String {
    let axis = |axis: usize| {
        // The grid has checked the sums.
        let shift = voxel_offset[2 - axis];
        format!("{}-{}", region.offset()[axis].saturating_add(shift), region.end(axis).saturating_add(shift))
    };
    format!("{}_{}_{}", axis(2), axis(1), axis(0))
}
