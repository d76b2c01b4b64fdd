//! Trees that are read from a file, with nothing believed that isn't proved.

use std::collections::HashSet;

use engine_api::{Error, ErrorKind, Result};

use crate::file::StorageFile;
use crate::node::{Expected, Layout, Node, PAGE_BYTES, Page, can_be_at};
use crate::tree::Tree;

/// Reads a tree, and the number of its root's commit. All that is in it is within the file, in order, and of that commit
/// or an earlier one.
///
/// # Errors
/// `Corrupt` when a node is damaged, or not where it belongs.
pub(crate) fn load(
    file: &dyn StorageFile,
    layout: Layout,
    root: u64,
    commit: Option<u64>,
    data_start: u64,
) -> Result<(Tree, u64)> {
    let length = file.length().map_err(|error| Error::from_io(error, "the length can't be read"))?;
    let left = length / PAGE_BYTES;
    let mut loader =
        Loader { file, layout, data_start, length, left, seen: HashSet::new(), len: 0, commit: 0 };
    let root = loader.load(Expected { address: root, level: None, commit }, None, None)?;
    Ok((Tree::stored(layout, root, loader.len, loader.seen.len()), loader.commit))
}

struct Loader<'a> {
    file: &'a dyn StorageFile,
    layout: Layout,
    data_start: u64,
    length: u64,
    /// How many nodes the file can have more.
    left: u64,
    seen: HashSet<u64>,
    len: usize,
    commit: u64,
}

impl Loader<'_> {
    fn load(&mut self, expected: Expected, low: Option<&[u8]>, high: Option<&[u8]>) -> Result<Node> {
        let corrupt = |message| Error::new(ErrorKind::Corrupt, message).with("address", expected.address);
        if !can_be_at(expected.address, self.data_start, self.length) {
            return Err(corrupt("a node's address can't be one"));
        }
        if self.left == 0 || !self.seen.insert(expected.address) {
            return Err(corrupt("a node has two parents"));
        }
        self.left -= 1;
        let page = Page::read(self.file, self.layout, expected)?;
        if expected.level.is_none() {
            self.commit = page.commit;
        }
        if !page.keys_are_within(low, high) {
            return Err(corrupt("a node's keys aren't in order"));
        }
        let mut node = page.node(expected.address);
        if page.level == 0 {
            self.len += page.count;
            return Ok(node);
        }
        node.children.reserve_exact(page.count);
        for index in 0..page.count {
            let child = Expected {
                address: page.child(index),
                level: Some(page.level - 1),
                commit: Some(self.commit),
            };
            let low = if index == 0 { low } else { Some(page.key(index)) };
            let high = if index + 1 < page.count { Some(page.key(index + 1)) } else { high };
            node.children.push(self.load(child, low, high)?);
        }
        Ok(node)
    }
}
