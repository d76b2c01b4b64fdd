//! Work on stored data that takes more than one batch, and outlives the process that began it.
//!
//! The batch that begins it also changes the DAG, so that from then on nobody reads what the work takes away, and
//! leaves a record. Each batch after that changes no answer, and may be made twice. The last one removes the record.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Bound;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::change::Change;
use super::record;
use super::versioned::{Versioned, each};
use crate::ext::{KeyRange, StoreExt};
use crate::key::{Context, DataContext, DataKey, InstanceId, RepoId, VersionId};
use crate::spi::{Error, ErrorKind, Result, Step, Store, Value, WriteBatch, visitor};

/// The most keys that one batch removes.
const KEYS_AT_ONCE: usize = 4096;
/// The most keys that are looked at in one view, which keeps others from reusing its room.
const KEYS_PER_VIEW: usize = 1 << 16;

/// What is under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Work {
    /// The data of an instance is removed; the instance itself is gone already.
    DeleteInstance {
        /// The instance's number, which none will have again.
        instance: InstanceId,
    },
    /// A bundle is applied: its entries are written under numbers that no version has yet.
    /// [`resume`](Versioned::resume) leaves it alone, for only who reads the bundle can go on with it.
    Apply(Reserved),
    /// What a bundle's application has written is removed.
    UndoApply(Reserved),
    /// What no readable version of a repo needs is removed; the versions that can't be read are marked already.
    Clean {
        /// The repo.
        repo: RepoId,
    },
    /// A run of versions becomes its last one; the others can't be read any more.
    Squash {
        /// The versions of the run, oldest first.
        versions: Vec<VersionId>,
    },
    /// What was written at versions is removed, and their logs; the versions themselves are gone already.
    DeleteVersions {
        /// The repo that they belonged to.
        repo: RepoId,
        /// The versions' numbers, which none will have again.
        versions: BTreeSet<VersionId>,
    },
}

impl Work {
    /// Whether the work is to remove an entry: what is still there of it is no damage.
    pub fn removes(&self, key: &DataKey) -> bool {
        match self {
            Self::DeleteInstance { instance } => key.instance == *instance,
            Self::DeleteVersions { versions, .. } => versions.contains(&key.version),
            Self::Apply(reserved) | Self::UndoApply(reserved) => {
                reserved.made.contains(&key.instance) || reserved.has(key.version)
            }
            Self::Clean { .. } | Self::Squash { .. } => false,
        }
    }
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DeleteInstance { .. } => write!(f, "the deletion of a data instance"),
            Self::DeleteVersions { versions, .. } => write!(f, "the deletion of {} versions", versions.len()),
            Self::Apply(_) => write!(f, "the application of a bundle"),
            Self::UndoApply(_) => write!(f, "taking back what a bundle's application has written"),
            Self::Clean { .. } => write!(f, "the cleaning of old versions"),
            Self::Squash { versions } => write!(f, "the squashing of {} versions", versions.len()),
        }
    }
}

/// The numbers under which a bundle's entries are written before its versions are there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reserved {
    /// The first version's number.
    pub first: VersionId,
    /// How many versions there are.
    pub count: u32,
    /// Instances that are to be, with all that is stored under their numbers.
    pub made: Vec<InstanceId>,
    /// Instances that were there before.
    pub found: Vec<InstanceId>,
}

impl Reserved {
    /// Whether a version's number is one of these.
    pub fn has(&self, version: VersionId) -> bool {
        version.0.checked_sub(self.first.0).is_some_and(|place| place < self.count)
    }
}

/// Work with the number of its record.
#[derive(Debug)]
pub(super) struct Task {
    number: u32,
    pub(super) work: Work,
    /// The record as it is stored.
    record: Bytes,
}

impl Task {
    /// The key of the record, which is there until the work is done.
    pub(super) fn key(&self) -> Vec<u8> {
        record::numbered(record::WORK, self.number)
    }

    /// Makes a batch fail once the work's record is gone, or is another's.
    pub(super) fn guard(&self, batch: &mut WriteBatch) {
        batch.require_equals(self.key(), self.record.clone());
    }

    /// Removes the record with the batch that ends the work.
    pub(super) fn end(&self, batch: &mut WriteBatch) {
        self.guard(batch);
        batch.delete(self.key());
    }
}

impl Change {
    /// Leaves a record of work, which begins when the change is committed.
    pub(super) fn begin(&mut self, work: Work) -> Result<Task> {
        let number = u32::try_from(self.counters.changes)
            .map_err(|_| Error::new(ErrorKind::Full, "the store has handed out all of its numbers"))?;
        let record = record::encode(&work)?;
        self.batch.put(record::numbered(record::WORK, number), record.clone());
        Ok(Task { number, work, record })
    }
}

impl<S: Store> Versioned<S> {
    /// The work that is under way, in this process or another, or was cut short by the end of one.
    pub fn unfinished(&self) -> Result<Vec<Work>> {
        Ok(self.tasks()?.into_iter().map(|task| task.work).collect())
    }

    /// Goes on with work that was cut short, and answers how many pieces of it there were. Work that is
    /// under way elsewhere is only done twice.
    pub fn resume(&self) -> Result<usize> {
        let mut tasks = self.tasks()?;
        tasks.retain(|task| !matches!(task.work, Work::Apply(_)));
        tasks.iter().try_for_each(|task| self.work(task))?;
        Ok(tasks.len())
    }

    /// The work that is under way, with its records.
    pub(super) fn tasks(&self) -> Result<Vec<Task>> {
        each(&*self.store.view()?, record::WORK, |tkey, value| {
            Ok(Task {
                number: record::number(tkey)?,
                work: record::decode(value)?,
                record: Bytes::copy_from_slice(value),
            })
        })
    }

    /// Takes back what applications of bundles have written that were cut short, and answers how many there
    /// were. One that is under way, in this process or another, is cut short by this, and answers `Conflict`.
    pub fn abandon(&self) -> Result<usize> {
        let mut abandoned = 0;
        for task in self.tasks()? {
            if matches!(task.work, Work::Apply(_)) && self.undo(&task)? {
                abandoned += 1;
            }
        }
        Ok(abandoned)
    }

    /// Takes back what an application has written, unless it is done or was taken back already.
    ///
    /// The record is replaced first. From then on none of the application's batches is taken, so nothing is
    /// written behind the back of who removes it.
    pub(super) fn undo(&self, task: &Task) -> Result<bool> {
        let Work::Apply(reserved) = &task.work else { return Ok(false) };
        let work = Work::UndoApply(reserved.clone());
        let record = record::encode(&work)?;
        let mut batch = WriteBatch::new();
        task.guard(&mut batch);
        batch.put(task.key(), record.clone());
        match self.store.write(&batch) {
            Ok(()) => self.work(&Task { number: task.number, work, record }).map(|()| true),
            Err(error) if error.kind() == ErrorKind::Conflict => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whether the work's record is as it was.
    pub(super) fn is_under_way(&self, task: &Task) -> Result<bool> {
        Ok(self.store.get(task.key())?.as_ref() == Some(&task.record))
    }

    /// Does the work, from wherever it stands.
    pub(super) fn work(&self, task: &Task) -> Result<()> {
        // The record may be news of a change that this handle hasn't seen.
        self.refresh()?;
        match &task.work {
            Work::DeleteInstance { instance } => {
                self.sweep(&DataContext::unversioned(*instance).key_range())?;
            }
            Work::Apply(_) => return Ok(()),
            Work::UndoApply(reserved) => {
                for instance in &reserved.made {
                    self.sweep(&DataContext::unversioned(*instance).key_range())?;
                }
                for instance in &reserved.found {
                    let range = DataContext::unversioned(*instance).key_range();
                    self.sweep_where(&range, &|key| Ok(reserved.has(DataKey::parse(key)?.version)))?;
                }
            }
            Work::Clean { repo } => {
                self.clean(&self.dag()?, *repo, Some(task), &mut |_| Ok(()))?;
            }
            Work::Squash { .. } => {
                self.finish_squash(task, &mut |_| Ok(()))?;
            }
            Work::DeleteVersions { repo, versions } => self.sweep_versions(*repo, versions)?,
        }
        self.done(task)
    }

    /// Ends work: its record goes.
    pub(super) fn done(&self, task: &Task) -> Result<()> {
        let mut batch = WriteBatch::new();
        batch.delete(task.key());
        self.store.write(&batch)
    }

    /// Removes what was written at versions that are gone.
    fn sweep_versions(&self, repo: RepoId, versions: &BTreeSet<VersionId>) -> Result<()> {
        versions.iter().try_for_each(|id| self.sweep(&record::log(*id)))?;
        // Another handle may have made an instance before the versions went.
        self.refresh()?;
        let dag = self.dag()?;
        let instances = dag.instances().filter(|instance| instance.repo == repo && instance.versioned);
        for instance in instances {
            let ctx = DataContext::unversioned(instance.id);
            self.sweep_where(&ctx.key_range(), &|key| Ok(versions.contains(&ctx.version_from_key(key)?)))?;
        }
        Ok(())
    }

    /// Removes the keys of a range of which `doomed` says so, in batches, each behind what was looked at before.
    fn sweep_where(&self, range: &KeyRange, doomed: &dyn Fn(&[u8]) -> Result<bool>) -> Result<()> {
        let mut rest = range.clone();
        loop {
            let mut batch = WriteBatch::new();
            let mut looked_at = 0;
            let mut last = None;
            let mut look = visitor(|key: &[u8], _: Value<'_>| {
                looked_at += 1;
                if doomed(key)? {
                    batch.delete(key);
                }
                if batch.ops().len() == KEYS_AT_ONCE || looked_at == KEYS_PER_VIEW {
                    last = Some(key.to_vec());
                    return Ok(Step::Stop);
                }
                Ok(Step::Next)
            });
            self.store.view()?.scan(rest.scan().keys_only(), &mut look)?;
            if !batch.ops().is_empty() {
                self.store.write(&batch)?;
            }
            match last {
                Some(last) => {
                    rest = KeyRange::between(Bound::Excluded(last), range.end().map(<[u8]>::to_vec));
                }
                None => return Ok(()),
            }
        }
    }

    /// Removes every key of a range, in batches.
    fn sweep(&self, range: &KeyRange) -> Result<()> {
        self.sweep_where(range, &|_| Ok(true))
    }
}
