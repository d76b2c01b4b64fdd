//! Writing blocks, from many threads and processes at once.

mod publish;
mod waiting;

pub(crate) use waiting::Held;

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use chunks::Coords;
use engine_api::embedded::Lock;
use engine_api::{Error, ErrorKind, Result};

use crate::blosc::{Compression, FrameHeader, decode, encode};
use crate::frames::{check_length, read_extent};
use crate::opened::Opened;
use crate::records::Commit;
use crate::volume::{BlockFs, BlockState};
use waiting::Waiting;

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
}

impl Drop for BlockWriter {
    fn drop(&mut self) {
        // Whoever wants to know calls `close`; what isn't committed is known to be lost.
        drop(self.flush());
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
