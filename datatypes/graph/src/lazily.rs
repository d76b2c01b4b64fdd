//! A graph that algorithms read as they go.

use std::cell::RefCell;
use std::collections::HashSet;
use std::fmt;
use std::vec;

use engine_api::graph::{Edge, Element, Graph, Incident, Kind, VertexId};
use engine_api::key::Context;
use engine_api::{Error, Result};
use petgraph::Direction;
use petgraph::visit::{
    Data, EdgeRef, GraphBase, GraphProp, IntoEdgeReferences, IntoEdges, IntoEdgesDirected, IntoNeighbors,
    IntoNeighborsDirected, IntoNodeIdentifiers, Visitable,
};

/// A graph in its store, for the algorithms of `petgraph` that look at a part of it. Nodes are vertices' numbers.
///
/// Each vertex that an algorithm comes to costs a scan of its edges. Numbers have gaps, so what asks for
/// `NodeIndexable` takes a [`Snapshot`](crate::Snapshot).
pub struct Lazily<'a> {
    graph: &'a dyn Graph,
    ctx: &'a dyn Context,
    kind: Kind,
    /// The first error; from then on the graph looks empty.
    failed: RefCell<Option<Error>>,
}

impl fmt::Debug for Lazily<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, failed, .. } = self;
        f.debug_struct("Lazily").field("kind", kind).field("failed", failed).finish_non_exhaustive()
    }
}

impl Lazily<'_> {
    /// Runs an algorithm on a graph, and answers what it answers.
    ///
    /// # Errors
    /// The first error that a read met, or that was [noted](Self::note): then the algorithm has seen a part of the graph
    /// alone, and its answer is thrown away.
    pub fn run<T>(
        graph: &dyn Graph,
        ctx: &dyn Context,
        algorithm: impl FnOnce(&Lazily<'_>) -> T,
    ) -> Result<T> {
        let kind = graph.graph(ctx)?.ok_or_else(|| Element::Graph.missing())?;
        let lazily = Lazily { graph, ctx, kind, failed: RefCell::new(None) };
        let answer = algorithm(&lazily);
        match lazily.failed.into_inner() {
            Some(error) => Err(error),
            None => Ok(answer),
        }
    }

    /// Notes an error of the algorithm's own: a cost that it can't do with, for one.
    pub fn note(&self, error: Error) {
        self.failed.borrow_mut().get_or_insert(error);
    }

    /// What was read; nothing once a read has failed.
    fn read<T>(&self, read: impl FnOnce() -> Result<Vec<T>>) -> vec::IntoIter<T> {
        let read = if self.failed.borrow().is_some() { Ok(Vec::new()) } else { read() };
        let read = read.unwrap_or_else(|error| {
            self.note(error);
            Vec::new()
        });
        read.into_iter()
    }

    fn edges_at(&self, node: VertexId, direction: Direction) -> vec::IntoIter<EdgeRead> {
        let incoming = direction == Direction::Incoming;
        let which = if incoming { Incident::In } else { Incident::Out };
        self.read(|| {
            let edges = self.graph.edges_of(self.ctx, node, which)?;
            let seen = edges.into_iter().map(|edge| {
                let (from, to) = (edge.from, edge.to);
                let (source, target) =
                    if incoming { (edge.other(node), node) } else { (node, edge.other(node)) };
                EdgeRead { id: (from, to), source, target, weight: edge.weight }
            });
            Ok(seen.collect())
        })
    }
}

/// An edge that was read: without directions, from the vertex at which it was asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EdgeRead {
    id: (VertexId, VertexId),
    source: VertexId,
    target: VertexId,
    weight: f64,
}

impl From<Edge> for EdgeRead {
    fn from(Edge { from, to, weight }: Edge) -> Self {
        Self { id: (from, to), source: from, target: to, weight }
    }
}

impl EdgeRef for EdgeRead {
    type NodeId = VertexId;
    type EdgeId = (VertexId, VertexId);
    type Weight = f64;

    fn source(&self) -> VertexId {
        self.source
    }

    fn target(&self) -> VertexId {
        self.target
    }

    fn weight(&self) -> &f64 {
        &self.weight
    }

    fn id(&self) -> (VertexId, VertexId) {
        self.id
    }
}

impl GraphBase for Lazily<'_> {
    type NodeId = VertexId;
    type EdgeId = (VertexId, VertexId);
}

impl Data for Lazily<'_> {
    type NodeWeight = f64;
    type EdgeWeight = f64;
}

impl GraphProp for Lazily<'_> {
    /// What a graph is, one knows when it is opened; [`is_directed`](GraphProp::is_directed) answers that.
    type EdgeType = petgraph::Directed;

    fn is_directed(&self) -> bool {
        self.kind == Kind::Directed
    }
}

impl Visitable for Lazily<'_> {
    type Map = HashSet<VertexId>;

    fn visit_map(&self) -> Self::Map {
        HashSet::new()
    }

    fn reset_map(&self, map: &mut Self::Map) {
        map.clear();
    }
}

type Targets = std::iter::Map<vec::IntoIter<EdgeRead>, fn(EdgeRead) -> VertexId>;

impl IntoNeighbors for &Lazily<'_> {
    type Neighbors = Targets;

    fn neighbors(self, node: VertexId) -> Targets {
        self.neighbors_directed(node, Direction::Outgoing)
    }
}

impl IntoNeighborsDirected for &Lazily<'_> {
    type NeighborsDirected = Targets;

    fn neighbors_directed(self, node: VertexId, direction: Direction) -> Targets {
        let other: fn(EdgeRead) -> VertexId = match direction {
            Direction::Outgoing => |edge| edge.target,
            Direction::Incoming => |edge| edge.source,
        };
        self.edges_at(node, direction).map(other)
    }
}

impl IntoEdges for &Lazily<'_> {
    type Edges = vec::IntoIter<EdgeRead>;

    fn edges(self, node: VertexId) -> Self::Edges {
        self.edges_at(node, Direction::Outgoing)
    }
}

impl IntoEdgesDirected for &Lazily<'_> {
    type EdgesDirected = vec::IntoIter<EdgeRead>;

    fn edges_directed(self, node: VertexId, direction: Direction) -> Self::EdgesDirected {
        self.edges_at(node, direction)
    }
}

/// Every vertex, or every edge, of a [`Lazily`], a page at a time.
pub struct All<'a, T, U> {
    of: &'a Lazily<'a>,
    stream: engine_api::graph::Stream<'a, T>,
    each: fn(T) -> U,
}

impl<T, U> fmt::Debug for All<'_, T, U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("All").finish_non_exhaustive()
    }
}

impl<T: Copy, U> Iterator for All<'_, T, U> {
    type Item = U;

    fn next(&mut self) -> Option<U> {
        if self.of.failed.borrow().is_some() {
            return None;
        }
        match self.stream.next()? {
            Ok(found) => Some((self.each)(found)),
            Err(error) => {
                self.of.note(error);
                None
            }
        }
    }
}

impl<'a> IntoNodeIdentifiers for &'a Lazily<'_> {
    type NodeIdentifiers = All<'a, engine_api::graph::Vertex, VertexId>;

    fn node_identifiers(self) -> Self::NodeIdentifiers {
        All { of: self, stream: engine_api::graph::vertices(self.graph, self.ctx), each: |vertex| vertex.id }
    }
}

impl<'a> IntoEdgeReferences for &'a Lazily<'_> {
    type EdgeRef = EdgeRead;
    type EdgeReferences = All<'a, Edge, EdgeRead>;

    fn edge_references(self) -> Self::EdgeReferences {
        All { of: self, stream: engine_api::graph::edges(self.graph, self.ctx), each: EdgeRead::from }
    }
}
