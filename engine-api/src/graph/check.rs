//! What is stored of a graph and shouldn't be, or is hidden.

use std::fmt;
use std::ops::ControlFlow;

use super::element::{Element, VertexId};
use super::keys;
use super::over::KeyValueGraph;
use super::scene::{Scene, shown_edge, shown_vertex};
use crate::key::{Context, TKey, TKeyClass};
use crate::spi::{Fetch, Result};
use crate::version::{Batcher, Flow, OrderedKeyValue};

/// Something about the keys of a graph that isn't as a graph alone makes them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// An edge without one of its ends: added on one branch, when another had removed the vertex. Nobody sees it.
    Dangling(VertexId, VertexId),
    /// A property of what isn't there: set on one branch, or at that very moment, when another removed it. Nobody sees it.
    Orphan(Element),
    /// A removal that was cut short; [`resume`](super::Graph::resume) ends it.
    Removal(VertexId),
    /// An edge that is found from one end alone, or that has another weight there: some other program wrote its keys.
    OneSided(VertexId, VertexId),
}

impl Fault {
    /// Whether the graph is as sound as any: what merges and kills leave behind hides itself.
    #[must_use]
    pub const fn is_harmless(&self) -> bool {
        !matches!(self, Self::OneSided(..))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dangling(from, to) => {
                write!(f, "edge {from} {to} is hidden, for one of its ends isn't there")
            }
            Self::Orphan(element) => write!(f, "{element} is hidden, for that isn't there"),
            Self::Removal(id) => write!(f, "the removal of vertex {id} was cut short"),
            Self::OneSided(from, to) => write!(f, "edge {from} {to} differs from end to end"),
        }
    }
}

impl<S: OrderedKeyValue + Batcher + ?Sized> KeyValueGraph<'_, S> {
    /// Reads all that is stored of a graph, and visits what is hidden of it or damaged.
    ///
    /// # Errors
    /// `NotFound` where there is no graph; `Corrupt` for a key or a value that no graph has.
    pub fn check(&self, ctx: &dyn Context, visit: &mut dyn FnMut(Fault) -> Result<Flow>) -> Result<()> {
        let scene = self.scene(ctx)?;
        scene.kind()?;
        for removal in &scene.removals {
            if visit(Fault::Removal(removal.vertex))?.is_break() {
                return Ok(());
            }
        }
        scene.reading.visit_with(&keys::contents(), Fetch::Entries, &mut |tkey, seen| {
            // A weight that no graph has is damage that a read would meet.
            match tkey.first().copied().map(TKeyClass) {
                Some(keys::VERTEX) => drop(shown_vertex(keys::split_one(tkey)?.0, seen)?),
                Some(keys::OUT | keys::IN) => drop(shown_edge(0, 0, seen)?),
                _ => {}
            }
            match fault(&scene, tkey)? {
                Some(fault) => visit(fault),
                None => Ok(ControlFlow::Continue(())),
            }
        })
    }
}

fn fault(scene: &Scene<'_>, tkey: &[u8]) -> Result<Option<Fault>> {
    let element = Element::of_key(&TKey::from(tkey))?;
    Ok(match element {
        Some(Element::Edge(from, to)) => {
            let is_out = tkey.first().copied().map(TKeyClass) == Some(keys::OUT);
            let ends = [keys::out(from, to), keys::into(from, to)];
            let [out, into] = ends.map(|tkey| scene.reading.resolve(&tkey));
            if out? != into? {
                Some(Fault::OneSided(from, to))
            } else if scene.has_vertex(from)? && scene.has_vertex(to)? {
                None
            } else {
                // Said once, of the first of its keys.
                is_out.then_some(Fault::Dangling(from, to))
            }
        }
        Some(Element::VertexProperty(id, name)) if !scene.has_vertex(id)? => {
            Some(Fault::Orphan(Element::VertexProperty(id, name)))
        }
        Some(Element::EdgeProperty(from, to, name))
            if !scene.reading.resolve(&keys::out(from, to))?.is_visible() =>
        {
            Some(Fault::Orphan(Element::EdgeProperty(from, to, name)))
        }
        _ => None,
    })
}
