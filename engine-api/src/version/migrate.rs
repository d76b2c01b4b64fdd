//! Instances copied along a path of versions to another store, which has those versions and no others.
//!
//! Each version is made equal to the source's by walking both side by side and writing what differs. So an entry
//! that is as the version before shows it isn't written again, a migration that was cut short goes on by being
//! made again, and what it finds done it proves.

use bytes::Bytes;
use uuid::Uuid;

use super::change::{check_name, now, unused};
use super::compare::side_by_side;
use super::dag::{Instance, Repo, Version, VersionDag};
use super::instances::NewInstance;
use super::kv::{Batcher, OrderedKeyValue};
use super::resolver::Resolved;
use super::versioned::Versioned;
use crate::ext::KeyRange;
use crate::key::{DataContext, TKey, VersionId};
use crate::spi::{Error, ErrorKind, Fetch, Result, Store};

/// A batch is written when it has this many keys, or bytes; less where the engine takes less.
const BATCH_KEYS: usize = 2048;
const BATCH_BYTES: usize = 1 << 20;
/// The operations that a key takes, and what a batch requires beside.
const OPS_PER_KEY: usize = 2;
const REQUIREMENTS: usize = 2;
/// Keys between two calls of the watch.
const KEYS_PER_STEP: u64 = 1024;

/// What is migrated: instances, along versions.
#[derive(Clone, Debug)]
pub struct Migration {
    versions: Vec<VersionId>,
    instances: Option<Vec<String>>,
    alias: Option<String>,
}

impl Migration {
    /// An instance along versions, oldest first. Each must be the next one's ancestor through first parents; what
    /// was written in between shows at the next that is listed.
    pub fn along(versions: impl IntoIterator<Item = VersionId>, instance: impl Into<String>) -> Self {
        Self { versions: versions.into_iter().collect(), instances: Some(vec![instance.into()]), alias: None }
    }

    /// All instances, with those that have no versions, at one version: its history stays behind.
    pub fn flat(version: VersionId) -> Self {
        Self { versions: vec![version], instances: None, alias: None }
    }

    /// Calls the repo so that is made. Without this it is called as in the source, with a number behind it where
    /// that name is taken.
    #[must_use]
    pub fn alias(mut self, alias: impl Into<String>) -> Self {
        self.alias = Some(alias.into());
        self
    }
}

/// What a migration has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Migrated {
    /// Versions that are whole.
    pub versions: usize,
    /// Keys that were compared, at all versions.
    pub keys: u64,
    /// Values that were written.
    pub written: u64,
    /// Keys that were deleted.
    pub deleted: u64,
}

impl<S: Store> Versioned<S> {
    /// Copies instances along a path of versions to another store. There each listed version has the same UUID and
    /// note, and the version that is listed before it as its only parent, all on the branch `main`; it answers as it
    /// does here. The first one is the root of a repo of its own.
    ///
    /// A version is committed there when it is whole. A migration that was cut short is gone on with by making it
    /// again; versions that are committed there already are compared. `watch` is called now and then; an error from
    /// it ends the work.
    ///
    /// # Errors
    /// `InvalidArgument` for versions that are open, or not on one path; `Conflict` names a key that has several
    /// values, and the versions that wrote them, before anything is written; `Incompatible` where the other store
    /// has such a version and it shows something else.
    pub fn migrate<T: Store>(
        &self,
        migration: &Migration,
        to: &Versioned<T>,
        watch: &mut dyn FnMut(&Migrated) -> Result<()>,
    ) -> Result<(Repo, Migrated)> {
        let dag = self.dag()?;
        let versions = check_path(&dag, &migration.versions)?;
        let Some(first) = versions.first() else {
            return Err(Error::new(ErrorKind::InvalidArgument, "at least one version is migrated"));
        };
        let source = dag.repo(first.repo)?;
        let instances = choose(&dag, source, migration)?;
        for version in &versions {
            for instance in instances.iter().filter(|instance| instance.versioned) {
                self.check_conflicts(&dag, instance, version)?;
            }
        }
        let mut done = Migrated::default();
        let repo = to.repo_from(first, migration.alias.as_deref(), source)?;
        let instances = instances
            .into_iter()
            .map(|instance| Ok((instance, to.instance_like(&repo, instance)?)))
            .collect::<Result<Vec<_>>>()?;
        let mut before: Option<Version> = None;
        for version in versions {
            let target = to.version_like(&repo, version, before.as_ref())?;
            for (here, there) in &instances {
                self.level((here, version), to, (there, &target), &mut done, watch)?;
            }
            before = Some(match target.committed {
                Some(_) => target,
                None => to.commit_version(target.id, &version.note)?,
            });
            done.versions += 1;
            watch(&done)?;
        }
        Ok((repo, done))
    }

    /// Refuses what has several values: the version that would have to choose isn't copied with it.
    fn check_conflicts(&self, dag: &VersionDag, instance: &Instance, version: &Version) -> Result<()> {
        let merged = |id: &VersionId| dag.version(*id).is_ok_and(|version| version.parents.len() > 1);
        if !ancestors(dag, version)?.iter().any(merged) {
            return Ok(());
        }
        let ctx = DataContext::versioned(instance.id, version.id);
        self.visit(&ctx, &KeyRange::ALL, Fetch::Keys, &mut |tkey, resolved| match resolved {
            Resolved::Conflict { versions } => Err(conflict(dag, tkey, version, &versions)),
            _ => Ok(std::ops::ControlFlow::Continue(())),
        })
    }

    /// Makes an instance there show what it shows here.
    fn level<T: Store>(
        &self,
        (here, version): (&Instance, &Version),
        to: &Versioned<T>,
        (there, target): (&Instance, &Version),
        done: &mut Migrated,
        watch: &mut dyn FnMut(&Migrated) -> Result<()>,
    ) -> Result<()> {
        let at = |instance: &Instance, version: &Version| {
            if instance.versioned {
                DataContext::versioned(instance.id, version.id)
            } else {
                DataContext::unversioned(instance.id)
            }
        };
        let (from_ctx, to_ctx) = (at(here, version), at(there, target));
        let dag = self.dag()?;
        let mut writer = Writer::new(to, to_ctx);
        side_by_side((self, &from_ctx), (to, &to_ctx), &mut |tkey, is, shown| {
            let value = match is {
                Some(Resolved::Conflict { versions }) => {
                    return Err(conflict(&dag, &tkey, version, &versions));
                }
                Some(Resolved::Found { value, .. }) => Some(value),
                _ => None,
            };
            let same = match (&value, &shown) {
                (Some(value), Some(Resolved::Found { value: shown, .. })) => value == shown,
                (None, None) => true,
                _ => false,
            };
            if !same && here.versioned && target.committed.is_some() {
                return Err(Error::new(
                    ErrorKind::Incompatible,
                    "the version is committed in the other store, and shows something else there",
                )
                .with("version", version.uuid.simple())
                .with("instance", &here.name)
                .with_key("key", tkey.as_bytes()));
            }
            if !same {
                match &value {
                    Some(_) => done.written += 1,
                    None => done.deleted += 1,
                }
                writer.add(tkey, value)?;
            }
            done.keys += 1;
            if done.keys.is_multiple_of(KEYS_PER_STEP) { watch(done) } else { Ok(()) }
        })?;
        writer.flush()
    }

    /// The repo whose root is this version: made, or gone on with.
    fn repo_from(&self, root: &Version, alias: Option<&str>, source: &Repo) -> Result<Repo> {
        if let Some(alias) = alias {
            check_name(alias)?;
        }
        self.refresh()?;
        let dag = self.dag()?;
        if let Some(found) = dag.version_of_uuid(root.uuid) {
            let repo = dag.repo(found.repo)?;
            if repo.root != found.id {
                return Err(other_parents(root.uuid));
            }
            return Ok(repo.clone());
        }
        let taken = |alias: &str| dag.repos().any(|repo| repo.alias == alias);
        let mut name = alias.unwrap_or(&source.alias).to_owned();
        let mut number = 2_u32;
        while alias.is_none() && taken(&name) {
            name = format!("{}-{number}", source.alias);
            number += 1;
        }
        self.create_repo(&name, Some(root.uuid))
    }

    /// The instance of the same name: made, or found.
    fn instance_like(&self, repo: &Repo, like: &Instance) -> Result<Instance> {
        if let Some(found) = self.dag()?.instance_named(repo.id, &like.name) {
            if found.datatype == like.datatype && found.versioned == like.versioned {
                return Ok(found.clone());
            }
            return Err(Error::new(
                ErrorKind::Incompatible,
                "the data instance is of another datatype in the other store, or one of the two has no versions",
            )
            .with("instance", &like.name)
            .with("datatype", &found.datatype));
        }
        self.create_instance(repo.id, &NewInstance::like(like))
    }

    /// The version of the same UUID behind `before`: made, or found.
    fn version_like(&self, repo: &Repo, like: &Version, before: Option<&Version>) -> Result<Version> {
        let parents: Vec<_> = before.iter().map(|before| before.id).collect();
        self.change(|change| {
            if let Some(found) = change.dag.version_of_uuid(like.uuid) {
                if found.repo == repo.id && found.parents == parents {
                    return Ok(found.clone());
                }
                return Err(other_parents(like.uuid));
            }
            let Some(before) = before else {
                return Err(Error::new(ErrorKind::NotFound, "the repo's root is gone")
                    .with("version", like.uuid.simple()));
            };
            if let Some(next) = change.dag.next_on_branch(before) {
                return Err(Error::new(
                    ErrorKind::Conflict,
                    "the branch goes on another way in the other store",
                )
                .with("branch", &before.branch)
                .with("next", change.dag.version(next)?.uuid.simple()));
            }
            let uuid = unused(&change.dag, Some(like.uuid))?;
            let id = change.next_version()?;
            change.add_version(Version {
                id,
                uuid,
                repo: repo.id,
                parents: parents.clone(),
                branch: before.branch.clone(),
                note: String::new(),
                created: now(),
                committed: None,
                cleaned: None,
            })
        })
    }
}

fn other_parents(uuid: Uuid) -> Error {
    Error::new(
        ErrorKind::Incompatible,
        "the version has other parents in the other store, or is of another repo",
    )
    .with("version", uuid.simple())
}

fn conflict(dag: &VersionDag, tkey: &TKey, at: &Version, versions: &[VersionId]) -> Error {
    let uuids: Vec<_> = versions
        .iter()
        .filter_map(|id| dag.version(*id).ok())
        .map(|version| version.uuid.simple().to_string())
        .collect();
    Error::new(ErrorKind::Conflict, "the key has several values at a version that is to be copied")
        .with_key("key", tkey.as_bytes())
        .with("at", at.uuid.simple())
        .with("versions", uuids.join(", "))
}

/// A version's ancestors, itself among them.
fn ancestors(dag: &VersionDag, version: &Version) -> Result<Vec<VersionId>> {
    super::ancestry::Ancestry::new(dag, version.id).map(|ancestry| ancestry.ids().collect())
}

/// The listed versions, which must be committed, and each the next one's ancestor through first parents.
fn check_path<'d>(dag: &'d VersionDag, listed: &[VersionId]) -> Result<Vec<&'d Version>> {
    let mut path: Vec<&Version> = Vec::with_capacity(listed.len());
    for id in listed {
        let version = dag.version(*id)?;
        if version.committed.is_none() {
            return Err(Error::new(
                ErrorKind::InvalidArgument,
                "the version is open, and only committed ones are copied",
            )
            .with("version", version.uuid.simple()));
        }
        if let Some(before) = path.last() {
            let mut at = version;
            while at.id != before.id {
                let parent = at.parents.first().ok_or_else(|| {
                    Error::new(
                        ErrorKind::InvalidArgument,
                        "the versions aren't on one path of first parents, oldest first",
                    )
                    .with("version", version.uuid.simple())
                    .with("before", before.uuid.simple())
                })?;
                at = dag.version(*parent)?;
            }
            if before.id == version.id {
                return Err(Error::new(ErrorKind::InvalidArgument, "a version is listed twice")
                    .with("version", version.uuid.simple()));
            }
        }
        path.push(version);
    }
    Ok(path)
}

fn choose<'d>(dag: &'d VersionDag, repo: &Repo, migration: &Migration) -> Result<Vec<&'d Instance>> {
    let Some(names) = &migration.instances else {
        return Ok(dag.instances().filter(|instance| instance.repo == repo.id).collect());
    };
    let named = |name: &String| {
        let instance = dag.instance_named(repo.id, name).ok_or_else(|| {
            Error::new(ErrorKind::NotFound, "there is no such data instance").with("name", name)
        })?;
        if instance.versioned {
            return Ok(instance);
        }
        Err(Error::new(ErrorKind::InvalidArgument, "a data instance without versions is on no path")
            .with("instance", name))
    };
    names.iter().map(named).collect()
}

/// Writes what differs, in batches that the engine takes.
struct Writer<'a, T> {
    to: &'a Versioned<T>,
    ctx: DataContext,
    waiting: Vec<(TKey, Option<Bytes>)>,
    bytes: usize,
    most_keys: usize,
    most_bytes: usize,
}

impl<'a, T: Store> Writer<'a, T> {
    fn new(to: &'a Versioned<T>, ctx: DataContext) -> Self {
        let limits = to.store.capabilities().limits;
        let keys =
            limits.batch_ops.map_or(BATCH_KEYS, |limit| limit.saturating_sub(REQUIREMENTS) / OPS_PER_KEY);
        let bytes = limits.batch_bytes.map_or(BATCH_BYTES, |limit| limit.min(BATCH_BYTES));
        let (most_keys, most_bytes) = (keys.clamp(1, BATCH_KEYS), bytes);
        Self { to, ctx, waiting: Vec::new(), bytes: 0, most_keys, most_bytes }
    }

    fn add(&mut self, tkey: TKey, value: Option<Bytes>) -> Result<()> {
        // Both full keys of an entry are in the batch: the one that is written, and the one that goes.
        let full = OPS_PER_KEY * self.ctx.tombstone_key(&tkey).len();
        let bytes = full + value.as_ref().map_or(0, Bytes::len);
        if self.waiting.len() >= self.most_keys || self.bytes + bytes > self.most_bytes {
            self.flush()?;
        }
        self.bytes += bytes;
        self.waiting.push((tkey, value));
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let mut batch = self.to.batch(&self.ctx)?;
        for (tkey, value) in self.waiting.drain(..) {
            match value {
                Some(value) => batch.put(&tkey, value),
                None => batch.delete(&tkey),
            }
        }
        self.bytes = 0;
        batch.commit()
    }
}
