//! What a graph of a store's own does, but for its flaw.

use std::collections::BTreeMap;
use std::ops::{Bound, RangeBounds as _};
use std::sync::PoisonError;
use std::thread;

use engine_api::graph::{
    Between, Edge, Element, Graph, Incident, Item, Kind, Shown, Vertex, Visit, VisitProperties,
};
use engine_api::key::Context;
use engine_api::version::Flow;
use engine_api::{Bytes, Error, ErrorKind, Result};

use super::GraphFlaw;
use super::native::{A_MOMENT, NativeGraph};
use super::state::{Entry, State};

impl Graph for NativeGraph {
    fn create_graph(&self, ctx: &dyn Context, kind: Kind) -> Result<()> {
        if self.flaw == GraphFlaw::MakingIsNothing {
            return Ok(());
        }
        let place = self.place(ctx)?;
        let mut graphs = self.graphs.lock().unwrap_or_else(PoisonError::into_inner);
        if graphs.contains_key(&place) {
            return Err(Error::new(ErrorKind::AlreadyExists, "there is a graph here already"));
        }
        let mut state = State::new(kind, self.flaw);
        state.left = std::mem::take(&mut *self.left.lock().unwrap_or_else(PoisonError::into_inner));
        graphs.insert(place, state);
        Ok(())
    }

    fn remove_graph(&self, ctx: &dyn Context) -> Result<()> {
        let place = self.place(ctx)?;
        let mut graphs = self.graphs.lock().unwrap_or_else(PoisonError::into_inner);
        let state = graphs.remove(&place).ok_or_else(|| Element::Graph.missing())?;
        if self.flaw == GraphFlaw::LeavesPropertiesOfGraphs {
            let left = state.vertices.into_iter().map(|(id, entry)| (id, entry.properties));
            self.left.lock().unwrap_or_else(PoisonError::into_inner).extend(left);
        }
        Ok(())
    }

    fn graph(&self, ctx: &dyn Context) -> Result<Option<Kind>> {
        match self.with(ctx, |state| Ok(state.kind)) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            answer => answer.map(Some),
        }
    }

    fn resume(&self, _: &dyn Context) -> Result<u64> {
        Ok(0)
    }

    fn add_vertex(&self, ctx: &dyn Context, id: u64, weight: f64) -> Result<bool> {
        self.with(ctx, |state| state.add_vertex(self.number(id), weight))
    }

    fn add_edge(&self, ctx: &dyn Context, from: u64, to: u64, weight: f64) -> Result<bool> {
        let (from, to) = (self.number(from), self.number(to));
        let in_two_steps = matches!(self.flaw, GraphFlaw::AddsEdgesInTwoSteps | GraphFlaw::LosesNeighbours);
        let (new, list) = self.with(ctx, |state| {
            let weight = state.check_weight(weight)?;
            state.need_ends(from, to)?;
            let ends = state.ends(from, to);
            let list = state.out.get(&ends.0).cloned();
            let new =
                if in_two_steps { !state.edges.contains_key(&ends) } else { state.join(from, to, weight) };
            Ok((new, list))
        })?;
        if !in_two_steps {
            return Ok(new);
        }
        thread::sleep(A_MOMENT);
        self.with(ctx, |state| {
            if self.flaw == GraphFlaw::LosesNeighbours {
                // The list as it was read, with one more.
                let first = state.ends(from, to).0;
                state.out.insert(first, list.unwrap_or_default());
            }
            state.join(from, to, weight);
            Ok(new)
        })
    }

    fn set_vertex_weight(&self, ctx: &dyn Context, id: u64, weight: f64) -> Result<()> {
        self.with(ctx, |state| {
            let weight = state.check_weight(weight)?;
            if let Some(entry) = state.vertex(self.number(id))? {
                entry.weight = weight;
            }
            Ok(())
        })
    }

    fn set_edge_weight(&self, ctx: &dyn Context, from: u64, to: u64, weight: f64) -> Result<()> {
        self.with(ctx, |state| {
            let weight = state.check_weight(weight)?;
            if let Some(entry) = state.edge(self.number(from), self.number(to))? {
                entry.weight = weight;
            }
            Ok(())
        })
    }

    fn set_vertex_property(&self, ctx: &dyn Context, id: u64, name: &str, value: Bytes) -> Result<()> {
        let id = self.number(id);
        if self.flaw == GraphFlaw::LosesProperties {
            let mut read = self.with(ctx, |state| Ok(state.vertex(id)?.cloned().unwrap_or_default()))?;
            thread::sleep(A_MOMENT);
            read.properties.insert(self.name(name), value);
            return self.with(ctx, |state| {
                state.vertices.insert(id, read);
                Ok(())
            });
        }
        self.with(ctx, |state| {
            state.vertex(id)?;
            let holder = self.holder(id);
            if holder != id {
                state.vertices.entry(holder).or_default();
            }
            self.set(state.vertex(holder)?, name, value);
            Ok(())
        })
    }

    fn set_edge_property(
        &self,
        ctx: &dyn Context,
        from: u64,
        to: u64,
        name: &str,
        value: Bytes,
    ) -> Result<()> {
        self.with(ctx, |state| {
            self.set(state.edge(self.number(from), self.number(to))?, name, value);
            Ok(())
        })
    }

    fn remove_vertex(&self, ctx: &dyn Context, id: u64) -> Result<()> {
        let id = self.number(id);
        if self.flaw != GraphFlaw::RemovesBitByBit {
            return self.with(ctx, |state| {
                let edges = state.take_vertex(id)?;
                state.part_all(edges);
                Ok(())
            });
        }
        for edges in self.with(ctx, |state| Ok(state.incident(id, Incident::Both)))?.chunks(16) {
            self.with(ctx, |state| {
                state.part_all(edges.to_vec());
                Ok(())
            })?;
            thread::sleep(A_MOMENT);
        }
        self.with(ctx, |state| state.take_vertex(id).map(drop))
    }

    fn remove_edge(&self, ctx: &dyn Context, from: u64, to: u64) -> Result<()> {
        self.with(ctx, |state| state.remove_edge(self.number(from), self.number(to)))
    }

    fn remove_vertex_property(&self, ctx: &dyn Context, id: u64, name: &str) -> Result<bool> {
        self.with(ctx, |state| Ok(self.unset(state.vertex(self.number(self.holder(id)))?, name)))
    }

    fn remove_edge_property(&self, ctx: &dyn Context, from: u64, to: u64, name: &str) -> Result<bool> {
        self.with(ctx, |state| Ok(self.unset(state.edge(self.number(from), self.number(to))?, name)))
    }

    fn get_vertex(&self, ctx: &dyn Context, id: u64) -> Result<Option<Vertex>> {
        let id = self.number(id);
        let found = self.with(ctx, |state| Ok(state.vertices.get(&id).map(|entry| entry.weight)))?;
        match found {
            Some(weight) => Ok(Some(Vertex { id, weight })),
            None => self.none(&Element::Vertex(id)),
        }
    }

    fn get_edge(&self, ctx: &dyn Context, from: u64, to: u64) -> Result<Option<Edge>> {
        let found = self.with(ctx, |state| {
            let (from, to) = (self.number(from), self.number(to));
            let ends = if state.is(GraphFlaw::ForgetsOrder) { (from, to) } else { state.ends(from, to) };
            let edge = |entry: &Entry| Edge { from: ends.0, to: ends.1, weight: entry.weight };
            Ok(state.edges.get(&ends).map(edge))
        })?;
        match found {
            Some(edge) => Ok(Some(edge)),
            None => self.none(&Element::Edge(from, to)),
        }
    }

    fn get_vertex_property(&self, ctx: &dyn Context, id: u64, name: &str) -> Result<Option<Bytes>> {
        let id = self.number(self.holder(id));
        self.with(ctx, |state| Ok(state.vertices.get(&id).and_then(|entry| self.read(entry, name))))
    }

    fn get_edge_property(&self, ctx: &dyn Context, from: u64, to: u64, name: &str) -> Result<Option<Bytes>> {
        self.with(ctx, |state| {
            let ends = state.ends(self.number(from), self.number(to));
            Ok(state.edges.get(&ends).and_then(|entry| self.read(entry, name)))
        })
    }

    fn visit_vertices(
        &self,
        ctx: &dyn Context,
        between: Between<u64>,
        visit: &mut Visit<'_, Vertex>,
    ) -> Result<()> {
        let all = self.with(ctx, |state| {
            let vertex = |(id, entry): (&u64, &Entry)| Vertex { id: *id, weight: entry.weight };
            Ok(state.vertices.iter().map(vertex).filter(|vertex| self.lies(between, &vertex.id)).collect())
        })?;
        self.visit_all(all, visit)
    }

    fn visit_edges(
        &self,
        ctx: &dyn Context,
        between: Between<(u64, u64)>,
        visit: &mut Visit<'_, Edge>,
    ) -> Result<()> {
        let all = self.with(ctx, |state| {
            let edges = state.edges().into_iter();
            Ok(edges.filter(|edge| self.lies(between, &(edge.from, edge.to))).collect())
        })?;
        self.visit_all(all, visit)
    }

    fn visit_edges_of(
        &self,
        ctx: &dyn Context,
        id: u64,
        which: Incident,
        between: Between<u64>,
        visit: &mut Visit<'_, Edge>,
    ) -> Result<()> {
        let id = self.number(id);
        let all = self.with(ctx, |state| {
            if !state.vertices.contains_key(&id) {
                return Err(Element::Vertex(id).missing());
            }
            let edge = |(from, to)| {
                let weight = state.edges.get(&(from, to)).map_or(0.0, |entry| entry.weight);
                Edge { from, to, weight }
            };
            let edges = state.incident(id, which).into_iter().map(edge);
            Ok(edges.filter(|edge| self.lies(between, &edge.other(id))).collect())
        })?;
        self.visit_all(all, visit)
    }

    fn visit_vertex_properties(
        &self,
        ctx: &dyn Context,
        id: u64,
        visit: &mut VisitProperties<'_>,
    ) -> Result<()> {
        let found = self.with(ctx, |state| {
            let missing = || Element::Vertex(id).missing();
            state.vertices.get(&self.number(id)).map(|entry| entry.properties.clone()).ok_or_else(missing)
        })?;
        visit_properties(found, visit)
    }

    fn visit_edge_properties(
        &self,
        ctx: &dyn Context,
        from: u64,
        to: u64,
        visit: &mut VisitProperties<'_>,
    ) -> Result<()> {
        let found = self.with(ctx, |state| {
            let ends = state.ends(self.number(from), self.number(to));
            let missing = || Element::Edge(ends.0, ends.1).missing();
            state.edges.get(&ends).map(|entry| entry.properties.clone()).ok_or_else(missing)
        })?;
        visit_properties(found, visit)
    }

    fn load(&self, ctx: &dyn Context, items: &[Item]) -> Result<()> {
        for item in items {
            let loaded = match item {
                Item::Vertex(vertex) => self.add_vertex(ctx, vertex.id, vertex.weight).map(drop),
                Item::Edge(edge) => self.add_edge(ctx, edge.from, edge.to, edge.weight).map(drop),
                Item::VertexProperty(id, name, value) => {
                    self.set_vertex_property(ctx, *id, name, value.clone())
                }
                Item::EdgeProperty(from, to, name, value) => {
                    self.set_edge_property(ctx, *from, *to, name, value.clone())
                }
            };
            if self.flaw != GraphFlaw::LoadPassesOver {
                loaded?;
            }
        }
        Ok(())
    }

    fn visit_edges_weighing(
        &self,
        ctx: &dyn Context,
        (start, end): Between<f64>,
        visit: &mut Visit<'_, Edge>,
    ) -> Result<()> {
        let nan = |bound: Bound<f64>| matches!(bound, Bound::Included(w) | Bound::Excluded(w) if w.is_nan());
        if nan(start) || nan(end) {
            return Err(Error::new(ErrorKind::InvalidArgument, "NaN is no weight"));
        }
        let bits = (start.map(f64::to_bits), end.map(f64::to_bits));
        let all = self.with(ctx, |state| {
            let lies = |edge: &Edge| match self.flaw {
                GraphFlaw::OrdersWeightsByBits => bits.contains(&edge.weight.to_bits()),
                _ => (start, end).contains(&edge.weight),
            };
            Ok(state.edges().into_iter().filter(lies).collect())
        })?;
        self.visit_all(all, visit)
    }
}

fn visit_properties(found: BTreeMap<String, Bytes>, visit: &mut VisitProperties<'_>) -> Result<()> {
    for (name, value) in found {
        if visit(&name, Shown::Found(value))? == Flow::Break(()) {
            break;
        }
    }
    Ok(())
}
