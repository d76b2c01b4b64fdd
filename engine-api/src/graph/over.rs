//! A graph in ordered keys and values: how it is read, and where its writes are.

use std::collections::HashSet;
use std::fmt;
use std::ops::ControlFlow;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

use super::api::{Between, Graph, Visit, VisitProperties};
use super::element::{Edge, Element, Incident, Item, Kind, Shown, Vertex, VertexId};
use super::keys;
use super::record::Token;
use super::scene::{Scene, shown_edge, shown_vertex, weight_of};
use crate::key::Context;
use crate::spi::{Fetch, Result};
use crate::version::{Batcher, OrderedKeyValue, Resolved};

/// A [`Graph`] in ordered keys and values, of any engine, with versions or without.
///
/// ```
/// use engine_api::MemoryStore;
/// use engine_api::graph::{Graph, Incident, Kind, KeyValueGraph};
/// use engine_api::key::DataContext;
/// use engine_api::version::{NewInstance, Versioned};
///
/// # fn main() -> engine_api::Result<()> {
/// let store = Versioned::create(MemoryStore::new())?;
/// let repo = store.create_repo("atlas", None)?;
/// let cells = store.create_instance(repo.id, &NewInstance::new("cells", "graph"))?;
/// let graph = KeyValueGraph::new(&store);
///
/// let ctx = DataContext::versioned(cells.id, repo.root);
/// graph.create_graph(&ctx, Kind::Undirected)?;
/// graph.add_vertex(&ctx, 5, 1.0)?;
/// graph.add_vertex(&ctx, 11, 1.0)?;
/// graph.add_edge(&ctx, 11, 5, 0.3)?;
/// assert_eq!(graph.neighbours(&ctx, 5, Incident::Both)?, [11]);
/// assert_eq!(graph.get_edge(&ctx, 5, 11)?.map(|edge| edge.weight), Some(0.3));
/// # Ok(())
/// # }
/// ```
pub struct KeyValueGraph<'s, S: ?Sized> {
    pub(super) store: &'s S,
    /// Removals that a call on this handle is making now: another call leaves them to it.
    pub(super) at_work: Mutex<HashSet<Token>>,
}

impl<S: ?Sized> fmt::Debug for KeyValueGraph<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyValueGraph").finish_non_exhaustive()
    }
}

impl<'s, S: ?Sized> KeyValueGraph<'s, S> {
    /// Graphs in the instances of `store`.
    pub fn new(store: &'s S) -> Self {
        Self { store, at_work: Mutex::default() }
    }

    pub(super) fn is_at_work(&self, token: &Token) -> bool {
        self.at_work.lock().unwrap_or_else(PoisonError::into_inner).contains(token)
    }
}

/// A removal that this handle is making, for as long as it lives.
pub(super) struct AtWork<'a>(&'a Mutex<HashSet<Token>>, Token);

impl<'a> AtWork<'a> {
    pub(super) fn on(tokens: &'a Mutex<HashSet<Token>>, token: Token) -> Self {
        tokens.lock().unwrap_or_else(PoisonError::into_inner).insert(token);
        Self(tokens, token)
    }
}

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.1);
    }
}

impl<S: OrderedKeyValue + Batcher + ?Sized> KeyValueGraph<'_, S> {
    pub(super) fn scene(&self, ctx: &dyn Context) -> Result<Scene<'_>> {
        Scene::new(self.store.reading(ctx)?)
    }
}

impl<S: OrderedKeyValue + Batcher + ?Sized> Graph for KeyValueGraph<'_, S> {
    fn create_graph(&self, ctx: &dyn Context, kind: Kind) -> Result<()> {
        self.make(ctx, kind)
    }

    fn remove_graph(&self, ctx: &dyn Context) -> Result<()> {
        self.take_all(ctx)
    }

    fn graph(&self, ctx: &dyn Context) -> Result<Option<Kind>> {
        self.scene(ctx)?.there()
    }

    fn resume(&self, ctx: &dyn Context) -> Result<u64> {
        self.end_removals(ctx)
    }

    fn add_vertex(&self, ctx: &dyn Context, id: VertexId, weight: f64) -> Result<bool> {
        self.write(ctx, |draft| draft.add_vertex(id, weight))
    }

    fn add_edge(&self, ctx: &dyn Context, from: VertexId, to: VertexId, weight: f64) -> Result<bool> {
        self.write(ctx, |draft| draft.add_edge(from, to, weight))
    }

    fn set_vertex_weight(&self, ctx: &dyn Context, id: VertexId, weight: f64) -> Result<()> {
        self.write(ctx, |draft| draft.set_vertex_weight(id, weight))
    }

    fn set_edge_weight(&self, ctx: &dyn Context, from: VertexId, to: VertexId, weight: f64) -> Result<()> {
        self.write(ctx, |draft| draft.set_edge_weight(from, to, weight))
    }

    fn set_vertex_property(&self, ctx: &dyn Context, id: VertexId, name: &str, value: Bytes) -> Result<()> {
        self.write(ctx, |draft| draft.set_vertex_property(id, name, &value))
    }

    fn set_edge_property(
        &self,
        ctx: &dyn Context,
        from: VertexId,
        to: VertexId,
        name: &str,
        value: Bytes,
    ) -> Result<()> {
        self.write(ctx, |draft| draft.set_edge_property((from, to), name, &value))
    }

    fn remove_vertex(&self, ctx: &dyn Context, id: VertexId) -> Result<()> {
        self.take_vertex(ctx, id)
    }

    fn remove_edge(&self, ctx: &dyn Context, from: VertexId, to: VertexId) -> Result<()> {
        self.write(ctx, |draft| draft.remove_edge(from, to))
    }

    fn remove_vertex_property(&self, ctx: &dyn Context, id: VertexId, name: &str) -> Result<bool> {
        self.write(ctx, |draft| draft.remove_vertex_property(id, name))
    }

    fn remove_edge_property(
        &self,
        ctx: &dyn Context,
        from: VertexId,
        to: VertexId,
        name: &str,
    ) -> Result<bool> {
        self.write(ctx, |draft| draft.remove_edge_property((from, to), name))
    }

    fn get_vertex(&self, ctx: &dyn Context, id: VertexId) -> Result<Option<Vertex>> {
        let scene = self.scene(ctx)?;
        scene.kind()?;
        let weight = weight_of(scene.vertex(id)?, || Element::Vertex(id))?;
        Ok(weight.map(|weight| Vertex { id, weight }))
    }

    fn get_edge(&self, ctx: &dyn Context, from: VertexId, to: VertexId) -> Result<Option<Edge>> {
        let scene = self.scene(ctx)?;
        let (from, to) = scene.kind()?.ends(from, to);
        let Some(resolved) = scene.edge(from, to)? else { return Ok(None) };
        let weight = weight_of(resolved, || Element::Edge(from, to))?;
        Ok(weight.map(|weight| Edge { from, to, weight }))
    }

    fn get_vertex_property(&self, ctx: &dyn Context, id: VertexId, name: &str) -> Result<Option<Bytes>> {
        let scene = self.scene(ctx)?;
        scene.kind()?;
        if !scene.has_vertex(id)? {
            return Ok(None);
        }
        let resolved = scene.reading.resolve(&keys::vertex_property(id, name))?;
        property(resolved, || Element::VertexProperty(id, name.to_owned()))
    }

    fn get_edge_property(
        &self,
        ctx: &dyn Context,
        from: VertexId,
        to: VertexId,
        name: &str,
    ) -> Result<Option<Bytes>> {
        let scene = self.scene(ctx)?;
        let (from, to) = scene.kind()?.ends(from, to);
        if scene.edge(from, to)?.is_none() {
            return Ok(None);
        }
        let resolved = scene.reading.resolve(&keys::edge_property(from, to, name))?;
        property(resolved, || Element::EdgeProperty(from, to, name.to_owned()))
    }

    fn visit_vertices(
        &self,
        ctx: &dyn Context,
        (start, end): Between<VertexId>,
        visit: &mut Visit<'_, Vertex>,
    ) -> Result<()> {
        let scene = self.scene(ctx)?;
        scene.kind()?;
        let range = keys::between(keys::VERTEX, &[], (start.map(|id| [id]), end.map(|id| [id])));
        scene.reading.visit_with(&range, Fetch::Entries, &mut |tkey, seen| {
            let (id, _) = keys::split_one(tkey)?;
            visit(shown_vertex(id, seen)?)
        })
    }

    fn visit_edges(
        &self,
        ctx: &dyn Context,
        (start, end): Between<(VertexId, VertexId)>,
        visit: &mut Visit<'_, Edge>,
    ) -> Result<()> {
        let scene = self.scene(ctx)?;
        scene.kind()?;
        let range = keys::between(keys::OUT, &[], (start.map(<[_; 2]>::from), end.map(<[_; 2]>::from)));
        scene.reading.visit_with(&range, Fetch::Entries, &mut |tkey, seen| {
            let (from, to, _) = keys::split_two(tkey)?;
            if scene.shows(from, to)? {
                visit(shown_edge(from, to, seen)?)
            } else {
                Ok(ControlFlow::Continue(()))
            }
        })
    }

    fn visit_edges_of(
        &self,
        ctx: &dyn Context,
        id: VertexId,
        which: Incident,
        between: Between<VertexId>,
        visit: &mut Visit<'_, Edge>,
    ) -> Result<()> {
        let scene = self.scene(ctx)?;
        let both = match scene.kind()? {
            // Stored from the lower end, so those that are found from the higher one are to lower numbers.
            Kind::Undirected => true,
            Kind::Directed => which == Incident::Both,
        };
        if !scene.has_vertex(id)? {
            return Err(Element::Vertex(id).missing());
        }
        if both {
            let mut unless_loop = |edge: Shown<Edge>| match &edge {
                Shown::Found(Edge { from, to, .. })
                | Shown::Conflict { element: Element::Edge(from, to), .. }
                    if from == to =>
                {
                    Ok(ControlFlow::Continue(()))
                }
                _ => visit(edge),
            };
            if !scene.visit_half(keys::IN, id, between, &mut unless_loop)? {
                return Ok(());
            }
        }
        let class = if !both && which == Incident::In { keys::IN } else { keys::OUT };
        scene.visit_half(class, id, between, visit).map(drop)
    }

    fn visit_vertex_properties(
        &self,
        ctx: &dyn Context,
        id: VertexId,
        visit: &mut VisitProperties<'_>,
    ) -> Result<()> {
        let scene = self.scene(ctx)?;
        scene.kind()?;
        scene.need_vertex(id)?;
        let element = |name| Element::VertexProperty(id, name);
        scene.visit_properties(&keys::of(keys::VERTEX_PROPERTY, &[id]), keys::vertex_name, &element, visit)
    }

    fn visit_edge_properties(
        &self,
        ctx: &dyn Context,
        from: VertexId,
        to: VertexId,
        visit: &mut VisitProperties<'_>,
    ) -> Result<()> {
        let scene = self.scene(ctx)?;
        let (from, to) = scene.kind()?.ends(from, to);
        if scene.edge(from, to)?.is_none() {
            return Err(Element::Edge(from, to).missing());
        }
        let element = |name| Element::EdgeProperty(from, to, name);
        let range = keys::of(keys::EDGE_PROPERTY, &[from, to]);
        scene.visit_properties(&range, keys::edge_name, &element, visit)
    }

    fn load(&self, ctx: &dyn Context, items: &[Item]) -> Result<()> {
        self.write_all(ctx, items)
    }
}

/// A property as it was resolved.
fn property(resolved: Resolved, element: impl FnOnce() -> Element) -> Result<Option<Bytes>> {
    match resolved {
        Resolved::Conflict { versions } => Err(element().in_conflict(&versions)),
        resolved => resolved.into_value(),
    }
}
