//! Writing objects: blocks first, and the record that makes them visible in the last batch.

use bytes::Bytes;
use engine_api::version::Resolved;
use engine_api::{Error, ErrorKind, Result};
use object_store::path::Path;
use object_store::{Attributes, PutMode, PutPayload};

use crate::block::{self, Cutter};
use crate::core::{ATTEMPTS, Core, resolve_object, with_blocks};
use crate::error::{OfObject, already_exists, failed, precondition};
use crate::generation::Generation;
use crate::intent::{Intent, Target, Work};
use crate::keys;
use crate::layout::Layout;
use crate::record::{Content, INLINE_BYTES, Record, now};
use crate::space::Writes;

/// An intent as it is stored: batches require it, so that whoever replaces it ends the work.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) generation: Generation,
    pub(crate) stored: Resolved,
}

impl Held {
    /// A batch that is made only while the intent is as it was.
    pub(crate) fn batch(&self) -> Writes {
        let mut writes = Writes::default();
        writes.require(keys::intent(self.generation), self.stored.clone());
        writes
    }
}

impl Core {
    /// Stores an object.
    pub(crate) fn put(
        &self,
        path: &Path,
        payload: PutPayload,
        mode: &PutMode,
        attributes: Attributes,
    ) -> object_store::Result<Generation> {
        let length = payload.content_length();
        let blocks = Cutter::new(payload, self.block_len()).map(Ok);
        self.put_blocks(path, mode, attributes, length as u64, blocks, Writes::default())
    }

    /// The bytes of a block.
    pub(crate) fn block_len(&self) -> usize {
        usize::try_from(self.block_bytes).unwrap_or(usize::MAX)
    }

    /// Stores an object that comes in blocks, and makes other writes with the batch that makes it visible.
    pub(crate) fn put_blocks(
        &self,
        path: &Path,
        mode: &PutMode,
        attributes: Attributes,
        length: u64,
        blocks: impl Iterator<Item = object_store::Result<Vec<u8>>>,
        with: Writes,
    ) -> object_store::Result<Generation> {
        self.check_path(path)?;
        let generation = Generation::new();
        let mut record =
            Record { generation, last_modified: now(), attributes, content: Content::Inline(Bytes::new()) };
        if length <= INLINE_BYTES as u64 {
            let whole = blocks.collect::<object_store::Result<Vec<_>>>()?.concat();
            record.content = Content::Inline(whole.into());
            return self.publish(path, mode, &record, &with).map(|()| generation);
        }
        record.content = Content::Blocks(Layout::of_one(self.block_bytes, length).of(path.as_ref())?);
        let count = usize::try_from(length.div_ceil(self.block_bytes.into())).unwrap_or(usize::MAX);
        let fits = usize::try_from(length).is_ok_and(|length| length <= self.batch_bytes)
            && count <= self.batch_ops / 2;
        if fits {
            let mut writes = with;
            for (number, data) in (0..).zip(blocks) {
                let tkey = keys::block(generation, 0, number);
                let value = block::seal(&tkey, data?);
                writes.put(tkey, value);
            }
            return self.publish(path, mode, &record, &writes).map(|()| generation);
        }
        self.put_large(path, mode, &record, blocks, with).map(|()| generation)
    }

    /// Stores an object that takes several batches, under an intent.
    fn put_large(
        &self,
        path: &Path,
        mode: &PutMode,
        record: &Record,
        blocks: impl Iterator<Item = object_store::Result<Vec<u8>>>,
        with: Writes,
    ) -> object_store::Result<()> {
        // A put that can't succeed is refused before all of it is written.
        self.reading(|reading| resolve_object(reading, path.as_ref()))
            .of(path.as_ref())
            .and_then(|stored| judge(path, mode, &stored))?;
        let target = self.target(path, record.attributes.clone());
        let held = self.begin(record.generation, Work::Put(target)).of(path.as_ref())?;
        let written = self.write_blocks(path, &held, 0, blocks, held.batch()).and_then(|mut last| {
            last.delete(keys::intent(held.generation));
            last.append(with);
            self.publish(path, mode, record, &last)
        });
        if written.is_err() {
            // What can't be taken back now is taken back by a sweep; the caller is told why the put failed.
            self.withdraw(&held).unwrap_or(0);
        }
        written
    }

    /// What an object that is being written will be.
    pub(crate) fn target(&self, path: &Path, attributes: Attributes) -> Target {
        Target { path: path.as_ref().to_owned(), block_bytes: self.block_bytes, attributes }
    }

    /// Records that work on a generation begins.
    pub(crate) fn begin(&self, generation: Generation, work: Work) -> Result<Held> {
        let tkey = keys::intent(generation);
        let mut writes = Writes::default();
        writes.require(tkey.clone(), Resolved::Absent);
        writes.put(tkey.clone(), Intent { begun: now(), work }.encode()?);
        self.commit(&writes)?;
        let stored = self.reading(|reading| reading.resolve(&tkey))?;
        Ok(Held { generation, stored })
    }

    /// Writes the blocks of a part in as many batches as it takes, beginning with `batch`; answers the last one, which
    /// isn't made yet.
    pub(crate) fn write_blocks(
        &self,
        path: &Path,
        held: &Held,
        slot: u64,
        blocks: impl Iterator<Item = object_store::Result<Vec<u8>>>,
        mut batch: Writes,
    ) -> object_store::Result<Writes> {
        for (number, data) in (0..).zip(blocks) {
            let data = data?;
            let full = batch.ops.len() >= self.batch_ops / 2 || batch.bytes() + data.len() > self.batch_bytes;
            if full && !batch.ops.is_empty() {
                let made = std::mem::replace(&mut batch, held.batch());
                self.commit(&made).map_err(ended).of(path.as_ref())?;
            }
            let tkey = keys::block(held.generation, slot, number);
            let value = block::seal(&tkey, data);
            batch.put(tkey, value);
        }
        Ok(batch)
    }

    /// Makes `writes` together with a record, which takes the place of the one that is there.
    pub(crate) fn publish(
        &self,
        path: &Path,
        mode: &PutMode,
        record: &Record,
        writes: &Writes,
    ) -> object_store::Result<()> {
        let tkey = keys::object(path.as_ref());
        let value = Bytes::from(record.encode().of(path.as_ref())?);
        let room = self.batch_ops.saturating_sub(writes.ops.len() + 2);
        for attempt in 0..ATTEMPTS {
            let (stored, doomed) = self
                .reading(|reading| {
                    let stored = resolve_object(reading, path.as_ref())?;
                    // A record that moves keeps its blocks.
                    let old = with_blocks(&stored)?.filter(|old| old.generation != record.generation);
                    let doomed = old.map(|old| self.doom(reading, &old, room)).transpose()?;
                    Ok((stored, doomed))
                })
                .of(path.as_ref())?;
            judge(path, mode, &stored)?;
            let mut batch = writes.clone();
            batch.require(tkey.clone(), stored).put(tkey.clone(), value.clone());
            if let Some(doomed) = &doomed {
                doomed.apply(&mut batch).of(path.as_ref())?;
            }
            match self.space.commit(&batch) {
                Ok(()) => {
                    self.finish(doomed.as_ref());
                    return Ok(());
                }
                Err(error) if error.kind() == ErrorKind::Conflict => {
                    if !self.holds(writes).of(path.as_ref())? {
                        return Err(failed(path.as_ref(), ended(error)));
                    }
                    Self::back_off(attempt);
                }
                Err(error) => return Err(failed(path.as_ref(), error)),
            }
        }
        Err(failed(path.as_ref(), overtaken()))
    }
}

/// Refuses a write whose mode what is stored doesn't admit.
fn judge(path: &Path, mode: &PutMode, stored: &Resolved) -> object_store::Result<()> {
    match mode {
        PutMode::Create if stored.is_visible() => Err(already_exists(path.as_ref())),
        PutMode::Overwrite | PutMode::Create => Ok(()),
        PutMode::Update(expected) => {
            let Some(e_tag) = expected.e_tag.as_deref() else {
                let error =
                    Error::new(ErrorKind::InvalidArgument, "an update names the ETag that it replaces");
                return Err(failed(path.as_ref(), error));
            };
            if expected.version.is_some() {
                return Err(precondition(path.as_ref(), "the object has no versions of its own"));
            }
            match stored {
                Resolved::Found { value, .. } => {
                    if Record::decode(value).of(path.as_ref())?.generation.e_tag() == e_tag {
                        return Ok(());
                    }
                    Err(precondition(path.as_ref(), "the object has another ETag by now"))
                }
                Resolved::Conflict { .. } => {
                    Err(precondition(path.as_ref(), "the object has several values at a merge"))
                }
                Resolved::Absent | Resolved::Deleted { .. } => {
                    Err(precondition(path.as_ref(), "there is no such object to be replaced"))
                }
            }
        }
    }
}

/// What is said when the intent of a write is gone, or what it was made from has changed.
pub(crate) fn ended(error: Error) -> Error {
    if error.kind() != ErrorKind::Conflict {
        return error;
    }
    Error::new(
        ErrorKind::Conflict,
        "what the write was made from has changed: its upload was ended or swept, or its source was replaced",
    )
    .caused_by(error)
}

/// What is said when others were faster each time.
#[cold]
pub(crate) fn overtaken() -> Error {
    Error::new(ErrorKind::Conflict, "other writers of the object were faster each time")
        .with("attempts", ATTEMPTS)
}
