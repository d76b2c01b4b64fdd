//! What a volume has, and whether it can be read.

use std::sync::{Mutex, PoisonError};

use chunks::{Coords, for_each_parallel};
use engine_api::{Error, ErrorKind, Result};

use crate::opened::{Opened, Place};
use crate::progress::{Progress, Stage, Watch};
use crate::volume::{BlockFs, BlockState};

/// Blocks between two calls of the watcher.
const BATCH: usize = 1024;

/// The most damaged blocks that are named.
const MOST_DAMAGE: usize = 1000;

/// How many blocks are in which [state](BlockState).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Never written, or deleted.
    pub missing: u64,
    /// Committed, with a checksum.
    pub committed: u64,
    /// Written, and nothing but the frame says so.
    pub unchecked: u64,
    /// Begun by a writer that may still be there.
    pub pending: u64,
    /// Begun by a writer that isn't there any more.
    pub lost: u64,
    /// Of those that were committed: those of which a later write was begun and isn't committed.
    pub interrupted: u64,
    /// What is written about them, or they themselves, is damaged.
    pub damaged: u64,
    /// The bytes of the frames of all blocks that are written.
    pub bytes: u64,
}

/// A block that can't be read.
#[derive(Debug)]
pub struct Damage {
    /// The block.
    pub block: Coords,
    /// Why.
    pub error: Error,
}

/// What [`BlockFs::verify`] has found.
#[derive(Debug, Default)]
pub struct Verified {
    /// How many blocks there are of which kind.
    pub counts: Counts,
    /// Blocks that are damaged, in C order; the first thousand.
    pub damage: Vec<Damage>,
}

impl BlockFs {
    /// Counts the blocks by their states, by what is written about them.
    ///
    /// # Errors
    /// Those of the watcher, and of files that can't be read at all.
    pub fn counts(&self, watch: &mut Watch<'_>) -> Result<Counts> {
        self.walk(watch, false).map(|verified| verified.counts)
    }

    /// Reads every block, and compares it with its checksum where there is one.
    ///
    /// # Errors
    /// Those of the watcher, and of files that can't be read at all. Damaged blocks are what it is for.
    pub fn verify(&self, watch: &mut Watch<'_>) -> Result<Verified> {
        self.walk(watch, true)
    }

    fn walk(&self, watch: &mut Watch<'_>, read: bool) -> Result<Verified> {
        let grid = self.grid();
        let total = grid.chunk_count();
        let mut blocks = grid.chunks_in(&grid.bounds())?;
        let found = Mutex::new(Verified::default());
        let mut done = 0;
        loop {
            watch(Progress { stage: Stage::Blocks, done, total })?;
            let batch: Vec<Coords> = blocks.by_ref().take(BATCH).collect();
            if batch.is_empty() {
                break;
            }
            done += batch.len() as u64;
            let look =
                |buffer: &mut Vec<u8>, at: usize| self.look_at(&batch[at], read.then_some(buffer), &found);
            if read {
                for_each_parallel(batch.len(), grid.chunk_bytes().saturating_mul(3), Vec::new, look)?;
            } else {
                (0..batch.len()).try_for_each(|at| look(&mut Vec::new(), at))?;
            }
        }
        let mut found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
        found.damage.sort_by_key(|damage| damage.block);
        Ok(found)
    }

    fn look_at(&self, block: &Coords, buffer: Option<&mut Vec<u8>>, found: &Mutex<Verified>) -> Result<()> {
        let looked = self.in_current(|opened| self.look(opened, block));
        let read = match (looked, buffer) {
            (Ok(looked), Some(buffer)) => {
                buffer.resize(self.block_bytes(block)?, 0);
                match self.read_block(block, buffer) {
                    Err(error) if looked.state != BlockState::Lost => Err(error),
                    _ => Ok(looked),
                }
            }
            (looked, _) => looked,
        };
        let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
        let looked = match read {
            Ok(looked) => looked,
            Err(error) if error.kind() == ErrorKind::Corrupt || error.kind() == ErrorKind::Unsupported => {
                found.counts.damaged += 1;
                if found.damage.len() < MOST_DAMAGE {
                    found.damage.push(Damage { block: *block, error });
                }
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let counts = &mut found.counts;
        match looked.state {
            BlockState::Missing => counts.missing += 1,
            BlockState::Committed => counts.committed += 1,
            BlockState::Unchecked => counts.unchecked += 1,
            BlockState::Pending => counts.pending += 1,
            BlockState::Lost => counts.lost += 1,
        }
        counts.interrupted += u64::from(looked.interrupted);
        counts.bytes += looked.bytes;
        Ok(())
    }

    fn look(&self, opened: &Opened, block: &Coords) -> Result<Looked> {
        let index = opened.head.index(block)?;
        let place = opened.place(index).map_err(|error| error.with("block", block))?;
        let interrupted = match &opened.records {
            Some(records) => {
                let record = records.read(index)?;
                record.committed.is_some() && record.is_interrupted()
            }
            None => false,
        };
        let bytes = match place {
            Place::Committed(commit) => commit.extent.size.into(),
            Place::Unchecked { extent, .. } => extent.size.into(),
            Place::Missing | Place::Begun => 0,
        };
        Ok(Looked { state: self.state_of(place)?, interrupted, bytes })
    }
}

struct Looked {
    state: BlockState,
    interrupted: bool,
    bytes: u64,
}
