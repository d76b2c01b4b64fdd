//! Arrays of HDF5 and NetCDF files that become arrays of an array file.

use std::fmt;
use std::path::Path;

use array_file::{AttributeValue, DType, FileConfig, FillValue};
use engine_api::{Error, ErrorKind, Result};
use serde::Serialize;
use volume::{Variable, VariableAttribute, Variables, split_dataset};

use super::import::Args;
use super::load;
use super::place::{Arrays, failed};
use crate::cli::output::{self, Output};

/// The most axes of an array.
const MOST_AXES: usize = 32;

#[derive(Debug, Serialize)]
struct Imported {
    file: String,
    image: String,
    arrays: Vec<String>,
    /// The names of arrays that can't be read, each with the reason.
    left_out: Vec<(String, String)>,
    bytes: u64,
    commit: u64,
}

impl fmt::Display for Imported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = output::bytes(self.bytes);
        write!(f, "imported {bytes} of {} into {}, commit {}:", self.image, self.file, self.commit)?;
        for array in &self.arrays {
            write!(f, " {array}")?;
        }
        for (array, reason) in &self.left_out {
            write!(f, "\nleft out {array}: {reason}")?;
        }
        Ok(())
    }
}

/// Imports all arrays of a file, or the one that is named; they are seen all together.
pub(super) fn import(args: &Args, output: Output) -> Result<()> {
    let (path, dataset) = split_dataset(&args.image.image);
    let named = args.variable.as_deref().or(dataset.as_deref());
    let file = open(&path)?;
    let (wanted, left_out) = match named {
        Some(name) => (vec![file.find(name)?], Vec::new()),
        None => wanted(&file),
    };
    if wanted.is_empty() {
        return Err(Error::new(ErrorKind::Unsupported, "the file has no array that can be read")
            .with("file", path.display()));
    }
    let alone = wanted.len() == 1;
    if !alone && (args.array.is_some() || args.how.is_given()) {
        return Err(Error::new(
            ErrorKind::InvalidArgument,
            "what an array is called, and what it is, is said of one; give --variable",
        )
        .with("arrays", wanted.len()));
    }
    let arrays = Arrays::to_write_or_create(&args.place, FileConfig::new(args.image.codec()?))?;
    let imported = arrays.change(|arrays| {
        let (mut names, mut bytes) = (Vec::new(), 0);
        for index in wanted {
            let variable = &file.list()[index];
            let name = args.array.as_deref().filter(|_| alone).unwrap_or(&variable.name);
            define(arrays, name, variable, args)?;
            bytes += load::load_variable(arrays, name, (&file, index), output)?;
            names.push(name.to_owned());
        }
        Ok(Imported {
            file: args.place.file.clone(),
            image: args.image.name(),
            arrays: names,
            left_out,
            bytes,
            commit: arrays.flush()?,
        })
    })?;
    output.print(&imported)
}

fn open(path: &Path) -> Result<Variables> {
    Variables::open(path).map_err(|error| error.with("path", path.display()))
}

/// The arrays that an array file can have, and those that are left out.
fn wanted(file: &Variables) -> (Vec<usize>, Vec<(String, String)>) {
    let mut left_out = file.left_out().to_vec();
    let mut wanted = Vec::new();
    for (index, variable) in file.list().iter().enumerate() {
        if variable.shape.len() > MOST_AXES {
            left_out.push((variable.name.clone(), format!("it has more than {MOST_AXES} axes")));
        } else {
            wanted.push(index);
        }
    }
    (wanted, left_out)
}

/// Defines an array as one of the file is, with its attributes.
fn define(arrays: &mut Arrays, name: &str, variable: &Variable, args: &Args) -> Result<()> {
    let dims = &variable.dimensions;
    let distinct = (0..dims.len()).all(|axis| !dims[axis].is_empty() && !dims[..axis].contains(&dims[axis]));
    let dims = if distinct { dims.as_slice() } else { &[] };
    let mut spec = args.how.spec(&DType::from(variable.dtype), &variable.shape, dims)?;
    if args.how.chunk_shape.is_none()
        && let Some(chunks) =
            variable.chunk_shape.as_deref().and_then(|shape| load::fitting(shape, variable.dtype))
    {
        spec = spec.chunk_shape(&chunks);
    }
    if args.how.fill.is_none()
        && let Some(fill) = variable.fill.as_deref().and_then(|bytes| fill_of(variable.dtype, bytes))
    {
        spec = spec.fill_value(fill);
    }
    arrays.file.define_array(name, spec).map_err(failed)?;
    for (attribute, value) in &variable.attributes {
        arrays.file.set_attribute(name, attribute, value_of(value)).map_err(failed)?;
    }
    Ok(())
}

fn fill_of(dtype: chunks::DType, bytes: &[u8]) -> Option<FillValue> {
    use chunks::DType as Chunks;
    macro_rules! number {
        ($number:ty, $kind:ident) => {
            FillValue::$kind(<$number>::from_le_bytes(bytes.try_into().ok()?).into())
        };
    }
    Some(match dtype {
        Chunks::Bool => FillValue::Bool(*bytes.first()? != 0),
        Chunks::U8 => number!(u8, UInt),
        Chunks::U16 => number!(u16, UInt),
        Chunks::U32 => number!(u32, UInt),
        Chunks::U64 => number!(u64, UInt),
        Chunks::I8 => number!(i8, Int),
        Chunks::I16 => number!(i16, Int),
        Chunks::I32 => number!(i32, Int),
        Chunks::I64 => number!(i64, Int),
        Chunks::F32 => number!(f32, Float),
        Chunks::F64 => number!(f64, Float),
    })
}

/// An attribute; a list of one is that one.
fn value_of(value: &VariableAttribute) -> AttributeValue {
    fn one_or_all<T: Clone + Into<AttributeValue>>(values: &[T]) -> AttributeValue {
        match values {
            [value] => value.clone().into(),
            _ => AttributeValue::List(values.iter().cloned().map(Into::into).collect()),
        }
    }
    match value {
        VariableAttribute::Text(text) => text.clone().into(),
        VariableAttribute::Texts(texts) => one_or_all(texts),
        VariableAttribute::Signed(values) => one_or_all(values),
        VariableAttribute::Unsigned(values) => one_or_all(values),
        VariableAttribute::Floats(values) => one_or_all(values),
        // A kind that is yet to come.
        _ => AttributeValue::List(Vec::new()),
    }
}
