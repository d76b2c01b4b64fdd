//! Histories for the cases: a DAG given as a table, with what is written at each node.

use std::sync::Arc;

use bytes::Bytes;
use engine_api::KeyRange;
use engine_api::Store;
use engine_api::key::{DataContext, InstanceId, TKey, VersionId};
use engine_api::layers::Relaxed;
use engine_api::version::{
    ConflictResolver, Flow, MergePolicy, NewInstance, OrderedKeyValue as _, Resolved, Versioned,
};

use crate::checks::check_refused;
use crate::context::Context;
use crate::verdict::{Verdict, check_eq};

/// A put of a value, or (`None`) a delete, of a key.
pub(super) type Edit<'a> = (&'a str, Option<&'a str>);

/// One node: the numbers of its parents, and what is written at it.
pub(super) type Node<'a> = (&'a [usize], &'a [Edit<'a>]);

/// A store with versions and one instance in it. Nodes are numbered from 1, which is the root.
///
/// Its commits are relaxed: histories are built of many small ones, and none of them must survive.
#[derive(Debug)]
pub(super) struct Lab<S = Relaxed<Box<dyn Store>>> {
    pub(super) store: Versioned<S>,
    pub(super) instance: InstanceId,
    nodes: Vec<VersionId>,
}

impl Lab {
    /// A root and nothing else.
    pub(super) fn new(ctx: &Context) -> Verdict<Self> {
        Self::over(Relaxed(ctx.open()?))
    }

    /// The history of a table, whose first node is the root.
    pub(super) fn of(ctx: &Context, nodes: &[Node<'_>]) -> Verdict<Self> {
        Self::new(ctx)?.grown(nodes)
    }
}

impl<S: Store> Lab<S> {
    pub(super) fn over(store: S) -> Verdict<Self> {
        let store = Versioned::create(store)?;
        let repo = store.create_repo("lab", None)?;
        let instance = store.create_instance(repo.id, &NewInstance::new("notes", "keyvalue"))?.id;
        Ok(Self { store, instance, nodes: vec![repo.root] })
    }

    pub(super) fn with_policy(self, policy: MergePolicy) -> Self {
        Self { store: self.store.with_policy(policy), ..self }
    }

    pub(super) fn with_resolver(self, resolver: Arc<dyn ConflictResolver>) -> Self {
        Self { store: self.store.with_resolver(resolver), ..self }
    }

    /// The same with the history of a table, whose first node is the root that is there.
    pub(super) fn grown(mut self, nodes: &[Node<'_>]) -> Verdict<Self> {
        for (number, (parents, edits)) in (1..).zip(nodes) {
            if number > 1 {
                self.add(parents)?;
            }
            self.edit(number, edits)?;
        }
        Ok(self)
    }

    /// The version of a node.
    pub(super) fn version(&self, node: usize) -> VersionId {
        self.nodes[node - 1]
    }

    /// The lab's instance at a node.
    pub(super) fn at(&self, node: usize) -> DataContext {
        DataContext::versioned(self.instance, self.version(node))
    }

    pub(super) fn commit(&self, node: usize) -> Verdict {
        let version = self.version(node);
        if self.store.dag()?.version(version)?.committed.is_none() {
            self.store.commit_version(version, "")?;
        }
        Ok(())
    }

    /// Commits the parents and makes a node from them; answers its number.
    pub(super) fn add(&mut self, parents: &[usize]) -> Verdict<usize> {
        for parent in parents {
            self.commit(*parent)?;
        }
        let versions: Vec<_> = parents.iter().map(|parent| self.version(*parent)).collect();
        let branch = format!("node-{}", self.nodes.len() + 1);
        let made = match versions[..] {
            [parent] => self.store.new_version(parent, Some(&branch))?,
            _ => self.store.merge(&versions, Some(&branch))?,
        };
        self.nodes.push(made.id);
        Ok(self.nodes.len())
    }

    pub(super) fn edit(&self, node: usize, edits: &[Edit<'_>]) -> Verdict {
        for (key, value) in edits {
            let (at, key) = (self.at(node), tkey(key));
            match value {
                Some(value) => self.store.put(&at, &key, Bytes::copy_from_slice(value.as_bytes()))?,
                None => self.store.delete(&at, &key)?,
            }
        }
        Ok(())
    }

    /// How many entries a key has at a node: values and tombstones.
    pub(super) fn stored(&self, node: usize, key: &str) -> Verdict<usize> {
        let mut count = 0;
        let version = self.version(node);
        self.store.visit_raw(&self.at(node), &KeyRange::one(key.as_bytes()), &mut |key, _| {
            count += usize::from(key.version == version);
            Ok(Flow::Continue(()))
        })?;
        Ok(count)
    }

    /// Fails unless a key has this value, or none, at each of the nodes.
    pub(super) fn shows(&self, nodes: &[usize], key: &str, expected: Option<&str>) -> Verdict {
        for node in nodes {
            let got = self.store.get(&self.at(*node), &tkey(key))?;
            check_eq!(got.as_deref(), expected.map(str::as_bytes), "{key} at node {node}");
            let exists = self.store.exists(&self.at(*node), &tkey(key))?;
            check_eq!(exists, expected.is_some(), "whether {key} exists at node {node}");
        }
        Ok(())
    }

    /// Fails unless a key is in conflict at each of the nodes, between what these writers wrote.
    pub(super) fn conflicts(&self, nodes: &[usize], key: &str, writers: &[usize]) -> Verdict {
        let mut versions: Vec<_> = writers.iter().map(|writer| self.version(*writer)).collect();
        versions.sort_unstable();
        for node in nodes {
            let got = self.store.resolve(&self.at(*node), &tkey(key))?;
            check_eq!(got, Resolved::Conflict { versions: versions.clone() }, "{key} at node {node}");
            let value = self.store.get(&self.at(*node), &tkey(key));
            check_refused(value, engine_api::ErrorKind::Conflict, &format!("reading {key} at node {node}"))?;
        }
        Ok(())
    }
}

pub(super) fn tkey(text: &str) -> TKey {
    TKey::from(text)
}
