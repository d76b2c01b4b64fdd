//! `kvdag array`: what is done with array files.

mod attribute_values;
mod attributes;
#[cfg(feature = "s3")]
mod cloud;
mod compact;
mod create;
mod export;
mod history;
mod import;
mod info;
mod json_elements;
mod list;
mod load;
mod numbers;
mod place;
mod read;
mod resolve;
mod save;
mod source;
mod stats;
mod values;
#[cfg(feature = "hdf5")]
mod variables;
mod verify;
mod write;

use std::process::ExitCode;

use engine_api::Result;

use super::output::Output;

const AFTER_HELP: &str = "\
A FILE is a path that ends in .af, or with --store STORE a name that does: then the file is among the objects of that
kvdag store, at a version, and branches and merges with the rest of it. It may also be a URL: s3://BUCKET/PATH.af, with
the keys, the region and the endpoint in the environment, as for AWS's own tools; and gs:// and az:// likewise.

A REGION is START:END for each axis, slowest first, the end left out: 0:4,10:20,0:512. A write is seen when all of it
is there, as a new commit of the file; `history` lists commits, and --commit reads one of the past.";

/// Arrays in files: read and write regions, import and export images, statistics, history.
#[derive(Debug, clap::Subcommand)]
#[command(after_help = AFTER_HELP)]
pub(crate) enum Command {
    /// Make an array file, or define an array in one.
    Create(create::Args),
    /// Say what a file is, and what it is made of.
    Info(info::Args),
    /// List the arrays of a file.
    Ls(list::Args),
    /// Print the elements of a region, or write them to a file.
    Read(read::Args),
    /// Write an image, a NumPy array for one, or elements in JSON over a part of an array.
    ///
    /// JSON is known by .json, or on standard input by how it begins: lists in lists, slowest axis first, or what
    /// `read --format json` prints. Elements of every type have it; NaN, -inf, complex numbers such as 1-2j, times and the
    /// hexadecimal digits of bytes are texts.
    Write(write::Args),
    /// List, get, set or delete the attributes of an array.
    Attrs(attributes::Args),
    /// Say the least and the greatest element of arrays, and how many count, without reading chunks.
    Stats(stats::Args),
    /// Make one layer of all, and remove what isn't needed any more.
    Compact(compact::Args),
    /// Check a file: the checksums of every block, index, commit and table.
    Verify(verify::Args),
    /// List the commits of a file, or name one.
    History(history::Args),
    /// After a merge, take a file that both sides have committed to from one of them, as a whole.
    Resolve(resolve::Args),
    /// Import an image as a new array, or all arrays of an HDF5 or NetCDF file.
    Import(import::Args),
    /// Export an array, or a region of it, as an image.
    Export(export::Args),
}

pub(crate) fn run(command: Command, output: Output) -> Result<ExitCode> {
    match command {
        Command::Create(args) => create::run(&args, output),
        Command::Info(args) => info::run(&args, output),
        Command::Ls(args) => list::run(&args, output),
        Command::Read(args) => read::run(&args, output),
        Command::Write(args) => write::run(&args, output),
        Command::Attrs(args) => attributes::run(&args, output),
        Command::Stats(args) => stats::run(&args, output),
        Command::Compact(args) => compact::run(&args, output),
        Command::Verify(args) => return verify::run(&args, output),
        Command::History(args) => history::run(&args, output),
        Command::Resolve(args) => resolve::run(&args, output),
        Command::Import(args) => import::run(&args, output),
        Command::Export(args) => export::run(&args, output),
    }?;
    Ok(ExitCode::SUCCESS)
}
