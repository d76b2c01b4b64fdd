//! Merges of merges, where a walk along the parents and the rule on sets part.

use engine_api::version::{MergePolicy, OrderedKeyValue as _};
use engine_api::{ErrorKind, KeyRange};

use super::NEEDS;
use super::lab::{Lab, Node, tkey};
use crate::case::Case;
use crate::checks::check_refused;
use crate::context::Context;
use crate::oracle::Oracle;
use crate::verdict::{Verdict, check_eq};

pub(super) const CASES: &[Case] = &[
    Case::new(
        "versioned.every-diamond-in-both-orders",
        every_diamond_in_both_orders,
        "Whatever the root and each side did to a key, put, delete or nothing, its merges in both orders see what the rule says.",
        "27 histories are few enough to try them all.",
    )
    .needs(NEEDS),
    Case::new(
        "versioned.write-in-the-merge-resolves-the-conflict",
        write_in_the_merge_resolves_the_conflict,
        "A put, or a delete, at a merge decides a conflict for it and below, and changes nothing above.",
        "Resolving is writing; nothing is rewritten.",
    )
    .needs(NEEDS),
    Case::new(
        "versioned.write-below-the-merge-resolves-its-subtree",
        write_below_the_merge_resolves_its_subtree,
        "A write below a conflict decides it for its own descendants alone.",
        "A sibling still has to choose.",
    )
    .needs(NEEDS),
    Case::new(
        "versioned.merge-with-a-resolved-side",
        merge_with_a_resolved_side,
        "A merge of a resolved conflict with one of the versions that were in it sees the resolution.",
        "DVID's TestVersioning: the good merge, in both orders.",
    )
    .needs(NEEDS),
    Case::new(
        "versioned.merge-rule-is-over-all-ancestors",
        merge_rule_is_over_all_ancestors,
        "In merges of merges the rule is over the whole set of ancestors, not from pair to pair.",
        "A pairwise merge keeps a conflict that a third path has settled.",
    )
    .needs(NEEDS),
    Case::new(
        "versioned.conflict-does-not-depend-on-parent-order",
        conflict_does_not_depend_on_parent_order,
        "An entry that dominates both sides of a conflict settles it, whichever parent is looked at first.",
        "DVID's walk reports a conflict for parents (merge, settled) and none for (settled, merge).",
    )
    .needs(NEEDS),
    Case::new(
        "versioned.surviving-value-of-three-parents",
        surviving_value_of_three_parents,
        "In a merge of three a deleted value isn't seen, whatever the order of the parents.",
        "DVID's walk answers the last match found, which a later tombstone had struck out.",
    )
    .needs(NEEDS),
    Case::new(
        "versioned.nested-merge-keeps-the-surviving-value",
        nested_merge_keeps_the_surviving_value,
        "The same with the delete inside a nested merge: the value of the other side is seen.",
        "DVID's walk answers that the key is absent.",
    )
    .needs(NEEDS),
    Case::new(
        "versioned.strict-policy-reports-delete-against-modify",
        strict_policy_reports_delete_against_modify,
        "Under the strict policy a value beside a delete is a conflict that names both.",
        "Who merges by hand wants to be asked.",
    )
    .needs(NEEDS),
    Case::new(
        "versioned.first-parent-policy-never-conflicts",
        first_parent_policy_never_conflicts,
        "Under the first-parent policy a merge sees what its first parent sees.",
        "The order of the parents is then the choice.",
    )
    .needs(NEEDS),
    Case::new(
        "versioned.failed-merge-leaves-no-trace",
        failed_merge_leaves_no_trace,
        "A merge of an open version, of one parent, or of one twice is refused, and no version is made.",
        "DVID registered the child before it checked the parents.",
    )
    .needs(NEEDS),
];

fn every_diamond_in_both_orders(ctx: &Context) -> Verdict {
    // Nothing, a delete, a put.
    const DONE: [&[Option<&str>]; 3] = [&[], &[None], &[Some("v")]];
    let mut lab = Lab::new(ctx)?;
    let mut oracle = Oracle::default();
    for node in 1..=3 {
        if node > 1 {
            lab.add(&[1])?;
        }
        let parents: &[usize] = if node > 1 { &[1] } else { &[] };
        let parents: Vec<_> = parents.iter().map(|parent| lab.version(*parent)).collect();
        oracle.add_version(lab.version(node), &parents);
        for number in 0..27 {
            let key = format!("{number:02}");
            let digits = [number / 9, number / 3 % 3, number % 3];
            for done in DONE[digits[node - 1]] {
                lab.edit(node, &[(&key, *done)])?;
                oracle.write(key.as_bytes(), lab.version(node), done.map(Into::into));
            }
        }
    }
    let keys: Vec<_> = (0..27).map(|number| format!("{number:02}")).collect();
    for parents in [[2, 3], [3, 2]] {
        let merge = lab.add(&parents)?;
        let below = lab.add(&[merge])?;
        oracle.add_version(lab.version(merge), &parents.map(|parent| lab.version(parent)));
        oracle.add_version(lab.version(below), &[lab.version(merge)]);
        for (node, key) in [merge, below].iter().flat_map(|node| keys.iter().map(move |key| (*node, key))) {
            let got = lab.store.resolve(&lab.at(node), &tkey(key))?;
            let expected = oracle.resolve(key.as_bytes(), lab.version(node));
            check_eq!(got, expected, "{key} at node {node}, of the merge of {parents:?}");
        }
    }
    Ok(())
}

fn write_in_the_merge_resolves_the_conflict(ctx: &Context) -> Verdict {
    let sides: [Node<'_>; 3] = [(&[], &[]), (&[1], &[("k", Some("l"))]), (&[1], &[("k", Some("r"))])];
    let mut nodes = sides.to_vec();
    nodes.extend::<[Node<'_>; 4]>([
        (&[2, 3], &[("k", Some("chosen"))]),
        (&[3, 2], &[("k", None)]),
        (&[4], &[]),
        (&[5], &[]),
    ]);
    let lab = Lab::of(ctx, &nodes)?;
    lab.shows(&[4, 6], "k", Some("chosen"))?;
    lab.shows(&[5, 7], "k", None)?;
    lab.shows(&[2], "k", Some("l"))?;
    lab.shows(&[3], "k", Some("r"))
}

fn write_below_the_merge_resolves_its_subtree(ctx: &Context) -> Verdict {
    let nodes: [Node<'_>; 7] = [
        (&[], &[]),
        (&[1], &[("k", Some("l"))]),
        (&[1], &[("k", Some("r"))]),
        (&[2, 3], &[]),
        (&[4], &[("k", Some("chosen"))]),
        (&[5], &[]),
        (&[4], &[]),
    ];
    let lab = Lab::of(ctx, &nodes)?;
    lab.shows(&[5, 6], "k", Some("chosen"))?;
    lab.conflicts(&[4, 7], "k", &[2, 3])
}

fn merge_with_a_resolved_side(ctx: &Context) -> Verdict {
    let nodes: [Node<'_>; 8] = [
        (&[], &[("k", Some("root"))]),
        (&[1], &[("k", Some("l"))]),
        (&[1], &[("k", Some("r"))]),
        (&[3], &[("k", None)]),
        (&[2, 4], &[]),
        (&[1], &[]),
        (&[5, 6], &[]),
        (&[6, 5], &[]),
    ];
    let lab = Lab::of(ctx, &nodes)?;
    lab.shows(&[5, 7, 8], "k", Some("l"))
}

fn merge_rule_is_over_all_ancestors(ctx: &Context) -> Verdict {
    let nodes: [Node<'_>; 8] = [
        (&[], &[("k", Some("1"))]),
        (&[1], &[("k", Some("2"))]),
        (&[1], &[("k", Some("3"))]),
        (&[2, 3], &[]),
        (&[2, 3], &[("k", Some("5"))]),
        (&[4, 5], &[]),
        (&[5, 4], &[]),
        (&[6, 3], &[]),
    ];
    let lab = Lab::of(ctx, &nodes)?;
    lab.conflicts(&[4], "k", &[2, 3])?;
    lab.shows(&[6, 7, 8], "k", Some("5"))
}

fn conflict_does_not_depend_on_parent_order(ctx: &Context) -> Verdict {
    let history: [Node<'_>; 7] = [
        (&[], &[("k", Some("1"))]),
        (&[1], &[("k", Some("2"))]),
        (&[1], &[]),
        (&[1], &[("k", Some("4"))]),
        (&[2, 4], &[]),
        (&[3, 5], &[("k", Some("6"))]),
        (&[5, 6], &[]),
    ];
    let mut nodes = history.to_vec();
    nodes.push((&[6, 5], &[]));
    let lab = Lab::of(ctx, &nodes)?;
    lab.conflicts(&[5], "k", &[2, 4])?;
    lab.shows(&[6, 7, 8], "k", Some("6"))
}

fn surviving_value_of_three_parents(ctx: &Context) -> Verdict {
    let mut nodes: Vec<Node<'_>> = vec![
        (&[], &[]),
        (&[1], &[("k", Some("2"))]),
        (&[1], &[("k", Some("3"))]),
        (&[3], &[]),
        (&[3], &[("k", None)]),
    ];
    let orders: [&[usize]; 6] = [&[2, 4, 5], &[2, 5, 4], &[4, 2, 5], &[4, 5, 2], &[5, 2, 4], &[5, 4, 2]];
    nodes.extend(orders.map(|order| -> Node<'_> { (order, &[]) }));
    let lab = Lab::of(ctx, &nodes)?;
    lab.shows(&[6, 7, 8, 9, 10, 11], "k", Some("2"))
}

fn nested_merge_keeps_the_surviving_value(ctx: &Context) -> Verdict {
    let mut nodes: Vec<Node<'_>> = vec![
        (&[], &[]),
        (&[1], &[("k", Some("2"))]),
        (&[1], &[("k", Some("3"))]),
        (&[3], &[]),
        (&[3], &[("k", None)]),
        (&[4, 5], &[]),
        (&[5, 4], &[]),
    ];
    let orders: [&[usize]; 4] = [&[2, 6], &[6, 2], &[2, 7], &[7, 2]];
    nodes.extend(orders.map(|order| -> Node<'_> { (order, &[]) }));
    let lab = Lab::of(ctx, &nodes)?;
    lab.shows(&[6, 7], "k", None)?;
    lab.shows(&[8, 9, 10, 11], "k", Some("2"))
}

fn strict_policy_reports_delete_against_modify(ctx: &Context) -> Verdict {
    let nodes: [Node<'_>; 5] = [
        (&[], &[("k", Some("root")), ("gone", Some("root"))]),
        (&[1], &[("k", None), ("gone", None)]),
        (&[1], &[("k", Some("r"))]),
        (&[2, 3], &[]),
        (&[3, 2], &[]),
    ];
    let lab = Lab::of(ctx, &nodes)?.with_policy(MergePolicy::Strict);
    lab.conflicts(&[4, 5], "k", &[2, 3])?;
    lab.shows(&[4, 5], "gone", None)
}

fn first_parent_policy_never_conflicts(ctx: &Context) -> Verdict {
    let nodes: [Node<'_>; 5] = [
        (&[], &[("k", Some("root")), ("kept", Some("root"))]),
        (&[1], &[("k", Some("l")), ("kept", None)]),
        (&[1], &[("k", Some("r")), ("new", Some("r"))]),
        (&[2, 3], &[]),
        (&[3, 2], &[]),
    ];
    let lab = Lab::of(ctx, &nodes)?.with_policy(MergePolicy::FirstParent);
    for (merge, k, kept, new) in [(4, "l", None, None), (5, "r", Some("root"), Some("r"))] {
        lab.shows(&[merge], "k", Some(k))?;
        lab.shows(&[merge], "kept", kept)?;
        lab.shows(&[merge], "new", new)?;
    }
    Ok(())
}

fn failed_merge_leaves_no_trace(ctx: &Context) -> Verdict {
    let mut lab = Lab::of(ctx, &[(&[], &[("k", Some("root"))])])?;
    let (left, right) = (lab.add(&[1])?, lab.add(&[1])?);
    lab.commit(left)?;
    let before = lab.store.dag()?.versions().count();
    let [one, other] = [left, right].map(|node| lab.version(node));
    for (parents, what) in [
        (vec![one, other], "a merge of an open version"),
        (vec![one], "a merge of one version"),
        (vec![one, one], "a merge of a version with itself"),
    ] {
        check_refused(lab.store.merge(&parents, Some("merged")), ErrorKind::InvalidArgument, what)?;
        check_eq!(lab.store.dag()?.versions().count(), before, "the versions after {what}");
    }
    lab.store.refresh()?;
    check_eq!(lab.store.dag()?.versions().count(), before, "the versions that are stored");
    check_eq!(lab.store.dag()?.children(one), [], "the children of a parent of failed merges");
    let keys = lab.store.keys_in_range(&lab.at(right), &KeyRange::ALL)?;
    check_eq!(keys, [tkey("k")], "the keys after failed merges");
    Ok(())
}
