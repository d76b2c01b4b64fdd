//! A graph in petgraph, with properties beside it.

use std::collections::BTreeMap;
use std::hash::RandomState;

use engine_api::Bytes;
use engine_api::graph::{Edge, Incident, Kind, Vertex};
use petgraph::Direction;
use petgraph::graphmap::{DiGraphMap, UnGraphMap};

use super::action::GraphAction;

type Properties<K> = BTreeMap<(K, &'static str), Bytes>;

/// What an action answers: nothing, whether something was new or there, or that something isn't there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Done,
    Told(bool),
    Missing,
}

#[derive(Clone, Debug)]
enum Shape {
    Undirected(UnGraphMap<u64, f64, RandomState>),
    Directed(DiGraphMap<u64, f64, RandomState>),
}

/// Asks the one of the two that there is.
macro_rules! of_either {
    ($shape:expr, $graph:ident => $answer:expr) => {
        match $shape {
            Shape::Undirected($graph) => $answer,
            Shape::Directed($graph) => $answer,
        }
    };
}

/// petgraph's graph, the weights of vertices, which it keeps none of, and properties.
#[derive(Clone, Debug)]
pub(super) struct Oracle {
    shape: Shape,
    weights: BTreeMap<u64, f64>,
    of_vertices: Properties<u64>,
    of_edges: Properties<(u64, u64)>,
}

impl Oracle {
    pub(super) fn new(kind: Kind) -> Self {
        let shape = match kind {
            Kind::Undirected => Shape::Undirected(UnGraphMap::default()),
            Kind::Directed => Shape::Directed(DiGraphMap::default()),
        };
        Self { shape, weights: BTreeMap::new(), of_vertices: BTreeMap::new(), of_edges: BTreeMap::new() }
    }

    pub(super) fn kind(&self) -> Kind {
        match self.shape {
            Shape::Undirected(_) => Kind::Undirected,
            Shape::Directed(_) => Kind::Directed,
        }
    }

    fn ends(&self, from: u64, to: u64) -> (u64, u64) {
        match self.shape {
            Shape::Undirected(_) => (from.min(to), from.max(to)),
            Shape::Directed(_) => (from, to),
        }
    }

    pub(super) fn has_vertex(&self, id: u64) -> bool {
        of_either!(&self.shape, graph => graph.contains_node(id))
    }

    pub(super) fn has_edge(&self, from: u64, to: u64) -> bool {
        of_either!(&self.shape, graph => graph.contains_edge(from, to))
    }

    fn add_vertex(&mut self, id: u64, weight: f64) -> bool {
        of_either!(&mut self.shape, graph => graph.add_node(id));
        self.weights.insert(id, weight).is_none()
    }

    fn add_edge(&mut self, from: u64, to: u64, weight: f64) -> bool {
        of_either!(&mut self.shape, graph => graph.add_edge(from, to, weight)).is_none()
    }

    /// Does what an action does.
    pub(super) fn apply(&mut self, action: GraphAction) -> Answer {
        use GraphAction as Do;
        match action {
            Do::AddVertex(id, weight) => Answer::Told(self.add_vertex(id, weight)),
            Do::AddEdge(from, to, weight) if self.has_vertex(from) && self.has_vertex(to) => {
                Answer::Told(self.add_edge(from, to, weight))
            }
            Do::WeighVertex(id, weight) if self.has_vertex(id) => {
                self.add_vertex(id, weight);
                Answer::Done
            }
            Do::WeighEdge(from, to, weight) if self.has_edge(from, to) => {
                self.add_edge(from, to, weight);
                Answer::Done
            }
            Do::SetVertexProperty(id, name, value) if self.has_vertex(id) => {
                self.of_vertices.insert((id, name), Bytes::from(vec![value]));
                Answer::Done
            }
            Do::SetEdgeProperty(from, to, name, value) if self.has_edge(from, to) => {
                self.of_edges.insert((self.ends(from, to), name), Bytes::from(vec![value]));
                Answer::Done
            }
            Do::RemoveVertex(id) if self.has_vertex(id) => {
                of_either!(&mut self.shape, graph => graph.remove_node(id));
                self.weights.remove(&id);
                self.of_vertices.retain(|(of, _), _| *of != id);
                self.of_edges.retain(|((from, to), _), _| *from != id && *to != id);
                Answer::Done
            }
            Do::RemoveEdge(from, to) if self.has_edge(from, to) => {
                of_either!(&mut self.shape, graph => graph.remove_edge(from, to));
                let ends = self.ends(from, to);
                self.of_edges.retain(|(of, _), _| *of != ends);
                Answer::Done
            }
            Do::RemoveVertexProperty(id, name) if self.has_vertex(id) => {
                Answer::Told(self.of_vertices.remove(&(id, name)).is_some())
            }
            Do::RemoveEdgeProperty(from, to, name) if self.has_edge(from, to) => {
                Answer::Told(self.of_edges.remove(&(self.ends(from, to), name)).is_some())
            }
            Do::Load(edges, weight) => {
                for (from, to) in edges {
                    self.add_vertex(*from, weight);
                    self.add_vertex(*to, weight);
                    self.add_edge(*from, *to, weight);
                }
                Answer::Done
            }
            Do::Anew(directed) => {
                *self = Self::new(if directed { Kind::Directed } else { Kind::Undirected });
                Answer::Done
            }
            Do::Compare | Do::NextVersion | Do::Branch(_) | Do::Reopen => Answer::Done,
            _ => Answer::Missing,
        }
    }

    pub(super) fn vertices(&self) -> Vec<Vertex> {
        self.weights.iter().map(|(id, weight)| Vertex { id: *id, weight: *weight }).collect()
    }

    pub(super) fn edges(&self) -> Vec<Edge> {
        let edge = |(from, to, weight): (u64, u64, &f64)| {
            let (from, to) = self.ends(from, to);
            Edge { from, to, weight: *weight }
        };
        let mut edges: Vec<_> = of_either!(&self.shape, graph => graph.all_edges().map(edge).collect());
        edges.sort_by_key(|edge| (edge.from, edge.to));
        edges
    }

    pub(super) fn edge(&self, from: u64, to: u64) -> Option<Edge> {
        let weight = of_either!(&self.shape, graph => graph.edge_weight(from, to).copied())?;
        let (from, to) = self.ends(from, to);
        Some(Edge { from, to, weight })
    }

    /// The neighbours of a vertex, ascending, each once.
    pub(super) fn neighbours(&self, id: u64, which: Incident) -> Vec<u64> {
        let mut found: Vec<u64> = match (&self.shape, which) {
            (Shape::Undirected(graph), _) => graph.neighbors(id).collect(),
            (Shape::Directed(graph), Incident::Out) => graph.neighbors(id).collect(),
            (Shape::Directed(graph), Incident::In) => {
                graph.neighbors_directed(id, Direction::Incoming).collect()
            }
            (Shape::Directed(graph), Incident::Both) => {
                graph.neighbors(id).chain(graph.neighbors_directed(id, Direction::Incoming)).collect()
            }
        };
        found.sort_unstable();
        found.dedup();
        found
    }

    pub(super) fn vertex_properties(&self, id: u64) -> Vec<(String, Bytes)> {
        let of_it = self.of_vertices.iter().filter(|((of, _), _)| *of == id);
        of_it.map(|((_, name), value)| ((*name).to_owned(), value.clone())).collect()
    }

    pub(super) fn edge_properties(&self, from: u64, to: u64) -> Vec<(String, Bytes)> {
        let ends = self.ends(from, to);
        let of_it = self.of_edges.iter().filter(|((of, _), _)| *of == ends);
        of_it.map(|((_, name), value)| ((*name).to_owned(), value.clone())).collect()
    }
}
