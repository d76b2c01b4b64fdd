//! A graph as one reading shows it: its record, the removals that are under way, and what they hide.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::ControlFlow;

use bytes::Bytes;

use super::api::{Between, Visit};
use super::element::{Edge, Element, Kind, Shown, Vertex, VertexId};
use super::keys;
use super::record::{Record, Removal, read_weight};
use crate::ext::KeyRange;
use crate::key::{TKey, TKeyClass, VersionId as Version};
use crate::spi::{Fetch, Result};
use crate::version::{Flow, Reading, Resolved, Seen};

/// Ends that were looked for are remembered up to this many.
const ENDS_KEPT: usize = 1 << 16;

/// What was read at the start of an operation, and more of the same state.
pub(super) struct Scene<'a> {
    pub(super) reading: Box<dyn Reading + 'a>,
    /// What the graph's record is, for who requires it to stay.
    pub(super) stored: Resolved,
    /// The graph's record; `None` where there is none.
    pub(super) record: Option<Record>,
    /// The versions that made it of two kinds, where they did.
    clash: Option<Vec<Version>>,
    /// The removals that are under way.
    pub(super) removals: Vec<Removal>,
    /// Vertices that were looked for.
    ends: RefCell<HashMap<VertexId, bool>>,
}

impl<'a> Scene<'a> {
    pub(super) fn new(reading: Box<dyn Reading + 'a>) -> Result<Self> {
        let (mut stored, mut removals) = (Resolved::Absent, Vec::new());
        let mut found = Vec::new();
        reading.visit_with(&keys::GRAPH.range(), Fetch::Entries, &mut |tkey, seen| {
            found.push((TKey::from(tkey), seen.into_resolved()?));
            Ok(ControlFlow::Continue(()))
        })?;
        let own = keys::graph();
        let (mut record, mut clash) = (None, None);
        for (tkey, resolved) in found {
            if tkey == own {
                let records = values(&*reading, &tkey, resolved.clone())?;
                let records: Vec<_> =
                    records.iter().map(|value| Record::decode(value)).collect::<Result<_>>()?;
                // One that a branch is removing is there on another, as with any change and deletion.
                let mut live = records.iter().filter(|record| !record.removing);
                record = live.clone().next().or(records.first()).copied();
                if let Resolved::Conflict { versions } = &resolved
                    && live.any(|other| Some(other.kind) != record.map(|record| record.kind))
                {
                    clash = Some(versions.clone());
                }
                stored = resolved;
                continue;
            }
            for value in values(&*reading, &tkey, resolved)? {
                removals.push(Removal::decode(&value)?);
            }
        }
        if record.is_none() {
            // A requirement tells one that was removed at this version from one that never was.
            stored = reading.resolve(&own)?;
        }
        Ok(Self { reading, stored, record, clash, removals, ends: RefCell::default() })
    }

    /// The kind of the graph.
    ///
    /// # Errors
    /// `NotFound` where there is none; `Conflict` where two branches made one each, of two kinds.
    pub(super) fn kind(&self) -> Result<Kind> {
        self.there()?.ok_or_else(|| Element::Graph.missing())
    }

    /// The kind of the graph, where there is one.
    pub(super) fn there(&self) -> Result<Option<Kind>> {
        match &self.clash {
            Some(versions) => Err(Element::Graph.in_conflict(versions)),
            None => Ok(self.record.filter(|record| !record.removing).map(|record| record.kind)),
        }
    }

    /// Whether edges may be stored whose ends are gone.
    fn is_careful(&self) -> bool {
        !self.removals.is_empty() || !self.reading.is_linear()
    }

    /// Whether a vertex is there.
    pub(super) fn has_vertex(&self, id: VertexId) -> Result<bool> {
        if let Some(known) = self.ends.borrow().get(&id) {
            return Ok(*known);
        }
        let there = self.reading.resolve(&keys::vertex(id))?.is_visible();
        let mut ends = self.ends.borrow_mut();
        if ends.len() >= ENDS_KEPT {
            ends.clear();
        }
        ends.insert(id, there);
        Ok(there)
    }

    /// Whether an edge that is stored is to be seen: its ends are there.
    pub(super) fn shows(&self, from: VertexId, to: VertexId) -> Result<bool> {
        if !self.is_careful() {
            return Ok(true);
        }
        if self.reading.is_linear() {
            // Only removals take a vertex from its edges.
            return Ok(!self.removals.iter().any(|removal| [from, to].contains(&removal.vertex)));
        }
        Ok(self.has_vertex(from)? && self.has_vertex(to)?)
    }

    /// What a vertex is; absent or deleted where there is none.
    pub(super) fn vertex(&self, id: VertexId) -> Result<Resolved> {
        self.reading.resolve(&keys::vertex(id))
    }

    /// What a vertex is that an operation needs.
    pub(super) fn need_vertex(&self, id: VertexId) -> Result<Resolved> {
        let resolved = self.vertex(id)?;
        if resolved.is_visible() { Ok(resolved) } else { Err(Element::Vertex(id).missing()) }
    }

    /// What an edge is, its ends in the order of storage; `None` where there is none to be seen.
    pub(super) fn edge(&self, from: VertexId, to: VertexId) -> Result<Option<Resolved>> {
        let resolved = self.reading.resolve(&keys::out(from, to))?;
        Ok(if resolved.is_visible() && self.shows(from, to)? { Some(resolved) } else { None })
    }

    /// Whether a range has a key.
    pub(super) fn has_any(&self, range: &KeyRange) -> Result<bool> {
        let mut any = false;
        self.reading.visit_with(range, Fetch::Keys, &mut |_, _| {
            any = true;
            Ok(ControlFlow::Break(()))
        })?;
        Ok(any)
    }

    /// The keys of a range.
    pub(super) fn keys_in(&self, range: &KeyRange) -> Result<Vec<TKey>> {
        let mut found = Vec::new();
        self.reading.visit_with(range, Fetch::Keys, &mut |tkey, _| {
            found.push(TKey::from(tkey));
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(found)
    }

    /// The edges of a vertex in one of the two classes; answers whether to go on.
    pub(super) fn visit_half(
        &self,
        class: TKeyClass,
        id: VertexId,
        (start, end): Between<VertexId>,
        visit: &mut Visit<'_, Edge>,
    ) -> Result<bool> {
        let range = keys::between(class, &[id], (start.map(|id| [id]), end.map(|id| [id])));
        let mut goes_on = true;
        self.reading.visit_with(&range, Fetch::Entries, &mut |tkey, seen| {
            let (_, other, _) = keys::split_two(tkey)?;
            let (from, to) = if class == keys::OUT { (id, other) } else { (other, id) };
            if !self.shows(from, to)? {
                return Ok(ControlFlow::Continue(()));
            }
            let flow = visit(shown_edge(from, to, seen)?)?;
            goes_on = flow.is_continue();
            Ok(flow)
        })?;
        Ok(goes_on)
    }

    /// Visits the properties in a range, of whose keys `name` makes the names' bytes.
    pub(super) fn visit_properties(
        &self,
        range: &KeyRange,
        name: fn(&[u8]) -> Result<&[u8]>,
        element: &dyn Fn(String) -> Element,
        visit: &mut dyn FnMut(&str, Shown<Bytes>) -> Result<Flow>,
    ) -> Result<()> {
        self.reading.visit_with(range, Fetch::Entries, &mut |tkey, seen| {
            let name = keys::text(tkey, name(tkey)?)?;
            let shown = match seen {
                Seen::Found { value, .. } => Shown::Found(value.to_bytes()?),
                Seen::Conflict { versions } => Shown::Conflict { element: element(name.clone()), versions },
            };
            visit(&name, shown)
        })
    }
}

/// What was written under a key: one value, or that of each side of a conflict.
fn values(reading: &dyn Reading, tkey: &TKey, resolved: Resolved) -> Result<Vec<Bytes>> {
    match resolved {
        Resolved::Found { value, .. } => Ok(vec![value]),
        Resolved::Deleted { .. } | Resolved::Absent => Ok(Vec::new()),
        Resolved::Conflict { versions } => {
            let sides = reading.sides(tkey, &versions)?;
            Ok(sides.into_iter().filter_map(|side| side.value).collect())
        }
    }
}

/// A weight as it was resolved, of an element.
pub(super) fn weight_of(resolved: Resolved, element: impl FnOnce() -> Element) -> Result<Option<f64>> {
    match resolved {
        Resolved::Found { value, .. } => read_weight(&value).map(Some),
        Resolved::Deleted { .. } | Resolved::Absent => Ok(None),
        Resolved::Conflict { versions } => Err(element().in_conflict(&versions)),
    }
}

/// A vertex as a visit sees it.
pub(super) fn shown_vertex(id: VertexId, seen: Seen<'_>) -> Result<Shown<Vertex>> {
    Ok(match seen {
        Seen::Found { value, .. } => Shown::Found(Vertex { id, weight: read_weight(value.bytes()?)? }),
        Seen::Conflict { versions } => Shown::Conflict { element: Element::Vertex(id), versions },
    })
}

/// An edge as a visit sees it.
pub(super) fn shown_edge(from: VertexId, to: VertexId, seen: Seen<'_>) -> Result<Shown<Edge>> {
    Ok(match seen {
        Seen::Found { value, .. } => Shown::Found(Edge { from, to, weight: read_weight(value.bytes()?)? }),
        Seen::Conflict { versions } => Shown::Conflict { element: Element::Edge(from, to), versions },
    })
}
