//! Read transactions of one state, and the writers that they begin beside.
//!
//! LMDB has two header pages, for even and for odd transactions. A reader takes the number of the last one that is made known,
//! and then copies the header of that number; nothing keeps a writer from writing that page meanwhile. It does so at the commit
//! after the next, so a thread has to be held up for as long as a commit takes. Then it sees a commit that isn't made known
//! yet, which waits for the disk; who begins behind it sees the state before, or none if that commit fails.

use std::sync::atomic::{AtomicU64, Ordering, fence};
use std::sync::{Mutex, MutexGuard, PoisonError};

use heed::{Env, RoTxn, WithoutTls};

/// No thread is held up so often; a header that is damaged may have any number.
const MOST_TRIES: usize = 1000;

/// The writers of this process, which come one after another.
#[derive(Debug, Default)]
pub(crate) struct Writers {
    turn: Mutex<()>,
    /// How many turns have ended.
    ended: AtomicU64,
}

/// A writer's turn. No other commits, in this process, before it has ended.
pub(crate) struct Turn<'w> {
    ended: &'w AtomicU64,
    _turn: MutexGuard<'w, ()>,
}

impl Writers {
    /// Waits for those that came before.
    pub(crate) fn turn(&self) -> Turn<'_> {
        let turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        Turn { ended: &self.ended, _turn: turn }
    }

    /// Begins a read transaction, again where it may have a header that was written meanwhile.
    pub(crate) fn begin_to_read(&self, env: &Env<WithoutTls>) -> heed::Result<RoTxn<'static, WithoutTls>> {
        for _ in 0..MOST_TRIES {
            let before = self.ended.load(Ordering::Acquire);
            let txn = env.clone().static_read_txn()?;
            // The header was copied before this looks at what is there now.
            fence(Ordering::Acquire);
            let since = env.info().last_txn_id.saturating_sub(txn.id());
            // Its page is written again when the next commit is made known: not while no later header is there. One that is
            // there may wait for the disk, and wasn't made known by this process if no turn has ended. Of another process
            // that can't be told, but for the few instants in which it writes a header this is enough.
            if since == 0 || (since == 1 && self.ended.load(Ordering::Acquire) == before) {
                return Ok(txn);
            }
        }
        env.clone().static_read_txn()
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.ended.fetch_add(1, Ordering::AcqRel);
    }
}
