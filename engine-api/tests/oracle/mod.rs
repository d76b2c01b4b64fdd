//! The read rule, written as plainly as it reads, and random histories to try it on.
#![allow(dead_code, reason = "not every test binary has a use for all of it")]

use std::collections::{BTreeMap, BTreeSet};

use engine_api::key::VersionId;
use engine_api::version::Resolved;
use proptest::prelude::*;

/// The parents of each version, by number; versions are numbered from 1.
pub(crate) type Parents = Vec<Vec<u32>>;
/// What was written of one key: a value, or `None` for a delete.
pub(crate) type Entries = BTreeMap<u32, Option<u8>>;

/// All versions that a version sees. Obviously right, and slow.
pub(crate) fn ancestors(parents: &Parents, version: u32) -> BTreeSet<u32> {
    let mut seen = BTreeSet::from([version]);
    for parent in &parents[version as usize - 1] {
        seen.extend(ancestors(parents, *parent));
    }
    seen
}

pub(crate) fn oracle(parents: &Parents, entries: &Entries, reader: u32, strict: bool) -> Resolved {
    let seen = ancestors(parents, reader);
    let visible: Entries = entries.iter().filter(|(v, _)| seen.contains(v)).map(|(v, e)| (*v, *e)).collect();
    let leading: Entries = visible
        .iter()
        .filter(|(v, _)| !visible.keys().any(|other| other != *v && ancestors(parents, *other).contains(v)))
        .map(|(v, e)| (*v, *e))
        .collect();
    let live: Vec<u32> = leading.iter().filter(|(_, e)| e.is_some()).map(|(v, _)| *v).collect();
    let ids = |versions: Vec<u32>| versions.into_iter().map(VersionId).collect();
    if strict && !live.is_empty() && leading.len() > 1 {
        return Resolved::Conflict { versions: ids(leading.into_keys().collect()) };
    }
    match (live.as_slice(), leading.last_key_value()) {
        ([one], _) => Resolved::Found { value: vec![leading[one].unwrap()].into(), version: VersionId(*one) },
        ([], Some((version, _))) => Resolved::Deleted { version: VersionId(*version) },
        ([], None) => Resolved::Absent,
        _ => Resolved::Conflict { versions: ids(live) },
    }
}

/// A random DAG: each version after the first has 1 to 3 parents among the earlier ones.
pub(crate) fn parents() -> impl Strategy<Value = Parents> {
    prop::collection::vec(prop::collection::vec(any::<prop::sample::Index>(), 1..4), 0..11).prop_map(
        |picks| {
            let mut parents: Parents = vec![vec![]];
            for pick in picks {
                let mut chosen = Vec::new();
                for index in pick {
                    let parent = u32::try_from(index.index(parents.len())).unwrap() + 1;
                    if !chosen.contains(&parent) {
                        chosen.push(parent);
                    }
                }
                parents.push(chosen);
            }
            parents
        },
    )
}

pub(crate) fn history() -> impl Strategy<Value = (Parents, Entries)> {
    parents().prop_flat_map(|parents| {
        let versions = u32::try_from(parents.len()).unwrap();
        let entries = prop::collection::btree_map(1..=versions, any::<Option<u8>>(), 0..=parents.len());
        (Just(parents), entries)
    })
}
