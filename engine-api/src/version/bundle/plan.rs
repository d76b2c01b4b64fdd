//! What of a bundle a store has already, and the numbers that the rest gets.

use std::collections::{BTreeSet, HashMap, HashSet};

use uuid::Uuid;

use super::super::change::{Change, take};
use super::super::dag::VersionDag;
use super::super::target::cleaned;
use super::super::work::Reserved;
use super::header::BundleHeader;
use crate::key::{InstanceId, RepoId, VersionId};
use crate::spi::{Error, ErrorKind, Result};

/// What of a bundle the store has, each by its place in the header; `None` is new.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) repo: Option<RepoId>,
    pub(super) versions: Vec<Option<VersionId>>,
    pub(super) instances: Vec<Option<InstanceId>>,
}

impl Plan {
    pub(super) fn of(dag: &VersionDag, header: &BundleHeader) -> Result<Self> {
        let repo = dag.repos().find(|repo| repo.uuid == header.repo.uuid).map(|repo| repo.id);
        let mut versions = Vec::with_capacity(header.versions.len());
        for carried in &header.versions {
            let Some(version) = dag.version_of_uuid(carried.uuid) else {
                versions.push(None);
                continue;
            };
            let parents = uuids(dag, &version.parents)?;
            if Some(version.repo) != repo || parents != carried.parents {
                return Err(Error::new(
                    ErrorKind::Incompatible,
                    "a version of the bundle has other parents here, or belongs to another repo",
                )
                .with("version", carried.uuid.simple()));
            }
            if version.committed.is_none() {
                return Err(Error::new(
                    ErrorKind::Conflict,
                    "a version of the bundle is open here, and is committed where it comes from",
                )
                .with("version", carried.uuid.simple()));
            }
            versions.push(Some(version.id));
        }
        check_base(dag, repo, header)?;
        if repo.is_none() && !header.versions.iter().any(|version| version.uuid == header.repo.root) {
            return Err(Error::new(
                ErrorKind::NotFound,
                "the bundle doesn't carry its repo's root, and the repo isn't here",
            )
            .with("repo", header.repo.uuid.simple()));
        }
        let mut instances = Vec::with_capacity(header.instances.len());
        for carried in &header.instances {
            let found = repo.and_then(|repo| dag.instance_named(repo, &carried.name));
            if let Some(found) = found
                .filter(|found| found.datatype != carried.datatype || found.versioned != carried.versioned)
            {
                return Err(Error::new(
                    ErrorKind::Incompatible,
                    "a data instance of the bundle is of another datatype here, or one of the two has no versions",
                )
                .with("instance", &carried.name)
                .with("datatype", &found.datatype)
                .with("carried", &carried.datatype));
            }
            instances.push(found.map(|found| found.id));
        }
        let plan = Self { repo, versions, instances };
        plan.check_new(dag, header)?;
        Ok(plan)
    }

    /// What the store lacks must fit in: parents that can be read, and branches that go on one way.
    fn check_new(&self, dag: &VersionDag, header: &BundleHeader) -> Result<()> {
        let known: HashMap<Uuid, &str> =
            header.versions.iter().map(|version| (version.uuid, version.branch.as_str())).collect();
        let new = || header.versions.iter().zip(&self.versions).filter(|(_, found)| found.is_none());
        let mut continued = HashSet::new();
        // Where the bundle comes from, deletions of what was cleaned away went with it; here it would show again.
        let mut told = header.versions.iter().filter(|version| version.cleaned.is_some());
        let readable = |uuid| dag.version_of_uuid(uuid).is_some_and(|version| version.cleaned.is_none());
        if let Some(version) = told.find(|version| readable(version.uuid))
            && new().next().is_some()
        {
            return Err(Error::new(
                ErrorKind::Incompatible,
                "the bundle is of a store that has cleaned away what can be read here; clean it away here first",
            )
            .with("version", version.uuid.simple()));
        }
        for (version, _) in new() {
            if self.repo.is_some() && version.parents.is_empty() {
                return Err(Error::new(ErrorKind::Incompatible, "the repo has another root here")
                    .with("version", version.uuid.simple()));
            }
            for uuid in &version.parents {
                let parent = dag.version_of_uuid(*uuid);
                if let Some(parent) = parent.filter(|parent| parent.cleaned.is_some()) {
                    return Err(cleaned(parent));
                }
                let branch = parent.map(|parent| parent.branch.as_str()).or(known.get(uuid).copied());
                if branch == Some(version.branch.as_str()) {
                    continued.insert(*uuid);
                }
            }
        }
        let Some(repo) = self.repo else { return Ok(()) };
        let branches: BTreeSet<_> = new().map(|(version, _)| version.branch.as_str()).collect();
        let heads = dag.heads(repo);
        for branch in branches {
            if let Some(head) = heads.get(branch).filter(|head| !continued.contains(&head.uuid)) {
                return Err(Error::new(
                    ErrorKind::Conflict,
                    "a branch goes on another way here than in the bundle; rename one of the two",
                )
                .with("branch", branch)
                .with("here", head.uuid.simple()));
            }
            if dag.tag(repo, branch).is_some() {
                return Err(Error::new(
                    ErrorKind::Conflict,
                    "a branch of the bundle has the name of a tag here",
                )
                .with("branch", branch));
            }
        }
        Ok(())
    }
}

fn uuids(dag: &VersionDag, ids: &[VersionId]) -> Result<Vec<Uuid>> {
    ids.iter().map(|id| dag.version(*id).map(|version| version.uuid)).collect()
}

fn check_base(dag: &VersionDag, repo: Option<RepoId>, header: &BundleHeader) -> Result<()> {
    let mut missing = Vec::new();
    for uuid in &header.base {
        match dag.version_of_uuid(*uuid) {
            Some(version) if Some(version.repo) != repo => {
                return Err(Error::new(
                    ErrorKind::Incompatible,
                    "a version that the bundle builds on belongs to another repo here",
                )
                .with("version", uuid.simple()));
            }
            Some(version) if version.committed.is_some() => {}
            _ => missing.push(uuid.simple().to_string()),
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::NotFound,
        "versions that the bundle builds on aren't here, or aren't committed; apply the bundle that carries them first",
    )
    .with("versions", missing.join(", ")))
}

/// The numbers that a bundle's parts have in the store, by their place in the header.
pub(super) struct Numbers {
    pub(super) repo: RepoId,
    pub(super) versions: Vec<VersionId>,
    pub(super) instances: Vec<InstanceId>,
}

impl Numbers {
    /// Takes numbers for what is new. Versions get theirs parents first.
    pub(super) fn reserve(
        change: &mut Change,
        plan: &Plan,
        header: &BundleHeader,
    ) -> Result<(Self, Reserved)> {
        let first = VersionId(change.counters.next_version);
        let mut count = 0;
        let mut versions: Vec<_> = plan.versions.iter().map(|found| found.unwrap_or_default()).collect();
        for place in header.parents_first()? {
            if plan.versions[place].is_none() {
                versions[place] = change.next_version()?;
                count += 1;
            }
        }
        let (mut instances, mut made) = (Vec::new(), Vec::new());
        for found in &plan.instances {
            let id = match found {
                Some(id) => *id,
                None => take(&mut change.counters.next_instance).map(InstanceId)?,
            };
            if found.is_none() {
                made.push(id);
            }
            instances.push(id);
        }
        let repo = match plan.repo {
            Some(repo) => repo,
            None => take(&mut change.counters.next_repo).map(RepoId)?,
        };
        let found = plan.instances.iter().copied().flatten().collect();
        Ok((Self { repo, versions, instances }, Reserved { first, count, made, found }))
    }
}
