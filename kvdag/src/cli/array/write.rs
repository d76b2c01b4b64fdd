//! `kvdag array write`.

use std::fmt;

use array_file::{DType, FileConfig};
use engine_api::{Error, ErrorKind, Result};
use serde::Serialize;

use super::create::DefineArgs;
use super::load::{self, ImageArgs};
use super::place::{Arrays, PlaceArgs, failed};
use crate::cli::output::{self, Output};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    place: PlaceArgs,
    /// The array.
    array: String,
    #[command(flatten)]
    image: ImageArgs,
    /// Where the image's first element goes, slowest axis first; zeros unless given.
    #[arg(long, value_name = "Z,Y,X", value_delimiter = ',')]
    offset: Option<Vec<u64>>,
    /// Define the array, as large as the image reaches, where there is none; and make the file.
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
    let input = args.image.open()?;
    let info = input.image.info().clone();
    let config = FileConfig::new(args.image.codec()?);
    let start = args.offset.clone().unwrap_or_else(|| vec![0; info.shape().len()]);
    if args.how.is_given() && !args.define {
        return Err(Error::new(ErrorKind::InvalidArgument, "what an array is, is said with --define"));
    }
    let arrays = if args.define {
        Arrays::to_write_or_create(&args.place, config)?
    } else {
        Arrays::to_write(&args.place, config)?
    };
    let written = arrays.change(|arrays| {
        if arrays.file.get_array(&args.array).is_err() && args.define {
            let reach = |(start, length): (&u64, &u64)| start.checked_add(*length);
            let shape = start.iter().zip(info.shape()).map(reach).collect::<Option<Vec<u64>>>();
            let shape = shape.filter(|shape| shape.len() == info.shape().len()).ok_or_else(|| {
                Error::new(ErrorKind::InvalidArgument, "the offset isn't one of the image's axes")
                    .with("offset", format_args!("{start:?}"))
            })?;
            let spec = args.how.spec(&DType::from(info.dtype()), &shape, &load::axis_names(&info))?;
            arrays.file.define_array(&args.array, spec).map_err(failed)?;
        }
        let region = load::load(arrays, &args.array, &start, input.image, output)?;
        Ok(Written {
            file: args.place.file.clone(),
            array: args.array.clone(),
            image: args.image.name(),
            region: region.to_string(),
            dtype: info.dtype().to_string(),
            bytes: info.total_bytes(),
            commit: arrays.flush()?,
        })
    })?;
    output.print(&written)
}
