//! What a graph can do, whatever keeps it.

use std::ops::{Bound, ControlFlow, RangeBounds};

use bytes::Bytes;

use super::element::{Edge, Element, Incident, Item, Kind, Shown, Vertex, VertexId};
use crate::key::Context;
use crate::spi::{Error, ErrorKind, Result};
use crate::version::Flow;

/// Two bounds.
pub type Between<T> = (Bound<T>, Bound<T>);

/// No bounds.
pub const fn everything<T>() -> Between<T> {
    (Bound::Unbounded, Bound::Unbounded)
}

/// What is above `after`, or everything.
pub const fn after<T: Copy>(after: Option<T>) -> Between<T> {
    match after {
        Some(last) => (Bound::Excluded(last), Bound::Unbounded),
        None => everything(),
    }
}

/// What a visitor of vertices or edges answers each with.
pub type Visit<'a, T> = dyn FnMut(Shown<T>) -> Result<Flow> + 'a;

/// What visits the properties of an element: their names and values.
pub type VisitProperties<'a> = dyn FnMut(&str, Shown<Bytes>) -> Result<Flow> + 'a;

/// A graph in a [`Context`]: vertices and edges with weights, and properties of both.
///
/// A vertex is a number. Between two vertices there is one edge at most, in each direction if the graph has
/// [directions](Kind); an edge may join a vertex to itself. Weights are any `f64` but NaN, and come back bit by bit.
/// Properties are bytes by name; any text is a name.
///
/// # What isn't there
/// A read of a vertex, an edge or a property that isn't there answers `None`. What needs an element, to change it, to
/// remove it or to go on from it, answers `NotFound` and names the element. Where there is no graph everything but
/// [`create_graph`](Self::create_graph) and [`graph`](Self::graph) answers `NotFound`.
///
/// # What is there already
/// To add a vertex or an edge again sets its weight, and keeps its edges and properties. So an add may be repeated whose
/// outcome isn't known.
///
/// # Errors
/// Each method, those of the context too: `NotFound` for an instance or a version that isn't there, and
/// `InvalidArgument` for a context that doesn't fit the instance. Whoever writes: `ReadOnly` at a version that is
/// committed, and `Conflict` when it lost a race too many times. Whoever reads: `Conflict` for what several branches
/// changed and a merge brought together, naming the element and the versions.
pub trait Graph: Send + Sync {
    /// Makes a graph, without a vertex.
    ///
    /// # Errors
    /// `AlreadyExists`.
    fn create_graph(&self, ctx: &dyn Context, kind: Kind) -> Result<()>;

    /// Removes the graph with all that it has. It is gone at once; what it had is taken away in batches, which
    /// [`resume`](Self::resume) goes on with.
    fn remove_graph(&self, ctx: &dyn Context) -> Result<()>;

    /// Whether edges have a direction; `None` where there is no graph.
    fn graph(&self, ctx: &dyn Context) -> Result<Option<Kind>>;

    /// Ends removals that were cut short, and answers how many there were. Who writes does it too; nobody sees a
    /// difference.
    fn resume(&self, ctx: &dyn Context) -> Result<u64>;

    /// Adds a vertex, or sets the weight of one that is there; answers whether it is new.
    ///
    /// # Errors
    /// `InvalidArgument` for NaN.
    fn add_vertex(&self, ctx: &dyn Context, id: VertexId, weight: f64) -> Result<bool>;

    /// Adds an edge, or sets the weight of one that is there; answers whether it is new.
    ///
    /// # Errors
    /// `NotFound` for a vertex that isn't there; `InvalidArgument` for NaN.
    fn add_edge(&self, ctx: &dyn Context, from: VertexId, to: VertexId, weight: f64) -> Result<bool>;

    /// Sets the weight of a vertex that is there.
    fn set_vertex_weight(&self, ctx: &dyn Context, id: VertexId, weight: f64) -> Result<()>;

    /// Sets the weight of an edge that is there.
    fn set_edge_weight(&self, ctx: &dyn Context, from: VertexId, to: VertexId, weight: f64) -> Result<()>;

    /// Sets a property of a vertex that is there.
    fn set_vertex_property(&self, ctx: &dyn Context, id: VertexId, name: &str, value: Bytes) -> Result<()>;

    /// Sets a property of an edge that is there.
    fn set_edge_property(
        &self,
        ctx: &dyn Context,
        from: VertexId,
        to: VertexId,
        name: &str,
        value: Bytes,
    ) -> Result<()>;

    /// Removes a vertex, its edges, and the properties of all of them. They are gone at once, however many there are.
    fn remove_vertex(&self, ctx: &dyn Context, id: VertexId) -> Result<()>;

    /// Removes an edge and its properties.
    fn remove_edge(&self, ctx: &dyn Context, from: VertexId, to: VertexId) -> Result<()>;

    /// Removes a property of a vertex that is there; answers whether there was one.
    fn remove_vertex_property(&self, ctx: &dyn Context, id: VertexId, name: &str) -> Result<bool>;

    /// Removes a property of an edge that is there; answers whether there was one.
    fn remove_edge_property(
        &self,
        ctx: &dyn Context,
        from: VertexId,
        to: VertexId,
        name: &str,
    ) -> Result<bool>;

    /// A vertex.
    fn get_vertex(&self, ctx: &dyn Context, id: VertexId) -> Result<Option<Vertex>>;

    /// An edge; without directions, in whichever order its ends are named.
    fn get_edge(&self, ctx: &dyn Context, from: VertexId, to: VertexId) -> Result<Option<Edge>>;

    /// A property of a vertex.
    fn get_vertex_property(&self, ctx: &dyn Context, id: VertexId, name: &str) -> Result<Option<Bytes>>;

    /// A property of an edge.
    fn get_edge_property(
        &self,
        ctx: &dyn Context,
        from: VertexId,
        to: VertexId,
        name: &str,
    ) -> Result<Option<Bytes>>;

    /// Visits the vertices between two bounds, ascending.
    fn visit_vertices(
        &self,
        ctx: &dyn Context,
        between: Between<VertexId>,
        visit: &mut Visit<'_, Vertex>,
    ) -> Result<()>;

    /// Visits the edges between two bounds, by where they begin, then by where they end.
    fn visit_edges(
        &self,
        ctx: &dyn Context,
        between: Between<(VertexId, VertexId)>,
        visit: &mut Visit<'_, Edge>,
    ) -> Result<()>;

    /// Visits the edges of a vertex whose other end lies between two bounds, by that end. With directions,
    /// [`Incident::Both`] visits first those that end at it, then those that begin at it.
    ///
    /// # Errors
    /// `NotFound` when the vertex isn't there.
    fn visit_edges_of(
        &self,
        ctx: &dyn Context,
        id: VertexId,
        which: Incident,
        between: Between<VertexId>,
        visit: &mut Visit<'_, Edge>,
    ) -> Result<()>;

    /// Visits the properties of a vertex, in the order of their names' bytes.
    ///
    /// # Errors
    /// `NotFound` when the vertex isn't there.
    fn visit_vertex_properties(
        &self,
        ctx: &dyn Context,
        id: VertexId,
        visit: &mut VisitProperties<'_>,
    ) -> Result<()>;

    /// Visits the properties of an edge, in the order of their names' bytes.
    ///
    /// # Errors
    /// `NotFound` when the edge isn't there.
    fn visit_edge_properties(
        &self,
        ctx: &dyn Context,
        from: VertexId,
        to: VertexId,
        visit: &mut VisitProperties<'_>,
    ) -> Result<()>;

    /// Adds many things, in their order, in batches that are each made whole or not at all.
    ///
    /// What isn't there, and isn't among the items before, is `NotFound`; batches before that one stay. It may be
    /// repeated.
    fn load(&self, ctx: &dyn Context, items: &[Item]) -> Result<()>;

    /// Visits the edges whose weight lies between two bounds, in the order of [`visit_edges`](Self::visit_edges).
    /// One in conflict is visited, whatever its weights.
    ///
    /// It reads every edge unless what keeps the graph knows better. An index by weight would be one more key to
    /// write for each edge; and of two weights that a merge brings together, one that is chosen as the value of a key
    /// would be missing there.
    ///
    /// # Errors
    /// `InvalidArgument` for a bound that is NaN.
    fn visit_edges_weighing(
        &self,
        ctx: &dyn Context,
        (start, end): Between<f64>,
        visit: &mut Visit<'_, Edge>,
    ) -> Result<()> {
        for bound in [start, end] {
            if let Bound::Included(weight) | Bound::Excluded(weight) = bound
                && weight.is_nan()
            {
                return Err(Error::new(ErrorKind::InvalidArgument, "a weight is a number, and NaN is none"));
            }
        }
        self.visit_edges(ctx, everything(), &mut |edge| match edge {
            Shown::Found(edge) if !(start, end).contains(&edge.weight) => Ok(ControlFlow::Continue(())),
            edge => visit(edge),
        })
    }

    /// Every vertex, ascending, in memory.
    fn get_vertices(&self, ctx: &dyn Context) -> Result<Vec<Vertex>> {
        self.page_of_vertices(ctx, None, usize::MAX)
    }

    /// Every edge, in the order of [`visit_edges`](Self::visit_edges), in memory.
    fn get_edges(&self, ctx: &dyn Context) -> Result<Vec<Edge>> {
        self.page_of_edges(ctx, None, usize::MAX)
    }

    /// So many vertices, from the first above `last`.
    fn page_of_vertices(
        &self,
        ctx: &dyn Context,
        last: Option<VertexId>,
        most: usize,
    ) -> Result<Vec<Vertex>> {
        page(most, &mut |visit| self.visit_vertices(ctx, after(last), visit))
    }

    /// So many edges, from the first behind `last`.
    fn page_of_edges(
        &self,
        ctx: &dyn Context,
        last: Option<(VertexId, VertexId)>,
        most: usize,
    ) -> Result<Vec<Edge>> {
        page(most, &mut |visit| self.visit_edges(ctx, after(last), visit))
    }

    /// The edges of a vertex, in memory; [`visit_edges_of`](Self::visit_edges_of) gives them one by one.
    fn edges_of(&self, ctx: &dyn Context, id: VertexId, which: Incident) -> Result<Vec<Edge>> {
        page(usize::MAX, &mut |visit| self.visit_edges_of(ctx, id, which, everything(), visit))
    }

    /// The vertices at the other ends of a vertex's edges, ascending, each once. Edges in conflict count.
    fn neighbours(&self, ctx: &dyn Context, id: VertexId, which: Incident) -> Result<Vec<VertexId>> {
        let mut found = Vec::new();
        self.visit_edges_of(ctx, id, which, everything(), &mut |edge| {
            found.push(match edge {
                Shown::Found(edge) => edge.other(id),
                Shown::Conflict { element: Element::Edge(from, to), .. } => {
                    if from == id {
                        to
                    } else {
                        from
                    }
                }
                Shown::Conflict { .. } => return Ok(ControlFlow::Continue(())),
            });
            Ok(ControlFlow::Continue(()))
        })?;
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    /// How many edges a vertex has; a loop counts once, and one in conflict too.
    fn degree(&self, ctx: &dyn Context, id: VertexId, which: Incident) -> Result<u64> {
        let mut degree = 0;
        self.visit_edges_of(ctx, id, which, everything(), &mut |_| {
            degree += 1;
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(degree)
    }

    /// The properties of a vertex, in memory.
    ///
    /// # Errors
    /// `NotFound` when the vertex isn't there.
    fn vertex_properties(&self, ctx: &dyn Context, id: VertexId) -> Result<Vec<(String, Bytes)>> {
        let mut found = Vec::new();
        self.visit_vertex_properties(ctx, id, &mut |name, value| {
            found.push((name.to_owned(), value.found()?));
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(found)
    }

    /// The properties of an edge, in memory.
    ///
    /// # Errors
    /// `NotFound` when the edge isn't there.
    fn edge_properties(
        &self,
        ctx: &dyn Context,
        from: VertexId,
        to: VertexId,
    ) -> Result<Vec<(String, Bytes)>> {
        let mut found = Vec::new();
        self.visit_edge_properties(ctx, from, to, &mut |name, value| {
            found.push((name.to_owned(), value.found()?));
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(found)
    }
}

/// The first `most` of what is visited.
fn page<T>(most: usize, visit: &mut dyn FnMut(&mut Visit<'_, T>) -> Result<()>) -> Result<Vec<T>> {
    let mut found = Vec::new();
    if most > 0 {
        visit(&mut |shown| {
            found.push(shown.found()?);
            Ok(if found.len() < most { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        })?;
    }
    Ok(found)
}
