//! Entries are found, and visited in order.

use std::sync::atomic::Ordering;

use engine_api::Result;

use super::{Visit, VisitMarked};
use crate::node::{Layout, Node, Place};

pub(super) fn ceiling<'a>(node: &'a Node, layout: Layout, key: &[u8]) -> Option<&'a [u8]> {
    if node.level == 0 {
        return node.entry(layout, node.lower_bound(layout, key));
    }
    let from = node.child_of(layout, key);
    node.children.get(from..)?.iter().find_map(|child| ceiling(child, layout, key))
}

pub(super) fn below<'a>(node: &'a Node, layout: Layout, key: &[u8]) -> Option<&'a [u8]> {
    if node.level == 0 {
        return node.entry(layout, node.lower_bound(layout, key).checked_sub(1)?);
    }
    let upto = node.child_of(layout, key);
    node.children.get(..=upto)?.iter().rev().find_map(|child| below(child, layout, key))
}

pub(super) fn for_each(node: &Node, layout: Layout, visit: &mut Visit<'_>) -> Result<()> {
    if node.level == 0 {
        return node.entries.chunks_exact(layout.stride(0)).try_for_each(|entry| {
            let (key, value) = entry.split_at(layout.key);
            visit(key, value)
        });
    }
    node.children.iter().try_for_each(|child| for_each(child, layout, visit))
}

pub(super) fn for_each_marked(node: &Node, layout: Layout, visit: &mut VisitMarked<'_>) {
    for (entry, mark) in node.entries.chunks_exact(layout.stride(0)).zip(&node.marks) {
        let (key, value) = entry.split_at(layout.key);
        visit(key, value, mark.load(Ordering::Relaxed));
    }
    for child in &node.children {
        for_each_marked(child, layout, visit);
    }
}

pub(super) fn addresses(node: &Node, visit: &mut dyn FnMut(u64) -> Result<()>) -> Result<()> {
    if let Place::Placed(address) | Place::Stored(address) = node.place {
        visit(address)?;
    }
    node.children.iter().try_for_each(|child| addresses(child, visit))
}
