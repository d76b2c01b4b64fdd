//! `kvdag graph components`.

use std::cmp::Reverse;
use std::fmt;

use engine_api::Result;
use graph::{Snapshot, components, strong_components};
use serde::Serialize;

use super::{Memory, Place};
use crate::cli::output::{self, Output};

/// Vertices of a component that are shown to people.
const SHOWN: usize = 12;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    place: Place,
    /// Strongly connected: a way leads from each vertex to each other, along the directions.
    #[arg(long)]
    strong: bool,
    /// The most components to print, the largest first.
    #[arg(long)]
    limit: Option<usize>,
    #[command(flatten)]
    memory: Memory,
}

#[derive(Debug, Serialize)]
struct Components {
    count: usize,
    components: Vec<Vec<u64>>,
}

impl fmt::Display for Components {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows: Vec<_> = self
            .components
            .iter()
            .map(|vertices| {
                let mut shown: Vec<_> = vertices.iter().take(SHOWN).map(ToString::to_string).collect();
                if vertices.len() > SHOWN {
                    shown.push("…".to_owned());
                }
                vec![format!("{} vertices", vertices.len()), shown.join(" ")]
            })
            .collect();
        output::columns(f, &rows)?;
        writeln!(f, "components: {}", self.count)
    }
}

pub(crate) fn run(args: &Args, output: Output) -> Result<()> {
    let store = args.place.open_to_read()?;
    let at = args.place.graph(&store)?;
    let loaded = Snapshot::load(at.graph(), at.ctx(), args.memory.bytes())?;
    let mut found = if args.strong { strong_components(&loaded) } else { components(&loaded) };
    found.sort_by_key(|component| Reverse(component.len()));
    let count = found.len();
    found.truncate(args.limit.unwrap_or(usize::MAX));
    output.print(&Components { count, components: found })
}
