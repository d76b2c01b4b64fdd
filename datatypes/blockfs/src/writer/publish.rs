//! Places at the end of block files, and what says where blocks are: all that writers do under a lock that they share.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, OnceLock};

use engine_api::embedded::write_all_at;
use engine_api::{Error, ErrorKind, Result};

use super::{BlockWriter, lock};
use crate::frames::open_block_file;
use crate::opened::Place;
use crate::records::Commit;
use crate::table::Extent;

impl BlockWriter {
    /// Takes a place at the end of the block file and writes the frame there.
    pub(crate) fn append(&self, index: u64, frame: &[u8]) -> Result<Commit> {
        self.check_poison()?;
        let size = u32::try_from(frame.len())
            .map_err(|_| Error::new(ErrorKind::TooLarge, "a frame is too long").with("bytes", frame.len()))?;
        let file = self.opened.head.file_of(index);
        let extent = self.claim(file, index, size)?;
        if let Err(error) = write_all_at(self.data_file(file)?, frame, extent.offset) {
            self.give_back(file, index, extent);
            return Err(Error::from_io(error, "a block can't be written").with("offset", extent.offset));
        }
        Ok(Commit { extent, sum: crc32c::crc32c(frame), deleted: false })
    }

    pub(crate) fn append_deletion(&self, index: u64) -> Result<Commit> {
        self.check_poison()?;
        let extent = self.claim(self.opened.head.file_of(index), index, 0)?;
        Ok(Commit { extent, sum: 0, deleted: true })
    }

    /// Makes the block file longer by `size`, and notes that a write of the block has begun there. Nobody else gets these
    /// bytes: if this process ends before it has written them, they are a hole.
    fn claim(&self, file: usize, index: u64, size: u32) -> Result<Extent> {
        let table = &self.opened.head.table;
        self.with_file(file, |file| {
            let failed = |error| Error::from_io(error, "the block file can't be made longer");
            let end = file.metadata().map_err(failed)?.len();
            let extent = Extent { offset: end.max(self.known_end(index)), size };
            if size == 0 {
                return Ok(extent);
            }
            table.check(extent)?;
            file.set_len(extent.offset + u64::from(size)).map_err(failed)?;
            if let Some(records) = &self.opened.records
                && let Err(error) = records.begin(index, Some(extent))
            {
                file.set_len(end).map_err(failed)?;
                return Err(error);
            }
            Ok(extent)
        })
    }

    /// Takes back blocks that were written and won't be handed over, so that nobody takes them for lost.
    pub(crate) fn abandon(&self, commits: &[(u64, Commit)]) {
        for (index, commit) in commits.iter().rev().filter(|(_, commit)| !commit.deleted) {
            self.give_back(self.opened.head.file_of(*index), *index, commit.extent);
        }
    }

    /// Where that ends which was said of a block. A block file may be shorter after a power cut, and what is written later
    /// must have the greater offset.
    fn known_end(&self, index: u64) -> u64 {
        let entry = self.opened.head.table.read(&self.opened.directory, index).ok().flatten();
        let record = self.opened.records.as_ref().and_then(|records| records.read(index).ok());
        let committed = record.and_then(|record| record.committed).map(|commit| commit.extent);
        entry
            .into_iter()
            .chain(committed)
            .map(|extent| extent.offset + u64::from(extent.size))
            .max()
            .unwrap_or(0)
    }

    /// Takes back that a write was begun. Its bytes stay a hole: an offset that others have seen is never given out again.
    fn give_back(&self, file: usize, index: u64, extent: Extent) {
        let taken_back = self.with_file(file, |_| match &self.opened.records {
            Some(records) if records.read(index)?.begun == Some(extent) => records.begin(index, None),
            _ => Ok(()),
        });
        // The caller is told why the write failed, which is why this does.
        drop(taken_back);
    }

    pub(super) fn commit(&self, commits: &BTreeMap<u64, Commit>) -> Result<()> {
        if commits.is_empty() {
            return Ok(());
        }
        let files: BTreeSet<usize> = commits
            .iter()
            .filter(|(_, commit)| !commit.deleted)
            .map(|(index, _)| self.opened.head.file_of(*index))
            .collect();
        for file in files {
            if let Err(error) = self.data_file(file)?.sync_data() {
                // The system has told it once, and takes the pages for written from now on.
                self.poisoned.store(true, Ordering::Release);
                return Err(Error::from_io(error, "blocks can't be forced to the disk"));
            }
        }
        let mut by_file: BTreeMap<usize, Vec<(u64, Commit)>> = BTreeMap::new();
        for (index, commit) in commits {
            by_file.entry(self.opened.head.file_of(*index)).or_default().push((*index, *commit));
        }
        for (file, commits) in by_file {
            for commits in commits.chunks(LOCKED_COMMITS) {
                self.with_file(file, |_| {
                    commits.iter().try_for_each(|(index, commit)| self.publish(*index, commit))
                })?;
            }
        }
        let failed = |error| Error::from_io(error, "what was committed can't be forced to the disk");
        if let Some(records) = &self.opened.records {
            records.file().sync_data().map_err(failed)?;
        }
        self.opened.directory.sync_data().map_err(failed)
    }

    /// Says where a block is, under the lock of its block file, unless a later place was said already.
    fn publish(&self, index: u64, commit: &Commit) -> Result<()> {
        let written = match self.opened.place(index) {
            Ok(Place::Committed(other)) => Some(other.extent.offset),
            Ok(Place::Unchecked { extent, .. }) => Some(extent.offset),
            // What is damaged is written over.
            Ok(Place::Missing | Place::Begun) | Err(_) => None,
        };
        let deleted = match &self.opened.records {
            Some(records) => records.read(index).ok().and_then(|record| record.committed),
            None => None,
        };
        // A deletion takes no bytes: what lies where the file ended then was written after it.
        let is_later =
            |offset: u64| offset > commit.extent.offset || (commit.deleted && offset == commit.extent.offset);
        if written.is_some_and(is_later)
            || deleted.is_some_and(|other| other.extent.offset > commit.extent.offset)
        {
            return Ok(());
        }
        if let Some(records) = &self.opened.records {
            records.commit(index, commit)?;
        }
        let entry = (!commit.deleted).then_some(commit.extent);
        self.opened.head.table.write(&self.opened.directory, index, entry)
    }

    /// Runs `work` while no other writer of any process is at the block file.
    fn with_file<T>(&self, number: usize, work: impl FnOnce(&File) -> Result<T>) -> Result<T> {
        let failed = |error| Error::from_io(error, "a block file can't be locked");
        let file = lock(slot(&self.files, number, || open_block_file(&self.opened, number).map(Mutex::new))?);
        file.lock().map_err(failed)?;
        let result = work(&file);
        file.unlock().map_err(failed)?;
        result
    }

    /// The block file for reads and writes of what was claimed, which need no lock.
    fn data_file(&self, number: usize) -> Result<&File> {
        slot(&self.data, number, || open_block_file(&self.opened, number))
    }
}

/// The most blocks that are published before others get the lock.
const LOCKED_COMMITS: usize = 256;

fn slot<T>(slots: &[OnceLock<T>], number: usize, open: impl FnOnce() -> Result<T>) -> Result<&T> {
    let slot = slots.get(number).ok_or_else(|| {
        Error::new(ErrorKind::Internal, "there is no such block file").with("number", number)
    })?;
    if let Some(open) = slot.get() {
        return Ok(open);
    }
    let opened = open()?;
    Ok(slot.get_or_init(|| opened))
}
