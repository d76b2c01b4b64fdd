//! Room for an entry and for the nodes of the commit that follows, and what goes to make it.

use super::State;
use crate::index::KeyBytes;

/// What an entry takes in the indices, about.
pub(super) const INDEX_BYTES: u64 = 160;

impl State {
    /// Drops an entry; answers whether it was there.
    pub(super) fn drop_entry(&mut self, key: &KeyBytes) -> bool {
        let Some(entry) = self.index.remove(key) else { return false };
        if entry.block != 0 {
            self.storage.release(entry.block);
        }
        self.freed += entry.size() + INDEX_BYTES;
        self.changed = true;
        self.removed = true;
        true
    }

    /// Nothing is uncommitted any more.
    pub(super) fn forget_changes(&mut self) {
        (self.uncommitted, self.since, self.freed) = (0, None, 0);
        (self.changed, self.removed) = (false, false);
    }

    /// Brings uses into the index, as far as there is room for the nodes; answers whether that is all of them, and how many.
    pub(super) fn fold_uses(&mut self) -> (bool, usize) {
        let later = self.index.used_later();
        for (done, (key, moment)) in later.iter().enumerate() {
            if self.storage.space.room_for_pages() < self.pages_to_commit(1) {
                return (false, done);
            }
            self.touch(key, *moment);
        }
        (true, later.len())
    }

    pub(super) fn touch(&mut self, key: &KeyBytes, moment: i64) {
        self.changed |= self.index.touch(key, moment);
    }

    /// How many nodes an insertion, an eviction or a use changes at most.
    fn most_changed(&self) -> usize {
        let trees = [&self.index.primary, &self.index.last_used];
        let own = [&self.storage.space.allocations, &self.storage.space.free];
        trees.into_iter().chain(own).map(|tree| 2 * tree.height()).sum()
    }

    /// How many nodes a commit needs room for, after so many more changes.
    pub(super) fn pages_to_commit(&self, changes: usize) -> u64 {
        let trees = [&self.index.primary, &self.index.last_used];
        self.storage.pages_to_commit(&trees, (changes + self.in_flight) * self.most_changed())
    }

    /// Whether there is room to commit after an insertion, which may replace an entry, and an eviction.
    pub(super) fn has_room(&self, spare: u64) -> bool {
        self.storage.space.room_for_pages() >= self.pages_to_commit(3) + spare
    }

    pub(super) fn reserve(&mut self, size: u64, spare: u64) -> Option<u64> {
        if size == 0 {
            return self.has_room(spare).then_some(0);
        }
        let pages = self.pages_to_commit(3) + spare;
        self.storage.reserve(size, pages)
    }

    /// Whether an empty cache would have room.
    pub(super) fn could_ever_fit(&self, size: u64, spare: u64) -> bool {
        let (limit, start) = (self.storage.space.limit(), self.storage.space.start());
        let empty = crate::storage::PAGES_OF_EMPTY + spare;
        let nodes = empty.saturating_mul(crate::node::PAGE_BYTES);
        size.checked_add(start).and_then(|bytes| bytes.checked_add(nodes)).is_some_and(|bytes| bytes <= limit)
    }

    /// Drops entries, the least recently used first, until so many bytes wait for the next commit and there is room for a
    /// block of a size among them, or there is no room for the nodes of another, unless it is the last resort; answers how many.
    pub(super) fn evict(&mut self, bytes: u64, size: u64, is_last_resort: bool) -> u64 {
        let (mut evicted, mut is_in_run) = (0, self.storage.space.longest_free() >= size);
        while (self.freed < bytes || !is_in_run)
            && (is_last_resort || self.storage.space.room_for_pages() >= self.pages_to_commit(1))
        {
            let Some((key, entry, later)) = self.index.oldest() else { break };
            if let Some(moment) = later {
                // It was used since, and is at its place now.
                self.touch(&key, moment);
                continue;
            }
            self.drop_entry(&key);
            is_in_run = is_in_run || self.storage.space.is_in_run(entry.block, size);
            evicted += 1;
        }
        evicted
    }
}
