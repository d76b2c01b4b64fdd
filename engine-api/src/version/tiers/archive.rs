//! Moving what a committed version holds to the store where it stays.

use std::ops::ControlFlow;
use std::sync::PoisonError;

use super::store::Tiered;
use super::stores::Stores;
use crate::ext::{KeyRange, StoreExt};
use crate::key::{Context, DataContext, DataKey, InstanceId, VersionId};
use crate::spi::{Error, ErrorKind, Result, Step, Store, Value, WriteBatch, visitor};
use crate::version::{Flow, Versioned, record};

/// A batch of moved entries ends at this many bytes or keys.
const BYTES_AT_ONCE: usize = 4 << 20;
const KEYS_AT_ONCE: usize = 4096;

/// What was moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Archived {
    /// How many entries.
    pub entries: u64,
    /// How many bytes of keys and values.
    pub bytes: u64,
}

impl Versioned<Tiered> {
    /// Moves what was written at a committed version to the immutable stores of its instances; those that
    /// have none keep it. Every read answers as before, throughout. What was cut short goes on when this is
    /// called again.
    ///
    /// `progress` is told what was moved so far, and may end the work by breaking.
    ///
    /// # Errors
    /// `InvalidArgument` when the version is open; `Corrupt` when the immutable store has something else
    /// under a key that is to go there.
    pub fn archive(
        &self,
        version: VersionId,
        progress: &mut dyn FnMut(Archived) -> Flow,
    ) -> Result<Archived> {
        let dag = self.dag()?;
        let node = dag.version(version)?;
        if node.committed.is_none() {
            return Err(Error::new(
                ErrorKind::InvalidArgument,
                "a version must be committed before it is archived",
            )
            .with("version", node.uuid.simple()));
        }
        let mut moved = Archived::default();
        for instance in dag.instances().filter(|instance| instance.repo == node.repo && instance.versioned) {
            if self.store().0.archive(instance.id, version, &mut moved, progress)?.is_break() {
                break;
            }
        }
        Ok(moved)
    }
}

impl Stores {
    fn archive(
        &self,
        instance: InstanceId,
        version: VersionId,
        moved: &mut Archived,
        progress: &mut dyn FnMut(Archived) -> Flow,
    ) -> Result<Flow> {
        let route = self.routes.read().unwrap_or_else(PoisonError::into_inner).of(instance);
        let Some(archive) = route.immutable.filter(|archive| *archive != route.mutable) else {
            return Ok(ControlFlow::Continue(()));
        };
        self.note(instance, version)?;
        let (from, to) = (&*self.members[route.mutable].store, &*self.members[archive].store);
        let mut range = DataContext::unversioned(instance).key_range();
        loop {
            let (puts, last) = entries_at(from, &range, version)?;
            if puts.ops().is_empty() {
                return Ok(ControlFlow::Continue(()));
            }
            let mut deletes = WriteBatch::new();
            for op in puts.ops() {
                if let crate::spi::Op::Put { key, value } = op {
                    // What a crash has left behind is there already, and is the same.
                    if to.get(key)?.is_some_and(|there| there != value) {
                        return Err(Error::new(
                            ErrorKind::Corrupt,
                            "the archive has another value for a key",
                        )
                        .with_key("key", key));
                    }
                    deletes.delete(key);
                }
            }
            // It is in its new place, as durably as that can be, before it leaves the old one.
            to.write(&puts)?;
            from.write(&deletes)?;
            moved.entries += puts.ops().len() as u64;
            moved.bytes += puts.bytes() as u64;
            if progress(*moved).is_break() {
                return Ok(ControlFlow::Break(()));
            }
            let Some(last) = last else { return Ok(ControlFlow::Continue(())) };
            range = KeyRange::between(std::ops::Bound::Excluded(last), range.end().map(<[u8]>::to_vec));
        }
    }

    /// Has readers look into the archive, before anything goes there.
    fn note(&self, instance: InstanceId, version: VersionId) -> Result<()> {
        let _one_at_a_time = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let key = record::numbered_twice(record::ARCHIVED, instance.0, version.0);
        self.members[self.metadata].store.put(key, Vec::new())?;
        self.routes.write().unwrap_or_else(PoisonError::into_inner).archived.insert((instance, version));
        Ok(())
    }
}

/// Some of the entries at a version, as puts; and the last key that was looked at, unless it was the last one.
fn entries_at(
    store: &dyn Store,
    range: &KeyRange,
    version: VersionId,
) -> Result<(WriteBatch, Option<Vec<u8>>)> {
    let mut puts = WriteBatch::new();
    let mut last = None;
    let mut collect = visitor(|key: &[u8], value: Value<'_>| {
        if DataKey::parse(key)?.version == version {
            puts.put(key, value.to_bytes()?);
        }
        if puts.ops().len() >= KEYS_AT_ONCE || puts.bytes() >= BYTES_AT_ONCE {
            last = Some(key.to_vec());
            return Ok(Step::Stop);
        }
        Ok(Step::Next)
    });
    store.view()?.scan(range.scan(), &mut collect)?;
    Ok((puts, last))
}
