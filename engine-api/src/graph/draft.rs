//! A batch of a graph in the making: what it writes, and what must hold for it.

use std::collections::HashSet;

use bytes::Bytes;

use super::element::{Edge, Element, Item, Kind, Vertex, VertexId, check_weight};
use super::keys;
use super::record::weight as encoded;
use super::scene::Scene;
use crate::key::TKey;
use crate::spi::Result;
use crate::version::Batch;

/// Writes that were decided on from a scene, and that are made on the condition that it still holds: the graph, and each
/// vertex and edge that they rest on.
pub(super) struct Draft<'a> {
    scene: &'a Scene<'a>,
    kind: Kind,
    batch: &'a mut dyn Batch,
    /// Vertices that are there when the batch is made: required by it or put by it.
    vertices: HashSet<VertexId>,
    /// Edges of which the same holds.
    edges: HashSet<(VertexId, VertexId)>,
    /// A vertex whose remains must be taken away before this can be made.
    pub(super) remains: Option<VertexId>,
}

impl<'a> Draft<'a> {
    /// # Errors
    /// `NotFound` where there is no graph.
    pub(super) fn new(scene: &'a Scene<'a>, batch: &'a mut dyn Batch) -> Result<Self> {
        let kind = scene.kind()?;
        batch.require(&keys::graph(), &scene.stored);
        Ok(Self { scene, kind, batch, vertices: HashSet::new(), edges: HashSet::new(), remains: None })
    }

    /// Rests on a vertex.
    fn need_vertex(&mut self, id: VertexId) -> Result<()> {
        if !self.vertices.contains(&id) {
            let resolved = self.scene.vertex(id)?;
            if !resolved.is_visible() {
                return Err(Element::Vertex(id).missing());
            }
            self.batch.require(&keys::vertex(id), &resolved);
            self.vertices.insert(id);
        }
        Ok(())
    }

    /// Rests on an edge, and on both of its ends. Answers them in the order of storage.
    fn need_edge(&mut self, from: VertexId, to: VertexId) -> Result<(VertexId, VertexId)> {
        let (from, to) = self.kind.ends(from, to);
        if !self.edges.contains(&(from, to)) {
            let Some(resolved) = self.scene.edge(from, to)? else {
                return Err(Element::Edge(from, to).missing());
            };
            // A removal of one of them that begins meanwhile takes the edge with it.
            self.need_vertex(from)?;
            self.need_vertex(to)?;
            self.batch.require(&keys::out(from, to), &resolved);
            self.edges.insert((from, to));
        }
        Ok((from, to))
    }

    pub(super) fn add_vertex(&mut self, id: VertexId, weight: f64) -> Result<bool> {
        check_weight(weight)?;
        let mut new = false;
        if !self.vertices.contains(&id) {
            let resolved = self.scene.vertex(id)?;
            new = !resolved.is_visible();
            if new {
                self.need_nothing_left(id)?;
            }
            self.batch.require(&keys::vertex(id), &resolved);
            self.vertices.insert(id);
        }
        self.batch.put(&keys::vertex(id), encoded(weight));
        Ok(new)
    }

    /// A vertex that was removed and is added again begins without edges and properties. What its removal hasn't taken
    /// away yet, or another branch has added to it, must go first.
    fn need_nothing_left(&mut self, id: VertexId) -> Result<()> {
        let slot = keys::slot(keys::slot_of(id));
        self.batch.require(&slot, &self.scene.reading.resolve(&slot)?);
        let left = self.scene.removals.iter().any(|removal| removal.vertex == id)
            || !self.scene.reading.is_linear() && self.scene.has_remains(id)?;
        if left {
            self.remains = Some(id);
        }
        Ok(())
    }

    pub(super) fn add_edge(&mut self, from: VertexId, to: VertexId, weight: f64) -> Result<bool> {
        check_weight(weight)?;
        self.need_vertex(from)?;
        self.need_vertex(to)?;
        let (from, to) = self.kind.ends(from, to);
        let mut new = false;
        if !self.edges.contains(&(from, to)) {
            let resolved = self.scene.reading.resolve(&keys::out(from, to))?;
            new = !resolved.is_visible();
            if new {
                // Set while the edge was being removed, or on another branch.
                self.take_properties(from, to)?;
            }
            self.batch.require(&keys::out(from, to), &resolved);
            self.edges.insert((from, to));
        }
        self.put_edge(from, to, weight);
        Ok(new)
    }

    /// The two keys of an edge are always written together, so that a merge decides about both alike.
    fn put_edge(&mut self, from: VertexId, to: VertexId, weight: f64) {
        self.batch.put(&keys::out(from, to), encoded(weight));
        self.batch.put(&keys::into(from, to), encoded(weight));
    }

    fn take_properties(&mut self, from: VertexId, to: VertexId) -> Result<()> {
        for property in self.scene.keys_in(&keys::of(keys::EDGE_PROPERTY, &[from, to]))? {
            self.batch.delete(&property);
        }
        Ok(())
    }

    pub(super) fn set_vertex_weight(&mut self, id: VertexId, weight: f64) -> Result<()> {
        check_weight(weight)?;
        self.need_vertex(id)?;
        self.batch.put(&keys::vertex(id), encoded(weight));
        Ok(())
    }

    pub(super) fn set_edge_weight(&mut self, from: VertexId, to: VertexId, weight: f64) -> Result<()> {
        check_weight(weight)?;
        let (from, to) = self.need_edge(from, to)?;
        self.put_edge(from, to, weight);
        Ok(())
    }

    pub(super) fn set_vertex_property(&mut self, id: VertexId, name: &str, value: &Bytes) -> Result<()> {
        self.need_vertex(id)?;
        self.batch.put(&keys::vertex_property(id, name), value.clone());
        Ok(())
    }

    pub(super) fn set_edge_property(
        &mut self,
        (from, to): (VertexId, VertexId),
        name: &str,
        value: &Bytes,
    ) -> Result<()> {
        let (from, to) = self.need_edge(from, to)?;
        self.batch.put(&keys::edge_property(from, to, name), value.clone());
        Ok(())
    }

    pub(super) fn remove_edge(&mut self, from: VertexId, to: VertexId) -> Result<()> {
        let (from, to) = self.need_edge(from, to)?;
        self.take_properties(from, to)?;
        self.batch.delete(&keys::out(from, to));
        self.batch.delete(&keys::into(from, to));
        Ok(())
    }

    pub(super) fn remove_vertex_property(&mut self, id: VertexId, name: &str) -> Result<bool> {
        self.need_vertex(id)?;
        self.take_property(&keys::vertex_property(id, name))
    }

    pub(super) fn remove_edge_property(
        &mut self,
        (from, to): (VertexId, VertexId),
        name: &str,
    ) -> Result<bool> {
        let (from, to) = self.need_edge(from, to)?;
        self.take_property(&keys::edge_property(from, to, name))
    }

    fn take_property(&mut self, tkey: &TKey) -> Result<bool> {
        let there = self.scene.reading.resolve(tkey)?.is_visible();
        if there {
            self.batch.delete(tkey);
        }
        Ok(there)
    }

    pub(super) fn add(&mut self, item: &Item) -> Result<()> {
        match item {
            Item::Vertex(Vertex { id, weight }) => self.add_vertex(*id, *weight).map(drop),
            Item::Edge(Edge { from, to, weight }) => self.add_edge(*from, *to, *weight).map(drop),
            Item::VertexProperty(id, name, value) => self.set_vertex_property(*id, name, value),
            Item::EdgeProperty(from, to, name, value) => self.set_edge_property((*from, *to), name, value),
        }
    }
}
