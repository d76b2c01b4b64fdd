//! `kvdag graph`: what is done with graphs.

mod check;
mod components;
mod edit;
mod element;
mod export;
mod import;
mod info;
mod list;
mod neighbors;
mod path;

pub(crate) use element::{describe_key, resolve, show_value};

use std::process::ExitCode;

use engine_api::{Result, Store};
use graph::{GraphAt, VersionedGraph};

use super::output::Output;
use super::store::{self, AnyStore};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Make an empty graph.
    Create(edit::CreateArgs),
    /// Import a graph: from CSV, from GraphML, or of the labels of a volume that touch.
    Import(import::Args),
    /// Export a graph as GraphML, DOT or CSV.
    Export(export::Args),
    /// Say what a graph is: its kind, and how many vertices and edges it has.
    Info(info::InfoArgs),
    /// Degrees, weights and components of a graph, in numbers.
    Stats(info::StatsArgs),
    /// List vertices, or edges, a page at a time.
    Ls(list::Args),
    /// Show a vertex or an edge with its properties.
    Show(list::ShowArgs),
    /// List the edges of a vertex, by the vertices at their other ends.
    #[command(visible_alias = "neighbours")]
    Neighbors(neighbors::Args),
    /// Find the shortest way from a vertex to another.
    Path(path::Args),
    /// List the connected components, the largest first.
    Components(components::Args),
    /// Add a vertex or an edge, or change its weight and properties.
    Set(edit::SetArgs),
    /// Remove an edge, a vertex with its edges, a property, or the graph.
    Rm(edit::RemoveArgs),
    /// Check a graph: every record, and both ends of every edge.
    Check(check::Args),
}

pub(crate) fn run(command: Command, output: Output) -> Result<ExitCode> {
    match command {
        Command::Create(args) => edit::create(&args, output),
        Command::Import(args) => import::run(&args, output),
        Command::Export(args) => export::run(&args, output),
        Command::Info(args) => info::info(&args, output),
        Command::Stats(args) => info::stats(&args, output),
        Command::Ls(args) => list::run(&args, output),
        Command::Show(args) => list::show(&args, output),
        Command::Neighbors(args) => neighbors::run(&args, output),
        Command::Path(args) => path::run(&args, output),
        Command::Components(args) => components::run(&args, output),
        Command::Set(args) => edit::set(&args, output),
        Command::Rm(args) => edit::remove(&args, output),
        Command::Check(args) => return check::run(&args, output),
    }?;
    Ok(ExitCode::SUCCESS)
}

/// Which graph is meant, and at which version.
#[derive(Debug, clap::Args)]
pub(crate) struct Place {
    /// The store.
    store: String,
    /// The graph.
    graph: String,
    /// The version; the newest on the main branch unless given.
    #[arg(long, value_name = "VERSION")]
    at: Option<String>,
}

impl Place {
    fn open_to_read(&self) -> Result<AnyStore> {
        store::open_to_read(&self.store)
    }

    fn open_to_write(&self) -> Result<AnyStore> {
        store::open_to_write(&self.store)
    }

    fn graph<'s>(&self, store: &'s AnyStore) -> Result<GraphAt<'s, Box<dyn Store>>> {
        let version = store::version_id(store, self.at.as_deref())?;
        Ok(VersionedGraph::open(store, &self.graph)?.at(version))
    }
}

/// What a snapshot of a graph may take in memory.
#[derive(Debug, clap::Args)]
pub(crate) struct Memory {
    /// The most memory that the graph may take, in MiB.
    #[arg(long, value_name = "MIB", default_value_t = 4096)]
    memory: u64,
}

impl Memory {
    fn bytes(&self) -> u64 {
        self.memory.saturating_mul(1 << 20)
    }
}

/// The word for a graph's kind.
fn kind_word(kind: graph::Kind) -> &'static str {
    match kind {
        graph::Kind::Undirected => "undirected",
        graph::Kind::Directed => "directed",
    }
}
