//! Removing objects, and what belongs to no object any more.

use std::ops::ControlFlow;

use chrono::{DateTime, Utc};
use engine_api::key::TKey;
use engine_api::version::Resolved;
use engine_api::{Error, ErrorKind, Fetch, Result};
use object_store::path::Path;

use crate::core::{ATTEMPTS, Core, resolve_object, with_blocks};
use crate::error::{OfObject, failed};
use crate::generation::Generation;
use crate::intent::{Intent, Work};
use crate::keys;
use crate::record::{Content, Record, now};
use crate::space::{Entry, Reading, Writes};
use crate::write::{Held, overtaken};

/// Blocks that go with the batch that takes their object away, or after it.
#[derive(Debug)]
pub(crate) enum Doomed {
    /// All of them, which fit into the batch.
    Now(Vec<TKey>),
    /// Too many: the batch leaves an intent.
    Later(Generation),
}

impl Doomed {
    pub(crate) fn apply(&self, batch: &mut Writes) -> Result<()> {
        match self {
            Self::Now(keys) => keys.iter().for_each(|key| _ = batch.delete(key.clone())),
            Self::Later(generation) => {
                let intent = Intent { begun: now(), work: Work::Removal };
                batch.put(keys::intent(*generation), intent.encode()?);
            }
        }
        Ok(())
    }
}

/// An intent that was found.
#[derive(Clone, Debug)]
pub(crate) struct Underway {
    pub(crate) held: Held,
    pub(crate) intent: Intent,
}

/// What a sweep has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Swept {
    /// Uploads and large puts that were abandoned and are taken back.
    pub abandoned: u64,
    /// Removals that were cut short and are done.
    pub removals: u64,
    /// Blocks that were removed.
    pub blocks: u64,
}

impl Core {
    /// What to do with the blocks of an object, of which `room` fit into a batch.
    pub(crate) fn doom(&self, reading: &dyn Reading, record: &Record, room: usize) -> Result<Doomed> {
        let later = Ok(Doomed::Later(record.generation));
        let mut keys = block_keys(reading, record.generation, room.saturating_add(1))?;
        if let (Content::Blocks(layout), false) = (&record.content, self.reads_one_state()) {
            // Half of the commit that brought the object may be what was seen of its blocks.
            let mut position = 0;
            while let Some(block) = layout.block_at(position) {
                if keys.len() > room.saturating_mul(2) {
                    return later;
                }
                keys.push(keys::block(record.generation, block.slot, block.number));
                position = block.extent.end;
            }
            keys.sort_unstable();
            keys.dedup();
        }
        if keys.len() > room { later } else { Ok(Doomed::Now(keys)) }
    }

    /// Removes what a batch has left to be removed.
    pub(crate) fn finish(&self, doomed: Option<&Doomed>) {
        if let Some(Doomed::Later(generation)) = doomed {
            // The intent stays where it fails, for a sweep; the object is already what the caller wanted.
            self.remove_blocks(*generation).unwrap_or(0);
        }
    }

    /// Removes the blocks of a generation that no object has, and then its intent; answers how many there were.
    fn remove_blocks(&self, generation: Generation) -> Result<u64> {
        let mut removed = 0;
        let room = (self.batch_ops / 2).max(1);
        loop {
            let keys = self.reading(|reading| block_keys(reading, generation, room))?;
            let last = keys.len() < room;
            let mut batch = Writes::default();
            removed += keys.len() as u64;
            for key in keys {
                batch.delete(key);
            }
            if last {
                batch.delete(keys::intent(generation));
            }
            self.space.commit(&batch)?;
            if last {
                return Ok(removed);
            }
        }
    }

    /// Ends work on an object that isn't visible yet, and removes its blocks; answers how many there were.
    ///
    /// # Errors
    /// `Conflict` when it was ended already.
    pub(crate) fn withdraw(&self, held: &Held) -> Result<u64> {
        let mut batch = held.batch();
        Doomed::Later(held.generation).apply(&mut batch)?;
        self.commit(&batch)?;
        self.remove_blocks(held.generation)
    }

    /// Removes an object; one that isn't there is no error.
    pub(crate) fn delete(&self, path: &Path) -> object_store::Result<()> {
        for attempt in 0..ATTEMPTS {
            let mut batch = Writes::default();
            let doomed = self.delete_as_stored(path, &mut batch).of(path.as_ref())?;
            if batch.ops.is_empty() {
                return Ok(());
            }
            match self.space.commit(&batch) {
                Ok(()) => {
                    self.finish(doomed.as_ref());
                    return Ok(());
                }
                Err(error) if error.kind() == ErrorKind::Conflict => Self::back_off(attempt),
                Err(error) => return Err(failed(path.as_ref(), error)),
            }
        }
        Err(failed(path.as_ref(), overtaken()))
    }

    /// Adds the removal of an object, as it is stored, to a batch.
    pub(crate) fn add_delete(
        &self,
        path: &Path,
        stored: Resolved,
        batch: &mut Writes,
    ) -> Result<Option<Doomed>> {
        if !stored.is_visible() {
            return Ok(None);
        }
        let old = with_blocks(&stored)?;
        let doomed = old
            .map(|old| self.reading(|reading| self.doom(reading, &old, self.batch_ops / 4)))
            .transpose()?;
        let tkey = keys::object(path.as_ref());
        batch.require(tkey.clone(), stored).delete(tkey);
        if let Some(doomed) = &doomed {
            doomed.apply(batch)?;
        }
        Ok(doomed)
    }

    fn delete_as_stored(&self, path: &Path, batch: &mut Writes) -> Result<Option<Doomed>> {
        let stored = self.reading(|reading| resolve_object(reading, path.as_ref()))?;
        self.add_delete(path, stored, batch)
    }

    /// Removes objects, as many in a batch as fit; one outcome each.
    pub(crate) fn delete_many(&self, paths: &[Path]) -> Vec<object_store::Result<()>> {
        if let [path] = paths {
            return vec![self.delete(path)];
        }
        let mut outcomes = Vec::with_capacity(paths.len());
        let mut rest = paths;
        while !rest.is_empty() {
            let mut batch = Writes::default();
            let mut doomed = Vec::new();
            let mut count = 0;
            for path in rest {
                // One that fails to be read fails again by itself, below.
                let Ok(with_it) = self.delete_as_stored(path, &mut batch) else { break };
                doomed.extend(with_it);
                count += 1;
                if batch.ops.len() >= self.batch_ops / 4 {
                    break;
                }
            }
            let (group, others) = rest.split_at(count.max(1).min(rest.len()));
            rest = others;
            if count > 1 && (batch.ops.is_empty() || self.space.commit(&batch).is_ok()) {
                for doomed in &doomed {
                    self.finish(Some(doomed));
                }
                outcomes.extend(group.iter().map(|_| Ok(())));
            } else {
                outcomes.extend(group.iter().map(|path| self.delete(path)));
            }
        }
        outcomes
    }

    /// Work that is under way, or was cut short.
    pub(crate) fn underway(&self) -> Result<Vec<Result<Underway>>> {
        self.reading(|reading| {
            let mut found = Vec::new();
            reading.visit(&keys::INTENT.range(), Fetch::Keys, &mut |tkey, _| {
                found.push(keys::generation_of(tkey));
                Ok(ControlFlow::Continue(()))
            })?;
            let read = |generation: Result<Generation>| {
                let generation = generation?;
                let stored = reading.resolve(&keys::intent(generation))?;
                let Some(value) = stored.clone().into_value()? else { return Ok(None) };
                Ok(Some(Underway { intent: Intent::decode(&value)?, held: Held { generation, stored } }))
            };
            Ok(found.into_iter().filter_map(|generation| read(generation).transpose()).collect())
        })
    }

    /// Takes back what was begun before a moment and isn't done, and goes on with removals that were cut short.
    ///
    /// # Errors
    /// The first failure; what comes after it is swept all the same.
    pub(crate) fn sweep(&self, begun_before: DateTime<Utc>) -> Result<Swept> {
        let mut swept = Swept::default();
        let mut failure = None;
        for underway in self.underway()? {
            let outcome = underway.and_then(|Underway { held, intent }| match intent.work {
                Work::Removal => self.remove_blocks(held.generation).map(|blocks| (0, 1, blocks)),
                Work::Put(_) | Work::Upload(_) if intent.begun < begun_before => {
                    match self.withdraw(&held) {
                        // It was completed, or ended by somebody else, since it was listed.
                        Err(error) if error.kind() == ErrorKind::Conflict => Ok((0, 0, 0)),
                        outcome => outcome.map(|blocks| (1, 0, blocks)),
                    }
                }
                Work::Put(_) | Work::Upload(_) => Ok((0, 0, 0)),
            });
            match outcome {
                Ok((abandoned, removals, blocks)) => {
                    swept.abandoned += abandoned;
                    swept.removals += removals;
                    swept.blocks += blocks;
                }
                Err(error) => _ = failure.get_or_insert(error),
            }
        }
        failure.map_or(Ok(swept), Err)
    }
}

/// The keys of a generation's blocks, so many at most.
fn block_keys(reading: &dyn Reading, generation: Generation, most: usize) -> Result<Vec<TKey>> {
    let mut keys = Vec::new();
    reading.visit(&keys::blocks(generation), Fetch::Keys, &mut |tkey, entry| {
        if let Entry::Conflict(_) = entry {
            return Err(Error::new(ErrorKind::Corrupt, "a block has two values").with_key("key", tkey));
        }
        keys.push(TKey::from(tkey));
        Ok(if keys.len() < most { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
    })?;
    Ok(keys)
}
