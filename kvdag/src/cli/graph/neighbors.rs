//! `kvdag graph neighbors`.

use std::fmt;
use std::ops::ControlFlow;

use engine_api::Result;
use graph::{Incident, everything};
use serde::Serialize;

use super::Place;
use super::list::Line;
use crate::cli::output::{self, Output};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    place: Place,
    /// The vertex.
    vertex: u64,
    /// Which edges, of a directed graph.
    #[arg(long, value_enum, default_value_t = Which::Both)]
    edges: Which,
    /// The most lines to print.
    #[arg(long)]
    limit: Option<usize>,
}

/// Which edges of a vertex.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum Which {
    /// Those that begin at it.
    Out,
    /// Those that end at it.
    In,
    /// All of them.
    Both,
}

#[derive(Debug, Serialize)]
struct Neighbors {
    vertex: u64,
    edges: Vec<Line>,
}

impl fmt::Display for Neighbors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows: Vec<_> = self.edges.iter().map(Line::row).collect();
        output::columns(f, &rows)
    }
}

pub(crate) fn run(args: &Args, output: Output) -> Result<()> {
    let store = args.place.open_to_read()?;
    let at = args.place.graph(&store)?;
    let which = match args.edges {
        Which::Out => Incident::Out,
        Which::In => Incident::In,
        Which::Both => Incident::Both,
    };
    let limit = args.limit.unwrap_or(usize::MAX);
    let mut edges = Vec::new();
    at.graph().visit_edges_of(at.ctx(), args.vertex, which, everything(), &mut |edge| {
        if edges.len() >= limit {
            return Ok(ControlFlow::Break(()));
        }
        edges.push(Line::of_edge(edge));
        Ok(ControlFlow::Continue(()))
    })?;
    output.print(&Neighbors { vertex: args.vertex, edges })
}
