//! Conflicts: foreseen, listed, resolved, and settled by the application.

use std::sync::Arc;

use bytes::Bytes;
use engine_api::key::{InstanceId, VersionId};
use engine_api::layers::{Fault, Faults, Faulty, Relaxed};
use engine_api::version::{
    Choice, Conflict, Flow, MergePolicy, OrderedKeyValue as _, Settled, Side, Versioned, process_range,
    stream,
};
use engine_api::{ErrorKind, Fetch, KeyRange, Store};

use super::NEEDS;
use super::lab::{Lab, Node, tkey};
use crate::case::Case;
use crate::checks::check_refused;
use crate::context::Context;
use crate::verdict::{Verdict, check, check_eq};

pub(super) const CASES: &[Case] = &[
    Case::new(
        "versioned.conflicts-are-foreseen-before-the-merge",
        conflicts_are_foreseen_before_the_merge,
        "What a merge of versions would be in conflict about is what it is in conflict about, in every order.",
        "DVID shows the conflicts of a merge only once it is made, and read key by key.",
    )
    .needs(NEEDS),
    Case::new(
        "versioned.conflict-names-every-side",
        conflict_names_every_side,
        "A conflict that is listed has the version and the value of each side, a deletion under the strict policy.",
        "Who is to choose must see what there is.",
    )
    .needs(NEEDS),
    Case::new(
        "versioned.resolving-writes-at-the-merge-alone",
        resolving_writes_at_the_merge_alone,
        "A side, another value or a delete that is chosen is seen at the merge and below, and nothing above changes.",
        "DVID resolves by writing tombstones at new versions of the sides that lose.",
    )
    .needs(NEEDS),
    Case::new(
        "versioned.resolving-needs-a-conflict-and-an-open-version",
        resolving_needs_a_conflict_and_an_open_version,
        "A key that isn't in conflict, a version without a side, and a committed version are refused, and nothing is written.",
        "A choice that is made twice would overwrite what was written since.",
    )
    .needs(NEEDS),
    Case::new(
        "versioned.resolving-all-follows-the-preference",
        resolving_all_follows_the_preference,
        "Of each conflict the side is taken that the first preferred version sees; the others are left and counted.",
        "DVID's DeleteConflicts: parents in the order of their priority.",
    )
    .needs(NEEDS),
    Case::new(
        "versioned.resolving-all-can-be-repeated",
        resolving_all_can_be_repeated,
        "A resolution of many keys that fails half-way leaves keys resolved or as they were, and is gone on with.",
        "It is done in pieces, and machines stop between them.",
    )
    .needs(NEEDS),
    Case::new(
        "versioned.own-resolver-is-asked-everywhere",
        own_resolver_is_asked_everywhere,
        "A resolver of the application settles a conflict in every way to read, and stores nothing.",
        "A way to read that doesn't ask it answers another value than the others.",
    )
    .needs(NEEDS),
];

fn listed<S: Store>(
    store: &Versioned<S>,
    instance: InstanceId,
    versions: &[VersionId],
) -> Verdict<Vec<Conflict>> {
    let mut found = Vec::new();
    store.conflicts(instance, versions, &KeyRange::ALL, &mut |conflict| {
        found.push(conflict);
        Ok(Flow::Continue(()))
    })?;
    Ok(found)
}

impl<S: Store> Lab<S> {
    /// The conflicts that a node has, or that a merge of several would have.
    fn list(&self, nodes: &[usize]) -> Verdict<Vec<Conflict>> {
        let versions: Vec<_> = nodes.iter().map(|node| self.version(*node)).collect();
        listed(&self.store, self.instance, &versions)
    }

    /// A conflict between what nodes wrote.
    fn conflict(&self, key: &str, sides: &[(usize, Option<&str>)]) -> Conflict {
        let side = |(node, value): &(usize, Option<&str>)| Side {
            version: self.version(*node),
            value: value.map(|value| Bytes::copy_from_slice(value.as_bytes())),
        };
        Conflict { tkey: tkey(key), sides: sides.iter().map(side).collect() }
    }

    fn choose(&self, node: usize, key: &str, choice: Choice) -> engine_api::Result<()> {
        self.store.resolve_conflict(&self.at(node), &tkey(key), choice)
    }

    fn choose_all(&self, node: usize, prefer: &[usize]) -> engine_api::Result<Settled> {
        let prefer: Vec<_> = prefer.iter().map(|node| self.version(*node)).collect();
        self.store.resolve_conflicts(self.instance, self.version(node), &prefer, &KeyRange::ALL)
    }
}

fn conflicts_are_foreseen_before_the_merge(ctx: &Context) -> Verdict {
    let nodes: [Node<'_>; 5] = [
        (&[], &[("both", Some("1")), ("left", Some("1")), ("gone", Some("1"))]),
        (&[1], &[("both", Some("2")), ("left", Some("2")), ("gone", None), ("new", Some("2"))]),
        (&[1], &[("both", Some("3")), ("new", Some("3"))]),
        (&[3], &[("gone", Some("4"))]),
        (&[1], &[("both", Some("5"))]),
    ];
    let mut lab = Lab::of(ctx, &nodes)?;
    let both = lab.conflict("both", &[(2, Some("2")), (3, Some("3"))]);
    let new = lab.conflict("new", &[(2, Some("2")), (3, Some("3"))]);
    let three = lab.conflict("both", &[(2, Some("2")), (3, Some("3")), (5, Some("5"))]);
    let orders: [(&[usize], Vec<Conflict>); 6] = [
        (&[2, 4], vec![both.clone(), new.clone()]),
        (&[4, 2], vec![both, new.clone()]),
        (&[5, 2, 4], vec![three.clone(), new.clone()]),
        (&[4, 5, 2], vec![three, new]),
        (&[3, 4], vec![]),
        (&[1, 2], vec![]),
    ];
    for (parents, expected) in orders {
        check_eq!(lab.list(parents)?, expected, "the conflicts before {parents:?} are merged");
        let merge = lab.add(parents)?;
        check_eq!(lab.list(&[merge])?, expected, "the conflicts of the merge of {parents:?}");
        for conflict in &expected {
            let found = lab.store.get(&lab.at(merge), &conflict.tkey);
            check_refused(found, ErrorKind::Conflict, &format!("{:?} at the merge", conflict.tkey))?;
        }
    }
    Ok(())
}

fn conflict_names_every_side(ctx: &Context) -> Verdict {
    let nodes: [Node<'_>; 4] = [
        (&[], &[("k", Some("root")), ("empty", Some("root"))]),
        (&[1], &[("k", None), ("empty", Some(""))]),
        (&[1], &[("k", Some("r")), ("empty", Some("r"))]),
        (&[2, 3], &[]),
    ];
    let lab = Lab::of(ctx, &nodes)?;
    let empty = lab.conflict("empty", &[(2, Some("")), (3, Some("r"))]);
    check_eq!(lab.list(&[4])?, std::slice::from_ref(&empty), "the conflicts where values win");
    let lab = lab.with_policy(MergePolicy::Strict);
    let k = lab.conflict("k", &[(2, None), (3, Some("r"))]);
    for nodes in [&[4][..], &[2, 3], &[3, 2]] {
        check_eq!(lab.list(nodes)?, [empty.clone(), k.clone()], "the conflicts under the strict policy");
    }
    lab.choose(4, "k", Choice::Version(lab.version(2)))?;
    lab.shows(&[4], "k", None)?;
    let lab = lab.with_policy(MergePolicy::FirstParent);
    check_eq!(lab.list(&[2, 3])?, [], "the conflicts under the policy that has none");
    Ok(())
}

/// Nodes 2 and 3 both wrote every one of `a` to `d`; 4 merges them.
const CLASH: [Node<'static>; 4] = [
    (&[], &[("a", Some("1")), ("b", Some("1")), ("c", Some("1")), ("d", Some("1"))]),
    (&[1], &[("a", Some("l")), ("b", Some("l")), ("c", Some("l")), ("d", Some("l"))]),
    (&[1], &[("a", Some("r")), ("b", Some("r")), ("c", Some("r")), ("d", Some("r"))]),
    (&[2, 3], &[]),
];

fn resolving_writes_at_the_merge_alone(ctx: &Context) -> Verdict {
    let mut lab = Lab::of(ctx, &CLASH)?;
    lab.choose(4, "a", Choice::Version(lab.version(3)))?;
    lab.choose(4, "b", Choice::Value("both".into()))?;
    lab.choose(4, "c", Choice::Delete)?;
    let below = lab.add(&[4])?;
    lab.shows(&[4, below], "a", Some("r"))?;
    lab.shows(&[4, below], "b", Some("both"))?;
    lab.shows(&[4, below], "c", None)?;
    lab.conflicts(&[4, below], "d", &[2, 3])?;
    lab.choose(below, "d", Choice::Version(lab.version(2)))?;
    lab.shows(&[below], "d", Some("l"))?;
    lab.conflicts(&[4], "d", &[2, 3])?;
    for key in ["a", "b", "c", "d"] {
        lab.shows(&[2], key, Some("l"))?;
        lab.shows(&[3], key, Some("r"))?;
        for (node, entries) in
            [(2, 1), (3, 1), (4, usize::from(key != "d")), (below, usize::from(key == "d"))]
        {
            check_eq!(lab.stored(node, key)?, entries, "the entries of {key} at node {node}");
        }
    }
    Ok(())
}

fn resolving_needs_a_conflict_and_an_open_version(ctx: &Context) -> Verdict {
    let lab = Lab::of(ctx, &CLASH)?;
    let before = crate::checks::all_keys(lab.store.store())?;
    check_refused(lab.choose(4, "nosuch", Choice::Delete), ErrorKind::NotFound, "a key that isn't there")?;
    for node in [1, 4] {
        let chosen = lab.choose(4, "a", Choice::Version(lab.version(node)));
        check_refused(
            chosen,
            ErrorKind::InvalidArgument,
            &format!("the side of node {node}, which has none"),
        )?;
    }
    let sideless = lab.choose(2, "a", Choice::Delete);
    check_refused(sideless, ErrorKind::ReadOnly, "a resolution at a committed version")?;
    let unknown =
        lab.store.resolve_conflicts(lab.instance, lab.version(4), &[VersionId(4711)], &KeyRange::ALL);
    check_refused(unknown, ErrorKind::NotFound, "a preferred version that isn't there")?;
    check!(crate::checks::all_keys(lab.store.store())? == before, "something was written");
    lab.choose(4, "a", Choice::Version(lab.version(2)))?;
    let again = lab.choose(4, "a", Choice::Version(lab.version(3)));
    check_refused(again, ErrorKind::NotFound, "a resolution of what was resolved")?;
    lab.shows(&[4], "a", Some("l"))
}

fn resolving_all_follows_the_preference(ctx: &Context) -> Verdict {
    let nodes: [Node<'_>; 6] = [
        (&[], &[]),
        (&[1], &[("all", Some("2")), ("l", Some("2"))]),
        (&[1], &[("all", Some("3")), ("l", Some("3")), ("r", Some("3"))]),
        (&[1], &[("all", Some("4")), ("r", Some("4"))]),
        (&[2], &[]),
        (&[5, 3, 4], &[("own", Some("6"))]),
    ];
    let lab = Lab::of(ctx, &nodes)?;
    check_eq!(lab.choose_all(6, &[])?, Settled { resolved: 0, left: 3 }, "what no preference resolves");
    check_eq!(
        lab.choose_all(6, &[1, 6])?,
        Settled { resolved: 0, left: 3 },
        "what versions without a side resolve"
    );
    // Node 5 wrote nothing, and sees what node 2 wrote.
    check_eq!(lab.choose_all(6, &[5])?, Settled { resolved: 2, left: 1 }, "what node 5 resolves");
    lab.shows(&[6], "all", Some("2"))?;
    lab.shows(&[6], "l", Some("2"))?;
    lab.conflicts(&[6], "r", &[3, 4])?;
    check_eq!(lab.choose_all(6, &[5, 4, 3])?, Settled { resolved: 1, left: 0 }, "what the others resolve");
    lab.shows(&[6], "r", Some("4"))?;
    lab.shows(&[6], "own", Some("6"))?;
    check_eq!(lab.list(&[6])?, [], "the conflicts that are left");
    Ok(())
}

fn resolving_all_can_be_repeated(ctx: &Context) -> Verdict {
    const KEYS: u32 = 1_500;
    let faults = Faults::new();
    let mut lab = Lab::over(Faulty::new(Relaxed(ctx.open()?), Arc::clone(&faults)))?;
    let (left, right) = (lab.add(&[1])?, lab.add(&[1])?);
    for (node, value) in [(left, "l"), (right, "r")] {
        let entries: Vec<_> = (0..KEYS).map(|key| (tkey(&format!("{key:05}")), Bytes::from(value))).collect();
        for some in entries.chunks(500) {
            lab.store.put_range(&lab.at(node), some)?;
        }
    }
    let merge = lab.add(&[left, right])?;
    faults.fail_after(Fault::Commit, 1);
    check_refused(lab.choose_all(merge, &[right]), ErrorKind::Io, "a resolution whose second commit fails")?;
    let rest = lab.list(&[merge])?.len() as u64;
    check!(rest > 0 && rest < u64::from(KEYS), "{rest} of {KEYS} conflicts are left of the first piece");
    check_eq!(lab.choose_all(merge, &[right])?, Settled { resolved: rest, left: 0 }, "the rest of it");
    check_eq!(lab.choose_all(merge, &[left])?, Settled::default(), "a third time");
    let values = lab.store.get_range(&lab.at(merge), &KeyRange::ALL)?;
    check_eq!(values.len(), KEYS as usize, "the keys of the merge");
    check!(values.iter().all(|(_, value)| value == "r"), "a key has another side's value");
    Ok(())
}

/// Joins values; leaves the key `open`, and deletes the key `gone`.
fn joining(conflict: &Conflict) -> Option<Choice> {
    match conflict.tkey.as_bytes() {
        b"open" => None,
        b"gone" => Some(Choice::Delete),
        _ => {
            let values: Vec<_> = conflict.sides.iter().filter_map(|side| side.value.as_deref()).collect();
            Some(Choice::Value(values.join(&b'+').into()))
        }
    }
}

fn own_resolver_is_asked_everywhere(ctx: &Context) -> Verdict {
    let keys = ["gone", "joined", "open"];
    let mut lab = Lab::new(ctx)?;
    let (left, right) = (lab.add(&[1])?, lab.add(&[1])?);
    for key in keys {
        lab.edit(left, &[(key, Some("l"))])?;
        lab.edit(right, &[(key, Some("r"))])?;
    }
    let merge = lab.add(&[left, right])?;
    let before = crate::checks::all_keys(lab.store.store())?;
    let resolver = |_: InstanceId, conflict: &Conflict| Ok(joining(conflict));
    let lab = lab.with_resolver(Arc::new(resolver));
    let at = lab.at(merge);
    lab.shows(&[merge], "joined", Some("l+r"))?;
    lab.shows(&[merge], "gone", None)?;
    lab.conflicts(&[merge], "open", &[left, right])?;
    check_eq!(lab.store.keys_in_range(&at, &KeyRange::ALL)?, [tkey("joined"), tkey("open")], "the keys");
    let settled = KeyRange::new("g".."k");
    let expected = [(tkey("joined"), Bytes::from("l+r"))];
    check_eq!(lab.store.get_range(&at, &settled)?, expected, "the entries");
    let streamed = stream(&lab.store, &at, settled.clone(), Fetch::Entries)
        .map(|entry| {
            entry.and_then(|(tkey, resolved)| Ok((tkey, resolved.into_value()?.unwrap_or_default())))
        })
        .collect::<engine_api::Result<Vec<_>>>()?;
    check_eq!(streamed, expected, "the stream");
    let seen = std::sync::Mutex::new(Vec::new());
    process_range(&lab.store, &at, &settled, 2, &|tkey, value| {
        seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push((tkey.clone(), value));
        Ok(())
    })?;
    check_eq!(seen.into_inner().unwrap_or_default(), expected, "what is processed");
    let mut differ = Vec::new();
    lab.store.diff(lab.instance, (lab.version(left), lab.version(merge)), &KeyRange::ALL, &mut |found| {
        differ.push((found.tkey, found.after.is_visible()));
        Ok(Flow::Continue(()))
    })?;
    let expected = [("gone", false), ("joined", true), ("open", true)].map(|(key, there)| (tkey(key), there));
    check_eq!(differ, expected, "what differs from the left side");
    check!(crate::checks::all_keys(lab.store.store())? == before, "reading has written something");
    Ok(())
}
