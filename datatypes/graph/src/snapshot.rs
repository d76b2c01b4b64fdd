//! A graph that was loaded: compact, of one content, and without errors.

use std::ops::{ControlFlow, Range};

use engine_api::graph::{Element, Graph, Kind, VertexId, everything};
use engine_api::key::Context;
use engine_api::{Error, ErrorKind, Result};

/// What a vertex takes: its number, its weight, and where its rows begin.
const VERTEX_BYTES: u64 = 32;
/// What an edge takes: its ends, its weight, and a place in the rows of both.
const EDGE_BYTES: u64 = 32;

/// A graph in memory, in compact sparse rows, for the algorithms of `petgraph`: it has all of that crate's visit traits
/// for graphs that don't change.
///
/// Vertices are numbered from 0 without gaps, ascending by their own number, and edges in the order of
/// [`Graph::visit_edges`].
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub(crate) kind: Kind,
    pub(crate) vertices: Vec<(VertexId, f64)>,
    pub(crate) edges: Vec<Link>,
    /// By vertex, and one more: where its row begins. Without directions both ends of an edge are in these rows.
    out: Rows,
    /// Empty without directions.
    into: Rows,
}

/// An edge between two numbers of a [`Snapshot`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Link {
    /// Where it begins.
    pub from: u32,
    /// Where it ends.
    pub to: u32,
    /// Its weight.
    pub weight: f64,
}

/// Edges by vertex.
#[derive(Clone, Debug, Default)]
struct Rows {
    starts: Vec<usize>,
    /// The vertex at the other end, and the edge.
    cells: Vec<(u32, u32)>,
}

/// Takes a vertex and a cell of its row.
type Add<'a> = dyn FnMut(u32, (u32, u32)) + 'a;

impl Rows {
    /// Sorts pairs of a vertex and a cell into rows, which keep their order.
    fn new(vertices: usize, each: &dyn Fn(&mut Add<'_>)) -> Self {
        let mut starts = vec![0; vertices + 1];
        each(&mut |row, _| starts[row as usize + 1] += 1);
        for row in 0..vertices {
            starts[row + 1] += starts[row];
        }
        let mut cells = vec![(0, 0); starts[vertices]];
        let mut next = starts.clone();
        each(&mut |row, cell| {
            let at = &mut next[row as usize];
            cells[*at] = cell;
            *at += 1;
        });
        Self { starts, cells }
    }

    fn row(&self, vertex: u32) -> &[(u32, u32)] {
        let vertex = vertex as usize;
        match (self.starts.get(vertex), self.starts.get(vertex + 1)) {
            (Some(start), Some(end)) => &self.cells[Range { start: *start, end: *end }],
            _ => &[],
        }
    }
}

impl Snapshot {
    /// A bound for graphs that may take room: 4 GiB, some hundred million edges.
    pub const ROOMY: u64 = 4 << 30;

    /// Loads a graph that takes `most` bytes of memory at most.
    ///
    /// # Errors
    /// `TooLarge` for a graph that takes more; `Conflict` for a weight in conflict, and for a graph that was changed while
    /// it was read, which none at a committed version is.
    pub fn load(graph: &dyn Graph, ctx: &dyn Context, most: u64) -> Result<Self> {
        let kind = graph.graph(ctx)?.ok_or_else(|| Element::Graph.missing())?;
        let mut room = Room { left: most, most };
        let mut vertices = Vec::new();
        graph.visit_vertices(ctx, everything(), &mut |shown| {
            let vertex = shown.found()?;
            room.take(VERTEX_BYTES)?;
            vertices.push((vertex.id, vertex.weight));
            Ok(ControlFlow::Continue(()))
        })?;
        let mut edges = Vec::new();
        // Edges come by where they begin, so that this end is found again for nothing.
        let mut last = (None, 0);
        graph.visit_edges(ctx, everything(), &mut |shown| {
            let edge = shown.found()?;
            room.take(EDGE_BYTES)?;
            if last.0 != Some(edge.from) {
                last = (Some(edge.from), place(&vertices, edge.from)?);
            }
            edges.push(Link { from: last.1, to: place(&vertices, edge.to)?, weight: edge.weight });
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(Self::new(kind, vertices, edges))
    }

    fn new(kind: Kind, mut vertices: Vec<(VertexId, f64)>, mut edges: Vec<Link>) -> Self {
        vertices.shrink_to_fit();
        edges.shrink_to_fit();
        let count = vertices.len();
        let out = Rows::new(count, &|add| {
            for (edge, link) in (0u32..).zip(&edges) {
                add(link.from, (link.to, edge));
                if kind == Kind::Undirected && link.from != link.to {
                    add(link.to, (link.from, edge));
                }
            }
        });
        let into = match kind {
            Kind::Undirected => Rows::default(),
            Kind::Directed => Rows::new(count, &|add| {
                for (edge, link) in (0u32..).zip(&edges) {
                    add(link.to, (link.from, edge));
                }
            }),
        };
        Self { kind, vertices, edges, out, into }
    }

    /// Whether edges have a direction.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The number that a vertex has here; `None` when it isn't there.
    pub fn index_of(&self, id: VertexId) -> Option<u32> {
        place(&self.vertices, id).ok()
    }

    /// The vertex with a number of this snapshot, and its weight.
    pub fn vertex(&self, index: u32) -> Option<(VertexId, f64)> {
        self.vertices.get(index as usize).copied()
    }

    /// The vertices, with their weights, by their numbers here.
    pub fn vertices(&self) -> &[(VertexId, f64)] {
        &self.vertices
    }

    /// The edges.
    pub fn edges(&self) -> &[Link] {
        &self.edges
    }

    /// Those edges of a vertex that begin at it, or that end at it; all of them without directions. A cell is the other
    /// end and the edge.
    pub(crate) fn row(&self, vertex: u32, incoming: bool) -> &[(u32, u32)] {
        let rows = if incoming && self.kind == Kind::Directed { &self.into } else { &self.out };
        rows.row(vertex)
    }

    /// How many edges a vertex has; a loop counts once.
    pub fn degree(&self, vertex: u32) -> usize {
        let out = self.row(vertex, false);
        match self.kind {
            Kind::Undirected => out.len(),
            Kind::Directed => {
                let into = self.row(vertex, true).iter().filter(|(other, _)| *other != vertex).count();
                out.len() + into
            }
        }
    }
}

fn place(vertices: &[(VertexId, f64)], id: VertexId) -> Result<u32> {
    vertices.binary_search_by_key(&id, |(id, _)| *id).ok().and_then(|at| u32::try_from(at).ok()).ok_or_else(
        || {
            Error::new(ErrorKind::Conflict, "the graph was changed while it was read; read it again")
                .with("vertex", id)
        },
    )
}

/// What is left of the memory that a snapshot may take.
struct Room {
    left: u64,
    most: u64,
}

impl Room {
    fn take(&mut self, bytes: u64) -> Result<()> {
        // Numbers of 32 bits last for as many as fit into 128 GiB.
        let most = self.most.min(u64::from(u32::MAX) * VERTEX_BYTES);
        self.left = self.left.min(most).checked_sub(bytes).ok_or_else(|| {
            Error::new(ErrorKind::TooLarge, "the graph takes more memory than it may").with("bytes", most)
        })?;
        Ok(())
    }
}
