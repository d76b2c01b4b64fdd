//! The description of an OME-Zarr image: the attributes of its group.

use std::path::{Component, Path, PathBuf};

use engine_api::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::corrupt;
use super::metadata::ArrayMetadata;
use crate::formats::info::{ImageAxis, ImageInfo};
use crate::formats::units::{long_name, short_name};

/// The version that is read and written.
const VERSION: &str = "0.5";

/// The scales of one image.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Multiscale {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    axes: Vec<Axis>,
    datasets: Vec<Dataset>,
    /// What holds for all scales, after what holds for each.
    #[serde(rename = "coordinateTransformations", default, skip_serializing_if = "Vec::is_empty")]
    transformations: Vec<Transformation>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Axis {
    name: String,
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unit: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Dataset {
    path: String,
    #[serde(rename = "coordinateTransformations")]
    transformations: Vec<Transformation>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Transformation {
    Scale { scale: Vec<f64> },
    Translation { translation: Vec<f64> },
    Identity,
}

impl Multiscale {
    /// From the metadata of a group.
    pub(super) fn parse(group: &Value) -> Result<Self> {
        let ome = group.pointer("/attributes/ome");
        let Some(first) = ome.and_then(|ome| ome.get("multiscales")?.get(0)) else {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "the Zarr group isn't one OME-Zarr image; give the folder of an image or an array in it",
            ));
        };
        let version = ome.and_then(|ome| ome.get("version")?.as_str()).unwrap_or_default();
        if version != VERSION && !version.starts_with("0.5.") {
            return Err(Error::new(ErrorKind::Incompatible, "only OME-Zarr 0.5 can be read")
                .with("version", version.escape_debug()));
        }
        let image = Self::deserialize(first)
            .map_err(|error| corrupt("the description of its scales can't be read").caused_by(error))?;
        if image.datasets.is_empty() {
            return Err(corrupt("it has no scale"));
        }
        Ok(image)
    }

    /// Of images that are to be written, the finest first.
    ///
    /// # Errors
    /// `Unsupported` for axes that OME-Zarr can't have; `InvalidArgument` when the scales' axes differ.
    pub(super) fn new(images: &[ImageInfo]) -> Result<Self> {
        let names = |image: &ImageInfo| image.axes().iter().map(|axis| axis.name.clone()).collect::<Vec<_>>();
        let Some(first) = images.first() else {
            return Err(Error::new(ErrorKind::InvalidArgument, "an image has one scale at least"));
        };
        let all = names(first);
        if images.iter().any(|image| names(image) != all || image.dtype() != first.dtype()) {
            return Err(Error::new(ErrorKind::InvalidArgument, "the scales are of different axes or types"));
        }
        check_axes(&all)?;
        let axes = first.axes().iter().map(|axis| Axis {
            name: axis.name.clone(),
            kind: Some(kind_of(&axis.name).to_owned()),
            unit: axis.unit.as_deref().map(|unit| long_name(unit).to_owned()),
        });
        let datasets = images.iter().enumerate().map(|(scale, image)| {
            let spacing = image.axes().iter().map(|axis| axis.spacing.unwrap_or(1.0)).collect();
            let mut transformations = vec![Transformation::Scale { scale: spacing }];
            let translation = image.metadata.get("ome-zarr").and_then(|fields| fields.get("translation"));
            if let Some(translation) = translation.and_then(|value| Vec::<f64>::deserialize(value).ok())
                && translation.len() == image.axes().len()
            {
                transformations.push(Transformation::Translation { translation });
            }
            Dataset { path: scale.to_string(), transformations }
        });
        let name = first.metadata.get("ome-zarr").and_then(|fields| fields.get("name")?.as_str());
        Ok(Self {
            name: name.map(str::to_owned),
            axes: axes.collect(),
            datasets: datasets.collect(),
            transformations: Vec::new(),
        })
    }

    /// The attributes of the group.
    pub(super) fn attributes(&self) -> Map<String, Value> {
        Map::from_iter([("ome".to_owned(), json!({ "version": VERSION, "multiscales": [self] }))])
    }

    pub(super) fn scales(&self) -> usize {
        self.datasets.len()
    }

    /// The folder of a scale, inside the image's.
    ///
    /// # Errors
    /// `Corrupt` for one that isn't inside.
    pub(super) fn folder(&self, scale: usize) -> Result<PathBuf> {
        let name = self.datasets.get(scale).map(|dataset| dataset.path.as_str()).unwrap_or_default();
        let path = Path::new(name);
        let inside = path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        if inside && !name.is_empty() && !name.contains('\0') {
            return Ok(path.to_owned());
        }
        Err(corrupt("the path of a scale isn't the name of a folder inside the image's"))
    }

    /// The image of a scale.
    pub(super) fn image(&self, scale: usize, array: &ArrayMetadata) -> Result<ImageInfo> {
        let image = array.image()?;
        let rank = image.shape().len();
        if self.axes.len() != rank {
            return Err(corrupt("the number of its axes isn't that of an array's"));
        }
        let own =
            self.datasets.get(scale).map(|dataset| dataset.transformations.as_slice()).unwrap_or_default();
        let mut spacing: Option<Vec<f64>> = None;
        let mut translation = vec![0.0; rank];
        for transformation in own.iter().chain(&self.transformations) {
            match transformation {
                Transformation::Scale { scale } if scale.len() == rank => {
                    let before = spacing.unwrap_or_else(|| vec![1.0; rank]);
                    spacing = Some(before.iter().zip(scale).map(|(a, b)| a * b).collect());
                    translation.iter_mut().zip(scale).for_each(|(to, by)| *to *= by);
                }
                Transformation::Translation { translation: by } if by.len() == rank => {
                    translation.iter_mut().zip(by).for_each(|(to, by)| *to += by);
                }
                Transformation::Identity => {}
                _ => return Err(corrupt("a transformation isn't of all axes")),
            }
        }
        let axes = self.axes.iter().enumerate().map(|(at, axis)| ImageAxis {
            name: axis.name.clone(),
            spacing: spacing
                .as_ref()
                .map(|spacing| spacing[at])
                .filter(|spacing| spacing.is_finite() && *spacing > 0.0),
            unit: axis.unit.as_deref().map(|unit| short_name(unit).to_owned()),
        });
        let mut image = image.with_axes(axes.collect())?;
        let mut fields = Map::new();
        if let Some(name) = &self.name {
            fields.insert("name".to_owned(), name.as_str().into());
        }
        if translation.iter().any(|by| *by != 0.0) {
            fields.insert("translation".to_owned(), json!(translation));
        }
        if !fields.is_empty() {
            image.metadata.insert("ome-zarr".to_owned(), fields.into());
        }
        Ok(image)
    }
}

fn kind_of(name: &str) -> &'static str {
    match name {
        "t" => "time",
        "c" => "channel",
        _ => "space",
    }
}

/// OME-Zarr has t, then c, then two or three axes of space.
fn check_axes(names: &[String]) -> Result<()> {
    let space = names.iter().filter(|name| matches!(name.as_str(), "z" | "y" | "x")).count();
    let mut rest = names;
    for name in ["t", "c"] {
        if rest.first().is_some_and(|first| first == name) {
            rest = &rest[1..];
        }
    }
    let distinct = rest.iter().enumerate().all(|(at, name)| !rest[..at].contains(name));
    if (2..=3).contains(&space) && rest.len() == space && distinct {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Unsupported,
        "OME-Zarr has the axes t, c, z, y, x in this order, the first three of which may be missing; write .zarr",
    )
    .with("axes", format_args!("{names:?}")))
}
