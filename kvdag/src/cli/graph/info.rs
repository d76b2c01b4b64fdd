//! `kvdag graph info` and `kvdag graph stats`.

use std::fmt;
use std::ops::ControlFlow;

use engine_api::{Result, Store};
use graph::{GraphAt, Shown, Snapshot, components, everything};
use serde::Serialize;

use super::{Memory, Place, kind_word};
use crate::cli::output::{self, Output};

#[derive(Debug, clap::Args)]
pub(crate) struct InfoArgs {
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Serialize)]
struct Info {
    graph: String,
    kind: &'static str,
    vertices: u64,
    edges: u64,
    /// Those that a merge has left with several weights.
    in_conflict: u64,
}

impl fmt::Display for Info {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { graph, kind, vertices, edges, in_conflict } = self;
        write!(f, "{graph}: {kind}, {vertices} vertices, {edges} edges")?;
        if *in_conflict > 0 {
            write!(f, ", {in_conflict} of them in conflict")?;
        }
        Ok(())
    }
}

pub(crate) fn info(args: &InfoArgs, output: Output) -> Result<()> {
    let store = args.place.open_to_read()?;
    let at = args.place.graph(&store)?;
    let kind = kind_word(at.kind()?);
    let (vertices, edges, in_conflict) = count_all(&at)?;
    output.print(&Info { graph: args.place.graph.clone(), kind, vertices, edges, in_conflict })
}

/// How many vertices and edges there are.
pub(super) fn count(at: &GraphAt<'_, Box<dyn Store>>) -> Result<(u64, u64)> {
    count_all(at).map(|(vertices, edges, _)| (vertices, edges))
}

fn count_all(at: &GraphAt<'_, Box<dyn Store>>) -> Result<(u64, u64, u64)> {
    let (mut vertices, mut edges, mut in_conflict) = (0, 0, 0);
    at.graph().visit_vertices(at.ctx(), everything(), &mut |vertex| {
        vertices += 1;
        in_conflict += u64::from(matches!(vertex, Shown::Conflict { .. }));
        Ok(ControlFlow::Continue(()))
    })?;
    at.graph().visit_edges(at.ctx(), everything(), &mut |edge| {
        edges += 1;
        in_conflict += u64::from(matches!(edge, Shown::Conflict { .. }));
        Ok(ControlFlow::Continue(()))
    })?;
    Ok((vertices, edges, in_conflict))
}

#[derive(Debug, clap::Args)]
pub(crate) struct StatsArgs {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    memory: Memory,
}

/// The smallest, the mean and the largest of some numbers.
#[derive(Debug, Serialize)]
struct Spread {
    least: f64,
    mean: f64,
    most: f64,
}

impl Spread {
    #[allow(clippy::cast_precision_loss, reason = "a mean is rounded")]
    fn of(numbers: impl Iterator<Item = f64>) -> Option<Self> {
        let (mut least, mut most, mut sum, mut count) = (f64::INFINITY, f64::NEG_INFINITY, 0.0, 0_u64);
        for number in numbers {
            least = least.min(number);
            most = most.max(number);
            sum += number;
            count += 1;
        }
        (count > 0).then(|| Self { least, mean: sum / count as f64, most })
    }

    fn row(name: &str, spread: Option<&Self>) -> Vec<String> {
        let mut row = vec![name.to_owned()];
        match spread {
            Some(Self { least, mean, most }) => {
                row.extend([least.to_string(), format!("{mean:.3}"), most.to_string()]);
            }
            None => row.push("none".to_owned()),
        }
        row
    }
}

#[derive(Debug, Serialize)]
struct Stats {
    graph: String,
    kind: &'static str,
    vertices: usize,
    edges: usize,
    loops: usize,
    /// Vertices without an edge.
    isolated: usize,
    components: usize,
    largest_component: usize,
    degree: Option<Spread>,
    vertex_weight: Option<Spread>,
    edge_weight: Option<Spread>,
}

impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}", self.graph, self.kind)?;
        let counts = [
            ("vertices", self.vertices),
            ("edges", self.edges),
            ("loops", self.loops),
            ("vertices without an edge", self.isolated),
            ("components", self.components),
            ("vertices of the largest", self.largest_component),
        ];
        let mut rows: Vec<_> =
            counts.iter().map(|(name, count)| vec![(*name).to_owned(), count.to_string()]).collect();
        rows.push(["", "least", "mean", "most"].map(str::to_owned).to_vec());
        rows.push(Spread::row("degree", self.degree.as_ref()));
        rows.push(Spread::row("vertex weight", self.vertex_weight.as_ref()));
        rows.push(Spread::row("edge weight", self.edge_weight.as_ref()));
        output::columns(f, &rows)
    }
}

pub(crate) fn stats(args: &StatsArgs, output: Output) -> Result<()> {
    let store = args.place.open_to_read()?;
    let at = args.place.graph(&store)?;
    let loaded = Snapshot::load(at.graph(), at.ctx(), args.memory.bytes())?;
    let count = u32::try_from(loaded.vertices().len()).unwrap_or(u32::MAX);
    let degrees = (0..count).map(|index| loaded.degree(index));
    let components = components(&loaded);
    #[allow(clippy::cast_precision_loss, reason = "degrees are below 2^53")]
    let degree = Spread::of(degrees.clone().map(|degree| degree as f64));
    output.print(&Stats {
        graph: args.place.graph.clone(),
        kind: kind_word(loaded.kind()),
        vertices: loaded.vertices().len(),
        edges: loaded.edges().len(),
        loops: loaded.edges().iter().filter(|edge| edge.from == edge.to).count(),
        isolated: degrees.filter(|degree| *degree == 0).count(),
        components: components.len(),
        largest_component: components.iter().map(Vec::len).max().unwrap_or(0),
        degree,
        vertex_weight: Spread::of(loaded.vertices().iter().map(|(_, weight)| *weight)),
        edge_weight: Spread::of(loaded.edges().iter().map(|edge| edge.weight)),
    })
}
