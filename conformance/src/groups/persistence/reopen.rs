//! What is there when a store is opened again.

use engine_api::{Durability, ErrorKind, KeyRange, Persistence, Scan, StoreExt as _, WriteBatch};

use crate::case::Case;
use crate::checks::{
    all_keys, check_keys, check_refused, check_usable, entries, fitting_value, load, load_keys, patterned,
    value_of,
};
use crate::context::Context;
use crate::need::Need;
use crate::verdict::{Verdict, check, check_eq};

pub(super) const CASES: &[Case] = &[
    Case::new(
        "persistence.reopen-keeps-committed",
        reopen_keeps_committed,
        "What was committed as durable as can be is there, bytes and order, when the store is opened again.",
        "What a persistent store is for.",
    )
    .needs(&[Need::Persistent]),
    Case::new(
        "persistence.reopen-keeps-deletes",
        reopen_keeps_deletes,
        "What was deleted or overwritten stays so when the store is opened again.",
        "A log that is replayed without its tombstones brings the dead back.",
    )
    .needs(&[Need::Persistent]),
    Case::new(
        "persistence.reopen-keeps-range-deletes",
        reopen_keeps_range_deletes,
        "What a range delete removed stays away, and what came after it stays, when the store is opened again.",
        "A range tombstone that outlives its place in the order eats later puts.",
    )
    .needs(&[Need::Persistent, Need::DeleteRange]),
    Case::new(
        "persistence.reopen-keeps-large-and-empty-values",
        reopen_keeps_large_and_empty_values,
        "Values of a mebibyte and of nothing come back whole from a store that is opened again.",
        "Blobs beside the tree and zero-length records are each written in their own way.",
    )
    .needs(&[Need::Persistent]),
    Case::new(
        "persistence.reopen-many-times",
        reopen_many_times,
        "A store that is opened, written and closed twenty times has everything.",
        "A log that is cut on open, or not, shows after several rounds.",
    )
    .needs(&[Need::Persistent]),
    Case::new(
        "persistence.reopen-after-dropped-views-and-cursors",
        reopen_after_dropped_views_and_cursors,
        "A store whose views and values outlived it is released once they are gone.",
        "A value that pins a page keeps the file open.",
    )
    .needs(&[Need::Persistent]),
    Case::new(
        "persistence.failed-commit-is-not-there-after-reopen",
        failed_commit_is_not_there_after_reopen,
        "A batch that was refused hasn't left anything in the log either.",
        "A log that is written before requirements are judged replays what failed.",
    )
    .needs(&[Need::Persistent, Need::Conditional]),
    Case::new(
        "persistence.flush-keeps-relaxed-commits",
        flush_keeps_relaxed_commits,
        "Relaxed commits that were flushed are there when the store is opened again.",
        "Bulk loads commit relaxed and flush at the end.",
    )
    .needs(&[Need::Persistent]),
    Case::new(
        "persistence.flush-with-nothing-to-do",
        flush_with_nothing_to_do,
        "A flush of an empty store, and a second flush, are no errors.",
        "A flush is a promise on what is there, and that may be nothing.",
    ),
    Case::new(
        "persistence.relaxed-commit-is-visible-at-once",
        relaxed_commit_is_visible_at_once,
        "A relaxed commit is seen by the next view, and a durable one behind it keeps both.",
        "Durability says what survives, not what is seen.",
    ),
    Case::new(
        "persistence.every-weaker-durability-is-served",
        every_weaker_durability_is_served,
        "Each durability up to the strongest declared is accepted, those between levels too.",
        "A commit asks for at least a level.",
    ),
    Case::new(
        "persistence.undeclared-durability-answers-unsupported",
        undeclared_durability_answers_unsupported,
        "A durability above the strongest declared is Unsupported, and nothing is written.",
        "A promise that can't be kept must not be made.",
    )
    .needs(&[Need::NotDurableTo(Durability::Power)]),
    Case::new(
        "persistence.durability-fits-the-medium",
        durability_fits_the_medium,
        "A store that declares memory declares no durability beyond relaxed, and a persistent one some.",
        "Memory doesn't survive its process, whatever it says.",
    ),
    Case::new(
        "persistence.memory-is-gone-with-the-store",
        memory_is_gone_with_the_store,
        "A store that declares memory is new and empty each time it is opened.",
        "A denial of persistence that half keeps data is worse than either.",
    )
    .needs(&[Need::InMemory]),
    Case::new(
        "persistence.random-program-with-reopens-agrees-with-model",
        random_program_with_reopens_agrees_with_model,
        "Random programs during which the store is closed and opened give what an ordered map gives.",
        "What is in memory and what is on disk meet at the open.",
    )
    .needs(&[Need::Persistent]),
    Case::new(
        "persistence.compact-keeps-everything",
        compact_keeps_everything,
        "compact is Unsupported or succeeds, and every entry is there after it, views beside it or not.",
        "Compaction moves what is there.",
    ),
    Case::new(
        "persistence.verify-of-a-sound-store-passes",
        verify_of_a_sound_store_passes,
        "verify is Unsupported or finds nothing in a store that was written, deleted from and reopened.",
        "A check that cries wolf is turned off.",
    ),
    Case::new(
        "persistence.repair-of-a-sound-store-keeps-everything",
        repair_of_a_sound_store_keeps_everything,
        "repair of a closed, sound store is Unsupported or succeeds, and every entry is there after it.",
        "Repairs that drop what they don't understand are run on sound stores too.",
    )
    .needs(&[Need::Persistent]),
];

fn reopen_keeps_committed(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    let sorted: [&[u8]; 6] = [b"\x00", b"a", b"a\x00", b"b\xff", b"\xff", b"\xff\xff\xff"];
    for key in sorted {
        store.put(key, value_of(key))?;
    }
    let store = ctx.reopen(store)?;
    check_keys(&all_keys(&store)?, &sorted, "the keys after reopening")?;
    for key in sorted {
        check_eq!(store.get(key)?, Some(value_of(key)), "the value of {key:?} after reopening");
    }
    check_usable(&store, "reopening")
}

fn reopen_keeps_deletes(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    load_keys(&store, &["a", "b", "c"])?;
    store.delete("a")?;
    store.put("b", "new")?;
    let store = ctx.reopen(store)?;
    check_keys(&all_keys(&store)?, &["b", "c"], "the keys after reopening")?;
    check_eq!(store.get("b")?.as_deref(), Some(b"new".as_slice()), "the value of b after reopening");
    Ok(())
}

fn reopen_keeps_range_deletes(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    load_keys(&store, &["a", "b1", "b2", "b3", "c"])?;
    let range = KeyRange::prefix(b"b");
    let mut batch = WriteBatch::new();
    batch.delete_range(range.start(), range.end()).put("b2", "again");
    store.write(&batch)?;
    store.put("b3", "later")?;
    let store = ctx.reopen(store)?;
    check_keys(&all_keys(&store)?, &["a", "b2", "b3", "c"], "the keys after reopening")
}

fn reopen_keeps_large_and_empty_values(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    let large = patterned(fitting_value(&ctx.capabilities().limits, 1 << 20));
    store.put("empty", "")?;
    store.put("large", large.clone())?;
    let store = ctx.reopen(store)?;
    check_eq!(store.get("empty")?.as_deref(), Some(b"".as_slice()), "the empty value after reopening");
    check!(store.get("large")?.as_deref() == Some(&large), "the large value differs after reopening");
    Ok(())
}

fn reopen_many_times(ctx: &Context) -> Verdict {
    let mut store = ctx.open()?;
    let mut expected = Vec::new();
    for round in 0..20 {
        let key = format!("round {round:02}");
        store.put(&key, value_of(key.as_bytes()))?;
        expected.push(key);
        store = ctx.reopen(store)?;
        check_keys(&all_keys(&store)?, &expected, &format!("the keys after round {round}"))?;
    }
    Ok(())
}

fn reopen_after_dropped_views_and_cursors(ctx: &Context) -> Verdict {
    use engine_api::ViewExt as _;
    let store = ctx.open()?;
    load_keys(&store, &["a", "b"])?;
    store.flush()?;
    let view = store.view()?;
    let value = view.get(b"a")?;
    let mut cursor = view.cursor(KeyRange::ALL);
    cursor.next()?;
    drop(store);
    check_eq!(value, Some(value_of(b"a")), "a value after its store was dropped");
    drop(cursor);
    drop(view);
    drop(value);
    check_keys(&all_keys(&ctx.open()?)?, &["a", "b"], "the keys once all were dropped")
}

fn failed_commit_is_not_there_after_reopen(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    store.put("a", "v")?;
    let mut batch = WriteBatch::new();
    batch.put("b", "v").delete("a").require_absent("a");
    check_refused(store.write(&batch), ErrorKind::Conflict, "a batch with a requirement that fails")?;
    store.put("c", "v")?;
    let store = ctx.reopen(store)?;
    check_keys(&all_keys(&store)?, &["a", "c"], "the keys after reopening")
}

fn flush_keeps_relaxed_commits(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    let expected: Vec<String> = (0..500).map(|n| format!("{n:03}")).collect();
    for part in expected.chunks(50) {
        load_keys(&store, part)?;
    }
    store.flush()?;
    let store = ctx.reopen(store)?;
    check_keys(&all_keys(&store)?, &expected, "the keys after a flush and reopening")
}

fn flush_with_nothing_to_do(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    store.flush()?;
    store.put("a", "v")?;
    store.flush()?;
    store.flush()?;
    check_keys(&all_keys(&store)?, &["a"], "the keys after flushes")
}

fn relaxed_commit_is_visible_at_once(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    load_keys(&store, &["relaxed"])?;
    check_keys(&all_keys(&store)?, &["relaxed"], "the keys after a relaxed commit")?;
    store.put("durable", "v")?;
    check_keys(&all_keys(&store)?, &["durable", "relaxed"], "the keys after a durable one behind it")
}

fn every_weaker_durability_is_served(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    let strongest = ctx.capabilities().durability.strongest();
    for wanted in Durability::ALL.into_iter().filter(|wanted| *wanted <= strongest) {
        let mut batch = WriteBatch::new();
        batch.put(wanted.as_str(), "v");
        store.commit(&batch, wanted)?;
        check!(store.exists(wanted.as_str())?, "a commit of durability {wanted} isn't seen");
    }
    Ok(())
}

fn undeclared_durability_answers_unsupported(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    let strongest = ctx.capabilities().durability.strongest();
    for wanted in Durability::ALL.into_iter().filter(|wanted| *wanted > strongest) {
        let mut batch = WriteBatch::new();
        batch.put("k", "v");
        let answer = store.commit(&batch, wanted);
        check_refused(answer, ErrorKind::Unsupported, &format!("a commit of durability {wanted}"))?;
        check_keys::<&str>(&all_keys(&store)?, &[], "the keys after it")?;
    }
    check_usable(&store, "a durability that was refused")
}

fn durability_fits_the_medium(ctx: &Context) -> Verdict {
    let capabilities = ctx.capabilities();
    let in_memory = capabilities.persistence == Persistence::Memory;
    let strongest = capabilities.durability.strongest();
    check_eq!(
        strongest == Durability::Relaxed,
        in_memory,
        "whether nothing beyond relaxed is declared (strongest: {strongest}) as a store in memory must"
    );
    Ok(())
}

fn memory_is_gone_with_the_store(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    load_keys(&store, &["a"])?;
    store.flush()?;
    drop(store);
    let opened = ctx.open_in(engine_api::OpenMode::Create)?;
    check!(opened.created, "a store in memory is opened, not created");
    check_keys::<&str>(&all_keys(&opened.store)?, &[], "the keys of a store in memory that is opened again")
}

fn random_program_with_reopens_agrees_with_model(ctx: &Context) -> Verdict {
    let case = "persistence.random-program-with-reopens-agrees-with-model";
    crate::model::agrees(ctx, case, crate::model::Shape::REOPENING)
}

/// Fills a store so that there is something to move: half of what was put is deleted again.
fn half_deleted(store: &dyn engine_api::Store) -> Verdict<Vec<crate::checks::Entry>> {
    load(store, (0..400).map(|n| (format!("{n:03}"), vec![1; 500])))?;
    let mut batch = WriteBatch::new();
    for n in (0..400).step_by(2) {
        batch.delete(format!("{n:03}"));
    }
    store.commit(&batch, Durability::Relaxed)?;
    Ok(entries(store.view()?.as_ref(), Scan::all())?)
}

/// Fails unless the outcome is success or `Unsupported`.
fn supported_or_not<T>(outcome: engine_api::Result<T>) -> Verdict {
    match outcome {
        Err(error) if error.kind() != ErrorKind::Unsupported => Err(error.into()),
        _ => Ok(()),
    }
}

fn compact_keeps_everything(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    let before = half_deleted(&store)?;
    check_eq!(before.len(), 200, "the entries before");
    supported_or_not(store.compact())?;
    check!(entries(store.view()?.as_ref(), Scan::all())? == before, "entries differ after a compaction");
    check_usable(&store, "a compaction")
}

fn verify_of_a_sound_store_passes(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    supported_or_not(store.verify())?;
    let before = half_deleted(&store)?;
    store.flush()?;
    supported_or_not(store.verify())?;
    check!(entries(store.view()?.as_ref(), Scan::all())? == before, "entries differ after a check");
    check_usable(&store, "a check")
}

fn repair_of_a_sound_store_keeps_everything(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    let before = half_deleted(&store)?;
    store.flush()?;
    drop(store);
    supported_or_not(ctx.engine().repair(ctx.config()))?;
    let store = ctx.open()?;
    check!(entries(store.view()?.as_ref(), Scan::all())? == before, "entries differ after a repair");
    check_usable(&store, "a repair")
}
