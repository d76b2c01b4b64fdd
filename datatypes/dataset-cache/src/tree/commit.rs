//! Nodes that have changed get places, and become pages.

use super::changes::Changes;
use crate::node::{Layout, Node, Place};

pub(super) fn place(node: &mut Node, changes: &mut Changes, places: &mut Vec<u64>) {
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

pub(super) fn take_pages(
    node: &mut Node,
    layout: Layout,
    commit: u64,
    is_root: bool,
    pages: &mut Vec<(u64, Vec<u8>)>,
) {
    let Place::Placed(address) = node.place else { return };
    pages.push((address, node.page(layout, commit, address, is_root)));
    node.place = Place::Stored(address);
    for child in &mut node.children {
        take_pages(child, layout, commit, false, pages);
    }
}
