//! What a bundle says of itself: the repo, the versions that it carries and builds on, and the instances.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::super::change::check_name;
use super::format::{LONGEST_HEADER, corrupt};
use crate::spi::{Error, ErrorKind, Result};

/// A repo as a bundle names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BundledRepo {
    /// Its name in every store.
    pub uuid: Uuid,
    /// The UUID of the version from which all others descend.
    pub root: Uuid,
    /// What people called it where it comes from.
    pub alias: String,
    /// When it was created, in milliseconds since 1970 UTC.
    pub created: u64,
}

/// A version that a bundle carries. It is committed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BundledVersion {
    /// Its name in every store.
    pub uuid: Uuid,
    /// What it was made from, in order; each is carried, or of the base.
    pub parents: Vec<Uuid>,
    /// The branch that it stands on.
    pub branch: String,
    /// What people say of it.
    pub note: String,
    /// When it was created, in milliseconds since 1970 UTC.
    pub created: u64,
    /// When it was committed, in milliseconds since 1970 UTC.
    pub committed: u64,
    /// When its data was cleaned away, where it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cleaned: Option<u64>,
}

/// A name for a version that is carried or of the base.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BundledTag {
    /// The name.
    pub name: String,
    /// The version that it names.
    pub version: Uuid,
    /// What people say of it.
    pub note: String,
    /// When it was made, in milliseconds since 1970 UTC.
    pub created: u64,
}

/// A data instance of which a bundle carries entries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BundledInstance {
    /// Its name, unique within the repo.
    pub name: String,
    /// What reads and writes it.
    pub datatype: String,
    /// Whether it has versions.
    pub versioned: bool,
    /// What its datatype keeps of it.
    pub properties: serde_json::Value,
    /// What people file it under.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// When it was created, in milliseconds since 1970 UTC.
    pub created: u64,
}

/// What a bundle says of itself, before its entries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BundleHeader {
    /// The repo.
    pub repo: BundledRepo,
    /// The versions that are carried. Their order says nothing of ancestry.
    pub versions: Vec<BundledVersion>,
    /// Versions that are needed, and not carried.
    pub base: Vec<Uuid>,
    /// Tags of versions that are carried or of the base.
    pub tags: Vec<BundledTag>,
    /// Branches that are hidden.
    pub hidden: Vec<String>,
    /// The data instances.
    pub instances: Vec<BundledInstance>,
}

impl BundleHeader {
    pub(super) fn encode(&self) -> Result<Vec<u8>> {
        let json = serde_json::to_vec(self).map_err(|error| {
            Error::new(ErrorKind::InvalidArgument, "the header can't be written as JSON").caused_by(error)
        })?;
        if u64::try_from(json.len()).is_ok_and(|length| length <= LONGEST_HEADER) {
            return Ok(json);
        }
        Err(Error::new(ErrorKind::TooLarge, "a bundle carries no more versions than its header has room for")
            .with("length", json.len())
            .with("limit", LONGEST_HEADER))
    }

    pub(super) fn decode(json: &[u8]) -> Result<Self> {
        let header: Self = serde_json::from_slice(json)
            .map_err(|error| corrupt("the bundle's header can't be read").caused_by(error))?;
        header.check().map_err(|error| corrupt("the bundle's header contradicts itself").caused_by(error))?;
        Ok(header)
    }

    /// Refuses what no store could have written.
    fn check(&self) -> Result<()> {
        let known: HashSet<_> =
            self.versions.iter().map(|version| version.uuid).chain(self.base.iter().copied()).collect();
        if known.len() != self.versions.len() + self.base.len() {
            return Err(corrupt("a version is named twice"));
        }
        check_name(&self.repo.alias)?;
        for version in &self.versions {
            let broken = |message| corrupt(message).with("version", version.uuid.simple());
            check_name(&version.branch)?;
            let parents: BTreeSet<_> = version.parents.iter().collect();
            if parents.len() != version.parents.len() || !parents.iter().all(|parent| known.contains(*parent))
            {
                return Err(broken("a version has a parent twice, or one that is neither carried nor base"));
            }
            if version.parents.is_empty() != (version.uuid == self.repo.root) {
                return Err(broken(
                    "a version has no parents and isn't the root, or is the root and has some",
                ));
            }
        }
        self.parents_first()?;
        let mut names = BTreeSet::new();
        for instance in &self.instances {
            check_name(&instance.name)?;
            if !names.insert(&instance.name) {
                return Err(corrupt("two data instances have one name").with("instance", &instance.name));
            }
        }
        let mut names = BTreeSet::new();
        for tag in &self.tags {
            check_name(&tag.name)?;
            if !names.insert(&tag.name) || !known.contains(&tag.version) {
                return Err(corrupt("a tag is there twice, or of an unknown version").with("tag", &tag.name));
            }
        }
        self.hidden.iter().try_for_each(|branch| check_name(branch))
    }

    /// The versions' places, parents before children.
    pub(super) fn parents_first(&self) -> Result<Vec<usize>> {
        let places: HashMap<_, _> =
            self.versions.iter().enumerate().map(|(at, version)| (version.uuid, at)).collect();
        let mut waiting = vec![0_usize; self.versions.len()];
        let mut children: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (at, version) in self.versions.iter().enumerate() {
            for parent in version.parents.iter().filter_map(|parent| places.get(parent)) {
                waiting[at] += 1;
                children.entry(*parent).or_default().push(at);
            }
        }
        let mut ready: BTreeSet<_> = (0..waiting.len()).filter(|at| waiting[*at] == 0).collect();
        let mut order = Vec::with_capacity(waiting.len());
        while let Some(at) = ready.pop_first() {
            order.push(at);
            for child in children.remove(&at).unwrap_or_default() {
                waiting[child] -= 1;
                if waiting[child] == 0 {
                    ready.insert(child);
                }
            }
        }
        if order.len() == waiting.len() { Ok(order) } else { Err(corrupt("a version descends from itself")) }
    }
}
