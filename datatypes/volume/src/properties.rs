//! What a volume says of itself: the properties of its data instance.

use chunks::{Codec, Grid, Scales};
use engine_api::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use crate::formats::{ImageAxis, ImageInfo};

/// What is fixed when a volume is made, and what is known of the image that it holds.
///
/// They are stored as JSON in the [`Instance`](engine_api::version::Instance)'s properties.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Properties {
    /// Shape, chunk shape, element type and fill value; C order, the slowest axis first.
    pub grid: Grid,
    /// How many elements of a scale become one of the next, slowest axis first: a list for every coarser scale.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub factors: Vec<Vec<u64>>,
    /// How chunks that are written from now on are compressed. Each chunk says how it is.
    pub codec: Codec,
    /// The axes, in the order of the shape.
    pub axes: Vec<Axis>,
    /// What the imported file said that has no other place here, so that an export can say it again.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub source: serde_json::Map<String, serde_json::Value>,
    /// Whether an import has begun and not ended.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub importing: bool,
}

/// One axis of a volume.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Axis {
    /// Its name: `x`, `y`, `z`, `t`, or empty where the imported file didn't say.
    pub name: String,
    /// The distance from one element to the next, in `unit`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spacing: Option<f64>,
    /// The unit of the spacing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
}

impl Properties {
    /// Of a grid, with the default codec and axes named z, y, x.
    ///
    /// # Errors
    /// `TooLarge` when the grid is larger than an image can be.
    pub fn new(grid: Grid) -> Result<Self> {
        let image = ImageInfo::new(grid.shape(), grid.dtype())?;
        Ok(Self::of_image(&image, grid, Codec::default()))
    }

    /// Of a volume that is to hold an image, cut as the grid says.
    pub fn of_image(image: &ImageInfo, grid: Grid, codec: Codec) -> Self {
        let axes = image
            .axes()
            .iter()
            .map(|axis| Axis { name: axis.name.clone(), spacing: axis.spacing, unit: axis.unit.clone() })
            .collect();
        Self { grid, factors: Vec::new(), codec, axes, source: image.metadata.clone(), importing: false }
    }

    /// The grids of all scales.
    ///
    /// # Errors
    /// As [`Scales::new`].
    pub fn scales(&self) -> Result<Scales> {
        Scales::new(self.grid, &self.factors)
    }

    /// The image that an export of `shape` elements writes. What the imported file said of its place in
    /// space holds for the whole volume alone, so that an export of a part leaves it out.
    pub(crate) fn image(&self, shape: &[u64]) -> Result<ImageInfo> {
        let axes = self
            .axes
            .iter()
            .map(|axis| ImageAxis { name: axis.name.clone(), spacing: axis.spacing, unit: axis.unit.clone() })
            .collect();
        let mut image = ImageInfo::new(shape, self.grid.dtype())?.with_axes(axes)?;
        if shape == self.grid.shape() {
            image.metadata.clone_from(&self.source);
        }
        Ok(image)
    }

    pub(crate) fn to_json(&self) -> Result<serde_json::Value> {
        serde_json::to_value(self).map_err(|error| {
            Error::new(ErrorKind::Internal, "a volume's properties can't be written as JSON").caused_by(error)
        })
    }

    pub(crate) fn from_json(json: &serde_json::Value) -> Result<Self> {
        Self::deserialize(json).map_err(|error| {
            Error::new(ErrorKind::Corrupt, "a volume's properties can't be read").caused_by(error)
        })
    }
}
