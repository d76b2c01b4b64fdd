//! Views: what they see, and for how long.

use std::ops::Bound::Unbounded;

use engine_api::{Durability, ErrorKind, Scan, Step, StoreExt as _, Value, View, WriteBatch, visitor};

use crate::case::Case;
use crate::checks::{all_keys, check_keys, check_usable, keys, load, load_keys, patterned, value_of};
use crate::context::Context;
use crate::need::Need;
use crate::verdict::{Halt, Verdict, check, check_eq};

pub(super) const CASES: &[Case] = &[
    Case::new(
        "view.new-view-sees-commit",
        new_view_sees_commit,
        "A view that is taken after a commit has returned sees it, by key and by range.",
        "Readers that are pooled, or refreshed by a timer, lag behind.",
    ),
    Case::new(
        "view.pinned-at-creation",
        pinned_at_creation,
        "A view doesn't see what is committed between its creation and its first read.",
        "SQLite's plain BEGIN is no snapshot until the first read.",
    )
    .needs(&[Need::SnapshotReads]),
    Case::new(
        "view.pinned-against-every-kind-of-write",
        pinned_against_every_kind_of_write,
        "Puts, overwrites and deletes that are committed later change nothing that a view answers.",
        "sled's iterators see inserts and miss deletes made after they began.",
    )
    .needs(&[Need::SnapshotReads]),
    Case::new(
        "view.pinned-against-range-deletes",
        pinned_against_range_deletes,
        "A range delete that is committed later changes nothing that a view answers.",
        "Range deletes that drop whole files take the pages from under readers.",
    )
    .needs(&[Need::SnapshotReads, Need::DeleteRange]),
    Case::new(
        "view.several-views-each-see-their-own-state",
        several_views_each_see_their_own_state,
        "Views that were taken between commits each answer what was there then, in any order of reading.",
        "One shared read transaction under all views shows them one state.",
    )
    .needs(&[Need::SnapshotReads]),
    Case::new(
        "view.reads-within-one-view-agree",
        reads_within_one_view_agree,
        "get, get_with, count and scans of one view agree, before and after commits of others.",
        "A view that reads each call in a transaction of its own isn't one state.",
    )
    .needs(&[Need::SnapshotReads]),
    Case::new(
        "view.scan-is-pinned-while-its-visitor-commits",
        scan_is_pinned_while_its_visitor_commits,
        "Commits made from a scan's visitor, ahead of it and behind it, don't show in the scan.",
        "A scan that is read in pages must read each of them from the same state.",
    )
    .needs(&[Need::SnapshotReads]),
    Case::new(
        "view.cursor-is-pinned-between-pages",
        cursor_is_pinned_between_pages,
        "Commits between the pages of a cursor don't show in it.",
        "Each page is a scan of its own; only the view holds them together.",
    )
    .needs(&[Need::SnapshotReads]),
    Case::new(
        "view.old-view-does-not-hold-up-commits",
        old_view_does_not_hold_up_commits,
        "A thousand commits go through while an old view is open, and it still answers as it did.",
        "A reader that blocks writers is no snapshot, and a poor one fills a fixed map.",
    )
    .needs(&[Need::SnapshotReads]),
    Case::new(
        "view.outlives-the-store-handle",
        outlives_the_store_handle,
        "A view goes on answering after the store that gave it was dropped.",
        "A view owns what it reads from.",
    ),
    Case::new(
        "view.may-be-sent-to-another-thread",
        may_be_sent_to_another_thread,
        "A view can be taken on one thread, read on another, and dropped on a third.",
        "LMDB's readers are bound to a thread unless it is told otherwise.",
    ),
    Case::new(
        "view.several-on-one-thread",
        several_on_one_thread,
        "Sixteen views, or as many as the limit, are open on one thread at once and all read.",
        "LMDB's reader slot belongs to a thread by default: the second view on one fails.",
    ),
    Case::new(
        "view.dropped-views-free-their-slots",
        dropped_views_free_their_slots,
        "A thousand views taken and dropped one after another, some unread, leave room for more.",
        "LMDB answers READERS_FULL at the 127th.",
    ),
    Case::new(
        "view.writes-go-through-while-a-view-is-open",
        writes_go_through_while_a_view_is_open,
        "The thread that holds a view can commit, and take a view that sees it.",
        "A lock kept by a view deadlocks its own thread.",
    ),
    Case::new(
        "view.live-view-answers-committed-values",
        live_view_answers_committed_values,
        "A live view answers what was committed when it was taken or what is committed now, and nothing else.",
        "The denial of a snapshot isn't a licence to answer anything.",
    )
    .needs(&[Need::LiveReads]),
    Case::new(
        "view.revision-is-one-state-or-expired",
        revision_is_one_state_or_expired,
        "A view of a revision answers its one state, or SnapshotExpired, after many commits.",
        "An expired revision must not turn into the current state in silence.",
    )
    .needs(&[Need::RevisionReads]),
];

fn new_view_sees_commit(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    for round in 0..50_u32 {
        let key = format!("{round:02}");
        store.put(&key, round.to_string())?;
        let view = store.view()?;
        check_eq!(view.get(key.as_bytes())?, Some(round.to_string().into()), "round {round}, by key");
        check_eq!(keys(view.as_ref(), Scan::all())?.len(), round as usize + 1, "round {round}, by range");
    }
    Ok(())
}

fn pinned_at_creation(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    load(&store, [("k", "old")])?;
    let by_key = store.view()?;
    let by_range = store.view()?;
    load(&store, [("k", "new"), ("later", "v")])?;
    check_eq!(by_key.get(b"k")?.as_deref(), Some(b"old".as_slice()), "k in a view from before");
    check_eq!(by_key.get(b"later")?, None, "a later key in a view from before");
    check_keys(&keys(by_range.as_ref(), Scan::all())?, &["k"], "the keys of a view from before")
}

/// Whether a view still shows `a`, `b` and `c` as [`load_keys`] put them.
fn shows_abc(view: &dyn View, what: &str) -> Verdict {
    check_keys(&keys(view, Scan::all())?, &["a", "b", "c"], what)?;
    for key in [b"a", b"b", b"c"] {
        check_eq!(view.get(key)?, Some(value_of(key)), "{what}: the value of {key:?}");
    }
    check_eq!(view.get(b"d")?, None, "{what}: a key that came later");
    Ok(())
}

fn pinned_against_every_kind_of_write(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    load_keys(&store, &["a", "b", "c"])?;
    let (unread, read) = (store.view()?, store.view()?);
    shows_abc(read.as_ref(), "before any write")?;
    store.put("d", "new")?;
    shows_abc(read.as_ref(), "after a put")?;
    store.put("b", "changed")?;
    shows_abc(read.as_ref(), "after an overwrite")?;
    store.delete("a")?;
    store.delete("c")?;
    shows_abc(read.as_ref(), "after deletes")?;
    shows_abc(unread.as_ref(), "after all, at its first read")?;
    check_keys(&all_keys(&store)?, &["b", "d"], "the keys of a new view")
}

fn pinned_against_range_deletes(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    load_keys(&store, &["a", "b", "c"])?;
    let view = store.view()?;
    let mut batch = WriteBatch::new();
    batch.delete_range(Unbounded, Unbounded).put("d", "new");
    store.write(&batch)?;
    shows_abc(view.as_ref(), "after everything was deleted")?;
    check_keys(&all_keys(&store)?, &["d"], "the keys of a new view")
}

fn several_views_each_see_their_own_state(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    let count = ctx.capabilities().limits.views.unwrap_or(usize::MAX).min(10);
    let mut views = Vec::new();
    for round in 0..count {
        load(&store, [("k".to_owned(), round.to_string()), (format!("n{round}"), String::new())])?;
        views.push(store.view()?);
    }
    // Last taken, first read, and then the other way round.
    for round in (0..count).rev().chain(0..count) {
        let view = views[round].as_ref();
        check_eq!(view.get(b"k")?, Some(round.to_string().into()), "k in view {round} of {count}");
        check_eq!(keys(view, Scan::all())?.len(), round + 2, "the keys of view {round}");
    }
    Ok(())
}

fn reads_within_one_view_agree(ctx: &Context) -> Verdict {
    use engine_api::ViewExt as _;
    let store = ctx.open()?;
    load_keys(&store, &["a", "b", "c"])?;
    let view = store.view()?;
    for round in 0..5 {
        store.put(format!("extra {round}"), "v")?;
        store.put("b", format!("changed {round}"))?;
        let mut lent = Vec::new();
        view.get_with(b"b", &mut |value| lent = value.to_vec())?;
        check_eq!(lent, value_of(b"b"), "get_with, round {round}");
        check_eq!(view.count(&engine_api::KeyRange::ALL)?, 3, "count, round {round}");
        check!(!view.exists(b"extra 0")?, "exists sees what came later, round {round}");
        shows_abc(view.as_ref(), "get and scan")?;
    }
    Ok(())
}

fn scan_is_pinned_while_its_visitor_commits(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    let expected: Vec<String> = (0..500).map(|n| format!("k{n:03}")).collect();
    load_keys(&store, &expected)?;
    let view = store.view()?;
    let mut seen = Vec::new();
    let mut writing = visitor(|key: &[u8], value: Value<'_>| {
        if value.bytes()? != value_of(key) {
            return Err(engine_api::Error::new(
                ErrorKind::Internal,
                "the scan shows a value that came later",
            ));
        }
        seen.push(bytes::Bytes::copy_from_slice(key));
        if seen.len() % 50 == 0 {
            let mut batch = WriteBatch::new();
            batch.put("a behind", "v").put("z ahead", "v").delete("k499").put("k498", "changed");
            store.commit(&batch, Durability::Relaxed)?;
        }
        Ok(Step::Next)
    });
    view.scan(Scan::all(), &mut writing)?;
    check_keys(&seen, &expected, "the keys of a scan whose visitor commits")
}

fn cursor_is_pinned_between_pages(ctx: &Context) -> Verdict {
    use engine_api::{KeyRange, ViewExt as _};
    let store = ctx.open()?;
    let expected: Vec<String> = (0..40).map(|n| format!("k{n:02}")).collect();
    let value = patterned(crate::checks::fitting_value(&ctx.capabilities().limits, 20_000));
    load(&store, expected.iter().map(|key| (key, value.clone())))?;
    let view = store.view()?;
    let mut cursor = view.cursor(KeyRange::ALL);
    let mut seen = Vec::new();
    while let Some((key, got)) = cursor.next()? {
        check!(got == value, "the value of {key:?} isn't what the view was taken over");
        seen.push(bytes::Bytes::copy_from_slice(key));
        load(
            &store,
            [("k20".to_owned(), "changed".to_owned()), (format!("k3{}x", seen.len()), String::new())],
        )?;
        store.delete("k39")?;
    }
    check_keys(&seen, &expected, "the keys of a cursor between whose pages others commit")
}

fn old_view_does_not_hold_up_commits(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    load_keys(&store, &["a", "b", "c"])?;
    let view = store.view()?;
    for round in 0..1000 {
        load(&store, [(format!("{}", round % 10), vec![1; 100]), ("b".to_owned(), vec![2; round])])?;
    }
    shows_abc(view.as_ref(), "after a thousand commits")?;
    drop(view);
    check_usable(&store, "a thousand commits beside an old view")
}

fn outlives_the_store_handle(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    load_keys(&store, &["a", "b", "c"])?;
    let view = store.view()?;
    drop(store);
    shows_abc(view.as_ref(), "after the store was dropped")
}

fn may_be_sent_to_another_thread(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    load_keys(&store, &["a", "b", "c"])?;
    let view = store.view()?;
    shows_abc(view.as_ref(), "on the thread that took it")?;
    let (verdict, view) = on_another_thread(move || (shows_abc(view.as_ref(), "on another thread"), view))?;
    verdict?;
    let verdict = on_another_thread(move || {
        let verdict = shows_abc(view.as_ref(), "on a third thread");
        drop(view);
        verdict
    })?;
    verdict?;
    check_usable(&store, "a view that was dropped on another thread")
}

fn on_another_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Verdict<T> {
    std::thread::spawn(work).join().map_err(|_| Halt::failed("the other thread panicked"))
}

fn several_on_one_thread(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    load_keys(&store, &["a", "b", "c"])?;
    let count = ctx.capabilities().limits.views.unwrap_or(usize::MAX).min(16);
    let views = (0..count).map(|_| store.view()).collect::<engine_api::Result<Vec<_>>>()?;
    for view in &views {
        shows_abc(view.as_ref(), "one of several views")?;
    }
    Ok(())
}

fn dropped_views_free_their_slots(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    load_keys(&store, &["a", "b", "c"])?;
    for round in 0..1000 {
        let view = store
            .view()
            .map_err(|error| Halt::failed(format!("view {round}, the others dropped: {error:?}")))?;
        if round % 3 != 0 {
            check_eq!(view.get(b"a")?, Some(value_of(b"a")), "a in view {round}");
        }
    }
    check_usable(&store, "a thousand views")
}

fn writes_go_through_while_a_view_is_open(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    load_keys(&store, &["a"])?;
    let view = store.view()?;
    view.get(b"a")?;
    store.put("b", "v")?;
    store.flush()?;
    check_eq!(store.get("b")?.as_deref(), Some(b"v".as_slice()), "what was put beside an open view");
    drop(view);
    Ok(())
}

fn live_view_answers_committed_values(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    load(&store, [("k", "old"), ("same", "same")])?;
    let view = store.view()?;
    load(&store, [("k", "new"), ("later", "v")])?;
    let got = view.get(b"k")?;
    check!([Some("old".into()), Some("new".into())].contains(&got), "k answers {got:?}, which it never was");
    let got = keys(view.as_ref(), Scan::all())?;
    check!(
        got == ["k", "same"] || got == ["k", "later", "same"],
        "the keys {got:?} are neither those from before nor those from after"
    );
    Ok(())
}

fn revision_is_one_state_or_expired(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    load_keys(&store, &["a", "b", "c"])?;
    let view = store.view()?;
    for round in 0..200 {
        load(&store, [("b", format!("changed {round}")), ("d", String::new())])?;
        match view.get(b"b") {
            Ok(value) => check_eq!(value, Some(value_of(b"b")), "b at its revision, round {round}"),
            Err(error) if error.kind() == ErrorKind::SnapshotExpired => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
    match keys(view.as_ref(), Scan::all()) {
        Ok(got) => check_keys(&got, &["a", "b", "c"], "the keys at the revision"),
        Err(error) if error.kind() == ErrorKind::SnapshotExpired => Ok(()),
        Err(error) => Err(error.into()),
    }
}
