//! The read rule of versions, written as plainly as it reads: sets, and no cleverness.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use engine_api::key::VersionId;
use engine_api::version::Resolved;

/// A DAG and what was written in it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Oracle {
    parents: BTreeMap<VersionId, Vec<VersionId>>,
    /// For each key, what was written at which version; `None` is a delete.
    written: BTreeMap<Bytes, BTreeMap<VersionId, Option<Bytes>>>,
}

impl Oracle {
    pub(crate) fn add_version(&mut self, id: VersionId, parents: &[VersionId]) {
        self.parents.insert(id, parents.to_vec());
    }

    pub(crate) fn write(&mut self, key: &[u8], version: VersionId, value: Option<Bytes>) {
        self.written.entry(Bytes::copy_from_slice(key)).or_default().insert(version, value);
    }

    /// What was written under the key at exactly this version.
    pub(crate) fn written(&self, key: &[u8], version: VersionId) -> Option<Bytes> {
        self.written.get(key)?.get(&version)?.clone()
    }

    /// A version and all its ancestors, through all parents.
    pub(crate) fn line(&self, version: VersionId) -> BTreeSet<VersionId> {
        let mut line = BTreeSet::from([version]);
        for parent in self.parents.get(&version).into_iter().flatten() {
            line.extend(self.line(*parent));
        }
        line
    }

    /// Of the entries of the key at the version and all its ancestors, those are dropped that have another
    /// entry at a descendant of theirs; what is left decides.
    pub(crate) fn resolve(&self, key: &[u8], version: VersionId) -> Resolved {
        let line = self.line(version);
        let entries: BTreeMap<_, _> =
            self.written.get(key).into_iter().flatten().filter(|(at, _)| line.contains(at)).collect();
        let dominated =
            |at: &VersionId| entries.keys().any(|other| *other != at && self.line(**other).contains(at));
        let left: Vec<_> = entries.iter().filter(|(at, _)| !dominated(at)).collect();
        let values: Vec<_> =
            left.iter().filter_map(|(at, value)| value.as_ref().map(|value| (***at, value))).collect();
        match &values[..] {
            [] => left
                .iter()
                .map(|(at, _)| ***at)
                .max()
                .map_or(Resolved::Absent, |version| Resolved::Deleted { version }),
            [(version, value)] => Resolved::Found { value: (*value).clone(), version: *version },
            several => Resolved::Conflict { versions: several.iter().map(|(at, _)| *at).collect() },
        }
    }

    /// Every key that was ever written, in order.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &Bytes> {
        self.written.keys()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rule_on_a_diamond() {
        let [root, left, right, merge] = [1, 2, 3, 4].map(VersionId);
        let mut oracle = Oracle::default();
        oracle.add_version(root, &[]);
        oracle.add_version(left, &[root]);
        oracle.add_version(right, &[root]);
        oracle.add_version(merge, &[left, right]);
        assert_eq!(oracle.resolve(b"k", merge), Resolved::Absent);
        oracle.write(b"k", root, Some("r".into()));
        assert_eq!(oracle.resolve(b"k", merge), Resolved::Found { value: "r".into(), version: root });
        oracle.write(b"k", left, None);
        assert_eq!(oracle.resolve(b"k", merge), Resolved::Deleted { version: left });
        oracle.write(b"k", right, Some("x".into()));
        assert_eq!(oracle.resolve(b"k", merge), Resolved::Found { value: "x".into(), version: right });
        oracle.write(b"k", left, Some("y".into()));
        assert_eq!(oracle.resolve(b"k", merge), Resolved::Conflict { versions: vec![left, right] });
    }
}
