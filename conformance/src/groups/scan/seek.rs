//! A visitor that tells the scan where to go.

use std::collections::BTreeSet;

use engine_api::{Direction, Scan, Step, StoreExt as _};

use crate::case::Case;
use crate::checks::{all_keys, check_keys, load_keys, steered, stepped};
use crate::context::Context;
use crate::need::Need;
use crate::verdict::{Verdict, check};

pub(super) const CASES: &[Case] = &[
    Case::new(
        "scan.seek-to-an-exact-key-visits-it",
        seek_to_an_exact_key_visits_it,
        "A seek to a key that is there visits it next, and nothing between.",
        "Readers of versions jump from key to key.",
    ),
    Case::new(
        "scan.seek-to-an-absent-key-visits-the-next",
        seek_to_an_absent_key_visits_the_next,
        "A seek to a key that isn't there visits the first one above it.",
        "The target of a reader of versions is seldom a key.",
    ),
    Case::new(
        "scan.seek-behind-counts-as-next",
        seek_behind_counts_as_next,
        "A seek to the current key, behind it, or below the range goes on with the next key.",
        "A cursor that obeys it visits keys twice, or for ever.",
    ),
    Case::new(
        "scan.seek-to-the-successor-is-next",
        seek_to_the_successor_is_next,
        "A seek to the current key and one NUL visits the key that follows, an extension among them.",
        "The least step forward must not skip.",
    ),
    Case::new(
        "scan.seek-past-the-end-stops",
        seek_past_the_end_stops,
        "A seek beyond the upper bound, or beyond the last key, ends the scan without an error.",
        "A cursor moved off its end must say so.",
    ),
    Case::new(
        "scan.seek-never-leaves-the-bounds",
        seek_never_leaves_the_bounds,
        "A seek to the excluded bound itself ends the scan; one to the included bound visits it.",
        "A cursor of the whole store that is moved forgets the range.",
    ),
    Case::new(
        "scan.seek-then-next-goes-on",
        seek_then_next_goes_on,
        "After a seek the scan goes on key by key to its end.",
        "A jump that is implemented as a read of one key stops there.",
    ),
    Case::new(
        "scan.seek-over-many-keys",
        seek_over_many_keys,
        "Seeks over 10,000 keys land exactly, near and far.",
        "Jumps cross pages, levels and runs.",
    ),
    Case::new(
        "scan.seeks-agree-with-model",
        seeks_agree_with_model,
        "Random seeks, steps and stops visit what an ordered set says.",
        "Each pair of positions is a case of its own.",
    ),
    Case::new(
        "scan.reverse-seek-to-an-exact-key-visits-it",
        reverse_seek_to_an_exact_key_visits_it,
        "Descending, a seek to a key that is there visits it next.",
        "Engines set a descending cursor by stepping back from the next key.",
    )
    .needs(&[Need::Reverse]),
    Case::new(
        "scan.reverse-seek-to-an-absent-key-visits-the-one-below",
        reverse_seek_to_an_absent_key_visits_the_one_below,
        "Descending, a seek to a key that isn't there visits the first one below it.",
        "A cursor set at or above the target starts one too far up.",
    )
    .needs(&[Need::Reverse]),
    Case::new(
        "scan.reverse-seek-behind-counts-as-next",
        reverse_seek_behind_counts_as_next,
        "Descending, a seek to the current key or above it goes on with the next key down.",
        "What is behind depends on the direction.",
    )
    .needs(&[Need::Reverse]),
    Case::new(
        "scan.reverse-seek-past-the-start-stops",
        reverse_seek_past_the_start_stops,
        "Descending, a seek below the lower bound ends the scan.",
        "The bound at which a descending scan ends is the lower one.",
    )
    .needs(&[Need::Reverse]),
    Case::new(
        "scan.reverse-seek-above-the-last-key-counts-as-next",
        reverse_seek_above_the_last_key_counts_as_next,
        "Descending, a seek above every key goes on with the next key down.",
        "A descending cursor that is set past the end has nowhere to step back from.",
    )
    .needs(&[Need::Reverse]),
    Case::new(
        "scan.reverse-seeks-agree-with-model",
        reverse_seeks_agree_with_model,
        "Descending, random seeks, steps and stops visit what an ordered set says.",
        "Each pair of positions is a case of its own.",
    )
    .needs(&[Need::Reverse]),
];

const KEYS: [&str; 6] = ["a", "b", "b\0", "d", "f", "h"];

/// Scans `scan` over [`KEYS`], with `steps` as the visitor's first answers.
fn visits(ctx: &Context, scan: Scan<'_>, steps: &[Step<'_>], expected: &[&str], what: &str) -> Verdict {
    let store = ctx.open()?;
    if all_keys(&store)?.is_empty() {
        load_keys(&store, &KEYS)?;
    }
    check_keys(&stepped(store.view()?.as_ref(), scan, steps)?, expected, what)
}

fn seek_to_an_exact_key_visits_it(ctx: &Context) -> Verdict {
    visits(ctx, Scan::all(), &[Step::SeekTo(b"d"), Step::Stop], &["a", "d"], "a seek from a to d")
}

fn seek_to_an_absent_key_visits_the_next(ctx: &Context) -> Verdict {
    visits(ctx, Scan::all(), &[Step::SeekTo(b"c"), Step::Stop], &["a", "d"], "a seek from a to c")
}

fn seek_behind_counts_as_next(ctx: &Context) -> Verdict {
    let scan = Scan::half_open(b"b", b"h");
    let steps = [Step::Next, Step::SeekTo(b"b\0"), Step::SeekTo(b"b"), Step::SeekTo(b"a")];
    visits(
        ctx,
        scan,
        &steps,
        &["b", "b\0", "d", "f"],
        "seeks to the current key, behind it, and below the range",
    )
}

fn seek_to_the_successor_is_next(ctx: &Context) -> Verdict {
    let steps = [Step::SeekTo(b"a\0"), Step::SeekTo(b"b\0"), Step::SeekTo(b"b\0\0"), Step::SeekTo(b"d\0")];
    visits(ctx, Scan::all(), &steps, &KEYS, "seeks to each key's successor")
}

fn seek_past_the_end_stops(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    load_keys(&store, &KEYS)?;
    let view = store.view()?;
    let beyond_bound = stepped(view.as_ref(), Scan::half_open(b"a", b"e"), &[Step::SeekTo(b"f")])?;
    check_keys(&beyond_bound, &["a"], "a seek beyond the bound")?;
    let beyond_last = stepped(view.as_ref(), Scan::all(), &[Step::Next, Step::SeekTo(b"z")])?;
    check_keys(&beyond_last, &["a", "b"], "a seek beyond the last key")?;
    let gap = stepped(view.as_ref(), Scan::half_open(b"a", b"e"), &[Step::SeekTo(b"d\0")])?;
    check_keys(&gap, &["a"], "a seek to where the range holds no more keys")
}

fn seek_never_leaves_the_bounds(ctx: &Context) -> Verdict {
    use std::ops::Bound::Included;
    let store = ctx.open()?;
    load_keys(&store, &KEYS)?;
    let view = store.view()?;
    let excluded = stepped(view.as_ref(), Scan::half_open(b"a", b"f"), &[Step::SeekTo(b"f")])?;
    check_keys(&excluded, &["a"], "a seek to the excluded bound")?;
    let included = Scan::between(Included(b"a"), Included(b"f"));
    let got = stepped(view.as_ref(), included, &[Step::SeekTo(b"f")])?;
    check_keys(&got, &["a", "f"], "a seek to the included bound, and on")
}

fn seek_then_next_goes_on(ctx: &Context) -> Verdict {
    let expected = ["a", "b\0", "d", "f", "h"];
    visits(ctx, Scan::all(), &[Step::SeekTo(b"b\0")], &expected, "a seek, and then step by step")
}

fn seek_over_many_keys(ctx: &Context) -> Verdict {
    const COUNT: usize = 10_000;
    let store = ctx.open()?;
    let sorted: Vec<String> = (0..COUNT).map(|n| format!("{n:05}")).collect();
    load_keys(&store, &sorted)?;
    let view = store.view()?;
    for stride in [1, 2, 97, 1000, 4999] {
        let expected: Vec<&String> = sorted.iter().step_by(stride).collect();
        let targets: Vec<Step<'_>> =
            expected.iter().skip(1).map(|key| Step::SeekTo(key.as_bytes())).chain([Step::Stop]).collect();
        let got = stepped(view.as_ref(), Scan::all(), &targets)?;
        check_keys(&got, &expected, &format!("seeks of {stride} keys each"))?;
    }
    Ok(())
}

fn seeks_agree_with_model(ctx: &Context) -> Verdict {
    random_seeks(ctx, Direction::Forward)
}

fn reverse_seeks_agree_with_model(ctx: &Context) -> Verdict {
    random_seeks(ctx, Direction::Reverse)
}

fn random_seeks(ctx: &Context, direction: Direction) -> Verdict {
    let store = ctx.open()?;
    let mut rng = ctx.rng();
    let short = |rng: &mut crate::rng::Rng| -> Vec<u8> {
        let length = 1 + rng.below(3);
        (0..length).map(|_| *rng.pick(&[0x00, 0x01, b'a', b'b', 0xFE, 0xFF])).collect()
    };
    let model: BTreeSet<Vec<u8>> = (0..80).map(|_| short(&mut rng)).collect();
    load_keys(&store, &model.iter().collect::<Vec<_>>())?;
    let view = store.view()?;
    for round in 0..400 {
        let (mut low, mut high) = (short(&mut rng), short(&mut rng));
        if low > high {
            std::mem::swap(&mut low, &mut high);
        }
        let targets: Vec<Option<Vec<u8>>> =
            (0..30).map(|_| (!rng.one_in(3)).then(|| short(&mut rng))).collect();
        let scan = Scan::half_open(&low, &high).in_direction(direction);
        let steps: Vec<Step<'_>> =
            targets.iter().map(|to| to.as_ref().map_or(Step::Next, |to| Step::SeekTo(to))).collect();
        let got = stepped(view.as_ref(), scan, &steps)?;
        let expected = model_walk(&model, &low, &high, direction, &targets);
        let what = format!(
            "seed {}, round {round}: the walk from {low:?} to {high:?}, {direction:?}, with targets {targets:?}",
            ctx.seed()
        );
        check_keys(&got, &expected, &what)?;
    }
    Ok(())
}

/// The walk as the rule reads: each next key is the nearest ahead that is at or beyond the target.
fn model_walk<'m>(
    model: &'m BTreeSet<Vec<u8>>,
    low: &[u8],
    high: &[u8],
    direction: Direction,
    targets: &[Option<Vec<u8>>],
) -> Vec<&'m Vec<u8>> {
    let mut inside: Vec<&Vec<u8>> =
        model.iter().filter(|key| low <= key.as_slice() && key.as_slice() < high).collect();
    let beyond = |key: &[u8], target: &[u8]| match direction {
        Direction::Forward => key >= target,
        Direction::Reverse => key <= target,
    };
    if direction == Direction::Reverse {
        inside.reverse();
    }
    let mut walked: Vec<&Vec<u8>> = Vec::new();
    let mut targets = targets.iter();
    let mut target: Option<&Vec<u8>> = None;
    for key in inside {
        if target.is_none_or(|target| beyond(key, target)) {
            walked.push(key);
            target = targets.next().and_then(Option::as_ref);
        }
    }
    walked
}

fn reverse_seek_to_an_exact_key_visits_it(ctx: &Context) -> Verdict {
    let steps = [Step::SeekTo(b"b\0"), Step::Next, Step::Stop];
    visits(ctx, Scan::all().reverse(), &steps, &["h", "b\0", "b"], "a descending seek from h to b NUL")
}

fn reverse_seek_to_an_absent_key_visits_the_one_below(ctx: &Context) -> Verdict {
    let steps = [Step::SeekTo(b"e"), Step::SeekTo(b"b\x01"), Step::Stop];
    visits(ctx, Scan::all().reverse(), &steps, &["h", "d", "b\0"], "descending seeks to e and b 01")
}

fn reverse_seek_behind_counts_as_next(ctx: &Context) -> Verdict {
    let steps = [Step::SeekTo(b"h"), Step::SeekTo(b"g"), Step::SeekTo(b"z"), Step::Stop];
    visits(ctx, Scan::all().reverse(), &steps, &["h", "f", "d", "b\0"], "descending seeks that lead back")
}

fn reverse_seek_past_the_start_stops(ctx: &Context) -> Verdict {
    let scan = Scan::half_open(b"b\0", b"z").reverse();
    visits(ctx, scan, &[Step::SeekTo(b"b")], &["h"], "a descending seek below the bound")?;
    let steps = [Step::SeekTo(b"0")];
    visits(ctx, Scan::all().reverse(), &steps, &["h"], "a descending seek below the first key")
}

fn reverse_seek_above_the_last_key_counts_as_next(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    load_keys(&store, &KEYS)?;
    let got = steered(store.view()?.as_ref(), Scan::all().reverse(), |_| Step::SeekTo(b"\xff\xff"))?;
    let down: Vec<_> = KEYS.iter().rev().collect();
    check_keys(&got, &down, "a descending scan that is always sent above everything")?;
    check!(store.exists("a")?, "the store lost a key");
    Ok(())
}
