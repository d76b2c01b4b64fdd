//! `kvdag array write`.

use std::fmt;

use array_file::{DType, FileConfig};
use engine_api::{Error, ErrorKind, Result};
use serde::Serialize;

use super::create::DefineArgs;
use super::json_elements::JsonElements;
use super::load;
use super::place::{Arrays, PlaceArgs, failed};
use super::save::Part;
use super::source::{ImageArgs, Input, Source};
use crate::cli::output::{self, Output};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    place: PlaceArgs,
    /// The array.
    array: String,
    #[command(flatten)]
    image: ImageArgs,
    /// Where the first element goes, slowest axis first; zeros unless given.
    #[arg(long, value_name = "Z,Y,X", value_delimiter = ',')]
    offset: Option<Vec<u64>>,
    /// Define the array, as large as what is written reaches, where there is none; and make the file.
    #[arg(long)]
    define: bool,
    #[command(flatten)]
    how: DefineArgs,
}

/// What a command has written to an array.
#[derive(Debug, Serialize)]
pub(super) struct Written {
    pub(super) file: String,
    pub(super) array: String,
    pub(super) image: String,
    pub(super) region: String,
    pub(super) dtype: String,
    pub(super) bytes: u64,
    pub(super) commit: u64,
}

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, array, image, region, dtype, bytes, commit } = self;
        let bytes = output::bytes(*bytes);
        write!(f, "wrote {image}, {bytes} of {dtype}, to {region} of {array} in {file}, commit {commit}")
    }
}

pub(crate) fn run(args: &Args, output: Output) -> Result<()> {
    if args.how.is_given() && !args.define {
        return Err(Error::new(ErrorKind::InvalidArgument, "what an array is, is said with --define"));
    }
    let source = args.image.open_any()?;
    let config = FileConfig::new(args.image.codec()?);
    let arrays = if args.define {
        Arrays::to_write_or_create(&args.place, config)?
    } else {
        Arrays::to_write(&args.place, config)?
    };
    let written = arrays.change(|arrays| match source {
        Source::Image(input) => write_image(args, arrays, input, output),
        Source::Json(elements) => write_json(args, arrays, &elements),
    })?;
    output.print(&written)
}

fn write_image(args: &Args, arrays: &mut Arrays, input: Input, output: Output) -> Result<Written> {
    let (dtype, shape, bytes) =
        (input.dtype.clone(), input.shape().to_vec(), input.image.info().total_bytes());
    let start = args.start(shape.len());
    args.define(arrays, &dtype, &start, &shape, &input.axis_names())?;
    let region = load::load(arrays, &args.array, &start, input, output)?;
    args.written(arrays, region.to_string(), dtype.to_string(), bytes)
}

fn write_json(args: &Args, arrays: &mut Arrays, elements: &JsonElements) -> Result<Written> {
    let there = arrays.file.get_array(&args.array).map(|meta| (meta.dtype.clone(), meta.shape.len()));
    let said = match args.image.dtype()? {
        Some(dtype) => Some(dtype),
        None => elements.said_dtype()?,
    };
    let (dtype, axes) = match (there, said) {
        (Ok((expected, _)), Some(actual)) if actual != expected => {
            return Err(failed(array_file::Error::DTypeMismatch { expected, actual }));
        }
        (Ok((dtype, axes)), _) => (dtype, Some(axes)),
        (Err(_), Some(dtype)) if args.define => (dtype, None),
        (Err(_), None) if args.define => (elements.seen_dtype()?, None),
        (Err(error), _) => return Err(failed(error)),
    };
    let values = elements.values(&dtype, axes)?;
    let shape: Vec<u64> =
        values.shape().iter().map(|length| u64::try_from(*length).unwrap_or(u64::MAX)).collect();
    let start = args.start(shape.len());
    args.define(arrays, &dtype, &start, &shape, &[])?;
    let write = arrays.file.write_values(&args.array, &start, values.view());
    arrays.place.wait(write)?;
    let region = Part { start, shape }.to_string();
    args.written(arrays, region, dtype.to_string(), elements.bytes())
}

impl Args {
    fn start(&self, axes: usize) -> Vec<u64> {
        self.offset.clone().unwrap_or_else(|| vec![0; axes])
    }

    /// Defines the array where there is none, if it may.
    fn define(
        &self,
        arrays: &mut Arrays,
        dtype: &DType,
        start: &[u64],
        shape: &[u64],
        dims: &[String],
    ) -> Result<()> {
        if !self.define || arrays.file.get_array(&self.array).is_ok() {
            return Ok(());
        }
        let reach = |(start, length): (&u64, &u64)| start.checked_add(*length);
        let reached = start.iter().zip(shape).map(reach).collect::<Option<Vec<u64>>>();
        let reached = reached.filter(|_| start.len() == shape.len()).ok_or_else(|| {
            Error::new(ErrorKind::InvalidArgument, "the offset isn't one of the axes that are written")
                .with("offset", format_args!("{start:?}"))
        })?;
        let spec = self.how.spec(dtype, &reached, dims)?;
        arrays.file.define_array(&self.array, spec).map(drop).map_err(failed)
    }

    fn written(&self, arrays: &mut Arrays, region: String, dtype: String, bytes: u64) -> Result<Written> {
        Ok(Written {
            file: self.place.file.clone(),
            array: self.array.clone(),
            image: self.image.name(),
            region,
            dtype,
            bytes,
            commit: arrays.flush()?,
        })
    }
}
