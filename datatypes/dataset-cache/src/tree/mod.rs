//! A B+ tree in memory whose changed nodes go to new places of a file: what a commit has written isn't written over.

mod changes;
mod commit;
mod edit;
mod find;
#[cfg(test)]
mod tests;

use std::sync::atomic::AtomicI64;

use engine_api::Result;

use self::changes::Changes;
use self::commit::{place, take_pages};
use self::edit::{put, remove};
use self::find::{addresses, below, ceiling, for_each, for_each_marked};
use crate::node::{Layout, Node, Place};

/// Visits a key and its value.
type Visit<'a> = dyn FnMut(&[u8], &[u8]) -> Result<()> + 'a;

/// Visits a key, its value and its mark.
type VisitMarked<'a> = dyn FnMut(&[u8], &[u8], i64) + 'a;

/// Entries of one size by their keys, which compare as bytes.
#[derive(Debug)]
pub(crate) struct Tree {
    layout: Layout,
    root: Node,
    len: usize,
    changes: Changes,
}

impl Tree {
    pub(crate) fn new(layout: Layout) -> Self {
        let changes = Changes { dirty: 1, nodes: 1, released: Vec::new() };
        Self { layout, root: Node::leaf(), len: 0, changes }
    }

    /// The number of entries.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// How many nodes there are, and how many of them have no place.
    pub(crate) fn nodes(&self) -> (usize, usize) {
        (self.changes.nodes, self.changes.dirty)
    }

    pub(crate) fn height(&self) -> usize {
        usize::from(self.root.level) + 1
    }

    pub(crate) fn get(&self, key: &[u8]) -> Option<&[u8]> {
        let mut node = &self.root;
        while node.level > 0 {
            node = node.children.get(node.child_of(self.layout, key))?;
        }
        let entry = node.entry(self.layout, node.lower_bound(self.layout, key))?;
        entry.strip_prefix(key)
    }

    /// The value of a key, and its mark.
    pub(crate) fn get_marked(&self, key: &[u8]) -> Option<(&[u8], &AtomicI64)> {
        let mut node = &self.root;
        while node.level > 0 {
            node = node.children.get(node.child_of(self.layout, key))?;
        }
        let at = node.lower_bound(self.layout, key);
        Some((node.entry(self.layout, at)?.strip_prefix(key)?, node.marks.get(at)?))
    }

    /// Visits all entries with their marks.
    pub(crate) fn for_each_marked(&self, visit: &mut VisitMarked<'_>) {
        for_each_marked(&self.root, self.layout, visit);
    }

    /// The entry with the least key that isn't less.
    pub(crate) fn ceiling(&self, key: &[u8]) -> Option<(&[u8], &[u8])> {
        ceiling(&self.root, self.layout, key).map(|entry| entry.split_at(self.layout.key))
    }

    /// The entry with the greatest key that is less.
    pub(crate) fn below(&self, key: &[u8]) -> Option<(&[u8], &[u8])> {
        below(&self.root, self.layout, key).map(|entry| entry.split_at(self.layout.key))
    }

    pub(crate) fn first(&self) -> Option<(&[u8], &[u8])> {
        let mut node = &self.root;
        while node.level > 0 {
            node = node.children.first()?;
        }
        node.entry(self.layout, 0).map(|entry| entry.split_at(self.layout.key))
    }

    /// The last entry.
    pub(crate) fn last(&self) -> Option<(&[u8], &[u8])> {
        let mut node = &self.root;
        while node.level > 0 {
            node = node.children.last()?;
        }
        let last = node.len(self.layout).checked_sub(1)?;
        node.entry(self.layout, last).map(|entry| entry.split_at(self.layout.key))
    }

    /// Visits all entries in the order of their keys.
    pub(crate) fn for_each(&self, visit: &mut Visit<'_>) -> Result<()> {
        for_each(&self.root, self.layout, visit)
    }

    /// Puts an entry in, or another value into one that is there; answers whether it is new.
    pub(crate) fn put(&mut self, key: &[u8], value: &[u8]) -> bool {
        debug_assert_eq!((key.len(), value.len()), (self.layout.key, self.layout.value));
        let (new, sibling) = put(&mut self.root, self.layout, &mut self.changes, key, value);
        if let Some(sibling) = sibling {
            self.changes.add();
            let level = self.root.level + 1;
            let left = std::mem::replace(&mut self.root, Node::leaf());
            let keys = [left.key(self.layout, 0), sibling.key(self.layout, 0)].concat();
            self.root = Node {
                place: Place::Dirty,
                level,
                entries: keys,
                children: vec![left, sibling],
                marks: Vec::new(),
            };
        }
        self.len += usize::from(new);
        new
    }

    /// Takes an entry out; answers whether it was there.
    pub(crate) fn remove(&mut self, key: &[u8]) -> bool {
        if self.get(key).is_none() {
            return false;
        }
        remove(&mut self.root, self.layout, &mut self.changes, key);
        while self.root.level > 0 && self.root.children.len() <= 1 {
            let child = self.root.children.pop().unwrap_or_else(|| {
                self.changes.add();
                Node::leaf()
            });
            self.changes.drop(self.root.place);
            self.root = child;
        }
        self.len -= 1;
        true
    }

    /// Lets the next commit write the root, whatever else has changed.
    pub(crate) fn touch_root(&mut self) {
        self.changes.touch(&mut self.root);
    }

    /// The places that nodes had which were changed or dropped.
    pub(crate) fn take_released(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.changes.released)
    }

    /// Gives changed nodes their places, as far as there are any.
    pub(crate) fn place(&mut self, places: &mut Vec<u64>) {
        place(&mut self.root, &mut self.changes, places);
    }

    /// Where the root is, or the next commit writes it.
    pub(crate) fn root(&self) -> u64 {
        match self.root.place {
            Place::Placed(address) | Place::Stored(address) => address,
            Place::Dirty => 0,
        }
    }

    /// The pages of all nodes that have got a place, which are taken to be written from here on.
    pub(crate) fn take_pages(&mut self, commit: u64, pages: &mut Vec<(u64, Vec<u8>)>) {
        take_pages(&mut self.root, self.layout, commit, true, pages);
    }

    /// Where the nodes are.
    pub(crate) fn addresses(&self, visit: &mut dyn FnMut(u64) -> Result<()>) -> Result<()> {
        addresses(&self.root, visit)
    }

    /// A tree of nodes that a file has.
    pub(crate) fn stored(layout: Layout, root: Node, len: usize, nodes: usize) -> Self {
        Self { layout, root, len, changes: Changes { dirty: 0, nodes, released: Vec::new() } }
    }
}
