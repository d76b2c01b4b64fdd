//! The DAG of versions as a value: looked at by anyone, changed by making another.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use imbl::{OrdMap, OrdSet};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::chain::Place;
use crate::key::{InstanceId, RepoId, VersionId};
use crate::spi::{Error, ErrorKind, Result};

/// A repo: one DAG of versions with a root, and the instances that it versions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repo {
    /// Its number in this store.
    pub id: RepoId,
    /// Its name in every store: the UUID of its root version.
    pub uuid: Uuid,
    /// What people call it.
    pub alias: String,
    /// The version from which all others descend.
    pub root: VersionId,
    /// When it was created, in milliseconds since 1970 UTC.
    pub created: u64,
}

/// A version: one node of a DAG.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// Its number in this store, which says nothing of ancestry.
    pub id: VersionId,
    /// Its name in every store.
    pub uuid: Uuid,
    /// The repo that it belongs to.
    pub repo: RepoId,
    /// What it was made from: none for a root, several for a merge. The first is the one that `~` follows.
    pub parents: Vec<VersionId>,
    /// The branch that it stands on.
    pub branch: String,
    /// What people say of it.
    pub note: String,
    /// When it was created, in milliseconds since 1970 UTC.
    pub created: u64,
    /// When it was committed, and so closed for writing; `None` while it is open.
    #[serde(skip)]
    pub committed: Option<u64>,
    /// When its data was cleaned away, and so can't be read any more; `None` for nearly every version.
    #[serde(skip)]
    pub cleaned: Option<u64>,
}

/// A name for a version, which stays where it was put.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tag {
    /// The repo that it belongs to.
    pub repo: RepoId,
    /// Its name, unique among the repo's tags and branches.
    pub name: String,
    /// The version that it names.
    pub version: VersionId,
    /// What people say of it.
    pub note: String,
    /// When it was made, in milliseconds since 1970 UTC.
    pub created: u64,
}

/// A data instance: a named collection of keys of one datatype.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// Its number in this store.
    pub id: InstanceId,
    /// The repo that it belongs to.
    pub repo: RepoId,
    /// Its name, unique within the repo.
    pub name: String,
    /// What reads and writes it, such as `keyvalue` or `volume`.
    pub datatype: String,
    /// Whether it has versions. One that has none is the same at every version.
    pub versioned: bool,
    /// What its datatype keeps of it, in that datatype's own terms.
    pub properties: serde_json::Value,
    /// What people file it under, such as `type` = `meshes`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// When it was created, in milliseconds since 1970 UTC.
    pub created: u64,
}

/// All repos, versions and instances of a store at one moment. Clones share what they have in common.
#[derive(Clone, Debug, Default)]
pub struct VersionDag {
    repos: OrdMap<RepoId, Arc<Repo>>,
    versions: OrdMap<VersionId, Arc<Node>>,
    instances: OrdMap<InstanceId, Arc<Instance>>,
    uuids: OrdMap<Uuid, VersionId>,
    children: OrdMap<VersionId, Vec<VersionId>>,
    tags: OrdMap<(RepoId, String), Arc<Tag>>,
    hidden: OrdSet<(RepoId, String)>,
    chains: u32,
}

#[derive(Clone, Debug)]
struct Node {
    version: Version,
    place: Place,
    /// Whether a later version stands on the same chain, which then can't be gone on with from here.
    extended: bool,
}

impl VersionDag {
    /// The DAG of these repos, versions and instances, in any order.
    ///
    /// # Errors
    /// `Corrupt` when a parent, a repo or a root is missing, a name stands for two, or there is a cycle.
    pub fn assemble(repos: Vec<Repo>, versions: Vec<Version>, instances: Vec<Instance>) -> Result<Self> {
        let mut dag = Self::default();
        for repo in repos {
            dag.repos.insert(repo.id, Arc::new(repo));
        }
        let mut waiting: BTreeMap<VersionId, Version> =
            versions.into_iter().map(|version| (version.id, version)).collect();
        let mut waits_for: BTreeMap<VersionId, Vec<VersionId>> = BTreeMap::new();
        let mut ready = BTreeSet::new();
        let mut missing: BTreeMap<VersionId, usize> = BTreeMap::new();
        for version in waiting.values() {
            let parents: BTreeSet<_> = version.parents.iter().copied().collect();
            for parent in &parents {
                waits_for.entry(*parent).or_default().push(version.id);
            }
            if parents.is_empty() {
                ready.insert(version.id);
            }
            missing.insert(version.id, parents.len());
        }
        while let Some(id) = ready.pop_first() {
            let Some(version) = waiting.remove(&id) else { continue };
            dag.add_version(version)?;
            for child in waits_for.remove(&id).unwrap_or_default() {
                if let Some(left) = missing.get_mut(&child) {
                    *left -= 1;
                    if *left == 0 {
                        ready.insert(child);
                    }
                }
            }
        }
        if let Some(version) = waiting.values().next() {
            return Err(Error::new(
                ErrorKind::Corrupt,
                "a version descends from itself, or a parent of it is missing",
            )
            .with("version", version.uuid.simple()));
        }
        for repo in dag.repos.values() {
            dag.version(repo.root).map_err(|error| {
                Error::new(ErrorKind::Corrupt, "a repo's root is missing")
                    .with("repo", repo.uuid.simple())
                    .caused_by(error)
            })?;
        }
        for instance in instances {
            dag.add_instance(instance)?;
        }
        Ok(dag)
    }

    /// The same with each version as `change` makes it, and without those of which it makes none. Tags and what is
    /// hidden stay.
    ///
    /// # Errors
    /// `Corrupt` when a parent, a repo's root or a tag's version is then missing.
    pub(super) fn with_versions(&self, change: impl Fn(&Version) -> Option<Version>) -> Result<Self> {
        // Assembled anew, since what is known of ancestors lies along chains that others may stand on.
        let mut dag = Self::assemble(
            self.repos().cloned().collect(),
            self.versions().filter_map(change).collect(),
            self.instances().cloned().collect(),
        )?;
        for tag in self.tags() {
            dag.put_tag(tag.clone())?;
        }
        dag.hidden.clone_from(&self.hidden);
        Ok(dag)
    }

    /// The same without some versions, from which no others descend and which no tag names.
    ///
    /// # Errors
    /// `Corrupt` when something stands on them.
    pub(super) fn without(&self, versions: &BTreeSet<VersionId>) -> Result<Self> {
        self.with_versions(|version| (!versions.contains(&version.id)).then(|| version.clone()))
    }

    /// Adds a repo; its root version is to follow.
    pub(super) fn add_repo(&mut self, repo: Repo) {
        self.repos.insert(repo.id, Arc::new(repo));
    }

    /// Adds a version, whose parents must be there.
    pub(super) fn add_version(&mut self, version: Version) -> Result<()> {
        let broken = |message| {
            Error::new(ErrorKind::Corrupt, message)
                .with("version", version.id)
                .with("uuid", version.uuid.simple())
        };
        if self.uuids.contains_key(&version.uuid) || self.versions.contains_key(&version.id) {
            return Err(broken("two versions have one name"));
        }
        if !self.repos.contains_key(&version.repo) {
            return Err(broken("a version belongs to a repo that isn't there"));
        }
        let parents: Vec<Arc<Node>> = version
            .parents
            .iter()
            .map(|parent| self.versions.get(parent).cloned())
            .collect::<Option<_>>()
            .ok_or_else(|| broken("a version has a parent that isn't there"))?;
        let extends_first = parents.first().is_some_and(|first| !first.extended);
        let chain = match parents.first() {
            Some(first) if extends_first => first.place.chain,
            _ => {
                self.chains += 1;
                self.chains - 1
            }
        };
        let places: Vec<&Place> = parents.iter().map(|parent| &parent.place).collect();
        let place = Place::new(&places, chain, extends_first);
        if let Some(first) = parents.first().filter(|_| extends_first) {
            let extended = Node { extended: true, ..Node::clone(first) };
            self.versions.insert(first.version.id, Arc::new(extended));
        }
        for parent in &version.parents {
            let mut siblings = self.children.get(parent).cloned().unwrap_or_default();
            siblings.push(version.id);
            self.children.insert(*parent, siblings);
        }
        self.uuids.insert(version.uuid, version.id);
        self.versions.insert(version.id, Arc::new(Node { version, place, extended: false }));
        Ok(())
    }

    /// Adds an instance, whose repo must be there.
    pub(super) fn add_instance(&mut self, instance: Instance) -> Result<()> {
        let sound = self.repos.contains_key(&instance.repo)
            && !self.instances.contains_key(&instance.id)
            && self.instance_named(instance.repo, &instance.name).is_none();
        if !sound {
            return Err(Error::new(
                ErrorKind::Corrupt,
                "two data instances have one name, or one belongs to a repo that isn't there",
            )
            .with("instance", &instance.name));
        }
        self.instances.insert(instance.id, Arc::new(instance));
        Ok(())
    }

    /// Adds a tag, or puts it elsewhere; its version must be there.
    pub(super) fn put_tag(&mut self, tag: Tag) -> Result<()> {
        if self.versions.get(&tag.version).is_none_or(|node| node.version.repo != tag.repo) {
            return Err(Error::new(ErrorKind::Corrupt, "a tag names a version that its repo hasn't")
                .with("tag", &tag.name));
        }
        self.tags.insert((tag.repo, tag.name.clone()), Arc::new(tag));
        Ok(())
    }

    pub(super) fn remove_tag(&mut self, repo: RepoId, name: &str) {
        self.tags.remove(&(repo, name.to_owned()));
    }

    /// Hides a branch, or shows it again.
    pub(super) fn set_hidden(&mut self, repo: RepoId, branch: &str, hidden: bool) {
        let branch = (repo, branch.to_owned());
        if hidden {
            self.hidden.insert(branch);
        } else {
            self.hidden.remove(&branch);
        }
    }

    pub(super) fn replace_instance(&mut self, instance: Instance) {
        self.instances.insert(instance.id, Arc::new(instance));
    }

    pub(super) fn remove_instance(&mut self, id: InstanceId) {
        self.instances.remove(&id);
    }

    pub(super) fn replace_version(&mut self, version: Version) {
        if let Some(node) = self.versions.get(&version.id) {
            let changed = Node { version, ..Node::clone(node) };
            self.versions.insert(changed.version.id, Arc::new(changed));
        }
    }

    /// The repos, by number.
    pub fn repos(&self) -> impl Iterator<Item = &Repo> {
        self.repos.values().map(AsRef::as_ref)
    }

    /// The versions, by number.
    pub fn versions(&self) -> impl Iterator<Item = &Version> {
        self.versions.values().map(|node| &node.version)
    }

    /// The instances, by number.
    pub fn instances(&self) -> impl Iterator<Item = &Instance> {
        self.instances.values().map(AsRef::as_ref)
    }

    /// A repo.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn repo(&self, id: RepoId) -> Result<&Repo> {
        self.repos
            .get(&id)
            .map(AsRef::as_ref)
            .ok_or_else(|| Error::new(ErrorKind::NotFound, "there is no such repo").with("repo", id))
    }

    /// A version.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn version(&self, id: VersionId) -> Result<&Version> {
        self.node(id).map(|node| &node.version)
    }

    /// An instance.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn instance(&self, id: InstanceId) -> Result<&Instance> {
        self.instances.get(&id).map(AsRef::as_ref).ok_or_else(|| {
            Error::new(ErrorKind::NotFound, "there is no such data instance").with("instance", id)
        })
    }

    /// The instance of a repo with this name.
    pub fn instance_named(&self, repo: RepoId, name: &str) -> Option<&Instance> {
        self.instances().find(|instance| instance.repo == repo && instance.name == name)
    }

    /// The tags, by repo and name.
    pub fn tags(&self) -> impl Iterator<Item = &Tag> {
        self.tags.values().map(AsRef::as_ref)
    }

    /// The tag of a repo with this name.
    pub fn tag(&self, repo: RepoId, name: &str) -> Option<&Tag> {
        self.tags.get(&(repo, name.to_owned())).map(AsRef::as_ref)
    }

    /// Whether a branch is hidden: it isn't listed, and all else is as it was.
    pub fn is_hidden(&self, repo: RepoId, branch: &str) -> bool {
        self.hidden.contains(&(repo, branch.to_owned()))
    }

    /// The version with this UUID.
    pub fn version_of_uuid(&self, uuid: Uuid) -> Option<&Version> {
        self.uuids.get(&uuid).and_then(|id| self.version(*id).ok())
    }

    pub(super) fn uuids(&self) -> &OrdMap<Uuid, VersionId> {
        &self.uuids
    }

    /// The versions made from a version, oldest first.
    pub fn children(&self, id: VersionId) -> &[VersionId] {
        self.children.get(&id).map_or(&[], Vec::as_slice)
    }

    /// The newest version of each branch of a repo, by the branch's name.
    pub fn heads(&self, repo: RepoId) -> BTreeMap<&str, &Version> {
        self.versions()
            .filter(|version| version.repo == repo && self.next_on_branch(version).is_none())
            .map(|version| (version.branch.as_str(), version))
            .collect()
    }

    /// The version that goes on with the branch of `version`, where there is one.
    pub fn next_on_branch(&self, version: &Version) -> Option<VersionId> {
        self.children(version.id)
            .iter()
            .copied()
            .find(|child| self.version(*child).is_ok_and(|child| child.branch == version.branch))
    }

    /// Whether `ancestor` is `version` or one of its ancestors.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn is_ancestor(&self, ancestor: VersionId, version: VersionId) -> Result<bool> {
        Ok(self.node(ancestor)?.place.reaches(&self.node(version)?.place))
    }

    /// The number of ancestors of a version, itself among them.
    pub(super) fn ancestor_count(&self, id: VersionId) -> Result<u64> {
        self.node(id).map(|node| node.place.ancestors())
    }

    fn node(&self, id: VersionId) -> Result<&Node> {
        self.versions
            .get(&id)
            .map(AsRef::as_ref)
            .ok_or_else(|| Error::new(ErrorKind::NotFound, "there is no such version").with("version", id))
    }
}
