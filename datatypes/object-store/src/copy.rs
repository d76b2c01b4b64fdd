//! Copies and renames.

use engine_api::ErrorKind;
use engine_api::version::Resolved;
use object_store::path::Path;
use object_store::{PutMode, PutPayload};

use crate::block::Cutter;
use crate::core::{ATTEMPTS, Core, resolve_object};
use crate::error::{OfObject, already_exists, failed, not_found};
use crate::keys;
use crate::record::{Content, Record, now};
use crate::space::Writes;
use crate::write::overtaken;

impl Core {
    /// Copies an object.
    pub(crate) fn copy(&self, from: &Path, to: &Path, mode: &PutMode) -> object_store::Result<()> {
        for attempt in 0..ATTEMPTS {
            let (record, _) = self.source(from)?;
            match self.copy_record(from, &record, to, mode, Writes::default()) {
                Err(error) if is_overtaken(&error) => Self::back_off(attempt),
                outcome => return outcome,
            }
        }
        Err(failed(from.as_ref(), overtaken()))
    }

    /// Renames an object, in one batch.
    pub(crate) fn rename(&self, from: &Path, to: &Path, mode: &PutMode) -> object_store::Result<()> {
        self.check_path(to)?;
        for attempt in 0..ATTEMPTS {
            let (record, stored) = self.source(from)?;
            if from == to {
                return match mode {
                    PutMode::Create => Err(already_exists(to.as_ref())),
                    _ => Ok(()),
                };
            }
            match self.rename_record(from, (record, stored), to, mode) {
                Err(error) if is_overtaken(&error) => Self::back_off(attempt),
                outcome => return outcome,
            }
        }
        Err(failed(from.as_ref(), overtaken()))
    }

    fn source(&self, from: &Path) -> object_store::Result<(Record, Resolved)> {
        let stored = self.reading(|reading| resolve_object(reading, from.as_ref())).of(from.as_ref())?;
        let value = stored.clone().into_value().of(from.as_ref())?.ok_or_else(|| not_found(from.as_ref()))?;
        Ok((Record::decode(&value).of(from.as_ref())?, stored))
    }

    fn copy_record(
        &self,
        from: &Path,
        record: &Record,
        to: &Path,
        mode: &PutMode,
        with: Writes,
    ) -> object_store::Result<()> {
        let (size, page) = (record.size(), self.page_bytes());
        let step = u64::try_from(page).unwrap_or(u64::MAX);
        let starts =
            std::iter::successors(Some(0_u64), |at| at.checked_add(step)).take_while(|at| *at < size);
        // Pages are whole blocks, so that only the last block can be a short one.
        let blocks = starts.flat_map(|start| {
            let read = self.read_on(from, record, start..start.saturating_add(step).min(size));
            let (page, failure) = match read {
                Ok(bytes) => (PutPayload::from_bytes(bytes), None),
                Err(error) => (PutPayload::default(), Some(Err(error))),
            };
            Cutter::new(page, self.block_len()).map(Ok).chain(failure)
        });
        self.put_blocks(to, mode, record.attributes.clone(), size, blocks, with).map(|_| ())
    }

    fn rename_record(
        &self,
        from: &Path,
        (record, stored): (Record, Resolved),
        to: &Path,
        mode: &PutMode,
    ) -> object_store::Result<()> {
        let mut with = Writes::default();
        if self.space.blocks_may_move() || matches!(record.content, Content::Inline(_)) {
            let tkey = keys::object(from.as_ref());
            with.require(tkey.clone(), stored).delete(tkey);
            return self.publish(to, mode, &Record { last_modified: now(), ..record }, &with);
        }
        let doomed = self.add_delete(from, stored, &mut with).of(from.as_ref())?;
        self.copy_record(from, &record, to, mode, with)?;
        self.finish(doomed.as_ref());
        Ok(())
    }
}

/// Whether an operation failed because its source was replaced meanwhile, so that it can be made from the new one.
fn is_overtaken(error: &object_store::Error) -> bool {
    let object_store::Error::Generic { source, .. } = error else { return false };
    source
        .downcast_ref::<engine_api::Error>()
        .is_some_and(|error| matches!(error.kind(), ErrorKind::Conflict | ErrorKind::SnapshotExpired))
}
