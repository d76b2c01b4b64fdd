//! Which versions there are, and what may be done with them.

use engine_api::ErrorKind;

use super::VersionAction;

#[derive(Clone, Debug)]
struct Node {
    committed: bool,
    /// Whether a version goes on with its branch.
    goes_on: bool,
}

/// The versions of a history, numbered from 1, which is the root.
#[derive(Clone, Debug)]
pub(super) struct Dag(Vec<Node>);

impl Default for Dag {
    fn default() -> Self {
        Self(vec![OPEN])
    }
}

const OPEN: Node = Node { committed: false, goes_on: false };

impl Dag {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    fn node(&self, number: usize) -> Option<&Node> {
        self.0.get(number.checked_sub(1)?)
    }

    pub(super) fn is_open(&self, number: usize) -> bool {
        self.node(number).is_some_and(|node| !node.committed)
    }

    /// Whether every version that an action names is there.
    pub(super) fn has_versions_of(&self, action: &VersionAction) -> bool {
        let has = |number: &usize| self.node(*number).is_some();
        match action {
            VersionAction::Merge(nodes) | VersionAction::Conflicts(nodes) => nodes.iter().all(has),
            VersionAction::Resolve(node, _, side) => has(node) && has(side),
            VersionAction::Put(node, ..)
            | VersionAction::Delete(node, _)
            | VersionAction::DeleteRange(node, ..)
            | VersionAction::Batch(node, _)
            | VersionAction::Commit(node)
            | VersionAction::NewVersion(node)
            | VersionAction::Branch(node)
            | VersionAction::Get(node, _)
            | VersionAction::Range(node, ..) => has(node),
            VersionAction::Reopen => true,
        }
    }

    /// How an action must be refused, as far as that follows from the versions alone.
    pub(super) fn refusal(&self, action: &VersionAction) -> Option<ErrorKind> {
        let open = |number: &usize| self.is_open(*number);
        let refused = |refused: bool, kind| refused.then_some(kind);
        match action {
            VersionAction::Put(node, ..)
            | VersionAction::Delete(node, _)
            | VersionAction::DeleteRange(node, ..)
            | VersionAction::Batch(node, _)
            | VersionAction::Resolve(node, ..)
            | VersionAction::Commit(node) => refused(!open(node), ErrorKind::ReadOnly),
            VersionAction::NewVersion(node) => {
                refused(open(node), ErrorKind::InvalidArgument).or_else(|| {
                    let goes_on = self.node(*node).is_some_and(|node| node.goes_on);
                    refused(goes_on, ErrorKind::AlreadyExists)
                })
            }
            VersionAction::Branch(node) => refused(open(node), ErrorKind::InvalidArgument),
            VersionAction::Merge(nodes) => {
                let twice = (1..nodes.len()).any(|at| nodes[..at].contains(&nodes[at]));
                refused(nodes.len() < 2 || twice || nodes.iter().any(open), ErrorKind::InvalidArgument)
            }
            VersionAction::Get(..)
            | VersionAction::Range(..)
            | VersionAction::Conflicts(_)
            | VersionAction::Reopen => None,
        }
    }

    /// Does what an action does to the versions, unless it must be refused.
    pub(super) fn apply(&mut self, action: &VersionAction) {
        if self.refusal(action).is_some() {
            return;
        }
        let mut change = |number: usize, change: fn(&mut Node)| {
            number.checked_sub(1).and_then(|at| self.0.get_mut(at)).into_iter().for_each(change);
        };
        match action {
            VersionAction::Commit(node) => change(*node, |node| node.committed = true),
            VersionAction::NewVersion(node) => {
                change(*node, |node| node.goes_on = true);
                self.0.push(OPEN);
            }
            VersionAction::Branch(_) | VersionAction::Merge(_) => self.0.push(OPEN),
            _ => {}
        }
    }
}
