//! The metadata of an array.

use chunks::DType;
use engine_api::{Error, ErrorKind, Result};
use serde_json::{Map, Value};
use zarrs::array::chunk_grid::RegularChunkGridConfiguration;
use zarrs::array::{ArrayMetadataV3, ChunkKeyEncoding, ChunkShape, FillValueMetadata};

use super::codecs::typed;
use super::{corrupt, unsupported};
use crate::formats::info::{ImageAxis, ImageInfo};

/// The file `zarr.json` of an array.
#[derive(Debug)]
pub(super) struct ArrayMetadata {
    /// All but the fill value.
    pub(super) array: ArrayMetadataV3,
    fill: Value,
}

impl ArrayMetadata {
    pub(super) fn parse(mut json: Value) -> Result<Self> {
        // A list in lists would be copied by zarrs once for each of them.
        let fill = json.get_mut("fill_value").map(Value::take);
        let fill = fill.ok_or_else(|| corrupt("an array has no fill value"))?;
        let array: ArrayMetadataV3 = serde_json::from_value(json)
            .map_err(|error| corrupt("an array's metadata can't be read").caused_by(error))?;
        if !array.storage_transformers.is_empty() {
            return Err(Error::new(ErrorKind::Unsupported, "the Zarr's storage transformers can't be read"));
        }
        if let Some((name, _)) = array.additional_fields.iter().find(|(_, field)| field.must_understand()) {
            return Err(unsupported("field", name));
        }
        if array.shape.is_empty() || array.shape.len() > chunks::MAX_RANK || array.shape.contains(&0) {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "the array has no elements, or not one to five axes",
            )
            .with("shape", format_args!("{:?}", array.shape)));
        }
        Ok(Self { array, fill })
    }

    pub(super) fn dtype(&self) -> Result<DType> {
        let name = self.array.data_type.name();
        DType::ALL
            .iter()
            .copied()
            .find(|dtype| dtype.numpy_name() == name)
            .ok_or_else(|| unsupported("data_type", name))
    }

    /// The image of an array that no group describes.
    pub(super) fn image(&self) -> Result<ImageInfo> {
        let shape = &self.array.shape;
        let mut image = ImageInfo::new(shape, self.dtype()?)?;
        let axes = match &self.array.dimension_names {
            Some(names) if names.len() != shape.len() => {
                return Err(corrupt("the number of names of dimensions isn't that of the axes"));
            }
            Some(names) => {
                names.iter().map(|name| ImageAxis::named(name.as_deref().unwrap_or_default())).collect()
            }
            // Nothing says that these are an image's y and x.
            None if shape.len() < 3 => vec![ImageAxis::default(); shape.len()],
            None => image.axes().to_vec(),
        };
        image = image.with_axes(axes)?;
        if !self.array.attributes.is_empty() {
            let fields = Map::from_iter([("attributes".to_owned(), self.array.attributes.clone().into())]);
            image.metadata.insert("zarr".to_owned(), fields.into());
        }
        Ok(image)
    }

    /// How the array is cut into what is stored by itself, which are the shards where there are any.
    pub(super) fn stored_shape(&self) -> Result<ChunkShape> {
        let grid = &self.array.chunk_grid;
        if grid.name() != "regular" {
            return Err(unsupported("chunk_grid", grid.name()));
        }
        let RegularChunkGridConfiguration { chunk_shape } = typed(grid)?;
        if chunk_shape.len() != self.array.shape.len() {
            return Err(corrupt("the shape of its chunks isn't one"));
        }
        Ok(chunk_shape)
    }

    pub(super) fn keys(&self) -> Result<ChunkKeyEncoding> {
        let keys = &self.array.chunk_key_encoding;
        if !["default", "v2"].contains(&keys.name()) {
            return Err(unsupported("chunk_key_encoding", keys.name()));
        }
        ChunkKeyEncoding::from_metadata(keys)
            .map_err(|error| corrupt("the names of its chunks can't be").caused_by(error))
    }

    /// The fill value as zarrs reads it, but for text that it would cut within a letter.
    pub(super) fn fill(&self) -> Result<FillValueMetadata> {
        match &self.fill {
            Value::Bool(value) => Ok((*value).into()),
            Value::Number(number) => Ok(number.clone().into()),
            Value::String(text) if text.is_ascii() => Ok(text.as_str().into()),
            _ => Err(corrupt("its fill value isn't one of its type")),
        }
    }
}
