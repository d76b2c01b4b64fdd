//! A repo's history: made, committed, gone on with, merged.

use uuid::Uuid;

use super::change::{check_name, now, take, unused};
use super::dag::{Repo, Version};
use super::new_version::NewVersion;
use super::record;
use super::target::cleaned;
use super::versioned::Versioned;
use crate::key::{RepoId, VersionId};
use crate::spi::{Error, ErrorKind, Result, Store};

/// The branch of a repo's root.
pub(super) const MAIN: &str = "main";

impl<S: Store> Versioned<S> {
    /// Makes a repo with an open root version on the branch `main`.
    ///
    /// # Errors
    /// `AlreadyExists` when the alias or the UUID is taken; `InvalidArgument` for an alias that can't be one.
    pub fn create_repo(&self, alias: &str, uuid: Option<Uuid>) -> Result<Repo> {
        check_name(alias)?;
        self.change(|change| {
            if change.dag.repos().any(|repo| repo.alias == alias) {
                return Err(
                    Error::new(ErrorKind::AlreadyExists, "there is a repo of this name").with("repo", alias)
                );
            }
            let uuid = unused(&change.dag, uuid)?;
            let root = change.next_version()?;
            let id = take(&mut change.counters.next_repo).map(RepoId)?;
            let repo = Repo { id, uuid, alias: alias.to_owned(), root, created: now() };
            change.batch.put(record::numbered(record::REPO, id.0), record::encode(&repo)?);
            change.dag.add_repo(repo.clone());
            change.add_version(Version {
                id: root,
                uuid,
                repo: id,
                parents: Vec::new(),
                branch: MAIN.to_owned(),
                note: String::new(),
                created: now(),
                committed: None,
                cleaned: None,
            })?;
            Ok(repo)
        })
    }

    /// Commits a version: it is closed for writing for ever. A note replaces the version's, unless it is empty.
    ///
    /// # Errors
    /// `ReadOnly` when it is committed already.
    pub fn commit_version(&self, id: VersionId, note: &str) -> Result<Version> {
        self.change(|change| {
            let mut version = change.dag.version(id)?.clone();
            if version.committed.is_some() {
                return Err(Error::new(ErrorKind::ReadOnly, "the version is committed already")
                    .with("version", version.uuid.simple()));
            }
            if !note.is_empty() {
                note.clone_into(&mut version.note);
                change.batch.put(record::numbered(record::VERSION, id.0), record::encode(&version)?);
            }
            let at = now();
            version.committed = Some(at);
            change.batch.require_absent(record::committed(id));
            change.batch.put(record::committed(id), at.to_be_bytes().to_vec());
            change.dag.replace_version(version.clone());
            Ok(version)
        })
    }

    /// Makes an open version from a committed one: on a new branch, or (`None`) the next on the parent's.
    ///
    /// # Errors
    /// `InvalidArgument` when the parent is open, or the name can't be a branch's; `AlreadyExists` when the
    /// branch is taken, or goes on from the parent already.
    pub fn new_version(&self, parent: VersionId, branch: Option<&str>) -> Result<Version> {
        self.new_version_with(parent, &on(branch))
    }

    /// Makes an open version from a committed one, as [`new_version`](Self::new_version) does, with all that
    /// may be said of it.
    ///
    /// # Errors
    /// Those of [`new_version`](Self::new_version), and `AlreadyExists` when a version of the store has the UUID.
    pub fn new_version_with(&self, parent: VersionId, new: &NewVersion) -> Result<Version> {
        self.descend(&[parent], new)
    }

    /// Makes an open version with several committed parents, on a new branch or (`None`) the next on the
    /// first parent's. Nothing is copied: what conflicts is found when it is read.
    ///
    /// # Errors
    /// Those of [`new_version`](Self::new_version), and `InvalidArgument` for fewer than two parents, one
    /// named twice, or parents of different repos.
    pub fn merge(&self, parents: &[VersionId], branch: Option<&str>) -> Result<Version> {
        self.merge_with(parents, &on(branch))
    }

    /// Makes an open version with several committed parents, as [`merge`](Self::merge) does, with all that may
    /// be said of it.
    ///
    /// # Errors
    /// Those of [`merge`](Self::merge), and `AlreadyExists` when a version of the store has the UUID.
    pub fn merge_with(&self, parents: &[VersionId], new: &NewVersion) -> Result<Version> {
        if parents.len() < 2 {
            return Err(Error::new(ErrorKind::InvalidArgument, "a merge has two parents at least"));
        }
        self.descend(parents, new)
    }

    fn descend(&self, parents: &[VersionId], version: &NewVersion) -> Result<Version> {
        let branch = version.branch.as_deref();
        if let Some(branch) = branch {
            check_name(branch)?;
        }
        self.change(|change| {
            let dag = &change.dag;
            let Some(first) = parents.first() else {
                return Err(Error::new(ErrorKind::InvalidArgument, "a version has a parent"));
            };
            let first = dag.version(*first)?.clone();
            for (at, id) in parents.iter().enumerate() {
                let parent = dag.version(*id)?;
                if parents[..at].contains(id) {
                    return Err(Error::new(ErrorKind::InvalidArgument, "a parent is named twice")
                        .with("version", parent.uuid.simple()));
                }
                if parent.repo != first.repo {
                    return Err(Error::new(ErrorKind::InvalidArgument, "the parents belong to different repos"));
                }
                if parent.cleaned.is_some() {
                    return Err(cleaned(parent));
                }
                if parent.committed.is_none() {
                    return Err(Error::new(
                        ErrorKind::InvalidArgument,
                        "a version must be committed before another is made from it",
                    )
                    .with("version", parent.uuid.simple()));
                }
            }
            let branch = match branch {
                Some(new) if new != first.branch => {
                    let taken = dag.versions().any(|other| other.repo == first.repo && other.branch == new);
                    if dag.tag(first.repo, new).is_some() {
                        return Err(Error::new(ErrorKind::AlreadyExists, "the repo has a tag of this name")
                            .with("branch", new));
                    }
                    if taken {
                        return Err(Error::new(ErrorKind::AlreadyExists, "the repo has this branch already")
                            .with("branch", new));
                    }
                    new.to_owned()
                }
                _ => {
                    if let Some(next) = dag.next_on_branch(&first) {
                        return Err(Error::new(
                            ErrorKind::AlreadyExists,
                            "the branch goes on from this version already; name a new branch, or start from its newest version",
                        )
                        .with("branch", &first.branch)
                        .with("next", dag.version(next)?.uuid.simple()));
                    }
                    first.branch.clone()
                }
            };
            let uuid = unused(dag, version.uuid)?;
            let id = change.next_version()?;
            change.add_version(Version {
                id,
                uuid,
                repo: first.repo,
                parents: parents.to_vec(),
                branch,
                note: version.note.clone(),
                created: now(),
                committed: None,
                cleaned: None,
            })
        })
    }
}

fn on(branch: Option<&str>) -> NewVersion {
    NewVersion { branch: branch.map(str::to_owned), ..NewVersion::new() }
}
