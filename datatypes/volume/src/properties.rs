//! What a volume says of itself: the properties of its data instance.

use chunks::{Codec, Grid, Scales};
use downres::Reducer;
use engine_api::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use crate::archive::Archive;
use crate::formats::{ImageAxis, ImageInfo};
use crate::labels::are_labels;

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
    /// How coarser scales are made; what suits the elements where it isn't said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reducer: Option<Reducer>,
    /// Whether elements are labels, which are kept in an index.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub labels: bool,
    /// How chunks that are written from now on are compressed. Each chunk says how it is.
    pub codec: Codec,
    /// The axes, in the order of the shape.
    pub axes: Vec<Axis>,
    /// What the imported file said that has no other place here, so that an export can say it again.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub source: serde_json::Map<String, serde_json::Value>,
    /// Where chunks of committed versions are that the store only refers to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub archives: Vec<Archive>,
    /// An import that has begun and not ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub importing: Option<Importing>,
}

/// How far an import has come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Importing {
    /// What tells the imported image from others, where the import can go on after it was cut short; empty where it
    /// has to begin anew.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub image: String,
    /// The tasks that the import was divided into.
    #[serde(default)]
    pub tasks: usize,
    /// Those that are finished: ranges with both ends, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub finished: Vec<(usize, usize)>,
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
        Self {
            grid,
            factors: Vec::new(),
            reducer: None,
            labels: false,
            codec,
            axes,
            source: image.metadata.clone(),
            archives: Vec::new(),
            importing: None,
        }
    }

    /// How coarser scales are made: as it is said, or else by [`Reducer::ModeNonzero`] for labels, and by
    /// [`Reducer::Mean`] for images.
    pub fn reducer(&self) -> Reducer {
        self.reducer.unwrap_or(if self.labels { Reducer::ModeNonzero } else { Reducer::Mean })
    }

    /// The grids of all scales.
    ///
    /// # Errors
    /// As [`Scales::new`].
    pub fn scales(&self) -> Result<Scales> {
        Scales::new(self.grid, &self.factors)
    }

    /// Whether what is said fits together.
    ///
    /// # Errors
    /// `InvalidArgument` when labels aren't unsigned integers, or are reduced to values that aren't among them; as
    /// [`Scales::new`].
    pub(crate) fn check(&self) -> Result<()> {
        self.scales()?;
        let dtype = self.grid.dtype();
        if self.labels && !are_labels(dtype) {
            return Err(
                Error::new(ErrorKind::InvalidArgument, "labels are unsigned integers").with("type", dtype)
            );
        }
        if self.labels && !self.reducer().keeps_values() {
            return Err(Error::new(
                ErrorKind::InvalidArgument,
                "the reducer makes values that are no labels; take a mode",
            )
            .with("reducer", self.reducer()));
        }
        Ok(())
    }

    /// The image that an export of `shape` elements of a scale writes. What the imported file said of its place in
    /// space holds for the whole of full resolution alone, so that other exports leave it out.
    pub(crate) fn image(&self, scale: usize, shape: &[u64]) -> Result<ImageInfo> {
        let factors = self.scales()?.total_factors(scale)?;
        #[allow(clippy::cast_precision_loss, reason = "a spacing is a measure")]
        let axis = |(axis, factor): (&Axis, &u64)| ImageAxis {
            name: axis.name.clone(),
            spacing: axis.spacing.map(|spacing| spacing * *factor as f64),
            unit: axis.unit.clone(),
        };
        let axes = self.axes.iter().zip(&factors).map(axis).collect();
        let mut image = ImageInfo::new(shape, self.grid.dtype())?.with_axes(axes)?;
        if scale == 0 && shape == self.grid.shape() {
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
