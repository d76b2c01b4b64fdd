//! What a graph consists of, and how each part of it is named.

use std::fmt;

use bytes::Bytes;

use crate::key::VersionId;
use crate::spi::{Error, ErrorKind, Result};

/// A vertex's number: any.
pub type VertexId = u64;

/// Whether edges have a direction. It is declared when a graph is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// An edge joins two vertices, in whichever order they are named.
    Undirected,
    /// An edge goes from a vertex to another, and one may go back.
    Directed,
}

impl Kind {
    /// The ends of an edge in the order in which they are stored: without a direction, the lower number first.
    #[must_use]
    pub const fn ends(self, from: VertexId, to: VertexId) -> (VertexId, VertexId) {
        match self {
            Self::Undirected if from > to => (to, from),
            Self::Undirected | Self::Directed => (from, to),
        }
    }
}

/// A vertex.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Vertex {
    /// Its number.
    pub id: VertexId,
    /// Its weight, never NaN.
    pub weight: f64,
}

/// An edge. Without a direction, `from` is the lower number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Edge {
    /// Where it begins.
    pub from: VertexId,
    /// Where it ends.
    pub to: VertexId,
    /// Its weight, never NaN.
    pub weight: f64,
}

impl Edge {
    /// The end that isn't `id`; `id` itself for a loop.
    #[must_use]
    pub const fn other(&self, id: VertexId) -> VertexId {
        if self.from == id { self.to } else { self.from }
    }
}

/// Which edges of a vertex are meant. Without a direction all of them are, whichever is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Incident {
    /// Those that begin at it.
    Out,
    /// Those that end at it.
    In,
    /// Those that end at it, then those that begin at it; a loop once, among the second.
    Both,
}

/// A part of a graph, by name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Element {
    /// The graph itself.
    Graph,
    /// A vertex.
    Vertex(VertexId),
    /// An edge.
    Edge(VertexId, VertexId),
    /// A property of a vertex.
    VertexProperty(VertexId, String),
    /// A property of an edge.
    EdgeProperty(VertexId, VertexId, String),
}

impl Element {
    /// The error of an operation that needs this element and doesn't find it.
    #[must_use]
    #[cold]
    pub fn missing(&self) -> Error {
        let message = match self {
            Self::Graph => "there is no graph here",
            Self::Vertex(_) => "there is no such vertex",
            Self::Edge(..) => "there is no such edge",
            Self::VertexProperty(..) | Self::EdgeProperty(..) => "there is no such property",
        };
        self.name_in(Error::new(ErrorKind::NotFound, message))
    }

    /// The error of a read that finds several values of this element, which a merge has brought together.
    #[must_use]
    #[cold]
    pub fn in_conflict(&self, versions: &[VersionId]) -> Error {
        let message = match self {
            Self::Graph => "the graph was made twice, in two ways, at a merge; remove it to choose",
            Self::Vertex(_) => "the vertex has several weights at a merge; set or remove it to choose",
            Self::Edge(..) => "the edge has several weights at a merge; set or remove it to choose",
            Self::VertexProperty(..) | Self::EdgeProperty(..) => {
                "the property has several values at a merge; set or remove it to choose"
            }
        };
        let versions: Vec<_> = versions.iter().map(ToString::to_string).collect();
        self.name_in(Error::new(ErrorKind::Conflict, message)).with("versions", versions.join(", "))
    }

    fn name_in(&self, error: Error) -> Error {
        match self {
            Self::Graph => error,
            Self::Vertex(id) => error.with("vertex", id),
            Self::Edge(from, to) => error.with("from", from).with("to", to),
            Self::VertexProperty(id, name) => error.with("vertex", id).with("property", name),
            Self::EdgeProperty(from, to, name) => {
                error.with("from", from).with("to", to).with("property", name)
            }
        }
    }
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Graph => f.write_str("graph"),
            Self::Vertex(id) => write!(f, "vertex {id}"),
            Self::Edge(from, to) => write!(f, "edge {from} {to}"),
            Self::VertexProperty(id, name) => write!(f, "property {name:?} of vertex {id}"),
            Self::EdgeProperty(from, to, name) => write!(f, "property {name:?} of edge {from} {to}"),
        }
    }
}

/// What a visitor is shown of an element.
#[derive(Clone, Debug, PartialEq)]
pub enum Shown<T> {
    /// It is this.
    Found(T),
    /// It has several values that no version has chosen between.
    Conflict {
        /// The element.
        element: Element,
        /// The versions at which they were written, by ascending number.
        versions: Vec<VersionId>,
    },
}

impl<T> Shown<T> {
    /// What it is.
    ///
    /// # Errors
    /// `Conflict` names the element and the versions.
    pub fn found(self) -> Result<T> {
        match self {
            Self::Found(found) => Ok(found),
            Self::Conflict { element, versions } => Err(element.in_conflict(&versions)),
        }
    }

    /// The same with `f` of what was found.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Shown<U> {
        match self {
            Self::Found(found) => Shown::Found(f(found)),
            Self::Conflict { element, versions } => Shown::Conflict { element, versions },
        }
    }
}

/// One thing of many that are written together; see [`Graph::load`](super::Graph::load).
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// A vertex, added as [`add_vertex`](super::Graph::add_vertex) does.
    Vertex(Vertex),
    /// An edge, added as [`add_edge`](super::Graph::add_edge) does.
    Edge(Edge),
    /// A property of a vertex.
    VertexProperty(VertexId, String, Bytes),
    /// A property of an edge.
    EdgeProperty(VertexId, VertexId, String, Bytes),
}

/// Refuses a weight that has no place in an order.
pub(super) fn check_weight(weight: f64) -> Result<()> {
    if weight.is_nan() {
        return Err(Error::new(ErrorKind::InvalidArgument, "a weight is a number, and NaN is none"));
    }
    Ok(())
}
