//! `kvdag graph path`.

use std::fmt;

use engine_api::{Error, ErrorKind, Result};
use graph::shortest_path;
use serde::Serialize;

use super::Place;
use crate::cli::output::Output;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    place: Place,
    /// Where the way begins.
    from: u64,
    /// Where it ends.
    to: u64,
    /// The way with the fewest edges, whatever they weigh.
    #[arg(long)]
    hops: bool,
}

#[derive(Debug, Serialize)]
struct Way {
    cost: f64,
    vertices: Vec<u64>,
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let vertices: Vec<_> = self.vertices.iter().map(ToString::to_string).collect();
        write!(f, "{}\ncost {}", vertices.join(" "), self.cost)
    }
}

pub(crate) fn run(args: &Args, output: Output) -> Result<()> {
    let store = args.place.open_to_read()?;
    let at = args.place.graph(&store)?;
    let found = shortest_path(at.graph(), at.ctx(), (args.from, args.to), args.hops)?;
    let way = found.ok_or_else(|| {
        Error::new(ErrorKind::NotFound, "no way leads there").with("from", args.from).with("to", args.to)
    })?;
    output.print(&Way { cost: way.cost, vertices: way.vertices })
}
