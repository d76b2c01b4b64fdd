//! Work on stored data that takes more than one batch, and outlives the process that began it.
//!
//! The batch that begins it also changes the DAG, so that from then on nobody reads what the work takes away, and
//! leaves a record. Each batch after that changes no answer, and may be made twice. The last one removes the record.

use serde::{Deserialize, Serialize};

use super::change::Change;
use super::record;
use super::versioned::{Versioned, each};
use crate::ext::{KeyRange, StoreExt};
use crate::key::{Context, DataContext, InstanceId};
use crate::spi::{Error, ErrorKind, Fetch, Result, Step, Store, Value, WriteBatch, visitor};

/// The most keys that one batch removes.
const KEYS_AT_ONCE: usize = 4096;

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
}

/// Work with the number of its record.
#[derive(Debug)]
pub(super) struct Task {
    number: u32,
    pub(super) work: Work,
}

impl Change {
    /// Leaves a record of work, which begins when the change is committed.
    pub(super) fn begin(&mut self, work: Work) -> Result<Task> {
        let number = u32::try_from(self.counters.changes)
            .map_err(|_| Error::new(ErrorKind::Full, "the store has handed out all of its numbers"))?;
        self.batch.put(record::numbered(record::WORK, number), record::encode(&work)?);
        Ok(Task { number, work })
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
        let tasks = self.tasks()?;
        tasks.iter().try_for_each(|task| self.work(task))?;
        Ok(tasks.len())
    }

    fn tasks(&self) -> Result<Vec<Task>> {
        each(&*self.store.view()?, record::WORK, |tkey, value| {
            Ok(Task { number: record::number(tkey)?, work: record::decode(value)? })
        })
    }

    /// Does the work, from wherever it stands.
    pub(super) fn work(&self, task: &Task) -> Result<()> {
        match &task.work {
            Work::DeleteInstance { instance } => {
                self.sweep(&DataContext::unversioned(*instance).key_range())?;
            }
        }
        let mut batch = WriteBatch::new();
        batch.delete(record::numbered(record::WORK, task.number));
        self.store.write(&batch)
    }

    /// Removes every key of a range, in batches.
    fn sweep(&self, range: &KeyRange) -> Result<()> {
        loop {
            let mut batch = WriteBatch::new();
            let mut more = false;
            let mut scan = range.scan();
            scan.fetch = Fetch::Keys;
            let mut collect = visitor(|key: &[u8], _: Value<'_>| {
                more = batch.ops().len() == KEYS_AT_ONCE;
                if more {
                    return Ok(Step::Stop);
                }
                batch.delete(key);
                Ok(Step::Next)
            });
            self.store.view()?.scan(scan, &mut collect)?;
            if !batch.ops().is_empty() {
                self.store.write(&batch)?;
            }
            if !more {
                return Ok(());
            }
        }
    }
}
