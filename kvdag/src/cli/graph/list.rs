//! `kvdag graph ls` and `kvdag graph show`.

use std::fmt;
use std::ops::ControlFlow;

use engine_api::{Error, ErrorKind, Result};
use graph::{Edge, Element, Shown, Vertex, after};
use serde::Serialize;

use super::Place;
use crate::cli::keys::text;
use crate::cli::output::{self, Output};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    place: Place,
    /// List edges instead of vertices.
    #[arg(long)]
    edges: bool,
    /// Begin behind this vertex, or this edge, `FROM,TO`: the last of the page before.
    #[arg(long, value_name = "ID")]
    after: Option<String>,
    /// The most lines to print.
    #[arg(long, default_value_t = 1000)]
    limit: usize,
}

/// A vertex or an edge.
#[derive(Debug, Serialize)]
pub(super) struct Line {
    ends: Vec<u64>,
    /// Nothing where a merge has left several weights.
    weight: Option<f64>,
}

impl Line {
    pub(super) fn of_vertex(vertex: Shown<Vertex>) -> Self {
        Self::new(vertex.map(|vertex| (vec![vertex.id], vertex.weight)))
    }

    pub(super) fn of_edge(edge: Shown<Edge>) -> Self {
        Self::new(edge.map(|edge| (vec![edge.from, edge.to], edge.weight)))
    }

    fn new(shown: Shown<(Vec<u64>, f64)>) -> Self {
        match shown {
            Shown::Found((ends, weight)) => Self { ends, weight: Some(weight) },
            Shown::Conflict { element: Element::Vertex(id), .. } => Self { ends: vec![id], weight: None },
            Shown::Conflict { element: Element::Edge(from, to), .. } => {
                Self { ends: vec![from, to], weight: None }
            }
            Shown::Conflict { .. } => Self { ends: Vec::new(), weight: None },
        }
    }

    pub(super) fn row(&self) -> Vec<String> {
        let weight = self.weight.map_or_else(|| "in conflict".to_owned(), |weight| weight.to_string());
        self.ends.iter().map(ToString::to_string).chain([weight]).collect()
    }
}

#[derive(Debug, Serialize)]
struct Page {
    #[serde(rename = "elements")]
    lines: Vec<Line>,
    /// What `--after` takes to go on; nothing at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

impl fmt::Display for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows: Vec<_> = self.lines.iter().map(Line::row).collect();
        output::columns(f, &rows)?;
        match &self.next {
            Some(next) => writeln!(f, "there are more: --after {next}"),
            None => Ok(()),
        }
    }
}

pub(crate) fn run(args: &Args, output: Output) -> Result<()> {
    let malformed = || {
        let message = "a page begins behind a vertex's number, or behind FROM,TO of an edge";
        Error::new(ErrorKind::InvalidArgument, message)
            .with("after", args.after.as_deref().unwrap_or_default())
    };
    let number = |text: &str| text.trim().parse::<u64>().map_err(|_| malformed());
    let store = args.place.open_to_read()?;
    let at = args.place.graph(&store)?;
    let mut lines = Vec::new();
    let mut more = false;
    let mut take = |line: Line| {
        more = lines.len() >= args.limit;
        if more {
            return Ok(ControlFlow::Break(()));
        }
        lines.push(line);
        Ok(ControlFlow::Continue(()))
    };
    if args.edges {
        let last = args.after.as_deref().map(|text| -> Result<_> {
            let (from, to) = text.split_once(',').ok_or_else(malformed)?;
            Ok((number(from)?, number(to)?))
        });
        let between = after(last.transpose()?);
        at.graph().visit_edges(at.ctx(), between, &mut |edge| take(Line::of_edge(edge)))?;
    } else {
        let between = after(args.after.as_deref().map(number).transpose()?);
        at.graph().visit_vertices(at.ctx(), between, &mut |vertex| take(Line::of_vertex(vertex)))?;
    }
    let ends = lines.last().filter(|_| more).map(|line| &line.ends);
    let next = ends.map(|ends| ends.iter().map(ToString::to_string).collect::<Vec<_>>().join(","));
    output.print(&Page { lines, next })
}

#[derive(Debug, clap::Args)]
pub(crate) struct ShowArgs {
    #[command(flatten)]
    place: Place,
    /// The vertex, or where the edge begins.
    vertex: u64,
    /// Where the edge ends.
    to: Option<u64>,
}

#[derive(Debug, Serialize)]
struct Detail {
    element: String,
    weight: f64,
    properties: Vec<Property>,
}

#[derive(Debug, Serialize)]
struct Property {
    name: String,
    value: String,
    /// Whether the value isn't UTF-8, and so its other bytes are written as `\xNN`.
    escaped: bool,
}

impl fmt::Display for Detail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}, weight {}", self.element, self.weight)?;
        let rows: Vec<_> = self
            .properties
            .iter()
            .map(|property| vec![format!("  {}", property.name), property.value.clone()])
            .collect();
        output::columns(f, &rows)
    }
}

pub(crate) fn show(args: &ShowArgs, output: Output) -> Result<()> {
    let store = args.place.open_to_read()?;
    let at = args.place.graph(&store)?;
    let (graph, ctx) = (at.graph(), at.ctx());
    let (element, weight, properties) = match args.to {
        None => {
            let element = Element::Vertex(args.vertex);
            let vertex = graph.get_vertex(ctx, args.vertex)?.ok_or_else(|| element.missing())?;
            (element, vertex.weight, graph.vertex_properties(ctx, args.vertex)?)
        }
        Some(to) => {
            let element = Element::Edge(args.vertex, to);
            let edge = graph.get_edge(ctx, args.vertex, to)?.ok_or_else(|| element.missing())?;
            (element, edge.weight, graph.edge_properties(ctx, args.vertex, to)?)
        }
    };
    let properties = properties.into_iter().map(|(name, value)| {
        let (value, escaped) = text(&value);
        Property { name, value, escaped }
    });
    output.print(&Detail { element: element.to_string(), weight, properties: properties.collect() })
}
