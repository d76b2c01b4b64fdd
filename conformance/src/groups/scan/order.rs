//! What a scan visits, and in which order.

use bytes::Bytes;
use engine_api::{KeyRange, Scan, Step, StoreExt as _, Value, ViewExt as _, visitor};

use crate::case::Case;
use crate::checks::{
    all_keys, check_entries, check_keys, entries, fitting_key, fitting_value, keys, load, load_keys,
    patterned, value_of,
};
use crate::context::Context;
use crate::verdict::{Verdict, check, check_eq};

pub(super) const CASES: &[Case] = &[
    Case::new(
        "scan.empty-store-visits-nothing",
        empty_store_visits_nothing,
        "A scan of an empty store visits nothing and succeeds.",
        "The end is no error, and tables that were never written must not be one either.",
    ),
    Case::new(
        "scan.order-is-bytewise",
        order_is_bytewise,
        "Keys come in the order of their bytes, as unsigned numbers, shorter before longer.",
        "Signed bytes, collations and length-first orders all differ from it.",
    ),
    Case::new(
        "scan.key-that-extends-another-follows-it",
        key_that_extends_another_follows_it,
        "A key comes straight before the keys that extend it, the NUL extension first.",
        "DVID's full keys put versions between a key and its extensions.",
    ),
    Case::new(
        "scan.full-scan-includes-0xff-keys",
        full_scan_includes_0xff_keys,
        "A scan without bounds visits keys of 0xFF bytes, however many.",
        "cozo's sled engine scanned up to 0xFF exclusive and never saw them.",
    ),
    Case::new(
        "scan.full-scan-includes-0x00-keys",
        full_scan_includes_0x00_keys,
        "A scan without bounds visits keys of 0x00 bytes.",
        "DVID's least key of a range was 00, which passes over what is below.",
    ),
    Case::new(
        "scan.range-end-unbounded-reaches-last-key",
        range_end_unbounded_reaches_last_key,
        "Without an upper bound a scan reaches a key of as many 0xFF bytes as fit.",
        "DVID's largest key was 128 times 0xFF: a bounded infinity.",
    ),
    Case::new(
        "scan.delete-then-scan-omits-key",
        delete_then_scan_omits_key,
        "A deleted key isn't visited, wherever in the order it was.",
        "cozo's sled engine left deleted keys with empty values behind (cozo#310).",
    ),
    Case::new(
        "scan.each-key-is-visited-once",
        each_key_is_visited_once,
        "A key that was put, deleted and put again over several commits is visited once.",
        "A merge over runs that doesn't drop superseded entries shows them all.",
    ),
    Case::new(
        "scan.values-are-those-of-their-keys",
        values_are_those_of_their_keys,
        "Each key is visited with its own value.",
        "A value buffer that is used again belongs to the entry before.",
    ),
    Case::new(
        "scan.empty-values-are-visited",
        empty_values_are_visited,
        "Keys with empty values are visited, with empty values.",
        "An empty value is a value like any other.",
    ),
    Case::new(
        "scan.value-can-be-read-twice",
        value_can_be_read_twice,
        "A visited value gives the same bytes each time it is asked for, and needn't be asked for.",
        "A deferred value that is consumed by its first read is empty at the second.",
    ),
    Case::new(
        "scan.keys-only-visits-the-same-keys",
        keys_only_visits_the_same_keys,
        "A scan of keys alone visits the keys that a full scan visits, those with empty values among them.",
        "Another path through the engine can skip or repeat.",
    ),
    Case::new(
        "scan.large-range-is-complete",
        large_range_is_complete,
        "A scan of 20,000 keys visits each, in order.",
        "Iterators that work in pages or runs lose entries where those meet.",
    ),
    Case::new(
        "scan.large-values-are-complete",
        large_values_are_complete,
        "A scan over values of many pages gives each whole.",
        "Overflow chains are followed by other code than values in a page.",
    ),
    Case::new(
        "scan.first-and-last-of-a-range",
        first_and_last_of_a_range,
        "first and last answer the ends of a range, and None for one without keys.",
        "The last key is where a bounded infinity shows.",
    ),
    Case::new(
        "scan.at-or-after-finds-the-next-key",
        at_or_after_finds_the_next_key,
        "at_or_after answers the key itself where it is there, the next one where it isn't, and None at the end.",
        "Readers of versions rest on it.",
    ),
    Case::new(
        "scan.count-agrees-with-scan",
        count_agrees_with_scan,
        "count answers the number of keys that a scan of the range visits.",
        "Engines that keep their own counts keep them wrong.",
    ),
    Case::new(
        "scan.two-scans-of-a-view-agree",
        two_scans_of_a_view_agree,
        "A scan leaves nothing behind in its view: the next begins at the start again.",
        "A statement or cursor that is used again keeps its position.",
    ),
];

fn empty_store_visits_nothing(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    check_keys::<&[u8]>(&all_keys(&store)?, &[], "the keys of an empty store")?;
    check_keys::<&[u8]>(&keys(store.view()?.as_ref(), Scan::half_open(b"a", b"z"))?, &[], "a to z")
}

fn order_is_bytewise(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    let sorted: [&[u8]; 16] = [
        b"\x00",
        b"\x00\x01",
        b"\x01",
        b"\x01\xff",
        b"10",
        b"9",
        b"A",
        b"B",
        b"a",
        b"aa",
        b"b",
        b"\x7f",
        b"\x80",
        b"\xc3\xa9",
        b"\xfe\xff\xff",
        b"\xff",
    ];
    // Put in an order that is neither ascending nor descending.
    let mut shuffled = sorted.to_vec();
    shuffled.sort_by_key(|key| key.iter().rev().map(|byte| byte.wrapping_mul(113)).collect::<Vec<_>>());
    load_keys(&store, &shuffled)?;
    check_keys(&all_keys(&store)?, &sorted, "the keys in order")
}

fn key_that_extends_another_follows_it(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    let sorted: [&[u8]; 7] = [b"a", b"a\x00", b"a\x00\x00", b"a\x00\x01", b"a\x01", b"a\xff", b"b"];
    let backwards: Vec<_> = sorted.iter().rev().collect();
    load_keys(&store, &backwards)?;
    check_keys(&all_keys(&store)?, &sorted, "the keys in order")
}

fn full_scan_includes_0xff_keys(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    let sorted: [&[u8]; 5] =
        [b"a", b"\xff", b"\xff\x00", b"\xff\xff", b"\xff\xff\xff\xff\xff\xff\xff\xff\xff"];
    load_keys(&store, &sorted)?;
    check_keys(&all_keys(&store)?, &sorted, "the keys of a scan without bounds")
}

fn full_scan_includes_0x00_keys(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    let sorted: [&[u8]; 4] = [b"\x00", b"\x00\x00", b"\x00\xff", b"\x01"];
    load_keys(&store, &sorted)?;
    check_keys(&all_keys(&store)?, &sorted, "the keys of a scan without bounds")
}

fn range_end_unbounded_reaches_last_key(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    let last = vec![0xFF; fitting_key(&ctx.capabilities().limits, 1000)];
    load_keys(&store, &[b"\xfe".as_slice(), &last])?;
    let view = store.view()?;
    check_keys(&keys(view.as_ref(), Scan::all())?, &[b"\xfe".as_slice(), &last], "without bounds")?;
    let above = KeyRange::new(b"\xff".as_slice()..);
    check_keys(&keys(view.as_ref(), above.scan())?, &[&last], "from 0xFF up")?;
    check_eq!(view.last(&KeyRange::ALL)?.map(|(key, _)| key), Some(Bytes::from(last)), "the last key");
    Ok(())
}

fn delete_then_scan_omits_key(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    load_keys(&store, &["a", "b", "c", "d", "e"])?;
    for doomed in ["a", "c", "e"] {
        store.delete(doomed)?;
    }
    check_keys(&all_keys(&store)?, &["b", "d"], "the keys that are left")?;
    let range = KeyRange::new("a".."e");
    check_keys(&keys(store.view()?.as_ref(), range.scan())?, &["b", "d"], "from a deleted key to another")
}

fn each_key_is_visited_once(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    for round in 0..5 {
        load(&store, ["a", "b", "c"].map(|key| (key, format!("{key}{round}"))))?;
        store.delete("b")?;
    }
    store.put("b", "b5")?;
    let expected = [("a", "a4"), ("b", "b5"), ("c", "c4")].map(|(key, value)| (key.into(), value.into()));
    check_entries(&entries(store.view()?.as_ref(), Scan::all())?, &expected, "the entries")
}

fn values_are_those_of_their_keys(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    let expected: Vec<(Bytes, Bytes)> = (0..200_usize)
        .map(|n| (Bytes::from(format!("{n:03}")), Bytes::from(patterned(n * 7 % 50))))
        .collect();
    load(&store, expected.iter().cloned())?;
    check_entries(&entries(store.view()?.as_ref(), Scan::all())?, &expected, "the entries")
}

fn empty_values_are_visited(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    load(&store, [("a", ""), ("b", "full"), ("c", "")])?;
    let expected = [("a", ""), ("b", "full"), ("c", "")].map(|(key, value)| (key.into(), value.into()));
    check_entries(&entries(store.view()?.as_ref(), Scan::all())?, &expected, "the entries")
}

fn value_can_be_read_twice(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    let large = patterned(fitting_value(&ctx.capabilities().limits, 50_000));
    load(&store, [("a", b"one".to_vec()), ("b", large), ("c", b"three".to_vec())])?;
    let mut read = Vec::new();
    let mut twice = visitor(|key: &[u8], value: Value<'_>| {
        if key != b"c" {
            read.push((value.to_bytes()?, value.to_bytes()?));
        }
        Ok(Step::Next)
    });
    store.view()?.scan(Scan::all(), &mut twice)?;
    check_eq!(read.len(), 2, "the number of values read");
    check!(read.iter().all(|(first, second)| first == second), "a value's second reading differs");
    check_eq!(read[0].0.as_ref(), b"one".as_slice(), "the value of a");
    Ok(())
}

fn keys_only_visits_the_same_keys(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    let size = fitting_value(&ctx.capabilities().limits, 30_000);
    load(&store, (0..60_usize).map(|n| (format!("{n:02}"), vec![1; if n % 3 == 0 { 0 } else { size }])))?;
    store.delete("30")?;
    let view = store.view()?;
    let full = keys(view.as_ref(), Scan::all())?;
    let mut found = Vec::new();
    let mut take = visitor(|key: &[u8], _: Value<'_>| {
        found.push(Bytes::copy_from_slice(key));
        Ok(Step::Next)
    });
    view.scan(Scan::all().keys_only(), &mut take)?;
    check_eq!(full.len(), 59, "the number of keys");
    check_keys(&found, &full, "the keys of a scan of keys alone")
}

fn large_range_is_complete(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    let expected: Vec<String> = (0..20_000).map(|n| format!("key {n:06}")).collect();
    // Two passes over disjoint halves, so that they meet everywhere in the order.
    for half in 0..2 {
        let half: Vec<_> = expected.iter().skip(half).step_by(2).collect();
        load_keys(&store, &half)?;
    }
    check_keys(&all_keys(&store)?, &expected, "the keys")
}

fn large_values_are_complete(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    let limits = &ctx.capabilities().limits;
    let expected: Vec<(Bytes, Bytes)> = (0..40_usize)
        .map(|n| (format!("{n:02}").into(), patterned(fitting_value(limits, 100_000 + n)).into()))
        .collect();
    load(&store, expected.iter().cloned())?;
    let got = entries(store.view()?.as_ref(), Scan::all())?;
    check_eq!(got.len(), expected.len(), "the number of entries");
    for (got, expected) in got.iter().zip(&expected) {
        check!(got == expected, "the value of {:?} isn't what was put", expected.0);
    }
    Ok(())
}

fn first_and_last_of_a_range(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    let key = |entry: Option<(Bytes, Bytes)>| entry.map(|(key, _)| key);
    check_eq!(store.first(&KeyRange::ALL)?, None, "the first of an empty store");
    check_eq!(store.last(&KeyRange::ALL)?, None, "the last of an empty store");
    load_keys(&store, &["a", "b/1", "b/2", "b/3", "c"])?;
    let range = KeyRange::prefix(b"b/");
    check_eq!(store.first(&range)?, Some(("b/1".into(), value_of(b"b/1"))), "the first of b/");
    check_eq!(store.last(&range)?, Some(("b/3".into(), value_of(b"b/3"))), "the last of b/");
    check_eq!(key(store.first(&KeyRange::new("b/2".."b/3"))?), Some("b/2".into()), "the first of one key");
    check_eq!(key(store.last(&KeyRange::new("b/2".."b/3"))?), Some("b/2".into()), "the last of one key");
    check_eq!(key(store.first(&KeyRange::prefix(b"x"))?), None, "the first of no keys");
    check_eq!(key(store.last(&KeyRange::prefix(b"x"))?), None, "the last of no keys");
    Ok(())
}

fn at_or_after_finds_the_next_key(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    load_keys(&store, &["b", "b\0", "d"])?;
    let view = store.view()?;
    for (asked, expected) in [
        ("a", Some("b")),
        ("b", Some("b")),
        ("b\0", Some("b\0")),
        ("b\0\0", Some("d")),
        ("c", Some("d")),
        ("d", Some("d")),
        ("d\0", None),
    ] {
        let got = view.at_or_after(asked.as_bytes())?.map(|(key, _)| key);
        check_eq!(got.as_deref(), expected.map(str::as_bytes), "at or after {asked:?}");
    }
    Ok(())
}

fn count_agrees_with_scan(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    load_keys(&store, &(0..300).map(|n| format!("{n:03}")).collect::<Vec<_>>())?;
    load_keys(&store, &["100", "200"])?;
    for doomed in ["000", "150", "299"] {
        store.delete(doomed)?;
    }
    check_eq!(store.count(&KeyRange::ALL)?, 297, "the number of all keys");
    check_eq!(store.count(&KeyRange::prefix(b"1"))?, 99, "the number of keys that begin with 1");
    check_eq!(store.count(&KeyRange::prefix(b"9"))?, 0, "the number of keys that begin with 9");
    Ok(())
}

fn two_scans_of_a_view_agree(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    load_keys(&store, &["a", "b", "c"])?;
    let view = store.view()?;
    let stopped = crate::checks::steered(view.as_ref(), Scan::all(), |_| Step::Stop)?;
    check_keys(&stopped, &["a"], "a scan that is stopped")?;
    for _ in 0..2 {
        check_keys(&keys(view.as_ref(), Scan::all())?, &["a", "b", "c"], "the scan after it")?;
    }
    Ok(())
}
