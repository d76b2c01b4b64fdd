//! Commits of a cache: one at a time, while others read and insert.

use engine_api::{ErrorKind, Result};

use super::{DatasetCache, State};
use crate::commit::Prepared;
use crate::header::CacheHeader;

impl DatasetCache {
    /// Commits, and gives the free bytes at the end of the file back. When it returns, what was put in before is on the
    /// disk.
    ///
    /// Of a cache that is open to be read it does nothing.
    ///
    /// # Errors
    /// `Full`, `Io`: the cache is `Poisoned` then. It still answers what it has; the file has the commit before.
    pub fn flush(&self) -> Result<()> {
        if self.is_read_only() {
            return Ok(());
        }
        // What was used is on the disk too, if need be by several commits.
        loop {
            let mut state = self.writer()?.write();
            state.storage.check()?;
            let (is_all, folded) = state.fold_uses();
            drop(state);
            if is_all || folded == 0 {
                return self.commit(true);
            }
            self.commit(false)?;
        }
    }

    /// Commits if an entry has gone since the last commit. Where another commit is under way that has it, this waits.
    pub(crate) fn commit_removals(&self) -> Result<()> {
        self.commit_if(false, |state| state.removed)
    }

    pub(super) fn commit(&self, trim: bool) -> Result<()> {
        self.commit_if(trim, |state| state.changed || state.storage.waiting.has_freed())
    }

    fn commit_if(&self, trim: bool, wanted: impl Fn(&State) -> bool) -> Result<()> {
        let writer = self.writer()?;
        let _one = writer.committing();
        let prepared = {
            let mut state = writer.write();
            state.storage.check()?;
            state.storage.reuse();
            if !wanted(&state) {
                return Ok(());
            }
            if trim && state.index.len() == 0 {
                return self.clear_state(&mut state);
            }
            match state.prepare(self.maximum) {
                Ok(prepared) => {
                    let covered = state.storage.cover();
                    state.storage.poisoned |= covered.is_err();
                    covered.map(|()| prepared)?
                }
                // It was seen to that there is room. If there is none all the same, an empty cache is better than none.
                Err(error) if error.kind() == ErrorKind::Full => {
                    self.count(|counters| &counters.clears);
                    return self.clear_state(&mut state);
                }
                Err(error) => return Err(error),
            }
        };
        // Nobody waits for the disk but who inserts as much as makes the next commit due.
        let written = prepared.write(&*self.file);
        let mut state = writer.write();
        if let Err(error) = written {
            state.storage.poisoned = true;
            return Err(error);
        }
        self.count(|counters| &counters.commits);
        state.storage.finish(prepared);
        state.storage.reuse();
        if trim { state.storage.cut_off() } else { Ok(()) }
    }
}

impl State {
    fn prepare(&mut self, maximum: u64) -> Result<Prepared> {
        let mut trees = [&mut self.index.primary, &mut self.index.last_used];
        let prepared = self.storage.prepare(&mut trees, |roots| {
            let [primary, last_used] = [0, 1].map(|root| roots.get(root).copied().unwrap_or(0));
            CacheHeader { maximum, primary, last_used }.bytes().to_vec()
        })?;
        self.forget_changes();
        Ok(prepared)
    }
}
