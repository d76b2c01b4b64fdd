//! Which versions there are, and what may be done with them.

use engine_api::ErrorKind;

use super::VersionAction;

#[derive(Clone, Debug, Default)]
struct Node {
    committed: bool,
    /// What it merges, where it is a merge.
    merges: &'static [usize],
    /// How often a value was put at it.
    puts: usize,
    /// Whether a version was made from it.
    has_children: bool,
    /// Whether a version goes on with its branch.
    goes_on: bool,
}

/// The versions of a history, numbered from 1, which is the root.
#[derive(Clone, Debug)]
pub(super) struct Dag {
    nodes: Vec<Node>,
}

impl Default for Dag {
    fn default() -> Self {
        Self { nodes: vec![Node::default()] }
    }
}

impl Dag {
    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    fn node(&self, number: usize) -> Option<&Node> {
        self.nodes.get(number.checked_sub(1)?)
    }

    /// The open merges, each with one of the versions that it merges, which sees a side of each conflict.
    pub(super) fn open_merges(&self) -> Vec<(usize, usize)> {
        let nodes = (1..).zip(&self.nodes).filter(|(_, node)| !node.committed);
        nodes.flat_map(|(number, node)| node.merges.iter().map(move |merged| (number, *merged))).collect()
    }

    pub(super) fn is_open(&self, number: usize) -> bool {
        self.node(number).is_some_and(|node| !node.committed)
    }

    /// Whether it is open and has something to be committed for.
    pub(super) fn is_written(&self, number: usize) -> bool {
        self.node(number).is_some_and(|node| !node.committed && node.puts > 1)
    }

    /// Whether it is committed, has something to be merged for, and nothing was made from it.
    pub(super) fn is_head(&self, number: usize) -> bool {
        self.node(number).is_some_and(|node| node.committed && node.puts > 0 && !node.has_children)
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
            number.checked_sub(1).and_then(|at| self.nodes.get_mut(at)).into_iter().for_each(change);
        };
        match *action {
            VersionAction::Put(node, ..) => change(node, |node| node.puts += 1),
            VersionAction::Commit(node) => change(node, |node| node.committed = true),
            VersionAction::NewVersion(node) => {
                change(node, |node| (node.goes_on, node.has_children) = (true, true));
                self.nodes.push(Node::default());
            }
            VersionAction::Branch(node) => {
                change(node, |node| node.has_children = true);
                self.nodes.push(Node::default());
            }
            VersionAction::Merge(nodes) => {
                for node in nodes {
                    change(*node, |node| node.has_children = true);
                }
                self.nodes.push(Node { merges: nodes, ..Node::default() });
            }
            _ => {}
        }
    }
}
