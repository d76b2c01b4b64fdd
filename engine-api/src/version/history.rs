//! Changes of the DAG: each is one batch, which fails when another change came first and is then decided anew.

use std::sync::{Arc, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use uuid::Uuid;

use super::dag::{Instance, Repo, Version, VersionDag};
use super::record::{self, Counters};
use super::versioned::{State, Versioned};
use crate::ext::StoreExt;
use crate::key::{Context, DataContext, InstanceId, RepoId, VersionId};
use crate::spi::{DeleteRange, Error, ErrorKind, Result, Store, WriteBatch};

/// The branch of a repo's root.
const MAIN: &str = "main";
const LONGEST_NAME: usize = 255;

/// A data instance that is to be made.
#[derive(Clone, Debug)]
pub struct NewInstance {
    name: String,
    datatype: String,
    versioned: bool,
    properties: serde_json::Value,
}

impl NewInstance {
    /// One with versions and without properties.
    pub fn new(name: impl Into<String>, datatype: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            datatype: datatype.into(),
            versioned: true,
            properties: serde_json::Value::Null,
        }
    }

    /// The same without versions.
    #[must_use]
    pub fn unversioned(mut self) -> Self {
        self.versioned = false;
        self
    }

    /// The same with properties.
    #[must_use]
    pub fn properties(mut self, properties: serde_json::Value) -> Self {
        self.properties = properties;
        self
    }
}

/// A change of the DAG that is being decided.
struct Change {
    dag: VersionDag,
    counters: Counters,
    batch: WriteBatch,
}

impl Change {
    fn next_version(&mut self) -> Result<VersionId> {
        take(&mut self.counters.next_version).map(VersionId)
    }

    fn add_version(&mut self, version: Version) -> Result<Version> {
        self.batch.put(record::numbered(record::VERSION, version.id.0), record::encode(&version)?);
        self.dag.add_version(version.clone())?;
        Ok(version)
    }
}

fn take(next: &mut u32) -> Result<u32> {
    let taken = *next;
    *next = taken
        .checked_add(1)
        .ok_or_else(|| Error::new(ErrorKind::Full, "the store has handed out all of its numbers"))?;
    Ok(taken)
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

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
        self.descend(&[parent], branch)
    }

    /// Makes an open version with several committed parents, on a new branch or (`None`) the next on the
    /// first parent's. Nothing is copied: what conflicts is found when it is read.
    ///
    /// # Errors
    /// Those of [`new_version`](Self::new_version), and `InvalidArgument` for fewer than two parents, one
    /// named twice, or parents of different repos.
    pub fn merge(&self, parents: &[VersionId], branch: Option<&str>) -> Result<Version> {
        if parents.len() < 2 {
            return Err(Error::new(ErrorKind::InvalidArgument, "a merge has two parents at least"));
        }
        self.descend(parents, branch)
    }

    fn descend(&self, parents: &[VersionId], branch: Option<&str>) -> Result<Version> {
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
            let uuid = unused(dag, None)?;
            let id = change.next_version()?;
            change.add_version(Version {
                id,
                uuid,
                repo: first.repo,
                parents: parents.to_vec(),
                branch,
                note: String::new(),
                created: now(),
                committed: None,
            })
        })
    }

    /// Makes a data instance.
    ///
    /// # Errors
    /// `AlreadyExists` when the repo has one of this name; `InvalidArgument` for a name that can't be one.
    pub fn create_instance(&self, repo: RepoId, new: &NewInstance) -> Result<Instance> {
        check_name(&new.name)?;
        self.change(|change| {
            change.dag.repo(repo)?;
            if change.dag.instance_named(repo, &new.name).is_some() {
                return Err(Error::new(
                    ErrorKind::AlreadyExists,
                    "the repo has a data instance of this name",
                )
                .with("instance", &new.name));
            }
            let id = take(&mut change.counters.next_instance).map(InstanceId)?;
            let instance = Instance {
                id,
                repo,
                name: new.name.clone(),
                datatype: new.datatype.clone(),
                versioned: new.versioned,
                properties: new.properties.clone(),
                created: now(),
            };
            change.batch.put(record::numbered(record::INSTANCE, id.0), record::encode(&instance)?);
            change.dag.add_instance(instance.clone())?;
            Ok(instance)
        })
    }

    /// Replaces the properties of a data instance.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn set_properties(&self, id: InstanceId, properties: &serde_json::Value) -> Result<Instance> {
        self.change(|change| {
            let instance = Instance { properties: properties.clone(), ..change.dag.instance(id)?.clone() };
            change.batch.put(record::numbered(record::INSTANCE, id.0), record::encode(&instance)?);
            change.dag.replace_instance(instance.clone());
            Ok(instance)
        })
    }

    /// Removes a data instance and all of its data, at every version, committed ones too.
    ///
    /// # Errors
    /// `NotFound`; `Unsupported` where the engine has no range deletes.
    pub fn delete_instance(&self, id: InstanceId) -> Result<()> {
        if self.store.capabilities().delete_range == DeleteRange::None {
            return Err(Error::new(ErrorKind::Unsupported, "the engine has no range deletes"));
        }
        self.change(|change| {
            change.dag.instance(id)?;
            let range = DataContext::unversioned(id).key_range();
            change.batch.delete(record::numbered(record::INSTANCE, id.0));
            change.batch.delete_range(range.start(), range.end());
            change.dag.remove_instance(id);
            Ok(())
        })
    }

    /// Decides a change on the DAG as it is, and commits it if no other came first.
    fn change<T>(&self, decide: impl Fn(&mut Change) -> Result<T>) -> Result<T> {
        let _one_at_a_time = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let before = self.current()?;
            let mut change = Change {
                dag: before.dag.clone(),
                counters: record::decode(&before.counters)?,
                batch: WriteBatch::new(),
            };
            let answer = decide(&mut change)?;
            change.counters.changes += 1;
            let counters = record::encode(&change.counters)?;
            change
                .batch
                .require_equals(record::single(record::COUNTERS), before.counters.clone())
                .put(record::single(record::COUNTERS), counters.clone());
            match self.store.write(&change.batch) {
                Ok(()) => {
                    self.replace(Arc::new(State { dag: change.dag, counters }));
                    return Ok(answer);
                }
                Err(error) if error.kind() == ErrorKind::Conflict => self.refresh()?,
                Err(error) => {
                    if error.kind() == ErrorKind::Ambiguous {
                        self.refresh()?;
                    }
                    return Err(error);
                }
            }
        }
    }
}

fn unused(dag: &VersionDag, wanted: Option<Uuid>) -> Result<Uuid> {
    let uuid = wanted.unwrap_or_else(Uuid::new_v4);
    if dag.version_of_uuid(uuid).is_some() {
        return Err(Error::new(ErrorKind::AlreadyExists, "there is a version with this UUID")
            .with("uuid", uuid.simple()));
    }
    Ok(uuid)
}

/// Refuses names that couldn't be told from the rest of `[REPO:]NAME[~N]`, or seen.
fn check_name(name: &str) -> Result<()> {
    let sound = !name.is_empty()
        && name.len() <= LONGEST_NAME
        && name
            .chars()
            .all(|letter| !letter.is_control() && !letter.is_whitespace() && !":~".contains(letter));
    if sound {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::InvalidArgument,
        "a name has 1 to 255 bytes, and no white space, control characters, colons or tildes",
    )
    .with("name", name.escape_debug()))
}
