//! What is asked of graphs most often, answered by `petgraph`.

use engine_api::graph::{Element, Graph, VertexId};
use engine_api::key::Context;
use engine_api::{Error, ErrorKind, Result};
use petgraph::algo::{astar, kosaraju_scc};
use petgraph::unionfind::UnionFind;
use petgraph::visit::EdgeRef;

use crate::lazily::Lazily;
use crate::snapshot::Snapshot;

/// Vertices that hang together, ascending.
pub type Component = Vec<VertexId>;

/// The connected components, directions or not, by their smallest vertex.
pub fn components(graph: &Snapshot) -> Vec<Component> {
    let mut sets = UnionFind::<usize>::new(graph.vertices().len());
    for link in graph.edges() {
        sets.union(link.from as usize, link.to as usize);
    }
    let labels = sets.into_labeling();
    let mut found: Vec<Component> = Vec::new();
    let mut place = vec![usize::MAX; labels.len()];
    for (label, (id, _)) in labels.into_iter().zip(graph.vertices()) {
        if place[label] == usize::MAX {
            place[label] = found.len();
            found.push(Vec::new());
        }
        found[place[label]].push(*id);
    }
    found
}

/// The strongly connected components, within which a way leads from each vertex to each other, by their smallest vertex.
pub fn strong_components(graph: &Snapshot) -> Vec<Component> {
    let mut found: Vec<Component> = kosaraju_scc(graph)
        .into_iter()
        .map(|component| {
            let ids = component.into_iter().filter_map(|node| graph.vertices().get(node.index()));
            let mut ids: Component = ids.map(|(id, _)| *id).collect();
            ids.sort_unstable();
            ids
        })
        .collect();
    found.sort_unstable();
    found
}

/// A way through a graph.
#[derive(Clone, Debug, PartialEq)]
pub struct Path {
    /// The sum of what its edges cost.
    pub cost: f64,
    /// Its vertices, both ends among them.
    pub vertices: Vec<VertexId>,
}

/// The way between two vertices whose edges weigh least in sum, or that has the fewest edges if `hops`; `None` when there is none.
///
/// It reads as it goes: what lies farther than the end of the way isn't read.
///
/// # Errors
/// `NotFound` for a vertex that isn't there; `InvalidArgument` when it meets an edge of negative weight and weights count.
pub fn shortest_path(
    graph: &dyn Graph,
    ctx: &dyn Context,
    (from, to): (VertexId, VertexId),
    hops: bool,
) -> Result<Option<Path>> {
    for id in [from, to] {
        if graph.get_vertex(ctx, id)?.is_none() {
            return Err(Element::Vertex(id).missing());
        }
    }
    let found = Lazily::run(graph, ctx, |lazily| {
        let cost = |edge: crate::lazily::EdgeRead| {
            let weight = if hops { 1.0 } else { *edge.weight() };
            if weight < 0.0 {
                let message = "an edge of negative weight has no length; count edges instead of weights";
                let (from, to) = edge.id();
                lazily
                    .note(Error::new(ErrorKind::InvalidArgument, message).with("from", from).with("to", to));
            }
            weight
        };
        astar(lazily, from, |vertex| vertex == to, cost, |_| 0.0)
    })?;
    Ok(found.map(|(cost, vertices)| Path { cost, vertices }))
}
