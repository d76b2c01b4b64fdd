//! What a version sees along a line, and at a diamond.

use super::NEEDS;
use super::lab::{Edit, Lab, Node};
use crate::case::Case;
use crate::context::Context;
use crate::verdict::Verdict;
use Side::{Delete, Put, Untouched};

pub(super) const CASES: &[Case] = &[
    Case::new(
        "versioned.own-entry-wins",
        own_entry_wins,
        "What was written at the version itself is what it sees.",
        "The read rule, first consequence.",
    )
    .needs(NEEDS),
    Case::new(
        "versioned.own-tombstone-hides-ancestors",
        own_tombstone_hides_ancestors,
        "A delete at a version hides what all its ancestors have, there and below, and nowhere else.",
        "A tombstone is an entry of its version.",
    )
    .needs(NEEDS),
    Case::new(
        "versioned.nearest-ancestor-wins",
        nearest_ancestor_wins,
        "Along a line the nearest version that wrote the key decides.",
        "The read rule on the histories that there are most of.",
    )
    .needs(NEEDS),
    Case::new(
        "versioned.siblings-and-descendants-are-not-visible",
        siblings_and_descendants_are_not_visible,
        "What a sibling, its descendants or one's own descendants wrote isn't seen.",
        "Only ancestors are.",
    )
    .needs(NEEDS),
    Case::new(
        "versioned.put-below-a-tombstone-is-visible-again",
        put_below_a_tombstone_is_visible_again,
        "A key that was deleted and put again further down is there from there on, and absent at the delete.",
        "A tombstone hides ancestors, not descendants.",
    )
    .needs(NEEDS),
    Case::new(
        "versioned.deep-history-reads-every-version",
        deep_history_reads_every_version,
        "In a line of 200 versions each reads what was latest for it.",
        "Real histories are deep and nearly linear.",
    )
    .needs(NEEDS),
    Case::new(
        "versioned.wide-history-reads-every-version",
        wide_history_reads_every_version,
        "Of 120 siblings that each wrote a key, each reads its own value, by key and by range.",
        "Entries of others are sought past, and the seek must land.",
    )
    .needs(NEEDS),
    Case::new(
        "versioned.diamond-of-an-untouched-value",
        diamond_of_an_untouched_value,
        "A merge of two versions that didn't touch a key sees the value that both inherit.",
        "Two paths to one entry are no conflict (DVID's TestDiamondGetOnMerge).",
    )
    .needs(NEEDS),
    Case::new(
        "versioned.diamond-with-one-side-overwritten",
        diamond_with_one_side_overwritten,
        "A merge sees the value of the side that wrote, in both orders of its parents.",
        "An ancestor's value must not conflict with its descendant's.",
    )
    .needs(NEEDS),
    Case::new(
        "versioned.diamond-with-one-side-deleted",
        diamond_with_one_side_deleted,
        "A merge of a version that deleted a key with one that didn't touch it hasn't the key.",
        "Deletion beats unchanged.",
    )
    .needs(NEEDS),
    Case::new(
        "versioned.diamond-with-delete-against-modify",
        diamond_with_delete_against_modify,
        "A merge of a version that deleted a key with one that overwrote it sees the new value.",
        "Delete against modify is no conflict.",
    )
    .needs(NEEDS),
    Case::new(
        "versioned.diamond-with-both-overwritten",
        diamond_with_both_overwritten,
        "A merge of two versions that both wrote a key is in conflict, and so is what descends from it.",
        "DVID's badger engine read a conflict as an absent key.",
    )
    .needs(NEEDS),
    Case::new(
        "versioned.diamond-with-equal-values-is-a-conflict",
        diamond_with_equal_values_is_a_conflict,
        "Two sides that wrote the same value are in conflict too.",
        "The rule is on versions, not on values, and must not depend on bytes.",
    )
    .needs(NEEDS),
    Case::new(
        "versioned.diamond-with-both-deleted",
        diamond_with_both_deleted,
        "A merge of two versions that both deleted a key hasn't the key.",
        "Two tombstones agree.",
    )
    .needs(NEEDS),
    Case::new(
        "versioned.diamond-of-new-keys",
        diamond_of_new_keys,
        "A merge has the keys that either side added, and a key that both added is in conflict.",
        "Keys without a common ancestor are the rule too.",
    )
    .needs(NEEDS),
];

fn own_entry_wins(ctx: &Context) -> Verdict {
    let lab = Lab::of(ctx, &[(&[], &[("k", Some("root"))]), (&[1], &[("k", Some("own"))])])?;
    lab.shows(&[2], "k", Some("own"))?;
    lab.shows(&[1], "k", Some("root"))
}

fn own_tombstone_hides_ancestors(ctx: &Context) -> Verdict {
    let nodes: [Node<'_>; 5] = [
        (&[], &[("k", Some("root"))]),
        (&[1], &[("k", Some("child"))]),
        (&[2], &[("k", None)]),
        (&[3], &[]),
        (&[2], &[]),
    ];
    let lab = Lab::of(ctx, &nodes)?;
    lab.shows(&[3, 4], "k", None)?;
    lab.shows(&[2, 5], "k", Some("child"))?;
    lab.shows(&[1], "k", Some("root"))
}

fn nearest_ancestor_wins(ctx: &Context) -> Verdict {
    let nodes: [Node<'_>; 6] = [
        (&[], &[("k", Some("1"))]),
        (&[1], &[]),
        (&[2], &[("k", Some("3"))]),
        (&[3], &[]),
        (&[4], &[("k", Some("5")), ("other", Some("5"))]),
        (&[5], &[]),
    ];
    let lab = Lab::of(ctx, &nodes)?;
    lab.shows(&[1, 2], "k", Some("1"))?;
    lab.shows(&[3, 4], "k", Some("3"))?;
    lab.shows(&[5, 6], "k", Some("5"))?;
    lab.shows(&[1, 2, 3, 4], "other", None)
}

fn siblings_and_descendants_are_not_visible(ctx: &Context) -> Verdict {
    let nodes: [Node<'_>; 5] = [
        (&[], &[]),
        (&[1], &[("k", Some("sibling"))]),
        (&[2], &[("k", Some("its child")), ("deep", Some("v"))]),
        (&[1], &[]),
        (&[4], &[("own", Some("v"))]),
    ];
    let lab = Lab::of(ctx, &nodes)?;
    lab.shows(&[1, 4, 5], "k", None)?;
    lab.shows(&[1, 2, 4, 5], "deep", None)?;
    lab.shows(&[1, 2, 3, 4], "own", None)
}

fn put_below_a_tombstone_is_visible_again(ctx: &Context) -> Verdict {
    let nodes: [Node<'_>; 4] =
        [(&[], &[("k", Some("old"))]), (&[1], &[("k", None)]), (&[2], &[("k", Some("new"))]), (&[3], &[])];
    let lab = Lab::of(ctx, &nodes)?;
    lab.shows(&[1], "k", Some("old"))?;
    lab.shows(&[2], "k", None)?;
    lab.shows(&[3, 4], "k", Some("new"))
}

fn deep_history_reads_every_version(ctx: &Context) -> Verdict {
    const DEPTH: usize = 200;
    let mut lab = Lab::new(ctx)?;
    lab.edit(1, &[("first", Some("1"))])?;
    for node in 2..=DEPTH {
        lab.add(&[node - 1])?;
        let value = node.to_string();
        match node % 4 {
            0 => lab.edit(node, &[("k", Some(&value))])?,
            2 => lab.edit(node, &[("k", None)])?,
            _ => {}
        }
    }
    for node in 1..=DEPTH {
        let latest = (node / 4 * 4).to_string();
        lab.shows(&[node], "k", (node >= 4 && node % 4 < 2).then_some(latest.as_str()))?;
        lab.shows(&[node], "first", Some("1"))?;
    }
    Ok(())
}

fn wide_history_reads_every_version(ctx: &Context) -> Verdict {
    use engine_api::KeyRange;
    use engine_api::version::OrderedKeyValue as _;
    const WIDTH: usize = 120;
    let mut lab = Lab::new(ctx)?;
    lab.edit(1, &[("before", Some("root")), ("z", Some("root"))])?;
    for node in 2..=WIDTH {
        lab.add(&[1])?;
        lab.edit(node, &[("k", Some(&node.to_string()))])?;
    }
    lab.shows(&[1], "k", None)?;
    for node in 2..=WIDTH {
        let own = node.to_string();
        lab.shows(&[node], "k", Some(&own))?;
        let range = lab.store.get_range(&lab.at(node), &KeyRange::ALL)?;
        let range: Vec<_> = range.iter().map(|(key, value)| (key.as_bytes(), value.as_ref())).collect();
        let expected: [(&[u8], &[u8]); 3] = [(b"before", b"root"), (b"k", own.as_bytes()), (b"z", b"root")];
        crate::verdict::check_eq!(range, expected, "the entries at node {node}");
    }
    Ok(())
}

/// What one node of a diamond does to the key.
#[derive(Clone, Copy)]
enum Side {
    Untouched,
    Put(&'static str),
    Delete,
}

impl Side {
    fn edits(self) -> Vec<Edit<'static>> {
        match self {
            Self::Untouched => Vec::new(),
            Self::Put(value) => vec![("k", Some(value))],
            Self::Delete => vec![("k", None)],
        }
    }
}

/// A diamond with these writes; nodes 4 and 5 merge the sides in both orders, 6 and 7 descend from them.
fn diamond(ctx: &Context, sides: [Side; 3]) -> Verdict<Lab> {
    let [root, left, right] = sides.map(Side::edits);
    let nodes: [Node<'_>; 7] = [
        (&[], &root),
        (&[1], &left),
        (&[1], &right),
        (&[2, 3], &[]),
        (&[3, 2], &[]),
        (&[4], &[]),
        (&[5], &[]),
    ];
    Lab::of(ctx, &nodes)
}

const MERGED: [usize; 4] = [4, 5, 6, 7];

fn diamond_of_an_untouched_value(ctx: &Context) -> Verdict {
    diamond(ctx, [Put("root"), Untouched, Untouched])?.shows(&MERGED, "k", Some("root"))
}

fn diamond_with_one_side_overwritten(ctx: &Context) -> Verdict {
    let lab = diamond(ctx, [Put("root"), Put("left"), Untouched])?;
    lab.shows(&MERGED, "k", Some("left"))?;
    lab.shows(&[3], "k", Some("root"))
}

fn diamond_with_one_side_deleted(ctx: &Context) -> Verdict {
    let lab = diamond(ctx, [Put("root"), Untouched, Delete])?;
    lab.shows(&MERGED, "k", None)?;
    lab.shows(&[1, 2], "k", Some("root"))
}

fn diamond_with_delete_against_modify(ctx: &Context) -> Verdict {
    let lab = diamond(ctx, [Put("root"), Delete, Put("right")])?;
    lab.shows(&MERGED, "k", Some("right"))?;
    lab.shows(&[2], "k", None)
}

fn diamond_with_both_overwritten(ctx: &Context) -> Verdict {
    let lab = diamond(ctx, [Put("root"), Put("left"), Put("right")])?;
    lab.conflicts(&MERGED, "k", &[2, 3])?;
    lab.shows(&[2], "k", Some("left"))?;
    lab.shows(&[3], "k", Some("right"))
}

fn diamond_with_equal_values_is_a_conflict(ctx: &Context) -> Verdict {
    diamond(ctx, [Untouched, Put("same"), Put("same")])?.conflicts(&MERGED, "k", &[2, 3])
}

fn diamond_with_both_deleted(ctx: &Context) -> Verdict {
    let lab = diamond(ctx, [Put("root"), Delete, Delete])?;
    lab.shows(&MERGED, "k", None)?;
    lab.shows(&[1], "k", Some("root"))
}

fn diamond_of_new_keys(ctx: &Context) -> Verdict {
    let nodes: [Node<'_>; 5] = [
        (&[], &[]),
        (&[1], &[("left", Some("l")), ("both", Some("l"))]),
        (&[1], &[("right", Some("r")), ("both", Some("r"))]),
        (&[2, 3], &[]),
        (&[3, 2], &[]),
    ];
    let lab = Lab::of(ctx, &nodes)?;
    lab.shows(&[4, 5], "left", Some("l"))?;
    lab.shows(&[4, 5], "right", Some("r"))?;
    lab.conflicts(&[4, 5], "both", &[2, 3])
}
