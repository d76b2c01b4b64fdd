//! Graphs for the cases: each is tried without versions and at a version.

use bytes::Bytes;
use engine_api::Store;
use engine_api::graph::{AnyGraph, Edge, Fault, Graph, Item, Kind, Vertex, VertexId};
use engine_api::key::{DataContext, InstanceId, VersionId};
use engine_api::layers::Relaxed;
use engine_api::version::{Flow, NewInstance, Versioned};

use crate::context::Context;
use crate::verdict::{Halt, Verdict, check, check_eq};

pub(super) type Quick = Versioned<Relaxed<Box<dyn Store>>>;

/// A store with an instance without versions, and one with. Nodes are numbered from 1, which is the root.
///
/// Its commits are relaxed: graphs are built of many small ones, and none of them must survive.
#[derive(Debug)]
pub(super) struct Lab {
    pub(super) store: Quick,
    flat: InstanceId,
    pub(super) grown: InstanceId,
    nodes: Vec<VersionId>,
}

impl Lab {
    pub(super) fn new(ctx: &Context) -> Verdict<Self> {
        let store = Versioned::create(Relaxed(ctx.open()?))?;
        let repo = store.create_repo("lab", None)?;
        let flat = store.create_instance(repo.id, &NewInstance::new("flat", "graph").unversioned())?.id;
        let grown = store.create_instance(repo.id, &NewInstance::new("grown", "graph"))?.id;
        Ok(Self { store, flat, grown, nodes: vec![repo.root] })
    }

    /// The one that another has left behind.
    pub(super) fn again(store: Box<dyn Store>) -> Verdict<Self> {
        let store = Versioned::open(Relaxed(store))?;
        let (flat, grown) = (store.instance("flat")?.id, store.instance("grown")?.id);
        let root = store.only_repo()?.root;
        Ok(Self { store, flat, grown, nodes: vec![root] })
    }

    /// The graph without versions.
    pub(super) fn flat(&self) -> Spot<'_> {
        self.spot(DataContext::unversioned(self.flat))
    }

    /// The graph with versions, at a node.
    pub(super) fn at(&self, node: usize) -> Spot<'_> {
        self.spot(DataContext::versioned(self.grown, self.version(node)))
    }

    pub(super) fn spot(&self, at: DataContext) -> Spot<'_> {
        Spot { graph: engine_api::graph::of(&self.store, &at), store: &self.store, at }
    }

    pub(super) fn version(&self, node: usize) -> VersionId {
        self.nodes[node - 1]
    }

    /// Commits the parents and makes a node from them; answers its number.
    pub(super) fn add(&mut self, parents: &[usize]) -> Verdict<usize> {
        let versions: Vec<_> = parents.iter().map(|parent| self.version(*parent)).collect();
        for version in &versions {
            if self.store.dag()?.version(*version)?.committed.is_none() {
                self.store.commit_version(*version, "")?;
            }
        }
        let branch = format!("node-{}", self.nodes.len() + 1);
        let made = match versions[..] {
            [parent] => self.store.new_version(parent, Some(&branch))?,
            _ => self.store.merge(&versions, Some(&branch))?,
        };
        self.nodes.push(made.id);
        Ok(self.nodes.len())
    }
}

/// A graph, and where it is.
#[derive(Debug)]
pub(super) struct Spot<'l> {
    graph: AnyGraph<'l, Relaxed<Box<dyn Store>>>,
    pub(super) store: &'l Quick,
    pub(super) at: DataContext,
}

impl Spot<'_> {
    pub(super) fn get(&self) -> (&dyn Graph, &DataContext) {
        (&*self.graph, &self.at)
    }

    /// Makes the graph, with vertices whose weights are their numbers, and edges of weight 0.5.
    pub(super) fn make(&self, kind: Kind, vertices: &[VertexId], edges: &[(VertexId, VertexId)]) -> Verdict {
        let (graph, at) = self.get();
        graph.create_graph(at, kind)?;
        for id in vertices {
            check!(graph.add_vertex(at, *id, weight(*id))?, "vertex {id} was there before it was added");
        }
        for (from, to) in edges {
            check!(graph.add_edge(at, *from, *to, 0.5)?, "edge {from} {to} was there before it was added");
        }
        Ok(())
    }

    /// Fails unless the edges are these, in this order, from each of their ends too; and nothing is stored that nobody sees.
    pub(super) fn has_edges(&self, expected: &[(VertexId, VertexId)]) -> Verdict {
        let (graph, at) = self.get();
        check_eq!(ends(&graph.get_edges(at)?), expected, "the edges");
        for Vertex { id, .. } in graph.get_vertices(at)? {
            let mut found = ends(&graph.edges_of(at, id, engine_api::graph::Incident::Both)?);
            found.sort_unstable();
            let of_it = expected.iter().filter(|(from, to)| *from == id || *to == id);
            check_eq!(found, of_it.copied().collect::<Vec<_>>(), "the edges of vertex {id}");
        }
        Ok(())
    }

    /// Fails unless a graph in keys and values is stored as it should be.
    pub(super) fn is_clean(&self) -> Verdict {
        check_eq!(self.faults()?, [], "what is stored and hidden, or damaged");
        Ok(())
    }

    pub(super) fn faults(&self) -> Verdict<Vec<Fault>> {
        let mut faults = Vec::new();
        if let AnyGraph::KeyValue(graph) = &self.graph {
            graph.check(&self.at, &mut |fault| {
                faults.push(fault);
                Ok(Flow::Continue(()))
            })?;
        }
        Ok(faults)
    }
}

/// Tries a case without versions, then at a version.
pub(super) fn everywhere(ctx: &Context, mut body: impl FnMut(&Spot<'_>) -> Verdict) -> Verdict {
    let lab = Lab::new(ctx)?;
    for (spot, named) in [(lab.flat(), "without versions"), (lab.at(1), "at a version")] {
        body(&spot).and_then(|()| clean(&spot)).map_err(|halt| match halt {
            Halt::Failed(message) => Halt::failed(format!("{named}: {message}")),
            ignored @ Halt::Ignored(_) => ignored,
        })?;
    }
    Ok(())
}

/// A case may have removed its graph.
fn clean(spot: &Spot<'_>) -> Verdict {
    let (graph, at) = spot.get();
    if graph.graph(at)?.is_some() { spot.is_clean() } else { Ok(()) }
}

/// A weight that tells vertices apart.
pub(super) fn weight(id: VertexId) -> f64 {
    u32::try_from(id % 1000).map_or(0.0, f64::from)
}

pub(super) fn ends(edges: &[Edge]) -> Vec<(VertexId, VertexId)> {
    edges.iter().map(|edge| (edge.from, edge.to)).collect()
}

pub(super) fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

pub(super) fn vertex(id: VertexId) -> Item {
    Item::Vertex(Vertex { id, weight: weight(id) })
}

pub(super) fn edge(from: VertexId, to: VertexId) -> Item {
    Item::Edge(Edge { from, to, weight: 0.5 })
}
