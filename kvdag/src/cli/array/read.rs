//! `kvdag array read`.

use std::fmt;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use array_file::ArrayMeta;
use engine_api::{Error, ErrorKind, Result};
use serde::Serialize;
use serde_json::Value;
use volume::CreateOptions;

use super::export::Exported;
use super::place::{Arrays, PastArgs, failed};
use super::save::{Part, for_each_text, save_image, save_raw, stream_image};
use super::values::json_of;
use crate::cli::output::{Format, Output};

/// A JSON answer is kept in memory until it is whole.
const MOST_IN_JSON: u64 = 1 << 22;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    past: PastArgs,
    /// The array.
    array: String,
    /// Only a part, slowest axis first.
    #[arg(long, value_name = "Z0:Z1,Y0:Y1,X0:X1")]
    region: Option<String>,
    /// The file to write, .npy or .raw; one of that name is replaced. Text goes to standard output, and so does `-`.
    #[arg(short, long = "out", value_name = "FILE")]
    out: Option<PathBuf>,
    /// How elements are written, where no name says it.
    #[arg(long = "as", value_enum, value_name = "FORMAT")]
    kind: Option<Kind>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Kind {
    /// A line for each row of the fastest axis.
    Text,
    /// A NumPy array.
    Npy,
    /// Elements one after another: C order, little-endian.
    Raw,
}

pub(crate) fn run(args: &Args, output: Output) -> Result<()> {
    let file = args.out.as_deref().filter(|out| out.as_os_str() != "-");
    let kind = kind_of(args.kind, file)?;
    let arrays = Arrays::to_read(&args.past)?;
    let meta = arrays.file.get_array(&args.array).map_err(failed)?;
    let part = Part::of(meta, args.region.as_deref())?;
    let npy = || CreateOptions { format: Some(volume::Format::Npy), ..CreateOptions::default() };
    match (kind, file) {
        (Kind::Text, _) if output.format == Format::Json => {
            return print_json(args, &arrays, meta, &part, output);
        }
        (Kind::Text, _) => return print_text(&arrays, meta, &part, output),
        (Kind::Npy, None) => return stream_image(&arrays, meta, &part, npy(), output),
        (Kind::Raw, None) => return save_raw(&arrays, meta, &part, None, output),
        (Kind::Npy, Some(file)) => save_image(&arrays, meta, &part, (file, npy()), output)?,
        (Kind::Raw, Some(file)) => save_raw(&arrays, meta, &part, Some(file), output)?,
    }
    output.print(&Exported {
        file: args.past.place.file.clone(),
        commit: arrays.file.commit(),
        array: args.array.clone(),
        region: part.to_string(),
        dtype: meta.dtype.to_string(),
        image: file.map(|file| file.display().to_string()).unwrap_or_default(),
    })
}

fn kind_of(kind: Option<Kind>, file: Option<&Path>) -> Result<Kind> {
    let Some(file) = file else { return Ok(kind.unwrap_or(Kind::Text)) };
    match (kind, file.extension().and_then(|extension| extension.to_str())) {
        (Some(Kind::Npy), _) | (None, Some("npy")) => Ok(Kind::Npy),
        (Some(Kind::Raw), _) | (None, Some("raw")) => Ok(Kind::Raw),
        _ => Err(Error::new(
            ErrorKind::InvalidArgument,
            "a region is read to .npy or .raw; `kvdag array export` writes other formats, and text goes to standard output",
        )
        .with("file", file.display())),
    }
}

#[derive(Serialize)]
struct Elements {
    file: String,
    commit: u64,
    array: String,
    region: String,
    shape: Vec<u64>,
    dtype: String,
    /// In C order.
    values: Vec<Value>,
}

impl fmt::Display for Elements {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} elements", self.values.len())
    }
}

fn print_json(args: &Args, arrays: &Arrays, meta: &ArrayMeta, part: &Part, output: Output) -> Result<()> {
    if part.elements() > MOST_IN_JSON {
        return Err(Error::new(
            ErrorKind::TooLarge,
            "these are too many elements for one JSON value; give a --region, or -o FILE",
        )
        .with("elements", part.elements())
        .with("limit", MOST_IN_JSON));
    }
    let mut values = Vec::new();
    for_each_text(arrays, meta, part, output, |text| {
        values.push(json_of(text));
        Ok(())
    })?;
    output.print(&Elements {
        file: args.past.place.file.clone(),
        commit: arrays.file.commit(),
        array: args.array.clone(),
        region: part.to_string(),
        shape: part.shape.clone(),
        dtype: meta.dtype.to_string(),
        values,
    })
}

/// Prints a line for each row, and an empty one before each further plane.
fn print_text(arrays: &Arrays, meta: &ArrayMeta, part: &Part, output: Output) -> Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    let row = part.shape.last().copied().unwrap_or(1).max(1);
    let plane = part.shape.iter().rev().take(2).fold(1, |all, length| all * (*length).max(1));
    let (mut count, mut gone) = (0u64, false);
    let outcome = for_each_text(arrays, meta, part, output, |text| {
        let before = if count == 0 {
            ""
        } else if part.shape.len() > 2 && count.is_multiple_of(plane) {
            "\n\n"
        } else if count.is_multiple_of(row) {
            "\n"
        } else {
            " "
        };
        count += 1;
        write!(out, "{before}{text}").map_err(|error| written(error, &mut gone))
    });
    // A reader that went away, such as `head`, has what it wanted.
    let outcome = outcome.and_then(|()| {
        let end = if count > 0 { "\n" } else { "" };
        out.write_all(end.as_bytes()).and_then(|()| out.flush()).map_err(|error| written(error, &mut gone))
    });
    if gone { Ok(()) } else { outcome }
}

fn written(error: io::Error, gone: &mut bool) -> Error {
    *gone |= error.kind() == io::ErrorKind::BrokenPipe;
    Error::from_io(error, "the elements can't be written")
}
