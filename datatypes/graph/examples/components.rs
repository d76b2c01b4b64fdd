//! `cargo run -p graph --example components`: the connected components of a graph, and whether it has cycles, by petgraph.

use std::error::Error;

use engine_api::MemoryStore;
use engine_api::version::Versioned;
use graph::{Edge, Item, Kind, Snapshot, VersionedGraph, Vertex};
use petgraph::algo::{connected_components, is_cyclic_undirected};

fn main() -> Result<(), Box<dyn Error>> {
    println!("{}", story()?);
    Ok(())
}

/// Two islands of a city's ferries: before a line is opened on a branch, and behind it.
pub(crate) fn story() -> Result<String, Box<dyn Error>> {
    let store = Versioned::create(MemoryStore::new())?;
    let repo = store.create_repo("ferries", None)?;
    let lines = VersionedGraph::create(&store, repo.id, "lines")?;

    let main = lines.at(repo.root);
    main.create(Kind::Undirected)?;
    let stops = (1..=6).map(|id| Item::Vertex(Vertex { id, weight: 0.0 }));
    let ways = [(1, 2), (2, 3), (4, 5), (5, 6)].map(|(from, to)| Item::Edge(Edge { from, to, weight: 10.0 }));
    let all: Vec<_> = stops.chain(ways).collect();
    main.graph().load(main.ctx(), &all)?;
    store.commit_version(repo.root, "as it was")?;

    let draft = lines.at(store.new_version(repo.root, Some("draft"))?.id);
    draft.graph().add_edge(draft.ctx(), 3, 4, 25.0)?;
    draft.graph().add_edge(draft.ctx(), 6, 1, 25.0)?;

    let mut said = Vec::new();
    for (name, at) in [("main", &main), ("draft", &draft)] {
        // What can fail, fails here; petgraph's algorithms have no way to say so.
        let loaded = Snapshot::load(at.graph(), at.ctx(), Snapshot::ROOMY)?;
        let (parts, cycle) = (connected_components(&loaded), is_cyclic_undirected(&loaded));
        said.push(format!("{name}: {parts} components, cycles: {cycle}"));
    }
    Ok(said.join("\n"))
}
