//! `kvdag array create`.

use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;

use array_file::{ArraySpec, DType, FileConfig};
use engine_api::{Error, ErrorKind, Result};
use serde::Serialize;

use super::place::{Arrays, PlaceArgs, failed};
use super::values::fill_of;
use crate::cli::output::Output;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    place: PlaceArgs,
    /// Define an array of this name, also in a file that is there.
    #[arg(long, value_name = "NAME", requires = "shape", requires = "dtype")]
    array: Option<String>,
    /// The array's shape, slowest axis first; empty for a single element.
    #[arg(long, value_name = "Z,Y,X", requires = "array")]
    shape: Option<Shape>,
    /// The type of its elements: bool, u8 to u64, i8 to i64, f16 to f64, complex64, complex128, timestamp[ns], string,
    /// binary, list<u8> and the like.
    #[arg(long, requires = "array")]
    dtype: Option<String>,
    #[command(flatten)]
    define: DefineArgs,
}

/// Lengths of axes, of which there may be none.
#[derive(Clone, Debug)]
struct Shape(Vec<u64>);

impl FromStr for Shape {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, ParseIntError> {
        let lengths = text.split(',').filter(|_| !text.is_empty());
        lengths.map(|length| length.trim().parse()).collect::<Result<_, _>>().map(Self)
    }
}

/// What an array has beyond its type and shape.
#[derive(Debug, Default, clap::Args)]
pub(super) struct DefineArgs {
    /// The shape of the array's chunks, slowest axis first; some 512 KiB unless given.
    #[arg(long, value_name = "Z,Y,X", value_delimiter = ',')]
    pub(super) chunk_shape: Option<Vec<u64>>,
    /// The value of elements that were never written. Elements that are it count as none in statistics.
    #[arg(long, value_name = "VALUE", allow_hyphen_values = true)]
    pub(super) fill: Option<String>,
    /// The names of the axes, slowest first.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(super) dims: Option<Vec<String>>,
}

impl DefineArgs {
    /// What to define, with the axes' names where the command line gives none.
    pub(super) fn spec(&self, dtype: &DType, shape: &[u64], dims: &[String]) -> Result<ArraySpec> {
        let dims = self.dims.as_deref().unwrap_or(dims);
        if !dims.is_empty() && dims.len() != shape.len() {
            return Err(Error::new(ErrorKind::InvalidArgument, "the axes and their names differ in number")
                .with("axes", shape.len())
                .with("names", dims.join(",")));
        }
        let mut spec = ArraySpec::of(dtype.clone(), shape).dimension_names(dims);
        if let Some(chunk_shape) = &self.chunk_shape {
            spec = spec.chunk_shape(chunk_shape);
        }
        if let Some(fill) = self.fill.as_deref() {
            spec = spec.fill_value(fill_of(dtype, fill)?);
        }
        Ok(spec)
    }

    pub(super) fn is_given(&self) -> bool {
        self.chunk_shape.is_some() || self.fill.is_some() || self.dims.is_some()
    }
}

#[derive(Debug, Serialize)]
struct Created {
    file: String,
    /// Whether the file was made now.
    made: bool,
    array: Option<String>,
    commit: u64,
}

impl fmt::Display for Created {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.made {
            write!(f, "made {}", self.file)?;
        }
        if let Some(array) = &self.array {
            write!(f, "{}defined {array} in commit {}", if self.made { ", " } else { "" }, self.commit)?;
        }
        Ok(())
    }
}

pub(crate) fn run(args: &Args, output: Output) -> Result<()> {
    // What makes no sense is told before anything is touched.
    let array = match (&args.array, &args.shape, &args.dtype) {
        (Some(name), Some(Shape(shape)), Some(dtype)) => {
            let dtype: DType = dtype.parse().map_err(failed)?;
            Some((name, args.define.spec(&dtype, shape, &[])?))
        }
        _ if args.define.is_given() => {
            return Err(Error::new(ErrorKind::InvalidArgument, "no array is named; give --array"));
        }
        _ => None,
    };
    let arrays = Arrays::to_write_or_create(&args.place, FileConfig::default())?;
    let made = arrays.was_created();
    if !made && array.is_none() {
        return Err(Error::new(ErrorKind::AlreadyExists, "there is an array file of this name")
            .with("file", &args.place.file));
    }
    let commit = arrays.change(|arrays| {
        if let Some((name, spec)) = array {
            arrays.file.define_array(name, spec).map_err(failed)?;
        }
        arrays.flush()
    })?;
    output.print(&Created { file: args.place.file.clone(), made, array: args.array.clone(), commit })
}
