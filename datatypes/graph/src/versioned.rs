//! A graph at every version of a repo, over any engine.

use std::fmt;

use engine_api::graph::{AnyGraph, Element, Graph, Kind};
use engine_api::key::{DataContext, RepoId, TKey, VersionId};
use engine_api::version::{Instance, NewInstance, Versioned};
use engine_api::{Error, ErrorKind, Requirements, Result, Store};

/// The datatype's name in an [`Instance`].
pub const DATATYPE: &str = "graph";

/// The property of an instance whose import is under way.
const IMPORTING: &str = "importing";

/// The class of the second key of an edge; see [`engine_api::graph`].
const FROM_ITS_END: u8 = 0x24;

/// A graph with a version history.
#[derive(Debug)]
pub struct VersionedGraph<'s, S> {
    store: &'s Versioned<S>,
    instance: Instance,
}

impl<'s, S: Store> VersionedGraph<'s, S> {
    /// Makes an instance in a repo; there is no graph in it yet, at any version.
    ///
    /// # Errors
    /// `AlreadyExists` when the repo has an instance of this name; `Unsupported` on an engine that graphs can't be kept in.
    pub fn create(store: &'s Versioned<S>, repo: RepoId, name: &str) -> Result<Self> {
        Self::new(store, repo, &NewInstance::new(name, DATATYPE))
    }

    /// Makes an instance that can't be opened until [`finish_import`](Self::finish_import). What is left of an import under
    /// this name that was cut short is removed first.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    pub fn begin_import(store: &'s Versioned<S>, repo: RepoId, name: &str) -> Result<Self> {
        if let Some(left) = store.dag()?.instance_named(repo, name)
            && left.datatype == DATATYPE
            && is_importing(left)
        {
            store.delete_instance(left.id)?;
        }
        let properties = serde_json::json!({ IMPORTING: true });
        Self::new(store, repo, &NewInstance::new(name, DATATYPE).properties(properties))
    }

    fn new(store: &'s Versioned<S>, repo: RepoId, new: &NewInstance) -> Result<Self> {
        Requirements::new("graphs").atomic().conditional().check(store.store().capabilities())?;
        Ok(Self { store, instance: store.create_instance(repo, new)? })
    }

    /// Makes an instance whose import is done one that can be opened.
    ///
    /// # Errors
    /// `NotFound` when it has been removed.
    pub fn finish_import(&mut self) -> Result<()> {
        self.instance = self.store.set_properties(self.instance.id, &serde_json::Value::Null)?;
        Ok(())
    }

    /// Opens the only repo's graph of this name.
    ///
    /// # Errors
    /// `NotFound`; `InvalidArgument` when the instance is of another datatype; `Poisoned` when its import was cut short.
    pub fn open(store: &'s Versioned<S>, name: &str) -> Result<Self> {
        let instance = store.instance_of(DATATYPE, name)?;
        if is_importing(&instance) {
            let message = "the graph's import was cut short; import it again under this name";
            return Err(Error::new(ErrorKind::Poisoned, message).with("graph", name));
        }
        Ok(Self { store, instance })
    }

    /// The instance.
    pub fn instance(&self) -> &Instance {
        &self.instance
    }

    /// Removes the instance with all that it has, at every version.
    ///
    /// # Errors
    /// Those of the store.
    pub fn delete(self) -> Result<()> {
        self.store.delete_instance(self.instance.id)
    }

    /// The graph at a version.
    pub fn at(&self, version: VersionId) -> GraphAt<'s, S> {
        let ctx = DataContext::versioned(self.instance.id, version);
        GraphAt { graph: engine_api::graph::of(self.store, &ctx), ctx }
    }
}

fn is_importing(instance: &Instance) -> bool {
    instance.properties.get(IMPORTING).is_some()
}

/// A graph at a version: what is read is seen there, what is written goes there.
pub struct GraphAt<'s, S> {
    graph: AnyGraph<'s, S>,
    ctx: DataContext,
}

impl<S> fmt::Debug for GraphAt<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GraphAt").field("ctx", &self.ctx).finish_non_exhaustive()
    }
}

impl<S: Store> GraphAt<'_, S> {
    /// The graph.
    pub fn graph(&self) -> &dyn Graph {
        &*self.graph
    }

    /// Where it is.
    pub fn ctx(&self) -> &DataContext {
        &self.ctx
    }

    /// Makes a graph at the version, without a vertex.
    ///
    /// # Errors
    /// `AlreadyExists`.
    pub fn create(&self, kind: Kind) -> Result<()> {
        self.graph.create_graph(&self.ctx, kind)
    }

    /// Whether edges have a direction.
    ///
    /// # Errors
    /// `NotFound` when there is no graph at the version.
    pub fn kind(&self) -> Result<Kind> {
        self.graph.graph(&self.ctx)?.ok_or_else(|| Element::Graph.missing())
    }

    /// The same graph at another version, to look at what it was there.
    #[must_use]
    pub fn ctx_at(&self, version: VersionId) -> DataContext {
        DataContext::versioned(self.ctx.instance(), version)
    }
}

/// The element that a key tells of, to list keys as elements: `None` for what is none of a user's, and for the second key
/// of an edge, of which the first has told.
///
/// # Errors
/// `Corrupt` for a malformed key.
pub fn element_of(tkey: &TKey) -> Result<Option<Element>> {
    if tkey.as_bytes().first() == Some(&FROM_ITS_END) { Ok(None) } else { Element::of_key(tkey) }
}

#[cfg(test)]
mod tests {
    use engine_api::MemoryStore;

    use super::*;

    #[test]
    fn an_import_that_was_cut_short_is_not_opened_and_begins_anew() {
        let store = Versioned::create(MemoryStore::new()).unwrap();
        let repo = store.create_repo("r", None).unwrap();
        let cut_short = VersionedGraph::begin_import(&store, repo.id, "g").unwrap();
        let at = cut_short.at(repo.root);
        at.create(Kind::Directed).unwrap();
        at.graph().add_vertex(at.ctx(), 1, 1.0).unwrap();
        assert_eq!(VersionedGraph::open(&store, "g").unwrap_err().kind(), ErrorKind::Poisoned);
        let taken = VersionedGraph::create(&store, repo.id, "g").unwrap_err();
        assert_eq!(taken.kind(), ErrorKind::AlreadyExists);

        let mut again = VersionedGraph::begin_import(&store, repo.id, "g").unwrap();
        assert_eq!(again.at(repo.root).kind().unwrap_err().kind(), ErrorKind::NotFound);
        again.at(repo.root).create(Kind::Undirected).unwrap();
        again.finish_import().unwrap();
        let opened = VersionedGraph::open(&store, "g").unwrap().at(repo.root);
        assert_eq!(opened.kind().unwrap(), Kind::Undirected);
        assert!(opened.graph().get_vertices(opened.ctx()).unwrap().is_empty());
        // One that is done stays.
        let there = VersionedGraph::begin_import(&store, repo.id, "g").unwrap_err();
        assert_eq!(there.kind(), ErrorKind::AlreadyExists);
        store.create_instance(repo.id, &NewInstance::new("v", "volume")).unwrap();
        assert_eq!(VersionedGraph::open(&store, "v").unwrap_err().kind(), ErrorKind::InvalidArgument);
    }
}
