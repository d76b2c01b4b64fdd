//! Ranges at a version.

use std::ops::Bound::{Excluded, Included, Unbounded};
use std::sync::Arc;

use bytes::Bytes;
use engine_api::key::{Mark, TKey};
use engine_api::layers::{Fault, Faults, Faulty, Relaxed};
use engine_api::version::{Flow, OrderedKeyValue as _, Resolved};
use engine_api::{Error, ErrorKind, Fetch, KeyRange};

use super::NEEDS;
use super::lab::{Lab, Node, tkey};
use crate::case::Case;
use crate::checks::check_refused;
use crate::context::Context;
use crate::need::Need;
use crate::verdict::{Verdict, check_eq};

pub(super) const CASES: &[Case] = &[
    Case::new(
        "versioned.range-omits-what-is-not-visible",
        range_omits_what_is_not_visible,
        "A range gives the keys that are visible at its version, each with its value, and no tombstone.",
        "Deleted keys, and those of other branches, are stored between them.",
    )
    .needs(NEEDS),
    Case::new(
        "versioned.range-bounds-are-exact",
        range_bounds_are_exact,
        "Included, excluded and absent bounds hold at a version as they do in the store, beside keys that extend them.",
        "DVID's versioned ranges take in what extends their end, and leak what is below their start.",
    )
    .needs(NEEDS),
    Case::new(
        "versioned.range-goes-on-past-a-conflict",
        range_goes_on_past_a_conflict,
        "A key in conflict is visited as such, naming its versions, and the visit goes on.",
        "A range that ends at the first conflict can't be used to resolve them.",
    )
    .needs(NEEDS),
    Case::new(
        "versioned.conflict-in-a-range-is-an-error-to-who-wants-values",
        conflict_in_a_range_is_an_error_to_who_wants_values,
        "Collecting a range answers Conflict where there is one, and its keys alone don't.",
        "DVID's badger engine dropped conflicting keys from ranges in silence.",
    )
    .needs(NEEDS),
    Case::new(
        "versioned.visit-ends-when-told",
        visit_ends_when_told,
        "A visit that is told to end isn't called again, and the next one begins anew.",
        "Paging over a version's keys.",
    )
    .needs(NEEDS),
    Case::new(
        "versioned.visitor-error-is-returned",
        visitor_error_is_returned,
        "An error of the visitor ends the visit at once and is what it answers.",
        "A callback that fails must not be taken for the end.",
    )
    .needs(NEEDS),
    Case::new(
        "versioned.range-reports-engine-error",
        range_reports_engine_error,
        "A failure of the engine anywhere in a range is answered: in visits, keys and values.",
        "DVID's consumers saw a failure as the end, or waited for ever.",
    )
    .needs(NEEDS),
    Case::new(
        "versioned.range-sees-one-state-beside-writes",
        range_sees_one_state_beside_writes,
        "What is put and deleted at the version while it is visited doesn't show in the visit.",
        "A range is of one moment.",
    )
    .needs(&[Need::AtomicBatches, Need::Conditional, Need::KeysOf(128), Need::SnapshotReads]),
    Case::new(
        "versioned.keys-alone-agree-with-entries",
        keys_alone_agree_with_entries,
        "The keys of a range are those of its entries.",
        "Two ways to one answer.",
    )
    .needs(NEEDS),
    Case::new(
        "versioned.raw-visit-shows-every-entry",
        raw_visit_shows_every_entry,
        "A raw visit shows each entry of each version, tombstones too, key by key, and can be ended.",
        "Copies and clean-up work on what is stored.",
    )
    .needs(NEEDS),
];

const HISTORY: [Node<'_>; 4] = [
    (&[], &[("a", Some("1")), ("b", Some("1")), ("d", Some("1")), ("e", Some("1"))]),
    (&[1], &[("b", Some("2")), ("c", Some("2")), ("d", None)]),
    (&[2], &[("a", None), ("d", Some("3"))]),
    (&[1], &[("other", Some("4"))]),
];

fn range_omits_what_is_not_visible(ctx: &Context) -> Verdict {
    let lab = Lab::of(ctx, &HISTORY)?;
    let expected: [&[(&str, &str)]; 4] = [
        &[("a", "1"), ("b", "1"), ("d", "1"), ("e", "1")],
        &[("a", "1"), ("b", "2"), ("c", "2"), ("e", "1")],
        &[("b", "2"), ("c", "2"), ("d", "3"), ("e", "1")],
        &[("a", "1"), ("b", "1"), ("d", "1"), ("e", "1"), ("other", "4")],
    ];
    for (node, expected) in (1..).zip(expected) {
        let expected: Vec<(TKey, Bytes)> =
            expected.iter().map(|(key, value)| (tkey(key), Bytes::from_static(value.as_bytes()))).collect();
        let got = lab.store.get_range(&lab.at(node), &KeyRange::ALL)?;
        check_eq!(got, expected, "the entries at node {node}");
    }
    Ok(())
}

fn range_bounds_are_exact(ctx: &Context) -> Verdict {
    const KEYS: [&str; 7] = ["a", "a\0", "a\0\0", "ab", "b", "b\0", "c"];
    let edits = KEYS.map(|key| (key, Some("v")));
    let mut lab = Lab::of(ctx, &[(&[], &edits)])?;
    lab.add(&[1])?;
    lab.edit(2, &[("a\0", Some("2")), ("b", Some("2"))])?;
    let bounds =
        |key: &str| [Included(key.as_bytes().to_vec()), Excluded(key.as_bytes().to_vec()), Unbounded];
    for low in ["a", "a\0", "aa", "b"] {
        for high in ["a\0\0", "ab", "b", "b\0\0", "c"] {
            for start in bounds(low) {
                for end in bounds(high) {
                    let range = KeyRange::between(start.clone(), end);
                    let expected: Vec<_> =
                        KEYS.into_iter().filter(|key| range.contains(key.as_bytes())).map(tkey).collect();
                    let got = lab.store.keys_in_range(&lab.at(2), &range)?;
                    check_eq!(got, expected, "the keys of {range:?}");
                }
            }
        }
    }
    let prefix = lab.store.keys_in_range(&lab.at(2), &KeyRange::prefix(b"a"))?;
    check_eq!(prefix, KEYS.map(tkey)[..4], "the keys that begin with a");
    let inverted = lab.store.keys_in_range(&lab.at(2), &KeyRange::new("c".."a"))?;
    check_eq!(inverted, [], "the keys of an inverted range");
    Ok(())
}

/// Keys a, c and e are plain at node 4, b and d are in conflict.
const CLASHING: [Node<'_>; 4] = [
    (&[], &[("a", Some("1")), ("b", Some("1")), ("e", Some("1"))]),
    (&[1], &[("b", Some("l")), ("d", Some("l"))]),
    (&[1], &[("b", Some("r")), ("c", Some("r")), ("d", Some("r"))]),
    (&[2, 3], &[]),
];

fn range_goes_on_past_a_conflict(ctx: &Context) -> Verdict {
    let lab = Lab::of(ctx, &CLASHING)?;
    let mut seen = Vec::new();
    lab.store.visit(&lab.at(4), &KeyRange::ALL, Fetch::Entries, &mut |key, resolved| {
        seen.push((key.clone(), resolved));
        Ok(Flow::Continue(()))
    })?;
    let found = |key: &str, value: &'static str, node| {
        (tkey(key), Resolved::Found { value: value.into(), version: lab.version(node) })
    };
    let clash =
        |key: &str| (tkey(key), Resolved::Conflict { versions: vec![lab.version(2), lab.version(3)] });
    let expected = [found("a", "1", 1), clash("b"), found("c", "r", 3), clash("d"), found("e", "1", 1)];
    check_eq!(seen, expected, "what is visited");
    Ok(())
}

fn conflict_in_a_range_is_an_error_to_who_wants_values(ctx: &Context) -> Verdict {
    let lab = Lab::of(ctx, &CLASHING)?;
    let at = lab.at(4);
    check_refused(lab.store.get_range(&at, &KeyRange::ALL), ErrorKind::Conflict, "a range with a conflict")?;
    let error = lab.store.get(&at, &tkey("b")).err();
    let named = error.as_ref().and_then(|error| error.field("versions")).unwrap_or_default();
    let expected = format!("{}, {}", lab.version(2), lab.version(3));
    check_eq!(named, expected, "the versions that the conflict of b names");
    check_eq!(lab.store.get_range(&at, &KeyRange::new("e"..))?.len(), 1, "the entries behind the conflicts");
    let keys = lab.store.keys_in_range(&at, &KeyRange::ALL)?;
    check_eq!(keys, ["a", "b", "c", "d", "e"].map(tkey), "the keys");
    Ok(())
}

fn visit_ends_when_told(ctx: &Context) -> Verdict {
    let lab = Lab::of(ctx, &HISTORY)?;
    for stop in 1..=4 {
        let mut seen = 0;
        lab.store.visit(&lab.at(3), &KeyRange::ALL, Fetch::Keys, &mut |_, _| {
            seen += 1;
            Ok(if seen == stop { Flow::Break(()) } else { Flow::Continue(()) })
        })?;
        check_eq!(seen, stop, "the visits of a visitor that ends the visit at number {stop}");
    }
    check_eq!(lab.store.keys_in_range(&lab.at(3), &KeyRange::ALL)?.len(), 4, "the keys after them");
    Ok(())
}

fn visitor_error_is_returned(ctx: &Context) -> Verdict {
    let lab = Lab::of(ctx, &HISTORY)?;
    for fail in 1..=4 {
        let mut seen = 0;
        let answer = lab.store.visit(&lab.at(3), &KeyRange::ALL, Fetch::Keys, &mut |_, _| {
            seen += 1;
            if seen == fail {
                Err(Error::new(ErrorKind::Full, "the visitor's own"))
            } else {
                Ok(Flow::Continue(()))
            }
        });
        check_refused(answer, ErrorKind::Full, &format!("a visitor that fails at number {fail}"))?;
        check_eq!(seen, fail, "the visits of a visitor that fails at number {fail}");
    }
    Ok(())
}

fn range_reports_engine_error(ctx: &Context) -> Verdict {
    let faults = Faults::new();
    let lab = Lab::over(Faulty::new(Relaxed(ctx.open()?), Arc::clone(&faults)))?;
    lab.edit(1, &[("a", Some("v")), ("b", Some("v")), ("c", Some("v"))])?;
    let (store, at) = (&lab.store, lab.at(1));
    for after in 0..3 {
        let strike = || faults.fail_after(Fault::ScanEntry, after);
        strike();
        check_refused(store.get_range(&at, &KeyRange::ALL), ErrorKind::Io, "a range of values")?;
        strike();
        check_refused(store.keys_in_range(&at, &KeyRange::ALL), ErrorKind::Io, "a range of keys")?;
        strike();
        let raw = store.visit_raw(&at, &KeyRange::ALL, &mut |_, _| Ok(Flow::Continue(())));
        check_refused(raw, ErrorKind::Io, "a raw visit")?;
    }
    faults.fail_after(Fault::ScanEntry, 0);
    check_refused(store.get(&at, &tkey("a")), ErrorKind::Io, "a read of a key")?;
    faults.fail_after(Fault::View, 0);
    check_refused(store.get(&at, &tkey("a")), ErrorKind::Io, "a read without a view")?;
    check_eq!(store.keys_in_range(&at, &KeyRange::ALL)?.len(), 3, "the keys after them");
    Ok(())
}

fn range_sees_one_state_beside_writes(ctx: &Context) -> Verdict {
    let lab = Lab::of(ctx, &HISTORY)?;
    let at = lab.at(3);
    let mut seen = Vec::new();
    lab.store.visit(&at, &KeyRange::ALL, Fetch::Entries, &mut |key, resolved| {
        seen.push((key.clone(), resolved.into_value()?.unwrap_or_default()));
        lab.store.put(&at, &tkey("bb"), "later".into())?;
        lab.store.put(&at, &tkey("d"), "later".into())?;
        lab.store.delete(&at, &tkey("e"))?;
        Ok(Flow::Continue(()))
    })?;
    let expected = [("b", "2"), ("c", "2"), ("d", "3"), ("e", "1")];
    check_eq!(
        seen,
        expected.map(|(key, value)| (tkey(key), Bytes::from(value))),
        "what is visited beside writes"
    );
    let after = lab.store.keys_in_range(&at, &KeyRange::ALL)?;
    check_eq!(after, ["b", "bb", "c", "d"].map(tkey), "the keys after the writes");
    Ok(())
}

fn keys_alone_agree_with_entries(ctx: &Context) -> Verdict {
    let lab = Lab::of(ctx, &HISTORY)?;
    for node in 1..=4 {
        let keys = lab.store.keys_in_range(&lab.at(node), &KeyRange::ALL)?;
        let entries = lab.store.get_range(&lab.at(node), &KeyRange::ALL)?;
        check_eq!(
            keys,
            entries.into_iter().map(|(key, _)| key).collect::<Vec<_>>(),
            "the keys at node {node}"
        );
    }
    Ok(())
}

fn raw_visit_shows_every_entry(ctx: &Context) -> Verdict {
    let lab = Lab::of(ctx, &HISTORY)?;
    let mut seen = Vec::new();
    lab.store.visit_raw(&lab.at(1), &KeyRange::ALL, &mut |key, value| {
        seen.push((key.tkey.clone(), key.version, key.mark, value.to_bytes()?));
        Ok(Flow::Continue(()))
    })?;
    let data =
        |key: &str, node, value: &'static str| (tkey(key), lab.version(node), Mark::Data, Bytes::from(value));
    let gone = |key: &str, node| (tkey(key), lab.version(node), Mark::Tombstone, Bytes::new());
    let expected = [
        gone("a", 3),
        data("a", 1, "1"),
        data("b", 2, "2"),
        data("b", 1, "1"),
        data("c", 2, "2"),
        data("d", 3, "3"),
        gone("d", 2),
        data("d", 1, "1"),
        data("e", 1, "1"),
        data("other", 4, "4"),
    ];
    check_eq!(seen, expected, "the entries, the newest version of each key first");
    let mut count = 0;
    lab.store.visit_raw(&lab.at(1), &KeyRange::new("b"..), &mut |_, _| {
        count += 1;
        Ok(if count == 3 { Flow::Break(()) } else { Flow::Continue(()) })
    })?;
    check_eq!(count, 3, "the visits of a raw visit that is ended at the third");
    Ok(())
}
