//! Graphs, written once above every engine: vertices and edges with weights and properties, with versions or without.
//!
//! [`Graph`] is what a graph can do; [`KeyValueGraph`] keeps one in the ordered keys and values of any engine. An engine
//! that is a graph engine itself answers with its own through [`Store::graph`]; [`of`] takes the one
//! or the other. [`vertices`] and [`edges`] are iterators. A data instance has one graph.
//!
//! | to | call |
//! |---|---|
//! | make and remove a graph | [`create_graph`](Graph::create_graph), [`remove_graph`](Graph::remove_graph), [`graph`](Graph::graph) |
//! | add, or set the weight of what is there | [`add_vertex`](Graph::add_vertex), [`add_edge`](Graph::add_edge), [`load`](Graph::load) |
//! | change what is there | [`set_vertex_weight`](Graph::set_vertex_weight), [`set_edge_weight`](Graph::set_edge_weight), [`set_vertex_property`](Graph::set_vertex_property), [`set_edge_property`](Graph::set_edge_property) |
//! | remove | [`remove_vertex`](Graph::remove_vertex), [`remove_edge`](Graph::remove_edge), [`remove_vertex_property`](Graph::remove_vertex_property), [`remove_edge_property`](Graph::remove_edge_property), [`resume`](Graph::resume) |
//! | read one | [`get_vertex`](Graph::get_vertex), [`get_edge`](Graph::get_edge), [`get_vertex_property`](Graph::get_vertex_property), [`get_edge_property`](Graph::get_edge_property) |
//! | read all | [`get_vertices`](Graph::get_vertices), [`get_edges`](Graph::get_edges), [`vertex_properties`](Graph::vertex_properties), [`edge_properties`](Graph::edge_properties) |
//! | visit | [`visit_vertices`](Graph::visit_vertices), [`visit_edges`](Graph::visit_edges), [`visit_edges_of`](Graph::visit_edges_of), [`visit_edges_weighing`](Graph::visit_edges_weighing), [`visit_vertex_properties`](Graph::visit_vertex_properties), [`visit_edge_properties`](Graph::visit_edge_properties) |
//! | go page by page | [`page_of_vertices`](Graph::page_of_vertices), [`page_of_edges`](Graph::page_of_edges) |
//! | go from a vertex | [`neighbours`](Graph::neighbours), [`degree`](Graph::degree), [`edges_of`](Graph::edges_of) |
//!
//! # Writers at once
//! An edge is two keys of its own, so any number of writers can add edges to one vertex, and none waits for another: no
//! value grows with a vertex's degree. The batch that adds an edge requires that both vertices are there. So of an edge
//! that is added and a vertex that is removed at one moment either the edge was first, and goes with the vertex, or it is
//! refused.
//!
//! To remove a vertex takes two batches, or more where it has more edges than one batch holds. The first takes the vertex,
//! as many of its edges as fit, and leaves a record of the removal; from then on the vertex and its edges are gone to
//! everybody who reads. What was cut short, the next write ends, or [`Graph::resume`]. A graph is removed in the same way.
//!
//! Each read is of one state where the engine has snapshots. Where it hasn't (`reads = live`), a visit may show an edge of
//! a vertex that is removed at that moment.
//!
//! # Versions
//! At a version a graph is what the [read rule](crate::version) makes of its keys: a vertex's weight, an edge's weight and
//! each property are decided one by one. Changed on two branches, they are in conflict behind the merge, and a read
//! answers `Conflict` with the name of the element and the versions; visits go on past it. Setting the element at the
//! merge, or removing it, chooses. What a side had is read at that side's version. [`Element::of_key`] names the element
//! of a [`Conflict`](crate::version::Conflict) that [`Versioned::conflicts`](crate::version::Versioned::conflicts) lists;
//! there each edge comes twice, once for each end, and
//! [`resolve_conflicts`](crate::version::Versioned::resolve_conflicts) decides about both alike.
//!
//! - An element is there while one side has changed its weight since the other removed it, for a change beats a deletion;
//!   what went with it and wasn't changed is gone.
//! - An edge that one branch has added to a vertex that another has removed is stored, and nobody sees it: behind a merge
//!   an edge is shown if both of its ends are there. When the vertex is added again, it begins without edges.
//! - Properties that one branch has set on what another has removed are gone with it.
//! - Two branches that made a graph each have made one, unless they are of two kinds.
//!
//! # On disk
//! Keys of a data instance, to the byte. `id` is a vertex's number: a byte that says how many bytes follow, plus one, then
//! those, big-endian, without leading zeros. So numbers are in their order, none is a prefix of another, and a small one
//! is short. A name is UTF-8 to the end of the key, and the codec of [keys](crate::key) ends the key. Without directions
//! `from` is the lower number. Weights are `f64`, big-endian, bit by bit.
//!
//! ```text
//! 20                     the graph:      "graph" 00 | 00 01 | kind | removing | token (16) | crc32c, little-endian
//! 20 | slot              a removal:      01 | vertex, u64 big-endian | token (16) | crc32c, little-endian
//! 21 | id                a vertex:       weight
//! 22 | id | name         its property:   bytes
//! 23 | from | to         an edge:        weight
//! 24 | to | from         the same edge:  weight
//! 25 | from | to | name  its property:   bytes
//! ```
//!
//! `kind` is 1 without directions and 2 with them. `removing` is 1 while a graph is being taken away, and else 0. A token
//! is random. The checksum is over all before it. `slot` is the four highest bits of the vertex's number times
//! 9E3779B97F4A7C15; there is a record while the vertex's edges are being taken away.

mod api;
mod check;
mod draft;
mod element;
mod keys;
mod over;
mod record;
mod removal;
mod scene;
mod stream;
mod write;

pub use api::{Between, Graph, Visit, VisitProperties, after, everything};
pub use check::Fault;
pub use element::{Edge, Element, Incident, Item, Kind, Shown, Vertex, VertexId};
pub use over::KeyValueGraph;
pub use stream::{Stream, edges, vertices};

use std::ops::Deref;

use crate::key::{Context, Scope};
use crate::spi::Store;
use crate::version::Versioned;

/// The graph of a context: the engine's own where it is a graph engine, which knows nothing of versions; else one in keys
/// and values.
pub fn of<'s, S: Store>(store: &'s Versioned<S>, ctx: &dyn Context) -> AnyGraph<'s, S> {
    match (store.store().graph(), ctx.scope()) {
        (Some(native), Scope::Unversioned(_)) => AnyGraph::Native(native),
        _ => AnyGraph::KeyValue(KeyValueGraph::new(store)),
    }
}

/// A graph, wherever it is kept; see [`of`].
pub enum AnyGraph<'s, S> {
    /// In the engine's own way.
    Native(&'s dyn Graph),
    /// In keys and values.
    KeyValue(KeyValueGraph<'s, Versioned<S>>),
}

impl<'s, S: Store> Deref for AnyGraph<'s, S> {
    type Target = dyn Graph + 's;

    fn deref(&self) -> &Self::Target {
        match self {
            Self::Native(graph) => *graph,
            Self::KeyValue(graph) => graph,
        }
    }
}

impl<S> std::fmt::Debug for AnyGraph<'_, S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Native(_) => "Native",
            Self::KeyValue(_) => "KeyValue",
        })
    }
}
