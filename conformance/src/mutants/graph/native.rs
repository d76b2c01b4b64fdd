//! Graphs of a store's own, by instance.

use std::collections::BTreeMap;
use std::ops::{Bound, RangeBounds as _};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use engine_api::graph::{Between, Element, Kind, Shown, Visit};
use engine_api::key::{Context, Scope};
use engine_api::{Bytes, Error, ErrorKind, Result};

use super::GraphFlaw;
use super::state::{Entry, State};

#[derive(Debug)]
pub(in crate::mutants) struct NativeGraph {
    pub(super) flaw: GraphFlaw,
    pub(super) graphs: Mutex<BTreeMap<u32, State>>,
    /// Vertices of graphs that were removed.
    pub(super) left: Mutex<BTreeMap<u64, BTreeMap<String, Bytes>>>,
}

/// Long enough for another thread to come between.
pub(super) const A_MOMENT: Duration = Duration::from_micros(300);

impl NativeGraph {
    pub(in crate::mutants) fn new(flaw: GraphFlaw) -> Self {
        Self { flaw, graphs: Mutex::default(), left: Mutex::default() }
    }

    pub(super) fn place(&self, ctx: &dyn Context) -> Result<u32> {
        match ctx.scope() {
            Scope::Unversioned(_) if self.flaw == GraphFlaw::OneGraphForAll => Ok(0),
            Scope::Unversioned(instance) => Ok(instance.0),
            _ => Err(Error::new(ErrorKind::Unsupported, "these graphs have no versions")),
        }
    }

    pub(super) fn with<T>(&self, ctx: &dyn Context, work: impl FnOnce(&mut State) -> Result<T>) -> Result<T> {
        let place = self.place(ctx)?;
        let mut graphs = self.graphs.lock().unwrap_or_else(PoisonError::into_inner);
        if self.flaw == GraphFlaw::MakingIsNothing {
            graphs.entry(place).or_insert_with(|| State::new(Kind::Undirected, self.flaw));
        }
        work(graphs.get_mut(&place).ok_or_else(|| Element::Graph.missing())?)
    }

    /// A property's name as it is kept.
    pub(super) fn name(&self, name: &str) -> String {
        match self.flaw {
            GraphFlaw::CutsNames => {
                name.chars().map(|letter| char::from(u32::from(letter).to_le_bytes()[0])).collect()
            }
            _ => name.to_owned(),
        }
    }

    /// A vertex's number as it is kept.
    pub(super) fn number(&self, id: u64) -> u64 {
        if self.flaw == GraphFlaw::CutsNumbers { id & 0xFFFF_FFFF } else { id }
    }

    /// The number under which a vertex's properties are kept.
    pub(super) fn holder(&self, id: u64) -> u64 {
        if self.flaw == GraphFlaw::SharesProperties { id.min(0x0100) } else { id }
    }

    pub(super) fn read(&self, entry: &Entry, name: &str) -> Option<Bytes> {
        let name = self.name(name);
        match self.flaw {
            GraphFlaw::EmptyPropertyIsNone => {
                entry.properties.get(&name).filter(|value| !value.is_empty()).cloned()
            }
            GraphFlaw::ReadsPropertiesByPrefix => {
                let first = entry.properties.range(name.clone()..).next();
                first.filter(|(found, _)| found.starts_with(&name)).map(|(_, value)| value.clone())
            }
            _ => entry.properties.get(&name).cloned(),
        }
    }

    pub(super) fn set(&self, entry: Option<&mut Entry>, name: &str, value: Bytes) {
        if let Some(entry) = entry {
            entry.properties.insert(self.name(name), value);
        }
    }

    pub(super) fn unset(&self, entry: Option<&mut Entry>, name: &str) -> bool {
        let there = entry.is_some_and(|entry| entry.properties.remove(&self.name(name)).is_some());
        there || self.flaw == GraphFlaw::ClaimsToRemoveProperties
    }

    /// Whether something lies between bounds.
    pub(super) fn lies<T: PartialOrd + Copy>(&self, (start, end): Between<T>, one: &T) -> bool {
        let end = match end {
            Bound::Excluded(end) if self.flaw == GraphFlaw::IncludesTheEnd => Bound::Included(end),
            end => end,
        };
        (start, end).contains(one)
    }

    pub(super) fn visit_all<T>(&self, all: Vec<T>, visit: &mut Visit<'_, T>) -> Result<()> {
        for one in all {
            if visit(Shown::Found(one))?.is_break() && self.flaw != GraphFlaw::VisitsToTheEnd {
                break;
            }
        }
        Ok(())
    }

    /// `None`, or what DVID says instead.
    pub(super) fn none<T>(&self, element: &Element) -> Result<Option<T>> {
        if self.flaw == GraphFlaw::MissingIsAnError { Err(element.missing()) } else { Ok(None) }
    }
}
