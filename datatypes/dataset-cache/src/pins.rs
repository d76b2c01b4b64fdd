//! Blocks that somebody still copies from, and blocks that wait for it.

use std::collections::VecDeque;
use std::sync::Arc;

/// Whoever holds it may copy from any block that was there when it was taken.
pub(crate) type Pin = Arc<()>;

/// Blocks that were freed, in the order in which they may be used again.
///
/// A block that is freed may still be what the file's header leads to, and somebody may be copying from it. It can
/// be used again after the commit that no longer has it, when all have let go that took a pin before.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    current: Pin,
    freed: Vec<u64>,
    committed: VecDeque<(Pin, Vec<u64>)>,
}

impl Waiting {
    pub(crate) fn pin(&self) -> Pin {
        Arc::clone(&self.current)
    }

    /// Waits for the next commit, and for those that hold a pin.
    pub(crate) fn add(&mut self, block: u64) {
        self.freed.push(block);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.freed.is_empty() && self.committed.is_empty()
    }

    /// Whether what a commit has let go is held by somebody.
    pub(crate) fn is_held(&self) -> bool {
        !self.committed.is_empty()
    }

    /// Whether a commit would let blocks be used again.
    pub(crate) fn has_freed(&self) -> bool {
        !self.freed.is_empty()
    }

    /// What the commit that begins takes with it.
    pub(crate) fn seal(&mut self) -> Sealed {
        Sealed { pin: std::mem::take(&mut self.current), freed: std::mem::take(&mut self.freed) }
    }

    /// The commit was made.
    pub(crate) fn committed(&mut self, sealed: Sealed) {
        self.committed.push_back((sealed.pin, sealed.freed));
    }

    /// The next blocks that can be used again.
    ///
    /// An older pin may be on a block that was freed later, so those that are held keep back all behind them.
    pub(crate) fn next_reusable(&mut self) -> Option<Vec<u64>> {
        // `get_mut` orders what the last holder has read before what is written here from now on.
        Arc::get_mut(&mut self.committed.front_mut()?.0)?;
        self.committed.pop_front().map(|(_, freed)| freed)
    }

    /// Whether nobody holds a pin.
    pub(crate) fn is_unpinned(&mut self) -> bool {
        let committed = self.committed.iter_mut().map(|(pin, _)| pin);
        [&mut self.current].into_iter().chain(committed).all(|pin| Arc::get_mut(pin).is_some())
    }
}

/// What was freed before a commit that isn't made yet.
#[derive(Debug)]
pub(crate) struct Sealed {
    pin: Pin,
    freed: Vec<u64>,
}
