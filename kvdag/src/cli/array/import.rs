//! `kvdag array import`.

use array_file::FileConfig;
use engine_api::{Error, ErrorKind, Result};

use super::create::DefineArgs;
use super::load;
use super::place::{Arrays, PlaceArgs, failed};
use super::source::{ImageArgs, chunks_of};
use super::write::Written;
use crate::cli::output::Output;
use crate::cli::volume::import::name_of;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(super) place: PlaceArgs,
    #[command(flatten)]
    pub(super) image: ImageArgs,
    /// The array's name; the image's unless given, and those of arrays that have names.
    #[arg(long, value_name = "NAME")]
    pub(super) array: Option<String>,
    /// Only this variable of a NetCDF file, or dataset of an HDF5 one; all of them unless given.
    #[arg(long, value_name = "NAME", conflicts_with = "shape")]
    pub(super) variable: Option<String>,
    #[command(flatten)]
    pub(super) how: DefineArgs,
}

pub(crate) fn run(args: &Args, output: Output) -> Result<()> {
    let of_variables = args.image.holds_variables();
    #[cfg(feature = "hdf5")]
    if of_variables {
        return super::variables::import(args, output);
    }
    if args.variable.is_some() && !of_variables {
        return Err(Error::new(ErrorKind::InvalidArgument, "only HDF5 and NetCDF files have variables"));
    }
    let name = match &args.array {
        Some(name) => name.clone(),
        None if args.image.name() == "-" => {
            return Err(Error::new(
                ErrorKind::InvalidArgument,
                "what comes from standard input has no name; give --array",
            ));
        }
        None => name_of(&args.image.image)?,
    };
    let input = args.image.open()?;
    let (dtype, info) = (input.dtype.clone(), input.image.info().clone());
    let mut spec = args.how.spec(&dtype, input.shape(), &input.axis_names())?;
    if args.how.chunk_shape.is_none()
        && let Some(chunks) = chunks_of(&input.image)
    {
        spec = spec.chunk_shape(&chunks);
    }
    let arrays = Arrays::to_write_or_create(&args.place, FileConfig::new(args.image.codec()?))?;
    let written = arrays.change(|arrays| {
        arrays.file.define_array(&name, spec).map_err(failed)?;
        load::describe(arrays, &name, &info)?;
        let start = vec![0; input.shape().len()];
        let region = load::load(arrays, &name, &start, input, output)?;
        Ok(Written {
            file: args.place.file.clone(),
            array: name.clone(),
            image: args.image.name(),
            region: region.to_string(),
            dtype: dtype.to_string(),
            bytes: info.total_bytes(),
            commit: arrays.flush()?,
        })
    })?;
    output.print(&written)
}
