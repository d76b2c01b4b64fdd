//! Whole stories: what DVID's own tests tell of versions, in one piece each.

use bytes::Bytes;
use engine_api::key::DataContext;
use engine_api::version::{NewInstance, OrderedKeyValue as _, Settled};
use engine_api::{ErrorKind, KeyRange, Store};

use super::NEEDS;
use super::lab::{Lab, Node, tkey};
use crate::case::Case;
use crate::checks::check_refused;
use crate::context::Context;
use crate::verdict::{Verdict, check_eq};

pub(super) const CASES: &[Case] = &[
    Case::new(
        "versioned.story-of-a-collection",
        story_of_a_collection,
        "Overwritten, deleted, put again, branched, merged in conflict, resolved and merged again, a key is what it should be at each version.",
        "DVID's TestVersioning of keyvalue, from end to end.",
    )
    .needs(NEEDS),
    Case::new(
        "versioned.story-of-a-child",
        story_of_a_child,
        "Of three keys at a root the child inherits one, overwrites one and deletes one, alike in gets, ranges and keys.",
        "DVID's TestVersionedRangeMatchesLegacySelection: three ways to read a range, one answer.",
    )
    .needs(NEEDS),
    Case::new(
        "versioned.story-of-two-branches",
        story_of_two_branches,
        "A version and a branch beside it add, overwrite and delete, and neither sees the other, nor the root either of them.",
        "DVID's integration test of its bucket engine.",
    )
    .needs(NEEDS),
    Case::new(
        "versioned.story-of-an-unversioned-collection",
        story_of_an_unversioned_collection,
        "What is written without versions is the same whatever becomes of the versions beside it.",
        "DVID kept such data under its root version, with tombstones.",
    )
    .needs(NEEDS),
    Case::new(
        "versioned.story-of-a-range",
        story_of_a_range,
        "Values that are put together come back in key order, and a range ends before what is greater.",
        "DVID's first storage test, whose keys have spaces and capitals.",
    )
    .needs(NEEDS),
];

impl<S: Store> Lab<S> {
    /// The keys of a node, as text.
    fn keys(&self, node: usize) -> Verdict<Vec<String>> {
        let keys = self.store.keys_in_range(&self.at(node), &KeyRange::ALL)?;
        Ok(keys.iter().map(|key| String::from_utf8_lossy(key.as_bytes()).into_owned()).collect())
    }
}

fn story_of_a_collection(ctx: &Context) -> Verdict {
    let nodes: [Node<'_>; 7] = [
        (&[], &[("key1", Some("1")), ("key2", Some("1")), ("batch1", Some("b")), ("batch2", Some("b"))]),
        (&[1], &[("key2", Some("2"))]),
        (&[2], &[("key2", None)]),
        (&[3], &[("key2", Some("4"))]),
        (&[2], &[("key2", Some("5"))]),
        (&[4, 5], &[]),
        (&[5], &[("key2", None)]),
    ];
    let mut lab = Lab::of(ctx, &nodes)?;
    for (node, expected) in
        [(1, Some("1")), (2, Some("2")), (3, None), (4, Some("4")), (5, Some("5")), (7, None)]
    {
        lab.shows(&[node], "key2", expected)?;
        lab.shows(&[node], "key1", Some("1"))?;
        lab.shows(&[node], "batch2", Some("b"))?;
    }
    lab.conflicts(&[6], "key2", &[4, 5])?;
    lab.shows(&[6], "key1", Some("1"))?;
    let good = lab.add(&[4, 7])?;
    lab.shows(&[good], "key2", Some("4"))?;
    let resolved = lab.add(&[5, 4])?;
    let (at, prefer) = (lab.version(resolved), [lab.version(5), lab.version(4)]);
    let settled = lab.store.resolve_conflicts(lab.instance, at, &prefer, &KeyRange::ALL)?;
    check_eq!(settled, Settled { resolved: 1, left: 0 }, "what was resolved for node 5 before node 4");
    lab.shows(&[resolved], "key2", Some("5"))?;
    let empty = lab.add(&[1])?;
    for parents in [[good, empty], [empty, good]] {
        let merge = lab.add(&parents)?;
        lab.shows(&[merge], "key2", Some("4"))?;
        check_eq!(lab.keys(merge)?, ["batch1", "batch2", "key1", "key2"], "the keys of the last merge");
    }
    Ok(())
}

fn story_of_a_child(ctx: &Context) -> Verdict {
    let nodes: [Node<'_>; 2] = [
        (&[], &[("key1", Some("root")), ("key2", Some("root")), ("key3", Some("root"))]),
        (&[1], &[("key2", Some("child")), ("key3", None)]),
    ];
    let lab = Lab::of(ctx, &nodes)?;
    lab.shows(&[2], "key1", Some("root"))?;
    lab.shows(&[2], "key2", Some("child"))?;
    lab.shows(&[2], "key3", None)?;
    let expected: Vec<(_, Bytes)> = vec![(tkey("key1"), "root".into()), (tkey("key2"), "child".into())];
    check_eq!(lab.store.get_range(&lab.at(2), &KeyRange::ALL)?, expected, "the range of the child");
    check_eq!(lab.keys(2)?, ["key1", "key2"], "the keys of the child");
    check_eq!(lab.keys(1)?, ["key1", "key2", "key3"], "the keys of the root");
    let writer = |key: &str| lab.store.resolve(&lab.at(2), &tkey(key));
    for (key, node) in [("key1", 1), ("key2", 2)] {
        let found = writer(key)?;
        let version = lab.version(node);
        let named =
            matches!(found, engine_api::version::Resolved::Found { version: by, .. } if by == version);
        check_eq!(named, true, "whether {key} is said to be of node {node}");
    }
    Ok(())
}

fn story_of_two_branches(ctx: &Context) -> Verdict {
    let nodes: [Node<'_>; 3] = [
        (&[], &[("m1", Some("root")), ("m2", Some("root")), ("m3", Some("root"))]),
        (&[1], &[("v1", Some("version")), ("v2", Some("version")), ("m2", Some("version"))]),
        (&[1], &[("b1", Some("branch")), ("b2", Some("branch")), ("m2", Some("branch"))]),
    ];
    let lab = Lab::of(ctx, &nodes)?;
    check_eq!(lab.keys(2)?, ["m1", "m2", "m3", "v1", "v2"], "the keys of the version");
    check_eq!(lab.keys(3)?, ["b1", "b2", "m1", "m2", "m3"], "the keys of the branch");
    lab.edit(2, &[("m1", None), ("m2", None), ("v1", None)])?;
    lab.edit(3, &[("m2", None), ("m3", None), ("b2", None)])?;
    check_eq!(lab.keys(2)?, ["m3", "v2"], "the keys of the version after its deletes");
    check_eq!(lab.keys(3)?, ["b1", "m1"], "the keys of the branch after its deletes");
    check_eq!(lab.keys(1)?, ["m1", "m2", "m3"], "the keys of the root");
    lab.shows(&[2, 3], "m2", None)?;
    lab.edit(3, &[("m2", Some("again"))])?;
    lab.shows(&[3], "m2", Some("again"))?;
    lab.shows(&[2], "m2", None)?;
    lab.shows(&[1], "m2", Some("root"))
}

fn story_of_an_unversioned_collection(ctx: &Context) -> Verdict {
    let mut lab = Lab::new(ctx)?;
    let repo = lab.store.only_repo()?.id;
    let plain = lab.store.create_instance(repo, &NewInstance::new("plain", "keyvalue").unversioned())?.id;
    let at = DataContext::unversioned(plain);
    let get = |lab: &Lab| lab.store.get(&at, &tkey("k"));
    lab.store.put(&at, &tkey("k"), "1".into())?;
    let child = lab.add(&[1])?;
    check_eq!(get(&lab)?.as_deref(), Some(&b"1"[..]), "k once there is a child");
    lab.store.put(&at, &tkey("k"), "2".into())?;
    let grandchild = lab.add(&[child])?;
    lab.commit(grandchild)?;
    lab.store.delete(&at, &tkey("k"))?;
    check_eq!(get(&lab)?, None, "k once it was deleted, with every version committed");
    check_eq!(lab.store.exists(&at, &tkey("k"))?, false, "whether it exists");
    lab.store.put(&at, &tkey("k"), "3".into())?;
    check_eq!(get(&lab)?.as_deref(), Some(&b"3"[..]), "k put again");
    check_eq!(lab.keys(grandchild)?, Vec::<String>::new(), "the keys of the instance with versions");
    let conflicts = lab.store.conflicts(plain, &[lab.version(1)], &KeyRange::ALL, &mut |_| {
        Ok(engine_api::version::Flow::Continue(()))
    });
    check_refused(conflicts, ErrorKind::InvalidArgument, "conflicts of data without versions")
}

fn story_of_a_range(ctx: &Context) -> Verdict {
    let lab = Lab::new(ctx)?;
    let entries: Vec<(_, Bytes)> = ["key a", "key b", "yet another key C"]
        .into_iter()
        .map(|key| (tkey(key), Bytes::from(format!("value of {key}"))))
        .collect();
    let reversed: Vec<_> = entries.iter().rev().cloned().collect();
    lab.store.put_range(&lab.at(1), &reversed)?;
    let range = |range: KeyRange| lab.store.get_range(&lab.at(1), &range);
    check_eq!(range(KeyRange::new("key a".."yet another key F"))?, entries, "all three");
    check_eq!(range(KeyRange::new("key b".."yet another key C"))?, entries[1..2], "the one between");
    check_eq!(range(KeyRange::new("key c".."key z"))?, [], "a gap");
    lab.store.delete(&lab.at(1), &tkey("key b"))?;
    check_eq!(range(KeyRange::prefix(b"key"))?, entries[..1], "a prefix once one was deleted");
    lab.shows(&[1], "key b", None)
}
