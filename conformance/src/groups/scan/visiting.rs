//! What a visitor answers, and what it may do meanwhile; descending scans.

use engine_api::{Error, ErrorKind, Scan, Step, StoreExt as _, Value, visitor};

use crate::case::Case;
use crate::checks::{
    all_keys, check_keys, check_refused, check_usable, keys, load_keys, patterned, steered, value_of,
};
use crate::context::Context;
use crate::need::Need;
use crate::verdict::{Halt, Verdict, check, check_eq};

pub(super) const CASES: &[Case] = &[
    Case::new(
        "scan.stop-ends-at-once",
        stop_ends_at_once,
        "After Stop the visitor isn't called again, and the scan succeeds.",
        "A scan that reads ahead must not show it.",
    ),
    Case::new(
        "scan.visitor-error-is-returned",
        visitor_error_is_returned,
        "An error of the visitor ends the scan at once and is what the scan answers, unchanged.",
        "kvdb iterators swallowed errors before 0.12; DVID's range deletes took them for the end.",
    ),
    Case::new(
        "scan.visitor-may-read-the-view",
        visitor_may_read_the_view,
        "A visitor may read the same view, by key and by range, while the scan goes on.",
        "Joins and readers of versions look up as they go; a lock or one shared cursor in the view deadlocks.",
    ),
    Case::new(
        "scan.visitor-may-take-another-view",
        visitor_may_take_another_view,
        "A visitor may take another view of the store and scan it.",
        "A lock held over a scan makes the second reader wait for ever.",
    ),
    Case::new(
        "scan.key-and-value-are-sound-until-the-visit-ends",
        key_and_value_are_sound_until_the_visit_ends,
        "The key and the value of a visit stay as they are while the visitor runs, whatever it reads meanwhile.",
        "Badger's iterator under DVID handed out a slice that it used again.",
    ),
    Case::new(
        "scan.reverse-visits-in-descending-order",
        reverse_visits_in_descending_order,
        "A descending scan visits the keys of the ascending one, last first.",
        "The other direction is another code path in every engine.",
    )
    .needs(&[Need::Reverse]),
    Case::new(
        "scan.reverse-includes-0xff-keys",
        reverse_includes_0xff_keys,
        "A descending scan without an upper bound begins at the last key, of 0xFF bytes too.",
        "A cursor set to a bounded infinity starts below it.",
    )
    .needs(&[Need::Reverse]),
    Case::new(
        "scan.reverse-honours-its-bounds",
        reverse_honours_its_bounds,
        "Descending, the lower bound is still the start: included it is visited, excluded it isn't.",
        "Bounds are bounds on keys whatever the direction.",
    )
    .needs(&[Need::Reverse]),
    Case::new(
        "scan.reverse-of-a-prefix-starts-at-its-last-key",
        reverse_of_a_prefix_starts_at_its_last_key,
        "A descending scan of a prefix begins at its last key when the next prefix has keys and when it hasn't.",
        "A cursor set at the end bound stands on the next prefix, or nowhere.",
    )
    .needs(&[Need::Reverse]),
    Case::new(
        "scan.reverse-stop-ends-at-once",
        reverse_stop_ends_at_once,
        "After Stop a descending scan calls its visitor no more.",
        "The last entry of a range is read this way.",
    )
    .needs(&[Need::Reverse]),
    Case::new(
        "scan.reverse-large-range-is-complete",
        reverse_large_range_is_complete,
        "A descending scan of 20,000 keys visits each, with its value.",
        "Windows and pages meet in the other direction too.",
    )
    .needs(&[Need::Reverse]),
    Case::new(
        "scan.reverse-denied-answers-unsupported",
        reverse_denied_answers_unsupported,
        "Without reverse scans, asking for one is Unsupported, visits nothing, and leaves the view usable.",
        "An undeclared ability that half works is worse than none.",
    )
    .needs(&[Need::NoReverse]),
];

fn stop_ends_at_once(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    load_keys(&store, &["a", "b", "c"])?;
    let got =
        steered(
            store.view()?.as_ref(),
            Scan::all(),
            |key| {
                if key == b"b" { Step::Stop } else { Step::Next }
            },
        )?;
    check_keys(&got, &["a", "b"], "the keys up to the stop")
}

fn visitor_error_is_returned(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    load_keys(&store, &["a", "b", "c"])?;
    let view = store.view()?;
    let mut calls = 0;
    let mut fail = visitor(|key: &[u8], _: Value<'_>| {
        calls += 1;
        if key == b"b" {
            return Err(Error::new(ErrorKind::Full, "the visitor's own").with("mark", "4711"));
        }
        Ok(Step::Next)
    });
    let Err(error) = view.scan(Scan::all(), &mut fail) else {
        return Err(Halt::failed("the scan succeeds although its visitor failed"));
    };
    check_eq!(calls, 2, "the number of calls of a visitor that fails at the second");
    check_eq!((error.kind(), error.field("mark")), (ErrorKind::Full, Some("4711")), "the visitor's error");
    check_keys(&keys(view.as_ref(), Scan::all())?, &["a", "b", "c"], "the scan after it")
}

fn visitor_may_read_the_view(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    load_keys(&store, &["a", "b", "c"])?;
    let view = store.view()?;
    let mut seen = Vec::new();
    let mut nested = visitor(|key: &[u8], value: Value<'_>| {
        let same = view.get(key)?.as_deref() == Some(value.bytes()?);
        seen.push((same, keys(view.as_ref(), Scan::half_open(b"b", b"z"))?.len()));
        Ok(Step::Next)
    });
    view.scan(Scan::all(), &mut nested)?;
    check_eq!(seen, [(true, 2), (true, 2), (true, 2)], "reads of the view from its visitor");
    Ok(())
}

fn visitor_may_take_another_view(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    load_keys(&store, &["a", "b", "c"])?;
    let mut seen = Vec::new();
    let mut nested = visitor(|_: &[u8], _: Value<'_>| {
        seen.push(all_keys(&store)?.len());
        Ok(Step::Next)
    });
    store.view()?.scan(Scan::all(), &mut nested)?;
    check_eq!(seen, [3, 3, 3], "scans of other views from a visitor");
    Ok(())
}

fn key_and_value_are_sound_until_the_visit_ends(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    let limits = &ctx.capabilities().limits;
    let size = crate::checks::fitting_value(limits, 9000);
    crate::checks::load(&store, (0..20_usize).map(|n| (format!("{n:02}"), patterned(size - n))))?;
    let view = store.view()?;
    let mut sound = 0;
    let mut nested = visitor(|key: &[u8], value: Value<'_>| {
        let (key_before, lent) = (key.to_vec(), value.bytes()?);
        let value_before = lent.to_vec();
        for other in ["00", "19"] {
            view.get(other.as_bytes())?;
        }
        keys(view.as_ref(), Scan::all())?;
        sound += usize::from(key == key_before && lent == value_before);
        Ok(Step::Next)
    });
    view.scan(Scan::all(), &mut nested)?;
    check_eq!(sound, 20, "the number of visits whose key and value stayed as they were");
    Ok(())
}

fn reverse_visits_in_descending_order(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    load_keys(&store, &["a", "a\0", "aa", "b", "c"])?;
    let got = keys(store.view()?.as_ref(), Scan::all().reverse())?;
    check_keys(&got, &["c", "b", "aa", "a\0", "a"], "the keys, descending")
}

fn reverse_includes_0xff_keys(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    let long = vec![0xFF; crate::checks::fitting_key(&ctx.capabilities().limits, 300)];
    load_keys(&store, &[b"a".as_slice(), b"\xff", &long])?;
    let got = keys(store.view()?.as_ref(), Scan::all().reverse())?;
    check_keys(&got, &[&long, b"\xff".as_slice(), b"a"], "the keys, descending")
}

fn reverse_honours_its_bounds(ctx: &Context) -> Verdict {
    use std::ops::Bound::{Excluded, Included};
    let store = ctx.open()?;
    load_keys(&store, &["a", "b", "c", "d"])?;
    let view = store.view()?;
    let half_open = keys(view.as_ref(), Scan::half_open(b"b", b"d").reverse())?;
    check_keys(&half_open, &["c", "b"], "b to d excluded, descending")?;
    let other = Scan::between(Excluded(b"b"), Included(b"d")).reverse();
    check_keys(&keys(view.as_ref(), other)?, &["d", "c"], "b excluded to d, descending")?;
    let inverted = keys(view.as_ref(), Scan::half_open(b"d", b"b").reverse())?;
    check_keys::<&str>(&inverted, &[], "inverted bounds, descending")
}

fn reverse_of_a_prefix_starts_at_its_last_key(ctx: &Context) -> Verdict {
    use engine_api::KeyRange;
    let store = ctx.open()?;
    load_keys(&store, &[b"p1".as_slice(), b"p\xff\xff"])?;
    let down: [&[u8]; 2] = [b"p\xff\xff", b"p1"];
    let range = KeyRange::prefix(b"p");
    let last = keys(store.view()?.as_ref(), range.scan().reverse())?;
    check_keys(&last, &down, "the prefix p with nothing behind it")?;
    load_keys(&store, &["o", "q", "q1"])?;
    let between = keys(store.view()?.as_ref(), range.scan().reverse())?;
    check_keys(&between, &down, "the prefix p with q behind it")
}

fn reverse_stop_ends_at_once(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    load_keys(&store, &["a", "b", "c"])?;
    let got = steered(store.view()?.as_ref(), Scan::all().reverse(), |_| Step::Stop)?;
    check_keys(&got, &["c"], "a descending scan that is stopped at once")
}

fn reverse_large_range_is_complete(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    let expected: Vec<String> = (0..20_000).rev().map(|n| format!("key {n:06}")).collect();
    load_keys(&store, &expected)?;
    let got = crate::checks::entries(store.view()?.as_ref(), Scan::all().reverse())?;
    for (key, value) in &got {
        check_eq!(*value, value_of(key), "the value of {key:?}");
    }
    check_keys(&got.into_iter().map(|(key, _)| key).collect::<Vec<_>>(), &expected, "the keys, descending")
}

fn reverse_denied_answers_unsupported(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    load_keys(&store, &["a", "b"])?;
    let view = store.view()?;
    let mut visits = 0;
    let mut count = visitor(|_: &[u8], _: Value<'_>| {
        visits += 1;
        Ok(Step::Next)
    });
    let answer = view.scan(Scan::all().reverse(), &mut count);
    check_refused(answer, ErrorKind::Unsupported, "a descending scan")?;
    check!(visits == 0, "a descending scan that is refused visited {visits} entries");
    check_keys(&keys(view.as_ref(), Scan::all())?, &["a", "b"], "an ascending scan after it")?;
    check_eq!(store.last(&engine_api::KeyRange::ALL)?.map(|(key, _)| key), Some("b".into()), "the last key");
    check_usable(&store, "a descending scan that was refused")
}
