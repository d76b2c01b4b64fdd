//! What a commit has to write, and what it leaves.

use crate::node::{Node, Place};

/// Nodes that have changed, and the places that they had.
#[derive(Debug, Default)]
pub(super) struct Changes {
    pub(super) dirty: usize,
    pub(super) nodes: usize,
    pub(super) released: Vec<u64>,
}

impl Changes {
    pub(super) fn touch(&mut self, node: &mut Node) {
        if let Place::Stored(address) = node.place {
            self.released.push(address);
            node.place = Place::Dirty;
            self.dirty += 1;
        }
    }

    pub(super) fn add(&mut self) {
        self.dirty += 1;
        self.nodes += 1;
    }

    pub(super) fn drop(&mut self, place: Place) {
        self.nodes -= 1;
        match place {
            Place::Dirty => self.dirty -= 1,
            Place::Placed(address) | Place::Stored(address) => self.released.push(address),
        }
    }
}
