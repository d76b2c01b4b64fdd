//! Writing blocks, from many threads and processes at once.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use chunks::Coords;
use engine_api::embedded::Lock;
use engine_api::{Error, ErrorKind, Result};

use crate::blosc::{Compression, FrameHeader, decode, encode};
use crate::frames::{check_length, open_block_file, read_extent};
use crate::io::write_at;
use crate::opened::{Opened, Place};
use crate::records::Commit;
use crate::table::Extent;
use crate::volume::{BlockFs, BlockState};

/// When what was written is committed without being asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WriterOptions {
    /// A flush happens when so many bytes of frames wait for it; 256 MiB.
    pub flush_bytes: u64,
    /// Or so many blocks; 65,536.
    pub flush_blocks: usize,
}

impl Default for WriterOptions {
    fn default() -> Self {
        Self { flush_bytes: 256 << 20, flush_blocks: 1 << 16 }
    }
}

/// Writes blocks of a volume.
///
/// There may be any number of writers, in any number of processes, and all methods may be called from several threads at
/// once. A block is compressed and written where it is given; it is committed, and seen by others, with the next
/// [`flush`](Self::flush). Of two who write one block, the one that took its place in the block file later is read.
///
/// A writer that is dropped flushes, and can't tell whether it could: [`close`](Self::close) does.
#[derive(Debug)]
pub struct BlockWriter {
    volume: BlockFs,
    opened: Opened,
    _shared: Lock,
    options: WriterOptions,
    compression: Compression,
    /// The block files, each with the lock that the threads of this writer take before that of the file.
    files: Vec<OnceLock<Mutex<File>>>,
    data: Vec<OnceLock<File>>,
    waiting: Mutex<Waiting>,
    /// Taken by whoever flushes.
    flushing: Mutex<()>,
    /// Taken by reads that a write depends on.
    exclusive: Mutex<()>,
    poisoned: AtomicBool,
}

/// What was written and isn't committed.
#[derive(Debug, Default)]
struct Waiting {
    commits: BTreeMap<u64, Commit>,
    /// What a flush that is under way has taken; it is still to be read from here.
    flushing: BTreeMap<u64, Commit>,
    bytes: u64,
}

impl Waiting {
    fn own(&self, index: u64) -> Option<Commit> {
        self.commits.get(&index).or_else(|| self.flushing.get(&index)).copied()
    }
}

impl BlockWriter {
    /// Opens a volume to be written; waits for a compaction that is under way.
    ///
    /// # Errors
    /// As [`BlockFs::open`]; `Unsupported` when the volume's compressor isn't known here; `InvalidArgument` when two of
    /// its blocks have one number.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_with(path, WriterOptions::default())
    }

    /// The same with options.
    pub fn open_with(path: impl AsRef<Path>, options: WriterOptions) -> Result<Self> {
        let volume = BlockFs::open(path)?;
        let (opened, shared) = Opened::open_shared(volume.path())?;
        if !opened.head.is_same_volume(&volume.current()?.head) {
            return Err(Error::new(
                ErrorKind::SnapshotExpired,
                "the volume was replaced while it was opened",
            ));
        }
        opened.head.check_strides()?;
        let compression = opened.head.compression()?;
        let count = opened.head.names.len();
        Ok(Self {
            files: (0..count).map(|_| OnceLock::new()).collect(),
            data: (0..count).map(|_| OnceLock::new()).collect(),
            volume,
            opened,
            _shared: shared,
            options,
            compression,
            waiting: Mutex::default(),
            flushing: Mutex::default(),
            exclusive: Mutex::default(),
            poisoned: AtomicBool::new(false),
        })
    }

    /// The volume, as it was committed.
    pub fn volume(&self) -> &BlockFs {
        &self.volume
    }

    /// Compresses a block and writes it: all its voxels that are [in the volume](BlockFs::block_region), in C order and
    /// little-endian. It is committed by the next flush.
    ///
    /// # Errors
    /// `InvalidArgument` for a block that is out of bounds or data of another length; `TooLarge` when the table can't
    /// say where the block would be: [`compact`](crate::compact) gives back what was rewritten. `Full` when the disk
    /// is. What was written before isn't lost.
    pub fn write_block(&self, block: &Coords, data: &[u8]) -> Result<()> {
        self.put_block(block, data).map_err(|error| error.with("block", block))?;
        self.flush_when_due()
    }

    fn put_block(&self, block: &Coords, data: &[u8]) -> Result<()> {
        let index = self.opened.head.index(block)?;
        check_length(&self.opened.head, block, data.len())?;
        let frame = encode(self.compression, self.opened.head.element.size(), data)?;
        let commit = self.append(index, &frame)?;
        self.wait_for_flush([(index, commit)]);
        Ok(())
    }

    /// Writes a block as a frame that somebody else has compressed, after it was decoded to see that it is one.
    ///
    /// # Errors
    /// As [`write_block`](Self::write_block); `Corrupt` for a frame that isn't one of this block.
    pub fn write_frame(&self, block: &Coords, frame: &[u8]) -> Result<()> {
        let put = || {
            let index = self.opened.head.index(block)?;
            let header = FrameHeader::read(frame)?;
            let mut voxels = chunks::zeroed(self.opened.head.block_bytes(block)?)?;
            if header.frame_bytes() != frame.len() {
                return Err(Error::new(ErrorKind::Corrupt, "the frame isn't as long as it says"));
            }
            decode(frame, &mut voxels)?;
            let commit = self.append(index, frame)?;
            self.wait_for_flush([(index, commit)]);
            Ok(())
        };
        put().map_err(|error: Error| error.with("block", block))?;
        self.flush_when_due()
    }

    /// Removes a block with the next flush, so that it reads as zero; one that was lost is missing then.
    pub fn delete_block(&self, block: &Coords) -> Result<()> {
        let index = self.opened.head.index(block)?;
        let commit = self.append_deletion(index)?;
        self.wait_for_flush([(index, commit)]);
        self.flush_when_due()
    }

    /// Reads a block as this writer has written it, committed or not; others as [`BlockFs::read_block`].
    ///
    /// # Errors
    /// As [`BlockFs::read_block`].
    pub fn read_block(&self, block: &Coords, out: &mut [u8]) -> Result<BlockState> {
        let index = self.opened.head.index(block)?;
        check_length(&self.opened.head, block, out.len())?;
        match self.own(index) {
            Some(commit) if commit.deleted => {
                out.fill(0);
                Ok(BlockState::Missing)
            }
            Some(commit) => {
                read_extent(&self.opened, index, commit.extent, Some(commit.sum), out)
                    .map_err(|error| error.with("block", block))?;
                Ok(BlockState::Committed)
            }
            None => self.volume.read_block(block, out),
        }
    }

    /// What is known of a block, with what this writer has written.
    pub fn block_state(&self, block: &Coords) -> Result<BlockState> {
        let index = self.opened.head.index(block)?;
        match self.own(index) {
            Some(commit) if commit.deleted => Ok(BlockState::Missing),
            Some(_) => Ok(BlockState::Committed),
            None => self.volume.block_state(block),
        }
    }

    /// Commits what was written before the call, for good: the blocks' bytes are forced to the disk first, and then what
    /// says where they are.
    ///
    /// # Errors
    /// `Io` and `Full` when the disk says so. Blocks that weren't committed are still waiting, and the next flush tries
    /// again; but where it is unknown which bytes have reached the disk, nothing of this writer can be committed any
    /// more, and all calls answer `Poisoned`.
    pub fn flush(&self) -> Result<()> {
        let _alone = lock(&self.flushing);
        self.check_poison()?;
        let taken = {
            let mut waiting = lock(&self.waiting);
            waiting.bytes = 0;
            waiting.flushing = std::mem::take(&mut waiting.commits);
            waiting.flushing.clone()
        };
        let committed = self.commit(&taken);
        let mut waiting = lock(&self.waiting);
        let flushed = std::mem::take(&mut waiting.flushing);
        if committed.is_err() {
            for (index, commit) in flushed {
                // What was written meanwhile is newer.
                waiting.bytes += u64::from(commit.extent.size);
                waiting.commits.entry(index).or_insert(commit);
            }
        }
        committed
    }

    /// Flushes, and lets go of the volume.
    ///
    /// # Errors
    /// As [`flush`](Self::flush).
    pub fn close(self) -> Result<()> {
        self.flush()
    }

    /// The blocks that were written and wait for a flush.
    pub fn waiting(&self) -> usize {
        let waiting = lock(&self.waiting);
        waiting.commits.len() + waiting.flushing.len()
    }

    pub(crate) fn opened(&self) -> &Opened {
        &self.opened
    }

    pub(crate) fn compression(&self) -> Compression {
        self.compression
    }

    pub(crate) fn exclusive(&self) -> MutexGuard<'_, ()> {
        lock(&self.exclusive)
    }

    fn own(&self, index: u64) -> Option<Commit> {
        lock(&self.waiting).own(index)
    }

    /// The numbers of the blocks that wait, and whether each is there then.
    pub(crate) fn own_states(&self) -> BTreeMap<u64, bool> {
        let waiting = lock(&self.waiting);
        let all = waiting.flushing.iter().chain(&waiting.commits);
        all.map(|(index, commit)| (*index, !commit.deleted)).collect()
    }

    /// Hands blocks over to the next flush, all at once.
    pub(crate) fn wait_for_flush(&self, commits: impl IntoIterator<Item = (u64, Commit)>) {
        self.hold().hand_over(commits);
    }

    /// Keeps all else that this writer writes from being handed over, until it is dropped.
    pub(crate) fn hold(&self) -> Held<'_> {
        Held { writer: self, waiting: lock(&self.waiting) }
    }

    pub(crate) fn flush_when_due(&self) -> Result<()> {
        let due = {
            let waiting = lock(&self.waiting);
            waiting.bytes >= self.options.flush_bytes || waiting.commits.len() >= self.options.flush_blocks
        };
        if due { self.flush() } else { Ok(()) }
    }

    fn check_poison(&self) -> Result<()> {
        if self.poisoned.load(Ordering::Acquire) {
            return Err(Error::new(
                ErrorKind::Poisoned,
                "the disk has refused blocks, and it isn't known which; open the volume again, and write them again",
            ));
        }
        Ok(())
    }

    /// Takes a place at the end of the block file and writes the frame there.
    pub(crate) fn append(&self, index: u64, frame: &[u8]) -> Result<Commit> {
        self.check_poison()?;
        let size = u32::try_from(frame.len())
            .map_err(|_| Error::new(ErrorKind::TooLarge, "a frame is too long").with("bytes", frame.len()))?;
        let file = self.opened.head.file_of(index);
        let extent = self.claim(file, index, size)?;
        if let Err(error) = write_at(self.data_file(file)?, frame, extent.offset) {
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

    fn commit(&self, commits: &BTreeMap<u64, Commit>) -> Result<()> {
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

/// A writer whose blocks nobody else hands over.
#[derive(Debug)]
pub(crate) struct Held<'a> {
    writer: &'a BlockWriter,
    waiting: MutexGuard<'a, Waiting>,
}

impl Held<'_> {
    pub(crate) fn hand_over(&mut self, commits: impl IntoIterator<Item = (u64, Commit)>) {
        for (index, commit) in commits {
            let other = self.waiting.commits.get(&index);
            if other.is_none_or(|other| other.extent.offset <= commit.extent.offset) {
                self.waiting.commits.insert(index, commit);
                self.waiting.bytes += u64::from(commit.extent.size);
            }
        }
    }

    /// Where a block is, as this writer sees it.
    pub(crate) fn place(&self, index: u64) -> Result<Place> {
        match self.waiting.own(index) {
            Some(commit) if commit.deleted => Ok(Place::Missing),
            Some(commit) => Ok(Place::Committed(commit)),
            None => self.writer.opened.place(index),
        }
    }
}

impl Drop for BlockWriter {
    fn drop(&mut self) {
        // Whoever wants to know calls `close`; what isn't committed is known to be lost.
        drop(self.flush());
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

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
