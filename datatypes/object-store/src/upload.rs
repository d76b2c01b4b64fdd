//! Uploads in parts, which may come in any order and at once.

use engine_api::version::Resolved;
use engine_api::{Error, ErrorKind, Fetch, Result};
use object_store::path::Path;
use object_store::{Attributes, PutMode, PutPayload};
use std::collections::HashSet;
use std::ops::ControlFlow;

use crate::block::{self, Cutter};
use crate::core::Core;
use crate::error::{OfObject, failed};
use crate::generation::Generation;
use crate::intent::{Intent, Target, Work};
use crate::keys::{self, LENGTH};
use crate::layout::{Layout, Run};
use crate::record::{Content, Record, now};
use crate::space::{Reading, Writes};
use crate::write::{Held, ended};

/// The slots that parts get whose own are taken: by an attempt that failed, or one at the same time.
const SPARE_SLOTS: u64 = 1 << 63;
/// How many of them are tried. They are random: a second one is hardly ever needed.
const SPARE_ATTEMPTS: u32 = 8;

/// The most bytes of a length: what stands there while a part is being written has none.
const LENGTH_BYTES: u64 = 8;

impl Core {
    /// Begins an upload.
    pub(crate) fn create_upload(
        &self,
        path: &Path,
        attributes: Attributes,
    ) -> object_store::Result<Generation> {
        self.check_path(path)?;
        let target = self.target(path, attributes);
        let held = self.begin(Generation::new(), Work::Upload(target)).of(path.as_ref())?;
        Ok(held.generation)
    }

    /// An upload that is under way.
    fn upload(&self, path: &Path, generation: Generation) -> object_store::Result<(Held, Target)> {
        let stored = self.reading(|reading| reading.resolve(&keys::intent(generation))).of(path.as_ref())?;
        let value = stored.clone().into_value().of(path.as_ref())?;
        let intent = value.map(|value| Intent::decode(&value)).transpose().of(path.as_ref())?;
        match intent.map(|intent| intent.work) {
            Some(Work::Upload(target)) if target.path == path.as_ref() => {
                Ok((Held { generation, stored }, target))
            }
            _ => Err(failed(path.as_ref(), no_upload(generation))),
        }
    }

    /// Writes a part; answers the slot that it got.
    pub(crate) fn put_part(
        &self,
        path: &Path,
        generation: Generation,
        index: u64,
        payload: &PutPayload,
    ) -> object_store::Result<u64> {
        let (held, target) = self.upload(path, generation)?;
        let mut slot = index;
        if slot >= SPARE_SLOTS {
            let error = Error::new(ErrorKind::InvalidArgument, "a part of a number that is too large");
            return Err(failed(path.as_ref(), error.with("part", index)));
        }
        for _ in 0..SPARE_ATTEMPTS {
            let tkey = keys::block(generation, slot, LENGTH);
            let stored = self.reading(|reading| reading.resolve(&tkey)).of(path.as_ref())?;
            if !stored.is_visible() && self.write_part(path, &held, &target, slot, &stored, payload)? {
                return Ok(slot);
            }
            let (random, _) = engine_api::Uuid::new_v4().as_u64_pair();
            slot = random | SPARE_SLOTS;
        }
        Err(failed(path.as_ref(), Error::new(ErrorKind::Busy, "the slots of a part were all taken")))
    }

    /// Writes a part into a slot; answers whether it was free.
    fn write_part(
        &self,
        path: &Path,
        held: &Held,
        target: &Target,
        slot: u64,
        stored: &Resolved,
        payload: &PutPayload,
    ) -> object_store::Result<bool> {
        let tkey = keys::block(held.generation, slot, LENGTH);
        let length = payload.content_length() as u64;
        let block_bytes = usize::try_from(target.block_bytes).unwrap_or(usize::MAX);
        let blocks = Cutter::new(payload.clone(), block_bytes).map(Ok);
        let mut batch = held.batch();
        batch.require(tkey.clone(), stored.clone());
        let count = length.div_ceil(target.block_bytes.into());
        let fits = length <= self.batch_bytes as u64 && count < (self.batch_ops / 2) as u64;
        if !fits {
            // It takes several batches; the first of them takes the slot.
            batch.put(tkey.clone(), block::seal(&tkey, Vec::new()));
            match self.commit(&batch) {
                Ok(()) => batch = held.batch(),
                Err(error) => return self.is_taken(path, held, error),
            }
        }
        let mut last = self.write_blocks(path, held, slot, blocks, batch)?;
        let sealed = block::seal(&tkey, length.to_le_bytes().to_vec());
        last.put(tkey, sealed);
        match self.commit(&last) {
            Ok(()) => Ok(true),
            Err(error) => self.is_taken(path, held, error),
        }
    }

    /// Answers that a slot was taken, unless it was something else that made a commit fail.
    fn is_taken(&self, path: &Path, held: &Held, error: Error) -> object_store::Result<bool> {
        if error.kind() == ErrorKind::Conflict && self.holds(&held.batch()).of(path.as_ref())? {
            return Ok(false);
        }
        Err(failed(path.as_ref(), ended(error)))
    }

    /// Makes an object of the parts in these slots, in this order.
    pub(crate) fn complete_upload(
        &self,
        path: &Path,
        generation: Generation,
        slots: &[u64],
    ) -> object_store::Result<Generation> {
        let (held, target) = self.upload(path, generation)?;
        let room = (self.batch_ops / 2).max(1);
        let (layout, left_out) = self
            .reading(|reading| {
                let mut layout = Layout::new(target.block_bytes);
                for slot in slots {
                    let length = part_length(reading, generation, *slot)?;
                    layout.push(Run { slot: *slot, parts: 1, length })?;
                }
                Ok((layout, blocks_of_others(reading, generation, slots, room)?))
            })
            .of(path.as_ref())?;
        let record = Record {
            generation,
            last_modified: now(),
            attributes: target.attributes,
            content: Content::Blocks(layout),
        };
        let mut last = held.batch();
        last.delete(keys::intent(generation));
        let more = left_out.len() >= room;
        for key in left_out {
            last.delete(key);
        }
        self.publish(path, &PutMode::Overwrite, &record, &last)?;
        if more {
            // The object is complete; what can't be removed now goes with it.
            self.remove_others(generation, slots, room).unwrap_or(());
        }
        Ok(generation)
    }

    /// Removes the blocks of parts that an object was completed without.
    fn remove_others(&self, generation: Generation, slots: &[u64], room: usize) -> Result<()> {
        loop {
            let keys = self.reading(|reading| blocks_of_others(reading, generation, slots, room))?;
            if keys.is_empty() {
                return Ok(());
            }
            let mut batch = Writes::default();
            for key in keys {
                batch.delete(key);
            }
            self.commit(&batch)?;
        }
    }

    /// Ends an upload and removes what was uploaded.
    pub(crate) fn abort_upload(&self, path: &Path, generation: Generation) -> object_store::Result<()> {
        let (held, _) = self.upload(path, generation)?;
        self.withdraw(&held).map(|_| ()).map_err(ended).of(path.as_ref())
    }
}

/// The length of a part that was written to its end.
fn part_length(reading: &dyn Reading, generation: Generation, slot: u64) -> Result<u64> {
    let tkey = keys::block(generation, slot, LENGTH);
    let missing = || Error::new(ErrorKind::InvalidArgument, "a part wasn't uploaded").with("part", slot);
    let value = reading.resolve(&tkey)?.into_value()?.ok_or_else(missing)?;
    if block::open(&tkey, &value, 0).is_ok() {
        return Err(missing());
    }
    let length = block::open(&tkey, &value, LENGTH_BYTES)?;
    let length =
        length.try_into().map_err(|_| Error::new(ErrorKind::Corrupt, "a part's length is cut short"))?;
    Ok(u64::from_le_bytes(length))
}

/// The blocks of parts that aren't in these slots, of attempts that failed or were made again: so many at most.
fn blocks_of_others(
    reading: &dyn Reading,
    generation: Generation,
    slots: &[u64],
    room: usize,
) -> Result<Vec<engine_api::key::TKey>> {
    let listed: HashSet<[u8; 8]> = slots.iter().map(|slot| slot.to_be_bytes()).collect();
    let mut keys = Vec::new();
    reading.visit(&keys::blocks(generation), Fetch::Keys, &mut |tkey, _| {
        if tkey.get(17..25).is_none_or(|slot| !listed.contains(slot)) {
            keys.push(tkey.into());
        }
        Ok(if keys.len() < room { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
    })?;
    Ok(keys)
}

pub(crate) fn no_upload(id: impl std::fmt::Display) -> Error {
    Error::new(
        ErrorKind::NotFound,
        "there is no such upload: it was completed, aborted or swept, or never begun",
    )
    .with("upload", id)
}
