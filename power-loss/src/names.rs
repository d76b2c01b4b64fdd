//! Which names lead to which files: as programs see it, as it has been forced to the disk, and the changes
//! in between.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};

use fastrand::Rng;

/// The number of a file or folder.
pub(crate) type Node = u64;

/// The folder that is mounted.
pub(crate) const ROOT: Node = 1;

/// The folders, each with its names.
pub(crate) type Tree = BTreeMap<Node, BTreeMap<OsString, Node>>;

#[derive(Clone, Debug)]
enum Change {
    Add { folder: Node, name: OsString, node: Node },
    Remove { folder: Node, name: OsString },
    Move { from: (Node, OsString), to: (Node, OsString) },
}

impl Change {
    fn folders(&self) -> [Node; 2] {
        match self {
            Self::Add { folder, .. } | Self::Remove { folder, .. } => [*folder; 2],
            Self::Move { from, to } => [from.0, to.0],
        }
    }

    fn apply(&self, tree: &mut Tree) {
        let mut take =
            |folder: &Node, name: &OsStr| tree.get_mut(folder).and_then(|names| names.remove(name));
        let (folder, name, node) = match self {
            Self::Add { folder, name, node } => (folder, name, Some(*node)),
            Self::Remove { folder, name } => {
                take(folder, name);
                return;
            }
            Self::Move { from, to } => (&to.0, &to.1, take(&from.0, &from.1)),
        };
        if let Some(node) = node {
            tree.entry(*folder).or_default().insert(name.clone(), node);
        }
    }
}

#[derive(Debug)]
pub(crate) struct Names {
    live: Tree,
    synced: Tree,
    pending: Vec<Change>,
}

impl Names {
    /// Names that are all on the disk.
    pub(crate) fn new(tree: Tree) -> Self {
        Self { live: tree.clone(), synced: tree, pending: Vec::new() }
    }

    /// The names in a folder; `None` for what isn't one.
    pub(crate) fn of(&self, folder: Node) -> Option<&BTreeMap<OsString, Node>> {
        self.live.get(&folder)
    }

    pub(crate) fn find(&self, folder: Node, name: &OsStr) -> Option<Node> {
        self.of(folder)?.get(name).copied()
    }

    /// How many names lead to a file.
    pub(crate) fn count(&self, node: Node) -> usize {
        self.live.values().flat_map(BTreeMap::values).filter(|named| **named == node).count()
    }

    /// A folder that has no name yet, and nothing in it.
    pub(crate) fn add_folder(&mut self, node: Node) {
        self.live.entry(node).or_default();
        self.synced.entry(node).or_default();
    }

    pub(crate) fn add(&mut self, folder: Node, name: &OsStr, node: Node) {
        self.change(Change::Add { folder, name: name.to_owned(), node });
    }

    pub(crate) fn remove(&mut self, folder: Node, name: &OsStr) {
        self.change(Change::Remove { folder, name: name.to_owned() });
    }

    pub(crate) fn rename(&mut self, from: (Node, &OsStr), to: (Node, &OsStr)) {
        self.change(Change::Move { from: (from.0, from.1.to_owned()), to: (to.0, to.1.to_owned()) });
    }

    fn change(&mut self, change: Change) {
        change.apply(&mut self.live);
        self.pending.push(change);
    }

    /// The names of a folder are on the disk now, with what they need: of a file that was moved here, that
    /// it is gone from where it was, and so on.
    pub(crate) fn sync(&mut self, folder: Node) {
        let mut needed = BTreeSet::from([folder]);
        let mut chosen = vec![false; self.pending.len()];
        for (change, chosen) in self.pending.iter().zip(&mut chosen).rev() {
            let folders = change.folders();
            if folders.iter().any(|folder| needed.contains(folder)) {
                needed.extend(folders);
                *chosen = true;
            }
        }
        let mut left = Vec::new();
        for (change, chosen) in self.pending.drain(..).zip(chosen) {
            if chosen {
                change.apply(&mut self.synced);
            } else {
                left.push(change);
            }
        }
        self.pending = left;
    }

    /// What the disk holds after a cut: of each folder, the changes before one.
    pub(crate) fn survivors(&self, rng: &mut Rng) -> Tree {
        let mut left = self.synced.clone();
        let mut ended = BTreeSet::new();
        let manner = rng.u8(0..4);
        for change in &self.pending {
            let folders = change.folders();
            let arrives = match manner {
                0 => false,
                1 => true,
                _ => rng.u8(0..4) > 0,
            };
            if arrives && folders.iter().all(|folder| !ended.contains(folder)) {
                change.apply(&mut left);
            } else {
                ended.extend(folders);
            }
        }
        left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOLDER: Node = 2;

    fn names() -> Names {
        let mut names = Names::new(Tree::from([(ROOT, BTreeMap::new())]));
        names.add_folder(FOLDER);
        names.add(ROOT, OsStr::new("folder"), FOLDER);
        names.sync(ROOT);
        names
    }

    fn draws(names: &Names) -> BTreeSet<Vec<String>> {
        let paths = |tree: &Tree| {
            let inner = tree[&FOLDER].keys().map(|name| format!("folder/{}", name.display()));
            let outer = tree[&ROOT].keys().map(|name| name.display().to_string());
            outer.chain(inner).filter(|path| path != "folder").collect::<Vec<_>>()
        };
        (0..500).map(|seed| paths(&names.survivors(&mut Rng::with_seed(seed)))).collect()
    }

    fn sets<const N: usize>(expected: [&[&str]; N]) -> BTreeSet<Vec<String>> {
        expected.map(|paths| paths.iter().map(|path| (*path).to_owned()).collect()).into()
    }

    #[test]
    fn names_that_were_not_synced_survive_in_order_in_each_folder() {
        let mut names = names();
        names.add(ROOT, OsStr::new("a"), 3);
        names.add(ROOT, OsStr::new("b"), 4);
        assert_eq!(draws(&names), sets([&[], &["a"], &["a", "b"]]));
        names.add(FOLDER, OsStr::new("c"), 5);
        assert!(draws(&names).contains(&vec!["folder/c".to_owned()]));
        names.sync(ROOT);
        assert_eq!(draws(&names), sets([&["a", "b"], &["a", "b", "folder/c"]]));
    }

    #[test]
    fn a_move_is_whole() {
        let mut names = names();
        names.add(FOLDER, OsStr::new("new"), 3);
        names.sync(FOLDER);
        names.rename((FOLDER, OsStr::new("new")), (ROOT, OsStr::new("old")));
        assert_eq!(draws(&names), sets([&["folder/new"], &["old"]]));
        names.sync(FOLDER);
        assert_eq!(draws(&names), sets([&["old"]]));
    }

    #[test]
    fn a_name_that_was_removed_may_be_back() {
        let mut names = names();
        names.add(ROOT, OsStr::new("a"), 3);
        names.sync(ROOT);
        names.remove(ROOT, OsStr::new("a"));
        assert_eq!(names.count(3), 0);
        assert_eq!(draws(&names), sets([&[], &["a"]]));
    }
}
