//! `kvdag graph export`.

use std::fmt;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use engine_api::{Error, ErrorKind, Result};
use graph::{Progress, write_csv, write_dot, write_graphml};
use serde::Serialize;
use tempfile::NamedTempFile;

use super::Place;
use crate::cli::interrupt::Careful;
use crate::cli::output::Output;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    place: Place,
    /// The file to write: .graphml, .dot or .gv, or .csv for the edges; one of that name is replaced.
    file: PathBuf,
    /// The format, where the name doesn't say it.
    #[arg(long = "as", value_enum, value_name = "FORMAT")]
    kind: Option<Format>,
    /// With CSV, a second table: the vertices.
    #[arg(long, value_name = "FILE")]
    vertices: Option<PathBuf>,
}

/// The formats by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    Graphml,
    Dot,
    Csv,
}

impl Format {
    fn of(file: &Path) -> Result<Self> {
        let ending = file.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        match ending.to_lowercase().as_str() {
            "graphml" => Ok(Self::Graphml),
            "dot" | "gv" => Ok(Self::Dot),
            "csv" => Ok(Self::Csv),
            _ => Err(Error::new(ErrorKind::InvalidArgument, "the file's name says no format; give --as")
                .with("file", file.display())),
        }
    }
}

#[derive(Debug, Serialize)]
struct Exported {
    graph: String,
    file: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    vertices: Option<String>,
}

impl fmt::Display for Exported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exported {} to {}", self.graph, self.file)?;
        match &self.vertices {
            Some(vertices) => write!(f, " and {vertices}"),
            None => Ok(()),
        }
    }
}

pub(crate) fn run(args: &Args, output: Output) -> Result<()> {
    let format = args.kind.map_or_else(|| Format::of(&args.file), Ok)?;
    if args.vertices.is_some() && format != Format::Csv {
        return Err(Error::new(
            ErrorKind::InvalidArgument,
            "the vertices have a table of their own in CSV alone",
        ));
    }
    let store = args.place.open_to_read()?;
    let at = args.place.graph(&store)?;
    at.kind()?;
    let bar = output.progress(0, "exporting");
    let careful = Careful::begin();
    let mut watch = |progress: Progress| {
        if let Progress::Written(items) = progress {
            bar.set_length(items);
            bar.set_position(items);
        }
        careful.check()
    };
    let mut out = Part::begin(&args.file)?;
    let mut vertices = args.vertices.as_deref().map(Part::begin).transpose()?;
    let (graph, name) = ((at.graph(), at.ctx() as &dyn engine_api::key::Context), &args.place.graph);
    match format {
        Format::Graphml => write_graphml(graph, name, &mut out.out, &mut watch)?,
        Format::Dot => write_dot(graph, name, &mut out.out, &mut watch)?,
        Format::Csv => {
            let vertices = vertices.as_mut().map(|part| &mut part.out as &mut dyn Write);
            write_csv(graph, &mut out.out, vertices, &mut watch)?;
        }
    }
    let out = out.finish()?;
    let vertices = vertices.map(Part::finish).transpose()?;
    out.publish()?;
    vertices.map(Whole::publish).transpose()?;
    bar.finish_and_clear();
    output.print(&Exported {
        graph: name.clone(),
        file: args.file.display().to_string(),
        vertices: args.vertices.as_ref().map(|file| file.display().to_string()),
    })
}

/// A file that gets its name when it is whole.
struct Part<'a> {
    file: &'a Path,
    out: BufWriter<NamedTempFile>,
}

/// A file that is whole.
struct Whole<'a>(&'a Path, NamedTempFile);

fn failed(file: &Path) -> impl Fn(std::io::Error) -> Error {
    move |error| Error::from_io(error, "the file can't be written").with("file", file.display())
}

impl<'a> Part<'a> {
    fn begin(file: &'a Path) -> Result<Self> {
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut builder = tempfile::Builder::new();
        #[cfg(unix)]
        {
            // As any program's files; the umask is taken off.
            use std::os::unix::fs::PermissionsExt;
            builder.permissions(std::fs::Permissions::from_mode(0o666));
        }
        let out = builder.tempfile_in(folder).map_err(failed(file))?;
        Ok(Self { file, out: BufWriter::new(out) })
    }

    fn finish(self) -> Result<Whole<'a>> {
        let out = self.out.into_inner().map_err(|error| failed(self.file)(error.into_error()))?;
        out.as_file().sync_all().map_err(failed(self.file))?;
        Ok(Whole(self.file, out))
    }
}

impl Whole<'_> {
    fn publish(self) -> Result<()> {
        self.1.persist(self.0).map(drop).map_err(|error| failed(self.0)(error.error))
    }
}
