//! The visit traits of `petgraph`, for a [`Snapshot`].

use std::iter;

use engine_api::graph::Kind;
use petgraph::Direction;
use petgraph::graph::{EdgeIndex, NodeIndex};
use petgraph::visit::{
    Data, EdgeCount, EdgeIndexable, EdgeRef, GraphBase, GraphProp, IntoEdgeReferences, IntoEdges,
    IntoEdgesDirected, IntoNeighbors, IntoNeighborsDirected, IntoNodeIdentifiers, IntoNodeReferences,
    NodeCompactIndexable, NodeCount, NodeIndexable, Visitable,
};

use crate::snapshot::{Link, Snapshot};

/// An edge as an algorithm meets it: without directions, from the vertex at which it was asked for.
#[derive(Clone, Copy, Debug)]
pub struct EdgeSeen<'a> {
    source: u32,
    target: u32,
    id: u32,
    weight: &'a f64,
}

impl<'a> EdgeSeen<'a> {
    fn new(id: usize, link: &'a Link) -> Self {
        let id = u32::try_from(id).unwrap_or(u32::MAX);
        Self { source: link.from, target: link.to, id, weight: &link.weight }
    }
}

impl EdgeRef for EdgeSeen<'_> {
    type NodeId = NodeIndex;
    type EdgeId = EdgeIndex;
    type Weight = f64;

    fn source(&self) -> NodeIndex {
        NodeIndex::from(self.source)
    }

    fn target(&self) -> NodeIndex {
        NodeIndex::from(self.target)
    }

    fn weight(&self) -> &f64 {
        self.weight
    }

    fn id(&self) -> EdgeIndex {
        EdgeIndex::from(self.id)
    }
}

fn raw(node: NodeIndex) -> u32 {
    u32::try_from(node.index()).unwrap_or(u32::MAX)
}

impl GraphBase for Snapshot {
    type NodeId = NodeIndex;
    type EdgeId = EdgeIndex;
}

impl Data for Snapshot {
    type NodeWeight = f64;
    type EdgeWeight = f64;
}

impl GraphProp for Snapshot {
    /// What a graph is, one knows when it is loaded; [`is_directed`](GraphProp::is_directed) answers that.
    type EdgeType = petgraph::Directed;

    fn is_directed(&self) -> bool {
        self.kind == Kind::Directed
    }
}

impl NodeCount for Snapshot {
    fn node_count(&self) -> usize {
        self.vertices.len()
    }
}

impl EdgeCount for Snapshot {
    fn edge_count(&self) -> usize {
        self.edges.len()
    }
}

impl NodeIndexable for Snapshot {
    fn node_bound(&self) -> usize {
        self.vertices.len()
    }

    fn to_index(&self, node: NodeIndex) -> usize {
        node.index()
    }

    fn from_index(&self, index: usize) -> NodeIndex {
        NodeIndex::new(index)
    }
}

impl NodeCompactIndexable for Snapshot {}

impl EdgeIndexable for Snapshot {
    fn edge_bound(&self) -> usize {
        self.edges.len()
    }

    fn to_index(&self, edge: EdgeIndex) -> usize {
        edge.index()
    }

    fn from_index(&self, index: usize) -> EdgeIndex {
        EdgeIndex::new(index)
    }
}

impl Visitable for Snapshot {
    type Map = Visited;

    fn visit_map(&self) -> Visited {
        Visited::with_capacity(self.vertices.len())
    }

    fn reset_map(&self, map: &mut Visited) {
        map.clear();
        map.grow(self.vertices.len());
    }
}

type Visited = <petgraph::Graph<(), ()> as Visitable>::Map;

/// The other ends of some edges.
type Ends<'a> = iter::Map<iter::Copied<std::slice::Iter<'a, (u32, u32)>>, fn((u32, u32)) -> NodeIndex>;

fn other_end((other, _): (u32, u32)) -> NodeIndex {
    NodeIndex::from(other)
}

impl<'a> IntoNeighbors for &'a Snapshot {
    type Neighbors = Ends<'a>;

    fn neighbors(self, node: NodeIndex) -> Ends<'a> {
        self.neighbors_directed(node, Direction::Outgoing)
    }
}

impl<'a> IntoNeighborsDirected for &'a Snapshot {
    type NeighborsDirected = Ends<'a>;

    fn neighbors_directed(self, node: NodeIndex, direction: Direction) -> Ends<'a> {
        self.row(raw(node), direction == Direction::Incoming).iter().copied().map(other_end)
    }
}

/// The edges of a vertex.
#[derive(Clone, Debug)]
pub struct EdgesAt<'a> {
    edges: &'a [Link],
    node: u32,
    incoming: bool,
    cells: std::slice::Iter<'a, (u32, u32)>,
}

impl<'a> Iterator for EdgesAt<'a> {
    type Item = EdgeSeen<'a>;

    fn next(&mut self) -> Option<EdgeSeen<'a>> {
        let (other, id) = *self.cells.next()?;
        let (source, target) = if self.incoming { (other, self.node) } else { (self.node, other) };
        Some(EdgeSeen { source, target, id, weight: &self.edges[id as usize].weight })
    }
}

impl<'a> IntoEdges for &'a Snapshot {
    type Edges = EdgesAt<'a>;

    fn edges(self, node: NodeIndex) -> EdgesAt<'a> {
        self.edges_directed(node, Direction::Outgoing)
    }
}

impl<'a> IntoEdgesDirected for &'a Snapshot {
    type EdgesDirected = EdgesAt<'a>;

    fn edges_directed(self, node: NodeIndex, direction: Direction) -> EdgesAt<'a> {
        let (node, incoming) = (raw(node), direction == Direction::Incoming);
        EdgesAt { edges: &self.edges, node, incoming, cells: self.row(node, incoming).iter() }
    }
}

impl<'a> IntoEdgeReferences for &'a Snapshot {
    type EdgeRef = EdgeSeen<'a>;
    type EdgeReferences =
        iter::Map<iter::Enumerate<std::slice::Iter<'a, Link>>, fn((usize, &'a Link)) -> EdgeSeen<'a>>;

    fn edge_references(self) -> Self::EdgeReferences {
        self.edges.iter().enumerate().map(|(id, link)| EdgeSeen::new(id, link))
    }
}

impl IntoNodeIdentifiers for &Snapshot {
    type NodeIdentifiers = iter::Map<std::ops::Range<usize>, fn(usize) -> NodeIndex>;

    fn node_identifiers(self) -> Self::NodeIdentifiers {
        (0..self.vertices.len()).map(NodeIndex::new)
    }
}

impl<'a> IntoNodeReferences for &'a Snapshot {
    type NodeRef = (NodeIndex, &'a f64);
    type NodeReferences = iter::Map<
        iter::Enumerate<std::slice::Iter<'a, (u64, f64)>>,
        fn((usize, &'a (u64, f64))) -> (NodeIndex, &'a f64),
    >;

    fn node_references(self) -> Self::NodeReferences {
        self.vertices.iter().enumerate().map(|(index, (_, weight))| (NodeIndex::new(index), weight))
    }
}
