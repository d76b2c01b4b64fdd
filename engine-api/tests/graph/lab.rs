//! A store with a graph in it, with versions or without.

use engine_api::graph::{Fault, Graph, KeyValueGraph, Kind};
use engine_api::key::{DataContext, InstanceId, VersionId};
use engine_api::version::{Flow, NewInstance, Versioned};
use engine_api::{ErrorKind, MemoryStore, Result, Store};

pub(crate) struct Lab<S = MemoryStore> {
    pub(crate) store: Versioned<S>,
    pub(crate) instance: InstanceId,
    pub(crate) root: VersionId,
    versioned: bool,
}

impl Lab {
    pub(crate) fn new(versioned: bool) -> Self {
        Self::on(MemoryStore::new(), versioned)
    }
}

impl<S: Store> Lab<S> {
    pub(crate) fn on(store: S, versioned: bool) -> Self {
        let store = Versioned::create(store).unwrap();
        let repo = store.create_repo("lab", None).unwrap();
        let instance = NewInstance::new("graph", "graph");
        let instance = if versioned { instance } else { instance.unversioned() };
        let instance = store.create_instance(repo.id, &instance).unwrap();
        Self { store, instance: instance.id, root: repo.root, versioned }
    }

    pub(crate) fn ctx(&self) -> DataContext {
        self.at(self.root)
    }

    pub(crate) fn at(&self, version: VersionId) -> DataContext {
        if self.versioned {
            DataContext::versioned(self.instance, version)
        } else {
            DataContext::unversioned(self.instance)
        }
    }

    pub(crate) fn graph(&self) -> KeyValueGraph<'_, Versioned<S>> {
        KeyValueGraph::new(&self.store)
    }

    /// A child of a version, which is committed first if it isn't.
    pub(crate) fn branch(&self, version: VersionId, name: &str) -> VersionId {
        self.commit(version);
        self.store.new_version(version, Some(name)).unwrap().id
    }

    pub(crate) fn commit(&self, version: VersionId) {
        if self.store.dag().unwrap().version(version).unwrap().committed.is_none() {
            self.store.commit_version(version, "").unwrap();
        }
    }

    pub(crate) fn merge(&self, parents: &[VersionId]) -> VersionId {
        for parent in parents {
            self.commit(*parent);
        }
        self.store.merge(parents, None).unwrap().id
    }

    pub(crate) fn faults(&self, ctx: &DataContext) -> Vec<Fault> {
        let mut faults = Vec::new();
        let mut take = |fault| {
            faults.push(fault);
            Ok(Flow::Continue(()))
        };
        self.graph().check(ctx, &mut take).unwrap();
        faults
    }
}

/// A graph without directions, with so many vertices from 1 on.
pub(crate) fn with_vertices(lab: &Lab, kind: Kind, count: u32) {
    let (graph, ctx) = (lab.graph(), lab.ctx());
    graph.create_graph(&ctx, kind).unwrap();
    for id in 1..=count {
        assert!(graph.add_vertex(&ctx, id.into(), id.into()).unwrap());
    }
}

/// The kind and the message of a refusal, with its facts.
pub(crate) fn refused<T: std::fmt::Debug>(answer: Result<T>) -> (ErrorKind, String) {
    let error = answer.unwrap_err();
    (error.kind(), error.to_string())
}
