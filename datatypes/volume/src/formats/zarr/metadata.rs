//! The metadata of an array.

use chunks::{DType, Fill, Grid};
use engine_api::{Error, ErrorKind, Result};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::codecs::{Chain, Sharding};
use super::{corrupt, unsupported};
use crate::formats::info::{ImageAxis, ImageInfo};

/// The file `zarr.json` of an array.
#[derive(Debug, Deserialize)]
pub(super) struct ArrayMetadata {
    shape: Vec<u64>,
    data_type: Extension,
    chunk_grid: Extension,
    chunk_key_encoding: Extension,
    fill_value: Value,
    codecs: Vec<Extension>,
    #[serde(default)]
    attributes: Map<String, Value>,
    #[serde(default)]
    dimension_names: Option<Vec<Option<String>>>,
    #[serde(default)]
    storage_transformers: Vec<Value>,
    #[serde(flatten)]
    others: Map<String, Value>,
}

/// A name with a configuration; the name alone where there is nothing to configure.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Extension {
    Name(String),
    Configured {
        name: String,
        #[serde(default)]
        configuration: Map<String, Value>,
    },
}

impl Extension {
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Name(name) | Self::Configured { name, .. } => name,
        }
    }

    pub(super) fn get(&self, key: &str) -> Option<&Value> {
        match self {
            Self::Name(_) => None,
            Self::Configured { configuration, .. } => configuration.get(key),
        }
    }

    /// A part of the configuration of a type of its own.
    pub(super) fn parsed<T: for<'a> Deserialize<'a>>(&self, key: &str) -> Result<T> {
        let value = self
            .get(key)
            .ok_or_else(|| corrupt("a configuration lacks a part").with("part", key.to_owned()))?;
        T::deserialize(value).map_err(|error| {
            corrupt("a configuration can't be read").with("part", key.to_owned()).caused_by(error)
        })
    }
}

/// Where a chunk's file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KeyEncoding {
    prefix: &'static str,
    separator: &'static str,
}

impl KeyEncoding {
    pub(super) fn name(&self, chunk: &[u64]) -> String {
        let coords: Vec<String> = chunk.iter().map(u64::to_string).collect();
        let prefix =
            if self.prefix.is_empty() { String::new() } else { format!("{}{}", self.prefix, self.separator) };
        prefix + &coords.join(self.separator)
    }
}

impl ArrayMetadata {
    pub(super) fn parse(json: Value) -> Result<Self> {
        let array: Self = serde_json::from_value(json)
            .map_err(|error| corrupt("an array's metadata can't be read").caused_by(error))?;
        if !array.storage_transformers.is_empty() {
            return Err(Error::new(ErrorKind::Unsupported, "the Zarr's storage transformers can't be read"));
        }
        let ignored = |value: &Value| value.get("must_understand") == Some(&Value::Bool(false));
        let known = ["zarr_format", "node_type"];
        if let Some((name, _)) =
            array.others.iter().find(|(name, value)| !known.contains(&name.as_str()) && !ignored(value))
        {
            return Err(unsupported("field", name));
        }
        if array.shape.is_empty() || array.shape.len() > chunks::MAX_RANK || array.shape.contains(&0) {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "the array has no elements, or not one to five axes",
            )
            .with("shape", format_args!("{:?}", array.shape)));
        }
        Ok(array)
    }

    pub(super) fn dtype(&self) -> Result<DType> {
        let name = self.data_type.name();
        DType::ALL
            .iter()
            .copied()
            .find(|dtype| dtype.numpy_name() == name)
            .ok_or_else(|| unsupported("data_type", name))
    }

    /// The image of an array that no group describes.
    pub(super) fn image(&self) -> Result<ImageInfo> {
        let mut image = ImageInfo::new(&self.shape, self.dtype()?)?;
        let axes = match &self.dimension_names {
            Some(names) if names.len() != self.shape.len() => {
                return Err(corrupt("the number of names of dimensions isn't that of the axes"));
            }
            Some(names) => {
                names.iter().map(|name| ImageAxis::named(name.as_deref().unwrap_or_default())).collect()
            }
            // Nothing says that these are an image's y and x.
            None if self.shape.len() < 3 => vec![ImageAxis::default(); self.shape.len()],
            None => image.axes().to_vec(),
        };
        image = image.with_axes(axes)?;
        if !self.attributes.is_empty() {
            let fields = Map::from_iter([("attributes".to_owned(), self.attributes.clone().into())]);
            image.metadata.insert("zarr".to_owned(), fields.into());
        }
        Ok(image)
    }

    /// How the array is cut into what is stored by itself, which are the shards where there are any.
    pub(super) fn stored_shape(&self) -> Result<Vec<u64>> {
        if self.chunk_grid.name() != "regular" {
            return Err(unsupported("chunk_grid", self.chunk_grid.name()));
        }
        let shape: Vec<u64> = self.chunk_grid.parsed("chunk_shape")?;
        if shape.len() != self.shape.len() || shape.contains(&0) {
            return Err(corrupt("the shape of its chunks isn't one"));
        }
        Ok(shape)
    }

    /// How the array is cut into what is decoded by itself.
    pub(super) fn grid(&self, chunk_shape: &[u64]) -> Result<Grid> {
        let dtype = self.dtype()?;
        Grid::new(&self.shape, chunk_shape, dtype)?.with_fill(self.fill(dtype)?)
    }

    pub(super) fn chain(&self, stored_shape: &[u64]) -> Result<(Chain, Option<Sharding>)> {
        Chain::of_array(&self.codecs, stored_shape, self.dtype()?)
    }

    pub(super) fn keys(&self) -> Result<KeyEncoding> {
        let separator = self.chunk_key_encoding.get("separator").map(Value::as_str);
        let (prefix, default) = match self.chunk_key_encoding.name() {
            "default" => ("c", "/"),
            "v2" => ("", "."),
            other => return Err(unsupported("chunk_key_encoding", other)),
        };
        let separator = match separator {
            None => default,
            Some(Some("/")) => "/",
            Some(Some(".")) => ".",
            Some(_) => return Err(corrupt("the separator of keys is neither / nor .")),
        };
        Ok(KeyEncoding { prefix, separator })
    }

    fn fill(&self, dtype: DType) -> Result<Fill> {
        let wrong = || corrupt("its fill value isn't one of its type");
        let text = match &self.fill_value {
            Value::Bool(value) if dtype == DType::Bool => {
                return Fill::from_bytes(dtype, &[u8::from(*value)]);
            }
            Value::Number(number) if dtype != DType::Bool => number.to_string(),
            Value::String(text) if matches!(dtype, DType::F32 | DType::F64) => text.clone(),
            _ => return Err(wrong()),
        };
        Fill::parse(dtype, &text).map_err(|error| wrong().caused_by(error))
    }
}
