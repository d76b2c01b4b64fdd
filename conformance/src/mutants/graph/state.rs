//! A graph in maps: what each operation does, and does wrongly.

use std::collections::{BTreeMap, BTreeSet};

use engine_api::graph::{Edge, Element, Incident, Kind};
use engine_api::{Bytes, Error, ErrorKind, Result};

use super::GraphFlaw;

pub(super) type Ends = (u64, u64);
type Lists = BTreeMap<u64, BTreeSet<u64>>;

#[derive(Clone, Debug, Default)]
pub(super) struct Entry {
    pub(super) weight: f64,
    pub(super) properties: BTreeMap<String, Bytes>,
}

/// A graph. As DVID's vertices do, each knows its neighbours by itself; what is there is told apart from that.
#[derive(Clone, Debug)]
pub(super) struct State {
    pub(super) kind: Kind,
    pub(super) flaw: GraphFlaw,
    pub(super) vertices: BTreeMap<u64, Entry>,
    pub(super) edges: BTreeMap<Ends, Entry>,
    pub(super) out: Lists,
    pub(super) into: Lists,
    /// Properties of vertices that are gone.
    pub(super) left: BTreeMap<u64, BTreeMap<String, Bytes>>,
}

impl State {
    pub(super) fn new(kind: Kind, flaw: GraphFlaw) -> Self {
        let kind = if flaw == GraphFlaw::ForgetsDirections { Kind::Undirected } else { kind };
        let (vertices, edges, out, into, left) = Default::default();
        Self { kind, flaw, vertices, edges, out, into, left }
    }

    pub(super) fn is(&self, flaw: GraphFlaw) -> bool {
        self.flaw == flaw
    }

    pub(super) fn ends(&self, from: u64, to: u64) -> Ends {
        self.kind.ends(from, to)
    }

    pub(super) fn check_weight(&self, weight: f64) -> Result<f64> {
        match self.flaw {
            GraphFlaw::AcceptsNan => Ok(weight),
            #[expect(clippy::cast_possible_truncation, reason = "it is what is wrong")]
            GraphFlaw::RoundsWeights => Ok(f64::from(weight as f32)),
            _ if weight.is_nan() => Err(Error::new(ErrorKind::InvalidArgument, "NaN is no weight")),
            _ => Ok(weight),
        }
    }

    /// A vertex that is needed; `None` where it isn't there and nothing is said.
    pub(super) fn vertex(&mut self, id: u64) -> Result<Option<&mut Entry>> {
        let silent = self.is(GraphFlaw::SilentAboutVertices);
        match self.vertices.get_mut(&id) {
            None if !silent => Err(Element::Vertex(id).missing()),
            found => Ok(found),
        }
    }

    /// An edge that is needed.
    pub(super) fn edge(&mut self, from: u64, to: u64) -> Result<Option<&mut Entry>> {
        let silent = self.is(GraphFlaw::SilentAboutEdges);
        let ends = self.ends(from, to);
        match self.edges.get_mut(&ends) {
            None if !silent => Err(Element::Edge(ends.0, ends.1).missing()),
            found => Ok(found),
        }
    }

    pub(super) fn add_vertex(&mut self, id: u64, weight: f64) -> Result<bool> {
        let weight = self.check_weight(weight)?;
        let new = !self.vertices.contains_key(&id);
        if self.is(GraphFlaw::AddingAVertexWipesEdges) {
            self.out.remove(&id);
            self.into.remove(&id);
        }
        let wipes = self.is(GraphFlaw::AddingAVertexWipesProperties);
        let entry = self.vertices.entry(id).or_default();
        entry.weight = weight;
        if wipes {
            entry.properties.clear();
        }
        if let Some(left) = self.left.remove(&id) {
            entry.properties = left;
        }
        Ok(new)
    }

    /// Fails unless both ends of an edge are there.
    pub(super) fn need_ends(&mut self, from: u64, to: u64) -> Result<()> {
        for id in [from, to] {
            if self.is(GraphFlaw::EdgesMakeTheirEnds) {
                self.vertices.entry(id).or_default();
            } else if !self.vertices.contains_key(&id) {
                return Err(Element::Vertex(id).missing());
            }
        }
        Ok(())
    }

    pub(super) fn join(&mut self, from: u64, to: u64, weight: f64) -> bool {
        let ends = self.ends(from, to);
        let new = !self.edges.contains_key(&ends);
        let wipes = self.is(GraphFlaw::AddingAnEdgeWipesProperties);
        let entry = self.edges.entry(ends).or_default();
        entry.weight = weight;
        if wipes {
            entry.properties.clear();
        }
        self.out.entry(ends.0).or_default().insert(ends.1);
        self.into.entry(ends.1).or_default().insert(ends.0);
        new
    }

    fn part(&mut self, (from, to): Ends) {
        self.edges.remove(&(from, to));
        if let Some(list) = self.out.get_mut(&from) {
            list.remove(&to);
        }
        if !self.is(GraphFlaw::LeavesOneEnd)
            && let Some(list) = self.into.get_mut(&to)
        {
            list.remove(&from);
        }
    }

    pub(super) fn remove_edge(&mut self, from: u64, to: u64) -> Result<()> {
        let ends = self.ends(from, to);
        let there = self.edges.contains_key(&ends);
        let known = self.vertices.contains_key(&from) && self.vertices.contains_key(&to);
        if !there && known && self.is(GraphFlaw::RemovesFirstNeighbours) {
            for id in [from, to] {
                if let Some(first) = self.incident(id, Incident::Both).first() {
                    let first = *first;
                    self.part(first);
                }
            }
            return Ok(());
        }
        if self.edge(from, to)?.is_none() {
            return Ok(());
        }
        self.part(ends);
        let up_to = match self.flaw {
            GraphFlaw::RemovesBackwardsTooMuch if from > to => (ends.0.saturating_add(1), ends.1),
            GraphFlaw::RemovesNextToo => (ends.0, ends.1.saturating_add(1)),
            _ => return Ok(()),
        };
        for (_, entry) in self.edges.range_mut(ends..=up_to) {
            entry.properties.clear();
        }
        Ok(())
    }

    /// The ends of a vertex's edges: without directions in the order of the others, else those that come, then those that go.
    pub(super) fn incident(&self, id: u64, which: Incident) -> Vec<Ends> {
        let which = match (which, self.flaw) {
            (Incident::In, GraphFlaw::AnswersInForOut) => Incident::Out,
            (Incident::Out, GraphFlaw::AnswersInForOut) => Incident::In,
            (which, _) => which,
        };
        let which = if self.kind == Kind::Undirected { Incident::Both } else { which };
        let list = |lists: &Lists| lists.get(&id).cloned().unwrap_or_default();
        let mut found = Vec::new();
        if which != Incident::Out {
            let twice = which == Incident::Both && !self.is(GraphFlaw::CountsLoopsTwice);
            found.extend(
                list(&self.into).into_iter().filter(|from| !twice || *from != id).map(|from| (from, id)),
            );
        }
        if which != Incident::In {
            found.extend(list(&self.out).into_iter().map(|to| (id, to)));
        }
        found
    }

    /// Takes a vertex away, and answers the edges that must go with it.
    pub(super) fn take_vertex(&mut self, id: u64) -> Result<Vec<Ends>> {
        if self.vertex(id)?.is_none() {
            return Ok(Vec::new());
        }
        let taken = self.vertices.remove(&id);
        if self.is(GraphFlaw::LeavesPropertiesOfVertices) {
            self.left.extend(taken.map(|entry| (id, entry.properties)));
        }
        if self.is(GraphFlaw::LeavesEdgesOfVertices) {
            return Ok(Vec::new());
        }
        Ok(self.incident(id, Incident::Both))
    }

    pub(super) fn part_all(&mut self, edges: Vec<Ends>) {
        for ends in edges {
            self.part(ends);
        }
    }

    pub(super) fn edges(&self) -> Vec<Edge> {
        let edge = |(&(from, to), entry): (&Ends, &Entry)| Edge { from, to, weight: entry.weight };
        let mut edges: Vec<_> = self.edges.iter().map(edge).collect();
        if self.is(GraphFlaw::OrdersByTheEnd) {
            edges.sort_by_key(|edge| (edge.to, edge.from));
        }
        edges
    }
}
