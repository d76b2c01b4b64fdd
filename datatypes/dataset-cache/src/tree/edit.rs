//! Entries are put in and taken out.

use std::sync::atomic::AtomicI64;

use super::changes::Changes;
use crate::node::{Layout, NO_MARK, Node, Place};

pub(super) fn put(
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

pub(super) fn remove(node: &mut Node, layout: Layout, changes: &mut Changes, key: &[u8]) {
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
