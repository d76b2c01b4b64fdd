//! A B+ tree in memory whose changed nodes go to new places of a file: what a commit has written isn't written over.

use std::sync::atomic::{AtomicI64, Ordering};

use engine_api::Result;

use crate::node::{Layout, NO_MARK, Node, Place};

/// Visits a key and its value.
type Visit<'a> = dyn FnMut(&[u8], &[u8]) -> Result<()> + 'a;

/// Visits a key, its value and its mark.
type VisitMarked<'a> = dyn FnMut(&[u8], &[u8], i64) + 'a;

/// Nodes that have changed, and the places that they had.
#[derive(Debug, Default)]
struct Changes {
    dirty: usize,
    nodes: usize,
    released: Vec<u64>,
}

impl Changes {
    fn touch(&mut self, node: &mut Node) {
        if let Place::Stored(address) = node.place {
            self.released.push(address);
            node.place = Place::Dirty;
            self.dirty += 1;
        }
    }

    fn add(&mut self) {
        self.dirty += 1;
        self.nodes += 1;
    }

    fn drop(&mut self, place: Place) {
        self.nodes -= 1;
        match place {
            Place::Dirty => self.dirty -= 1,
            Place::Placed(address) | Place::Stored(address) => self.released.push(address),
        }
    }
}

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

fn ceiling<'a>(node: &'a Node, layout: Layout, key: &[u8]) -> Option<&'a [u8]> {
    if node.level == 0 {
        return node.entry(layout, node.lower_bound(layout, key));
    }
    let from = node.child_of(layout, key);
    node.children.get(from..)?.iter().find_map(|child| ceiling(child, layout, key))
}

fn below<'a>(node: &'a Node, layout: Layout, key: &[u8]) -> Option<&'a [u8]> {
    if node.level == 0 {
        return node.entry(layout, node.lower_bound(layout, key).checked_sub(1)?);
    }
    let upto = node.child_of(layout, key);
    node.children.get(..=upto)?.iter().rev().find_map(|child| below(child, layout, key))
}

fn for_each(node: &Node, layout: Layout, visit: &mut Visit<'_>) -> Result<()> {
    if node.level == 0 {
        return node.entries.chunks_exact(layout.stride(0)).try_for_each(|entry| {
            let (key, value) = entry.split_at(layout.key);
            visit(key, value)
        });
    }
    node.children.iter().try_for_each(|child| for_each(child, layout, visit))
}

fn for_each_marked(node: &Node, layout: Layout, visit: &mut VisitMarked<'_>) {
    for (entry, mark) in node.entries.chunks_exact(layout.stride(0)).zip(&node.marks) {
        let (key, value) = entry.split_at(layout.key);
        visit(key, value, mark.load(Ordering::Relaxed));
    }
    for child in &node.children {
        for_each_marked(child, layout, visit);
    }
}

fn addresses(node: &Node, visit: &mut dyn FnMut(u64) -> Result<()>) -> Result<()> {
    if let Place::Placed(address) | Place::Stored(address) = node.place {
        visit(address)?;
    }
    node.children.iter().try_for_each(|child| addresses(child, visit))
}

fn put(
    node: &mut Node,
    layout: Layout,
    changes: &mut Changes,
    key: &[u8],
    value: &[u8],
) -> (bool, Option<Node>) {
    changes.touch(node);
    if node.level == 0 {
        let at = node.lower_bound(layout, key);
        let stride = layout.stride(0);
        if node.entry(layout, at).is_some_and(|entry| entry.starts_with(key)) {
            node.entries[at * stride + layout.key..(at + 1) * stride].copy_from_slice(value);
            return (false, None);
        }
        insert_at(&mut node.entries, at * stride, &[key, value]);
        if layout.marks {
            node.marks.insert(at, AtomicI64::new(NO_MARK));
        }
        return (true, split(node, layout, changes, at));
    }
    let at = node.child_of(layout, key);
    if key < node.key(layout, 0) {
        // Otherwise a child that is split could get a key before its own.
        node.entries[..layout.key].copy_from_slice(key);
    }
    let (new, sibling) = put(&mut node.children[at], layout, changes, key, value);
    let Some(sibling) = sibling else { return (new, None) };
    let stride = layout.stride(node.level);
    insert_at(&mut node.entries, (at + 1) * stride, &[sibling.key(layout, 0)]);
    node.children.insert(at + 1, sibling);
    (new, split(node, layout, changes, at + 1))
}

fn insert_at(entries: &mut Vec<u8>, at: usize, parts: &[&[u8]]) {
    let before = entries.len();
    for part in parts {
        entries.extend_from_slice(part);
    }
    let added = entries.len() - before;
    entries[at..].rotate_right(added);
}

/// Cuts a node in two that has too many entries. One that grew at its end keeps all but the last, since keys that
/// grow with time would leave half of every node empty.
fn split(node: &mut Node, layout: Layout, changes: &mut Changes, changed: usize) -> Option<Node> {
    let count = node.len(layout);
    if count <= layout.capacity(node.level) {
        return None;
    }
    let keep = if changed + 1 == count { count - 1 } else { count / 2 };
    changes.add();
    let entries = node.entries.split_off(keep * layout.stride(node.level));
    let children = if node.level > 0 { node.children.split_off(keep) } else { Vec::new() };
    let marks = if node.marks.is_empty() { Vec::new() } else { node.marks.split_off(keep) };
    Some(Node { place: Place::Dirty, level: node.level, entries, children, marks })
}

fn remove(node: &mut Node, layout: Layout, changes: &mut Changes, key: &[u8]) {
    changes.touch(node);
    let stride = layout.stride(node.level);
    if node.level == 0 {
        let at = node.lower_bound(layout, key);
        node.entries.drain(at * stride..(at + 1) * stride);
        if layout.marks {
            node.marks.remove(at);
        }
        return;
    }
    let at = node.child_of(layout, key);
    remove(&mut node.children[at], layout, changes, key);
    let left = node.children[at].len(layout);
    if left == 0 {
        let child = node.children.remove(at);
        changes.drop(child.place);
        node.entries.drain(at * stride..(at + 1) * stride);
        return;
    }
    let capacity = layout.capacity(node.level - 1);
    if left >= capacity / 4 {
        return;
    }
    // It joins a neighbour, where both leave room for more.
    for first in [Some(at), at.checked_sub(1)].into_iter().flatten() {
        let Some(second) = node.children.get(first + 1) else { continue };
        if node.children[first].len(layout) + second.len(layout) <= capacity * 3 / 4 {
            join(node, layout, changes, first);
            return;
        }
    }
}

/// Moves all that is in the child behind one into that one.
fn join(node: &mut Node, layout: Layout, changes: &mut Changes, first: usize) {
    let stride = layout.stride(node.level);
    let mut second = node.children.remove(first + 1);
    if second.level > 0 {
        // What is less than its first key was in its first child; the bound is the parent's key now.
        second.entries[..layout.key].copy_from_slice(node.key(layout, first + 1));
    }
    node.entries.drain((first + 1) * stride..(first + 2) * stride);
    let child = &mut node.children[first];
    changes.touch(child);
    child.entries.append(&mut second.entries);
    child.children.append(&mut second.children);
    child.marks.append(&mut second.marks);
    changes.drop(second.place);
}

fn place(node: &mut Node, changes: &mut Changes, places: &mut Vec<u64>) {
    match node.place {
        Place::Stored(_) => return,
        Place::Placed(_) => {}
        Place::Dirty => {
            let Some(address) = places.pop() else { return };
            node.place = Place::Placed(address);
            changes.dirty -= 1;
        }
    }
    for child in &mut node.children {
        place(child, changes, places);
    }
}

fn take_pages(node: &mut Node, layout: Layout, commit: u64, is_root: bool, pages: &mut Vec<(u64, Vec<u8>)>) {
    let Place::Placed(address) = node.place else { return };
    pages.push((address, node.page(layout, commit, address, is_root)));
    node.place = Place::Stored(address);
    for child in &mut node.children {
        take_pages(child, layout, commit, false, pages);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::file::{MemoryFile, StorageFile};
    use crate::load::load;
    use crate::node::PAGE_BYTES;

    /// Long keys, so that nodes have few entries and trees have many levels.
    const LAYOUT: Layout = Layout { kind: 9, key: 400, value: 8, marks: true };

    fn key(number: u32) -> Vec<u8> {
        let mut key = vec![7; 396];
        key.extend(number.to_be_bytes());
        key
    }

    /// Writes what has changed to places that were never used, and answers what was released.
    fn commit(tree: &mut Tree, file: &MemoryFile, number: u64) -> Vec<u64> {
        tree.touch_root();
        let first = file.length().unwrap();
        let (_, dirty) = tree.nodes();
        let mut places: Vec<u64> = (0..dirty as u64).map(|at| first + at * PAGE_BYTES).collect();
        tree.place(&mut places);
        assert!(places.is_empty() && tree.nodes().1 == 0);
        let mut pages = Vec::new();
        tree.take_pages(number, &mut pages);
        assert_eq!(pages.len(), dirty);
        for (address, page) in pages {
            file.write_at(&page, address).unwrap();
        }
        tree.take_released()
    }

    fn same(tree: &Tree, model: &BTreeMap<Vec<u8>, u64>) {
        let mut entries = Vec::new();
        tree.for_each(&mut |key, value| {
            entries.push((key.to_vec(), u64::from_le_bytes(value.try_into().unwrap())));
            Ok(())
        })
        .unwrap();
        assert!(entries.iter().map(|(key, value)| (key, value)).eq(model));
        assert_eq!(tree.len(), model.len());
    }

    #[test]
    fn a_tree_is_what_a_map_is_and_so_is_its_file() {
        let mut random = fastrand::Rng::with_seed(1);
        let (mut tree, mut model) = (Tree::new(LAYOUT), BTreeMap::new());
        let file = MemoryFile::new(vec![0; 96]);
        let (mut highest, mut stored) = (0, 0);
        for step in 0..40_000_u64 {
            // It grows, shrinks to nothing, and grows again.
            let grows = step / 5000 % 2 == 0;
            let number = random.u32(0..3000);
            let key = key(number);
            if random.u8(..10) < if grows { 8 } else { 1 } {
                assert_eq!(tree.put(&key, &step.to_le_bytes()), model.insert(key.clone(), step).is_none());
                tree.get_marked(&key).unwrap().1.store(step.cast_signed(), Ordering::Relaxed);
            } else {
                assert_eq!(tree.remove(&key), model.remove(&key).is_some());
            }
            let entry = |found: Option<(&[u8], &[u8])>| found.map(|(key, _)| key.to_vec());
            let first = |key: Option<(&Vec<u8>, &u64)>| key.map(|(key, _)| key.clone());
            assert_eq!(tree.get(&key).is_some(), model.contains_key(&key));
            assert_eq!(entry(tree.ceiling(&key)), first(model.range(key.clone()..).next()));
            assert_eq!(entry(tree.below(&key)), first(model.range(..key.clone()).next_back()));
            assert_eq!(entry(tree.first()), first(model.first_key_value()));
            assert_eq!(entry(tree.last()), first(model.last_key_value()));
            highest = highest.max(tree.height());
            if step % 1000 == 999 {
                same(&tree, &model);
                // Marks go along with their entries; what was read from a file has none.
                let (mut marked, mut right) = (0, 0);
                tree.for_each_marked(&mut |_, value, mark| {
                    marked += 1;
                    right += usize::from(mark == NO_MARK || mark.to_le_bytes() == value);
                });
                assert_eq!((marked, right), (tree.len(), tree.len()));
                let before = stored;
                let released = commit(&mut tree, &file, step);
                stored = tree.nodes().0;
                assert!(released.len() <= before + stored, "{} of {before} released", released.len());
                let (mut loaded, number) = load(&file, LAYOUT, tree.root(), None, 96).unwrap();
                assert_eq!((number, loaded.nodes(), loaded.len()), (step, (stored, 0), tree.len()));
                same(&loaded, &model);
                // What was loaded is changed as well.
                if random.bool() {
                    loaded.touch_root();
                    assert_eq!(loaded.take_released(), [tree.root()]);
                    loaded.put(&[0; 400], &[0; 8]);
                    loaded.remove(&[0; 400]);
                    tree = load(&file, LAYOUT, tree.root(), Some(step), 96).unwrap().0;
                }
                assert!(load(&file, LAYOUT, tree.root(), Some(step + 1), 96).is_err());
                assert!(load(&file, Layout { kind: 8, ..LAYOUT }, tree.root(), None, 96).is_err());
            }
        }
        assert!(highest >= 4, "{highest} levels");
    }

    #[test]
    fn keys_that_grow_fill_their_nodes() {
        let mut tree = Tree::new(Layout { kind: 9, key: 8, value: 8, marks: false });
        for number in 0..10_000_u64 {
            tree.put(&number.to_be_bytes(), &[0; 8]);
        }
        // 254 entries a leaf.
        assert_eq!(tree.nodes().0, 10_000_usize.div_ceil(254) + 1);
    }
}
