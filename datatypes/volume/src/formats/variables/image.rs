//! An array of a file as an image.

use std::path::Path;

use chunks::{MAX_RANK, Region};
use engine_api::{Error, ErrorKind, Result};
use serde_json::{Map, Value, json};

use super::{Variable, VariableAttribute, Variables};
use crate::formats::chunked::ChunkedReader;
use crate::formats::hdf5::{AXES, SPACING, UNITS};
use crate::formats::info::{ImageAxis, ImageInfo};
use crate::formats::io::ImageReader;
use crate::formats::regions::{RegionReader, check_request};

/// An array that is read anywhere.
struct VariableRegions {
    file: Variables,
    index: usize,
    info: ImageInfo,
}

pub(in crate::formats) fn open(path: &Path, name: Option<&str>) -> Result<Box<dyn ImageReader>> {
    Ok(Box::new(ChunkedReader::new(open_regions(path, name)?)?))
}

pub(in crate::formats) fn open_regions(path: &Path, name: Option<&str>) -> Result<Box<dyn RegionReader>> {
    let file = Variables::open(path)?;
    let index = match name {
        Some(name) => file.find(name)?,
        None => only_image(&file)?,
    };
    let info = image_of(&file.list[index])?;
    Ok(Box::new(VariableRegions { file, index, info }))
}

/// The one array that may be an image: coordinates of dimensions and single elements aren't.
fn only_image(file: &Variables) -> Result<usize> {
    let images = file.list().iter().enumerate();
    let mut images = images.filter(|(_, variable)| {
        !variable.is_scale && (1..=MAX_RANK).contains(&variable.shape.len()) && !variable.shape.contains(&0)
    });
    match (images.next(), images.next()) {
        (Some((index, _)), None) => Ok(index),
        (Some(_), Some(_)) => {
            Err(Error::new(ErrorKind::InvalidArgument, "the file has several arrays; name one: FILE:/NAME")
                .with("arrays", file.names()))
        }
        (None, _) => {
            let reasons: Vec<String> =
                file.left_out().iter().take(5).map(|(name, reason)| format!("{name}: {reason}")).collect();
            Err(Error::new(
                ErrorKind::Unsupported,
                "the file has no array of one to five axes that can be read",
            )
            .with("left_out", reasons.join("; ")))
        }
    }
}

fn image_of(variable: &Variable) -> Result<ImageInfo> {
    let rank = variable.shape.len();
    if !(1..=MAX_RANK).contains(&rank) || variable.shape.contains(&0) {
        return Err(Error::new(ErrorKind::Unsupported, "an image has one to five axes, and elements")
            .with("array", &variable.name)
            .with("shape", format_args!("{:?}", variable.shape)));
    }
    let info = ImageInfo::new(&variable.shape, variable.dtype)?;
    let texts = |name: &str| -> Option<Vec<String>> {
        let VariableAttribute::Text(text) = variable.attribute(name)? else { return None };
        Some(text.split(',').map(str::to_owned).collect::<Vec<_>>()).filter(|texts| texts.len() == rank)
    };
    let names = Some(variable.dimensions.clone()).filter(|names| names.len() == rank).or_else(|| texts(AXES));
    let units = texts(UNITS);
    let spacings = match variable.attribute(SPACING) {
        Some(VariableAttribute::Floats(spacings)) if spacings.len() == rank => Some(spacings),
        _ => None,
    };
    let axes = (0..rank).map(|axis| ImageAxis {
        name: match &names {
            Some(names) => names[axis].clone(),
            None => info.axes()[axis].name.clone(),
        },
        spacing: spacings.map(|spacings| spacings[axis]).filter(|spacing| spacing.is_finite()),
        unit: units.as_ref().map(|units| units[axis].clone()).filter(|unit| !unit.is_empty()),
    });
    let axes = axes.collect();
    let mut info = info.with_axes(axes)?;
    let own: &[&str] = if names.is_some() { &[AXES, UNITS, SPACING] } else { &[UNITS, SPACING] };
    let rest = variable.attributes.iter().filter(|(name, value)| {
        // A unit of the elements has the name of ours of the axes.
        !own.contains(&name.as_str())
            || (name == UNITS && units.is_none() && matches!(value, VariableAttribute::Text(_)))
    });
    let rest: Map<String, Value> = rest.map(|(name, value)| (name.clone(), json_of(value))).collect();
    if !rest.is_empty() {
        info.metadata.insert("hdf5".to_owned(), json!({ "attributes": rest }));
    }
    Ok(info)
}

fn json_of(value: &VariableAttribute) -> Value {
    fn one_or_all<T: Clone + Into<Value>>(values: &[T]) -> Value {
        match values {
            [value] => value.clone().into(),
            _ => values.to_vec().into(),
        }
    }
    match value {
        VariableAttribute::Text(text) => text.clone().into(),
        VariableAttribute::Texts(texts) => texts.clone().into(),
        VariableAttribute::Signed(values) => one_or_all(values),
        VariableAttribute::Unsigned(values) => one_or_all(values),
        VariableAttribute::Floats(values) => one_or_all(values),
    }
}

impl RegionReader for VariableRegions {
    fn info(&self) -> &ImageInfo {
        &self.info
    }

    fn chunk_shape(&self) -> Option<&[u64]> {
        self.file.list().get(self.index)?.chunk_shape.as_deref()
    }

    fn read_region(&self, region: &Region, out: &mut [u8]) -> Result<()> {
        check_request(&self.info, region, out.len())?;
        let start: Vec<u64> = region.offset().iter().map(|at| at.unsigned_abs()).collect();
        self.file.read(self.index, &start, region.shape(), out)
    }
}
