//! `cargo run -p graph --example shortest_path`: the shortest way through a graph that is read as the algorithm goes.

use std::error::Error;

use engine_api::MemoryStore;
use engine_api::version::Versioned;
use graph::{Edge, Item, Kind, Lazily, VersionedGraph, Vertex};
use petgraph::algo::astar;
use petgraph::visit::EdgeRef;

/// The junctions along a side of the city.
const SIDE: u64 = 100;

fn main() -> Result<(), Box<dyn Error>> {
    println!("{}", story()?);
    Ok(())
}

/// A city of a hundred by a hundred junctions, with a fast road through it. Of ten thousand junctions petgraph looks at some
/// hundreds, and no others are read.
pub(crate) fn story() -> Result<String, Box<dyn Error>> {
    let store = Versioned::create(MemoryStore::new())?;
    let repo = store.create_repo("city", None)?;
    let streets = VersionedGraph::create(&store, repo.id, "streets")?.at(repo.root);
    streets.create(Kind::Undirected)?;
    streets.graph().load(streets.ctx(), &city())?;

    let (from, to) = (junction(50, 10), junction(55, 30));
    let far = |id: u64| (id / SIDE).abs_diff(55) + (id % SIDE).abs_diff(30);
    let mut looked_at = 0;
    // Were a read to fail, this would be its error, and not the way through what was read.
    let way = Lazily::run(streets.graph(), streets.ctx(), |city| {
        #[allow(clippy::cast_precision_loss, reason = "the city is small")]
        let at_least = |id| {
            looked_at += 1;
            far(id) as f64 / 2.0
        };
        astar(city, from, |id| id == to, |edge| *edge.weight(), at_least)
    })?;
    let (minutes, way) = way.ok_or("there is no way")?;
    Ok(format!(
        "{minutes} minutes over {} streets; looked at less than 2000: {}",
        way.len() - 1,
        looked_at < 2000
    ))
}

fn junction(row: u64, column: u64) -> u64 {
    row * SIDE + column
}

/// A street takes a minute, and half of one along row 52.
fn city() -> Vec<Item> {
    let places = (0..SIDE).flat_map(|row| (0..SIDE).map(move |column| (row, column)));
    let junctions =
        places.clone().map(|(row, column)| Item::Vertex(Vertex { id: junction(row, column), weight: 0.0 }));
    let street = |from, to, weight| Item::Edge(Edge { from, to, weight });
    let streets = places.flat_map(|(row, column)| {
        let here = junction(row, column);
        let along = (column + 1 < SIDE).then(|| street(here, here + 1, if row == 52 { 0.5 } else { 1.0 }));
        let across = (row + 1 < SIDE).then(|| street(here, here + SIDE, 1.0));
        along.into_iter().chain(across)
    });
    junctions.chain(streets).collect()
}
