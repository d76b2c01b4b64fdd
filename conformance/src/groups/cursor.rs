//! Cursors: entries pulled in pages from a contract that pushes them.

use std::collections::BTreeMap;

use bytes::Bytes;
use engine_api::{Cursor, Direction, KeyRange, View, ViewExt as _};

use crate::case::Case;
use crate::checks::{Entry, check_entries, check_keys, fitting_value, load, load_keys, patterned, value_of};
use crate::context::Context;
use crate::need::Need;
use crate::verdict::{Verdict, check_eq};

pub(super) const CASES: &[Case] = &[
    Case::new(
        "cursor.visits-every-entry-in-order",
        visits_every_entry_in_order,
        "A cursor gives each entry of its range once, in order, over many pages.",
        "Pull and push are two ways to one answer.",
    ),
    Case::new(
        "cursor.paging-resumes-at-key-extension",
        paging_resumes_at_key_extension,
        "A page that ends at a key is followed by the keys that extend it.",
        "SurrealDB resumed at the last key with its last byte plus one, and skipped them.",
    ),
    Case::new(
        "cursor.value-larger-than-a-page",
        value_larger_than_a_page,
        "Values far larger than a page are given whole, and the entries between them too.",
        "Pages are bounded by bytes, and one entry may be over the bound.",
    ),
    Case::new(
        "cursor.stays-at-the-end",
        stays_at_the_end,
        "A cursor at its end stays there, however often it is asked.",
        "An iterator that begins again after its end is not fused.",
    ),
    Case::new(
        "cursor.seek-forward-and-back",
        seek_forward_and_back,
        "A seek moves to the first entry at or after the key, ahead or behind, and from the end too.",
        "A cursor seeks freely, where a scan only goes on.",
    ),
    Case::new(
        "cursor.seek-never-leaves-the-range",
        seek_never_leaves_the_range,
        "A seek below the range goes to its first entry, and one above it to the end.",
        "A moved cursor must not forget its range.",
    ),
    Case::new(
        "cursor.dropped-early-frees-what-it-held",
        dropped_early_frees_what_it_held,
        "A thousand cursors that are dropped after one entry leave the store readable and writable.",
        "LMDB has 126 reader slots, and an early end that forgets its statement keeps a lock.",
    ),
    Case::new(
        "cursor.iterator-agrees-with-scan",
        iterator_agrees_with_scan,
        "The iterator over what is left of a cursor gives the entries that a scan gives.",
        "The third way to the same entries.",
    ),
    Case::new(
        "cursor.reverse-visits-every-entry-in-order",
        reverse_visits_every_entry_in_order,
        "A descending cursor gives the same entries, last first, over many pages.",
        "Pages that go down resume below the last key.",
    )
    .needs(&[Need::Reverse]),
    Case::new(
        "cursor.reverse-paging-resumes-at-key-extension",
        reverse_paging_resumes_at_key_extension,
        "A descending page that ends at a key is followed by the key that it extends.",
        "The key below `a` NUL is `a`: nothing lies between.",
    )
    .needs(&[Need::Reverse]),
    Case::new(
        "cursor.reverse-seek-forward-and-back",
        reverse_seek_forward_and_back,
        "A descending cursor seeks to the first entry at or below the key, and stays in its range.",
        "At or before is what at or after is going up.",
    )
    .needs(&[Need::Reverse]),
    Case::new(
        "cursor.random-walk-agrees-with-model",
        random_walk_agrees_with_model,
        "Random seeks and steps of a cursor over values of many sizes give what an ordered map gives.",
        "Pages, seeks and sizes meet in more ways than examples show.",
    ),
    Case::new(
        "cursor.reverse-random-walk-agrees-with-model",
        reverse_random_walk_agrees_with_model,
        "The same, descending.",
        "Pages, seeks and sizes meet in more ways than examples show.",
    )
    .needs(&[Need::Reverse]),
];

fn drain<V: View + ?Sized>(cursor: &mut Cursor<'_, V>) -> Verdict<Vec<Entry>> {
    let mut found = Vec::new();
    while let Some((key, value)) = cursor.next()? {
        found.push((Bytes::copy_from_slice(key), Bytes::copy_from_slice(value)));
    }
    Ok(found)
}

fn next_key<V: View + ?Sized>(cursor: &mut Cursor<'_, V>) -> Verdict<Option<Bytes>> {
    Ok(cursor.next()?.map(|(key, _)| Bytes::copy_from_slice(key)))
}

/// Entries of many pages; the sizes of their values differ, so that pages end everywhere.
fn many_entries(ctx: &Context) -> Vec<Entry> {
    let limits = &ctx.capabilities().limits;
    (0..3000_usize)
        .map(|n| {
            let size = fitting_value(limits, n * 37 % 1500);
            (Bytes::from(format!("key {n:05}")), Bytes::from(patterned(size)))
        })
        .collect()
}

fn visits_every_entry_in_order(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    let expected = many_entries(ctx);
    load(&store, expected.iter().cloned())?;
    let view = store.view()?;
    check_entries(&drain(&mut view.cursor(KeyRange::ALL))?, &expected, "the entries of a cursor")?;
    let part = KeyRange::new("key 00500".."key 02500");
    check_entries(&drain(&mut view.cursor(part))?, &expected[500..2500], "the entries of a range")
}

fn reverse_visits_every_entry_in_order(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    let mut expected = many_entries(ctx);
    load(&store, expected.iter().cloned())?;
    expected.reverse();
    let view = store.view()?;
    check_entries(&drain(&mut view.cursor_reverse(KeyRange::ALL))?, &expected, "the entries, descending")
}

const EXTENSIONS: [&[u8]; 8] =
    [b"a", b"a\x00", b"a\x00\x00", b"a\x00\x01", b"a\x01", b"aa", b"a\xff", b"a\xff\xff"];

/// Values so large that each entry fills a page of its own.
fn load_pages(ctx: &Context, store: &dyn engine_api::Store) -> Verdict {
    let size = fitting_value(&ctx.capabilities().limits, 600 << 10);
    Ok(load(store, EXTENSIONS.map(|key| (key, vec![7; size])))?)
}

fn paging_resumes_at_key_extension(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    load_pages(ctx, &store)?;
    let view = store.view()?;
    let got: Vec<_> = drain(&mut view.cursor(KeyRange::ALL))?.into_iter().map(|(key, _)| key).collect();
    check_keys(&got, &EXTENSIONS, "the keys, one a page")
}

fn reverse_paging_resumes_at_key_extension(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    load_pages(ctx, &store)?;
    let view = store.view()?;
    let got: Vec<_> =
        drain(&mut view.cursor_reverse(KeyRange::ALL))?.into_iter().map(|(key, _)| key).collect();
    let down: Vec<_> = EXTENSIONS.iter().rev().collect();
    check_keys(&got, &down, "the keys, one a page, descending")
}

fn value_larger_than_a_page(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    let large = patterned(fitting_value(&ctx.capabilities().limits, 3 << 20));
    let expected: Vec<Entry> =
        [("a", vec![1]), ("b", large.clone()), ("c", vec![]), ("d", large), ("e", vec![2])]
            .map(|(key, value)| (key.into(), value.into()))
            .into();
    load(&store, expected.iter().cloned())?;
    let got = drain(&mut store.view()?.cursor(KeyRange::ALL))?;
    check_eq!(got.len(), expected.len(), "the number of entries");
    for (got, expected) in got.iter().zip(&expected) {
        crate::verdict::check!(got == expected, "the entry {:?} isn't what was put", expected.0);
    }
    Ok(())
}

fn stays_at_the_end(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    load_keys(&store, &["a", "b"])?;
    let view = store.view()?;
    let mut cursor = view.cursor(KeyRange::new("a".."b"));
    check_eq!(next_key(&mut cursor)?.as_deref(), Some(b"a".as_slice()), "the only entry");
    for _ in 0..3 {
        check_eq!(next_key(&mut cursor)?, None, "beyond the end");
    }
    Ok(())
}

fn seek_forward_and_back(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    load_keys(&store, &["a", "c", "e", "g"])?;
    let view = store.view()?;
    let mut cursor = view.cursor(KeyRange::ALL);
    for (target, expected) in [
        ("c", Some("c")),
        ("f", Some("g")),
        ("a", Some("a")),
        ("b", Some("c")),
        ("h", None),
        ("e", Some("e")),
    ] {
        cursor.seek(target.as_bytes());
        let got =
            cursor.next()?.map(|(key, value)| (Bytes::copy_from_slice(key), Bytes::copy_from_slice(value)));
        let expected = expected.map(|key| (Bytes::from(key), value_of(key.as_bytes())));
        check_eq!(got, expected, "after a seek to {target}");
    }
    check_eq!(next_key(&mut cursor)?.as_deref(), Some(b"g".as_slice()), "what follows e");
    Ok(())
}

fn seek_never_leaves_the_range(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    load_keys(&store, &["a", "c", "e", "g"])?;
    let view = store.view()?;
    let mut cursor = view.cursor(KeyRange::new("b".."g"));
    for (target, expected) in
        [("a", &["c", "e"][..]), ("g", &[]), ("d", &["e"]), ("z", &[]), ("", &["c", "e"])]
    {
        cursor.seek(target.as_bytes());
        let got: Vec<_> = drain(&mut cursor)?.into_iter().map(|(key, _)| key).collect();
        check_keys(&got, expected, &format!("after a seek to {target:?}"))?;
    }
    Ok(())
}

fn reverse_seek_forward_and_back(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    load_keys(&store, &["a", "c", "e", "g"])?;
    let view = store.view()?;
    let mut cursor = view.cursor_reverse(KeyRange::new("b".."g"));
    for (target, expected) in [
        ("d", &["c"][..]),
        ("z", &["e", "c"]),
        ("e", &["e", "c"]),
        ("g", &["e", "c"]),
        ("a", &[]),
        ("c", &["c"]),
    ] {
        cursor.seek(target.as_bytes());
        let got: Vec<_> = drain(&mut cursor)?.into_iter().map(|(key, _)| key).collect();
        check_keys(&got, expected, &format!("after a descending seek to {target:?}"))?;
    }
    Ok(())
}

fn dropped_early_frees_what_it_held(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    let expected = many_entries(ctx);
    load(&store, expected.iter().cloned())?;
    for round in 0..1000 {
        let view = store.view()?;
        let first = next_key(&mut view.cursor(KeyRange::ALL))?;
        check_eq!(first.as_deref(), Some(b"key 00000".as_slice()), "the first key, round {round}");
    }
    crate::checks::check_usable(&store, "a thousand cursors that were dropped early")
}

fn iterator_agrees_with_scan(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    let expected = many_entries(ctx);
    load(&store, expected.iter().cloned())?;
    let view = store.view()?;
    let mut cursor = view.cursor(KeyRange::ALL);
    cursor.seek(b"key 01000");
    let got = cursor.entries().collect::<engine_api::Result<Vec<_>>>()?;
    check_entries(&got, &expected[1000..], "the entries of the iterator")
}

fn random_walk_agrees_with_model(ctx: &Context) -> Verdict {
    random_walk(ctx, Direction::Forward)
}

fn reverse_random_walk_agrees_with_model(ctx: &Context) -> Verdict {
    random_walk(ctx, Direction::Reverse)
}

fn random_walk(ctx: &Context, direction: Direction) -> Verdict {
    let store = ctx.open()?;
    let mut rng = ctx.rng();
    let limits = &ctx.capabilities().limits;
    let mut model: BTreeMap<Bytes, Bytes> = BTreeMap::new();
    for _ in 0..400 {
        let length = 1 + rng.below(4);
        let key: Vec<u8> = (0..length).map(|_| *rng.pick(&[0, 1, b'k', 0xFE, 0xFF])).collect();
        let size = *rng.pick(&[0, 10, 500, 5000]);
        model.insert(key.into(), patterned(fitting_value(limits, size)).into());
    }
    load(&store, model.clone())?;
    let sorted: Vec<(Bytes, Bytes)> = model.into_iter().collect();
    let view = store.view()?;
    let mut cursor = match direction {
        Direction::Forward => view.cursor(KeyRange::ALL),
        Direction::Reverse => view.cursor_reverse(KeyRange::ALL),
    };
    // How many entries are at or below the position, going down; where it stands in `sorted`, going up.
    let mut at = if direction == Direction::Forward { 0 } else { sorted.len() };
    for step in 0..3000 {
        if rng.one_in(25) {
            let length = 1 + rng.below(3);
            let target: Vec<u8> = (0..length).map(|_| *rng.pick(&[0, 1, b'k', 0xFE, 0xFF])).collect();
            cursor.seek(&target);
            at = match direction {
                Direction::Forward => sorted.partition_point(|(key, _)| key.as_ref() < target.as_slice()),
                Direction::Reverse => sorted.partition_point(|(key, _)| key.as_ref() <= target.as_slice()),
            };
        }
        let got =
            cursor.next()?.map(|(key, value)| (Bytes::copy_from_slice(key), Bytes::copy_from_slice(value)));
        let expected = match direction {
            Direction::Forward => sorted.get(at),
            Direction::Reverse => at.checked_sub(1).and_then(|below| sorted.get(below)),
        };
        crate::verdict::check!(
            got.as_ref() == expected,
            "seed {}, step {step}: the cursor gives {:?}, expected {:?} ({direction:?})",
            ctx.seed(),
            got.map(|(key, _)| key),
            expected.map(|(key, _)| key)
        );
        at = match direction {
            Direction::Forward => (at + 1).min(sorted.len()),
            Direction::Reverse => at.saturating_sub(1),
        };
    }
    Ok(())
}
