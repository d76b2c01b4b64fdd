//! Where a scan begins and ends.

use std::collections::BTreeSet;
use std::ops::Bound::{Excluded, Included, Unbounded};

use bytes::Bytes;
use engine_api::{Direction, KeyRange, Scan, StoreExt as _};

use crate::case::Case;
use crate::checks::{bounds_at, check_keys, keys, load_keys};
use crate::context::Context;
use crate::need::Need;
use crate::verdict::Verdict;

pub(super) const CASES: &[Case] = &[
    Case::new(
        "scan.included-start-is-visited",
        included_start_is_visited,
        "A key that is an included lower bound is visited.",
        "Half-open ranges are the base of everything above.",
    ),
    Case::new(
        "scan.excluded-start-is-not-visited",
        excluded_start_is_not_visited,
        "A key that is an excluded lower bound isn't visited, and the key that extends it is.",
        "Pages resume behind the last key; a resume that steps to the next prefix loses keys.",
    ),
    Case::new(
        "scan.included-end-is-visited",
        included_end_is_visited,
        "A key that is an included upper bound is visited, and no key that extends it.",
        "DVID's versioned ranges take in what extends their end.",
    ),
    Case::new(
        "scan.excluded-end-is-not-visited",
        excluded_end_is_not_visited,
        "A key that is an excluded upper bound isn't visited.",
        "An end that is read as included shows one key of the next range.",
    ),
    Case::new(
        "scan.bounds-need-not-be-keys",
        bounds_need_not_be_keys,
        "Bounds between keys, below all and above all hold what lies between them.",
        "A cursor set to a key that isn't there must stand on the next one.",
    ),
    Case::new(
        "scan.bound-at-a-deleted-key",
        bound_at_a_deleted_key,
        "A bound at a key that was deleted bounds as before.",
        "A tombstone is not a place to stand on.",
    ),
    Case::new(
        "scan.inverted-bounds-are-empty",
        inverted_bounds_are_empty,
        "Bounds in the wrong order make an empty scan, and neither an error nor a panic.",
        "BTreeMap panics on them; other engines answer each in their way.",
    ),
    Case::new(
        "scan.equal-bounds-hold-one-key-or-none",
        equal_bounds_hold_one_key_or_none,
        "Equal bounds hold their key where both are included, and nothing otherwise.",
        "BTreeMap panics on two excluded equal bounds.",
    ),
    Case::new(
        "scan.empty-bound-is-below-every-key",
        empty_bound_is_below_every_key,
        "The empty byte string as a bound lies below every key, also where it can't be a key.",
        "LMDB refuses the empty key with BAD_VALSIZE, in cursor positions too.",
    ),
    Case::new(
        "scan.prefix-includes-0xff-suffix",
        prefix_includes_0xff_suffix,
        "The keys of a prefix include those that go on with 0xFF bytes, however many.",
        "SurrealDB ended prefix ranges at the prefix and 0xFF, which loses them.",
    ),
    Case::new(
        "scan.prefix-of-0xff-reaches-the-end",
        prefix_of_0xff_reaches_the_end,
        "A prefix of 0xFF bytes alone, which has no successor, holds all its keys.",
        "A successor made by adding one to the last byte wraps to 0x00.",
    ),
    Case::new(
        "scan.prefix-ends-before-the-next",
        prefix_ends_before_the_next,
        "The keys of a prefix are those that begin with it: not the next prefix, nor a shorter key.",
        "Neighbours of a prefix belong to another instance.",
    ),
    Case::new(
        "scan.empty-prefix-is-everything",
        empty_prefix_is_everything,
        "The empty prefix holds every key.",
        "The empty prefix has no last byte to add one to.",
    ),
    Case::new(
        "scan.every-kind-of-bounds-agrees-with-model",
        every_kind_of_bounds_agrees_with_model,
        "Included, excluded and absent bounds at, between and outside keys hold what an ordered set says.",
        "Nine kinds of ranges, and engines know two or three of them by themselves.",
    ),
    Case::new(
        "scan.reverse-every-kind-of-bounds-agrees-with-model",
        reverse_every_kind_of_bounds_agrees_with_model,
        "The same ranges, descending.",
        "Going back, the cursor must be set before the upper bound, which engines do by hand.",
    )
    .needs(&[Need::Reverse]),
];

const LETTERS: [&str; 5] = ["a", "c", "c\0", "cc", "e"];

fn range_is(ctx: &Context, scan: Scan<'_>, expected: &[&str], what: &str) -> Verdict {
    let store = ctx.open()?;
    load_keys(&store, &LETTERS)?;
    check_keys(&keys(store.view()?.as_ref(), scan)?, expected, what)
}

fn included_start_is_visited(ctx: &Context) -> Verdict {
    range_is(ctx, Scan::between(Included(b"c"), Unbounded), &["c", "c\0", "cc", "e"], "from c included")
}

fn excluded_start_is_not_visited(ctx: &Context) -> Verdict {
    range_is(ctx, Scan::between(Excluded(b"c"), Unbounded), &["c\0", "cc", "e"], "from c excluded")
}

fn included_end_is_visited(ctx: &Context) -> Verdict {
    range_is(ctx, Scan::between(Unbounded, Included(b"c")), &["a", "c"], "to c included")
}

fn excluded_end_is_not_visited(ctx: &Context) -> Verdict {
    range_is(ctx, Scan::between(Unbounded, Excluded(b"c")), &["a"], "to c excluded")
}

fn bounds_need_not_be_keys(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    load_keys(&store, &LETTERS)?;
    let view = store.view()?;
    let cases: [(&str, &str, &[&str]); 6] = [
        ("b", "d", &["c", "c\0", "cc"]),
        ("0", "b", &["a"]),
        ("d", "z", &["e"]),
        ("0", "z", &LETTERS),
        ("a\0", "b", &[]),
        ("x", "z", &[]),
    ];
    for (start, end, expected) in cases {
        let scan = Scan::half_open(start.as_bytes(), end.as_bytes());
        check_keys(&keys(view.as_ref(), scan)?, expected, &format!("{start:?} to {end:?}"))?;
    }
    Ok(())
}

fn bound_at_a_deleted_key(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    load_keys(&store, &LETTERS)?;
    store.delete("c")?;
    let view = store.view()?;
    check_keys(
        &keys(view.as_ref(), Scan::between(Included(b"c"), Unbounded))?,
        &["c\0", "cc", "e"],
        "from c",
    )?;
    check_keys(&keys(view.as_ref(), Scan::between(Unbounded, Included(b"c")))?, &["a"], "to c")
}

fn inverted_bounds_are_empty(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    load_keys(&store, &LETTERS)?;
    let view = store.view()?;
    for start in &bounds_at(b"e")[..2] {
        for end in &bounds_at(b"a")[..2] {
            let got = keys(view.as_ref(), Scan::between(*start, *end))?;
            check_keys::<&str>(&got, &[], &format!("{start:?} to {end:?}"))?;
        }
    }
    Ok(())
}

fn equal_bounds_hold_one_key_or_none(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    load_keys(&store, &LETTERS)?;
    let view = store.view()?;
    let cases: [(_, _, &[&str]); 4] = [
        (Included(b"c".as_slice()), Included(b"c".as_slice()), &["c"]),
        (Included(b"c"), Excluded(b"c"), &[]),
        (Excluded(b"c"), Included(b"c"), &[]),
        (Excluded(b"c"), Excluded(b"c"), &[]),
    ];
    for (start, end, expected) in cases {
        let got = keys(view.as_ref(), Scan::between(start, end))?;
        check_keys(&got, expected, &format!("{start:?} to {end:?}"))?;
    }
    let absent = Scan::between(Included(b"b"), Included(b"b"));
    check_keys::<&str>(&keys(view.as_ref(), absent)?, &[], "a range of one key that is absent")
}

fn empty_bound_is_below_every_key(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    load_keys(&store, &["\0", "a"])?;
    let view = store.view()?;
    for start in &bounds_at(b"")[..2] {
        let got = keys(view.as_ref(), Scan::between(*start, Unbounded))?;
        check_keys(&got, &["\0", "a"], &format!("from {start:?}"))?;
    }
    for end in &bounds_at(b"")[..2] {
        let got = keys(view.as_ref(), Scan::between(Unbounded, *end))?;
        check_keys::<&str>(&got, &[], &format!("up to {end:?}"))?;
    }
    Ok(())
}

fn prefix_includes_0xff_suffix(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    let inside: [&[u8]; 5] =
        [b"p", b"p\x00", b"p\xff", b"p\xff\x01", b"p\xff\xff\xff\xff\xff\xff\xff\xff\xff"];
    load_keys(&store, &inside)?;
    load_keys(&store, &["o", "q"])?;
    check_keys(&keys(store.view()?.as_ref(), KeyRange::prefix(b"p").scan())?, &inside, "the keys of p")
}

fn prefix_of_0xff_reaches_the_end(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    let inside: [&[u8]; 4] = [b"\xff\xff", b"\xff\xff\x00", b"\xff\xff\xfe", b"\xff\xff\xff\xff"];
    load_keys(&store, &inside)?;
    load_keys(&store, &[b"\x00".as_slice(), b"\xff", b"\xff\xfe\xff"])?;
    let range = KeyRange::prefix(b"\xff\xff");
    check_keys(&keys(store.view()?.as_ref(), range.scan())?, &inside, "the keys of FF FF")
}

fn prefix_ends_before_the_next(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    load_keys(&store, &[b"a\xfe".as_slice(), b"a\xff", b"a\xff1", b"b", b"b\x00", b"a", b"a\xfe\xff"])?;
    let view = store.view()?;
    let inside: [&[u8]; 2] = [b"a\xff", b"a\xff1"];
    check_keys(&keys(view.as_ref(), KeyRange::prefix(b"a\xff").scan())?, &inside, "the keys of a FF")?;
    let inside: [&[u8]; 2] = [b"a\xfe", b"a\xfe\xff"];
    check_keys(&keys(view.as_ref(), KeyRange::prefix(b"a\xfe").scan())?, &inside, "the keys of a FE")
}

fn empty_prefix_is_everything(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    let all: [&[u8]; 3] = [b"\x00", b"m", b"\xff\xff"];
    load_keys(&store, &all)?;
    check_keys(&keys(store.view()?.as_ref(), KeyRange::prefix(b"").scan())?, &all, "the keys of no prefix")
}

fn every_kind_of_bounds_agrees_with_model(ctx: &Context) -> Verdict {
    every_kind_of_bounds(ctx, Direction::Forward)
}

fn reverse_every_kind_of_bounds_agrees_with_model(ctx: &Context) -> Verdict {
    every_kind_of_bounds(ctx, Direction::Reverse)
}

fn every_kind_of_bounds(ctx: &Context, direction: Direction) -> Verdict {
    let there: [&[u8]; 7] = [b"\x00", b"b", b"b\x00", b"b\xff", b"d", b"\xff", b"\xff\xff"];
    let absent: [&[u8]; 6] = [b"\x00\x00", b"a", b"b\x00\x00", b"c", b"e", b"\xff\xff\xff"];
    let store = ctx.open()?;
    load_keys(&store, &there)?;
    let view = store.view()?;
    let model: BTreeSet<&[u8]> = there.into_iter().collect();
    for low in there.iter().chain(&absent) {
        for high in there.iter().chain(&absent) {
            for start in bounds_at(low) {
                for end in bounds_at(high) {
                    let scan = Scan::between(start, end).in_direction(direction);
                    let mut expected: Vec<&[u8]> = if scan.is_empty() {
                        Vec::new()
                    } else {
                        model.range::<[u8], _>((start, end)).copied().collect()
                    };
                    if direction == Direction::Reverse {
                        expected.reverse();
                    }
                    let got: Vec<Bytes> = keys(view.as_ref(), scan)?;
                    check_keys(&got, &expected, &format!("{start:?} to {end:?}, {direction:?}"))?;
                }
            }
        }
    }
    Ok(())
}
