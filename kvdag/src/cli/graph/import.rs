//! `kvdag graph import`.

use std::fmt;
use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use chunks::{MultiscaleStore, Region};
use engine_api::version::Version;
use engine_api::{Error, ErrorKind, Result, Store};
use graph::{
    CsvOptions, GraphAt, GraphMl, Kind, Progress, RegionOptions, VersionedGraph, Watch, read_csv,
    region_adjacency,
};
use serde::Serialize;
use volume::Volume;

use super::kind_word;
use crate::cli::interrupt::Careful;
use crate::cli::output::Output;
use crate::cli::store::{self, AnyStore};
use crate::cli::volume::import::name_of;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The store; it is made when it isn't there.
    store: String,
    /// The file: .graphml, .csv, or .tsv and .txt with tabs between columns.
    #[arg(required_unless_present = "volume")]
    file: Option<PathBuf>,
    /// The graph's name; the file's unless given, or the volume's with `-regions` behind it.
    #[arg(long)]
    name: Option<String>,
    /// The version to import to; the newest on the main branch unless given.
    #[arg(long, value_name = "VERSION")]
    at: Option<String>,
    /// Add to a graph that is there, or make it at a version that hasn't got it.
    #[arg(long)]
    add: bool,
    /// A table of edges is of a directed graph.
    #[arg(long, conflicts_with = "volume")]
    directed: bool,
    /// A table of the vertices that a table of edges names.
    #[arg(long, value_name = "FILE", conflicts_with = "volume")]
    vertices: Option<PathBuf>,
    /// The weight of edges and vertices for which the file has none.
    #[arg(long, default_value_t = 1.0, allow_negative_numbers = true, conflicts_with = "volume")]
    weight: f64,
    /// Instead of a file, a volume of labels of the store: its labels become vertices that weigh as many voxels as they have, with
    /// their `centroid`, and those that touch are joined by edges that weigh as many faces.
    #[arg(long, value_name = "VOLUME", conflicts_with = "file", help_heading = "Labels that touch")]
    volume: Option<String>,
    /// The version of the volume; that to import to unless given.
    #[arg(long, value_name = "VERSION", requires = "volume", help_heading = "Labels that touch")]
    volume_at: Option<String>,
    /// The scale of the volume; 0 is full resolution.
    #[arg(long, default_value_t = 0, requires = "volume", help_heading = "Labels that touch")]
    scale: usize,
    /// Only a part of the volume, slowest axis first.
    #[arg(long, value_name = "Z0:Z1,Y0:Y1,X0:X1", requires = "volume", help_heading = "Labels that touch")]
    region: Option<String>,
    /// The label that is no vertex: a number, or `none`.
    #[arg(long, default_value = "0", requires = "volume", help_heading = "Labels that touch")]
    background: String,
    /// About how much memory to use, in MiB; what is more goes to temporary files.
    #[arg(
        long,
        value_name = "MIB",
        default_value_t = 256,
        requires = "volume",
        help_heading = "Labels that touch"
    )]
    memory: usize,
}

#[derive(Debug, Serialize)]
struct Imported {
    graph: String,
    version: String,
    kind: &'static str,
    vertices: u64,
    edges: u64,
}

impl fmt::Display for Imported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = &self.version[..12.min(self.version.len())];
        let Self { graph, kind, vertices, edges, .. } = self;
        write!(f, "imported {graph} at {version}: {kind}, {vertices} vertices, {edges} edges")
    }
}

/// Where a graph comes from, opened before anything is changed.
enum Source {
    Tables { edges: File, vertices: Option<File>, delimiter: u8 },
    GraphMl(String),
    Labels(RegionOptions),
}

pub(crate) fn run(args: &Args, output: Output) -> Result<()> {
    let source = open(args)?;
    let name = match (&args.name, &args.volume, &args.file) {
        (Some(name), ..) => name.clone(),
        (None, Some(volume), _) => format!("{volume}-regions"),
        (None, None, file) => name_of(file.as_deref().unwrap_or(Path::new("")))?,
    };
    // A volume has to be in the store already.
    let store = match &source {
        Source::Labels(_) => store::open_to_write(&args.store)?,
        _ => store::open_or_create(&args.store)?,
    };
    let version = store::version(&store, args.at.as_deref())?;
    output.print(&import(&store, &version, &name, args, &source, output)?)
}

fn open(args: &Args) -> Result<Source> {
    let Some(file) = &args.file else {
        let background = match args.background.as_str() {
            "none" => None,
            label => Some(label.parse().map_err(|_| {
                let message = "the background is a label's number, or none";
                Error::new(ErrorKind::InvalidArgument, message).with("background", label)
            })?),
        };
        let region = args.region.as_deref().map(str::parse::<Region>).transpose()?;
        return Ok(Source::Labels(RegionOptions {
            background,
            region,
            memory: args.memory.saturating_mul(1 << 20),
        }));
    };
    let unreadable = |error| Error::from_io(error, "the file can't be read").with("file", file.display());
    let ending = file.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_lowercase();
    match ending.as_str() {
        "graphml" | "xml" => fs::read_to_string(file).map(Source::GraphMl).map_err(unreadable),
        "csv" | "tsv" | "txt" => Ok(Source::Tables {
            edges: File::open(file).map_err(unreadable)?,
            vertices: args.vertices.as_ref().map(File::open).transpose().map_err(|error| {
                let vertices = args.vertices.as_deref().unwrap_or(Path::new("")).display();
                Error::from_io(error, "the file can't be read").with("file", vertices)
            })?,
            delimiter: if ending == "csv" { b',' } else { b'\t' },
        }),
        _ => Err(Error::new(
            ErrorKind::InvalidArgument,
            "graphs are imported from .graphml, .csv, .tsv and .txt",
        )
        .with("file", file.display())),
    }
}

/// A graph that is new is under its name when it is whole; one that is there has batches added to it, each of which is whole.
fn import(
    store: &AnyStore,
    version: &Version,
    name: &str,
    args: &Args,
    source: &Source,
    output: Output,
) -> Result<Imported> {
    let parsed = match source {
        Source::GraphMl(text) => Some(GraphMl::parse(text)?),
        _ => None,
    };
    let kind = match &parsed {
        Some(file) => file.kind()?,
        None if args.directed => Kind::Directed,
        None => Kind::Undirected,
    };
    let bar = output.progress(0, "importing");
    let careful = if args.add { Careful::resumable() } else { Careful::begin() };
    let mut watch = |progress: Progress| {
        match progress {
            Progress::Elements { done, total } => {
                bar.set_length(total);
                bar.set_position(done);
            }
            Progress::Written(items) => {
                bar.set_length(items);
                bar.set_position(items);
            }
        }
        careful.check()
    };
    let mut fill = |at: &GraphAt<'_, Box<dyn Store>>| {
        if !args.add || at.graph().graph(at.ctx())?.is_none() {
            at.create(kind)?;
        } else if at.kind()? != kind {
            let message = "the graph that is there is of the other kind";
            return Err(Error::new(ErrorKind::InvalidArgument, message).with("file", kind_word(kind)));
        }
        load(store, version, args, (source, parsed.as_ref()), at, &mut watch)
    };
    let there = args.add && store.dag()?.instance_named(version.repo, name).is_some();
    let graph = if there {
        let graph = VersionedGraph::open(store, name)?;
        fill(&graph.at(version.id))?;
        graph
    } else {
        let mut graph = VersionedGraph::begin_import(store, version.repo, name)?;
        if let Err(error) = fill(&graph.at(version.id)).and_then(|()| graph.finish_import()) {
            // That it failed is what is told; an import under this name removes what is left.
            graph.delete().ok();
            return Err(error);
        }
        graph
    };
    bar.finish_and_clear();
    let (vertices, edges) = super::info::count(&graph.at(version.id))?;
    Ok(Imported {
        graph: name.to_owned(),
        version: version.uuid.simple().to_string(),
        kind: kind_word(kind),
        vertices,
        edges,
    })
}

fn load(
    store: &AnyStore,
    version: &Version,
    args: &Args,
    source: (&Source, Option<&GraphMl<'_>>),
    at: &GraphAt<'_, Box<dyn Store>>,
    watch: &mut Watch<'_>,
) -> Result<()> {
    let into = (at.graph(), at.ctx());
    match source {
        (_, Some(file)) => file.load((at.graph(), at.ctx()), args.weight, watch),
        (Source::Tables { edges, vertices, delimiter }, _) => {
            let options = CsvOptions { delimiter: *delimiter, weight: args.weight };
            let mut edges = BufReader::new(edges);
            let mut vertices = vertices.as_ref().map(BufReader::new);
            let vertices = vertices.as_mut().map(|vertices| vertices as &mut dyn Read);
            read_csv((into.0, into.1), &mut edges, vertices, &options, watch)
        }
        (Source::Labels(options), _) => {
            let name = args.volume.as_deref().unwrap_or_default();
            let seen = match &args.volume_at {
                Some(spec) => store.find(spec)?.id,
                None => version.id,
            };
            let volume = Volume::open(store, name)?.at(seen);
            crate::cli::volume::export::made(&volume, args.scale)?;
            let labels = volume.scale(args.scale)?;
            region_adjacency(labels, options, (into.0, into.1), watch).map(drop)
        }
        (Source::GraphMl(_), None) => Ok(()),
    }
}
