//! Batches: writes that take effect together and in order.

use std::ops::Bound::{Excluded, Included, Unbounded};

use engine_api::{Durability, ErrorKind, KeyRange, Scan, Store, StoreExt as _, WriteBatch};

use crate::case::Case;
use crate::checks::{all_keys, bounds_at, check_keys, check_refused, check_usable, load_keys, value_of};
use crate::context::Context;
use crate::need::Need;
use crate::verdict::{Halt, Verdict, check_eq};

pub(super) const CASES: &[Case] = &[
    Case::new(
        "batch.empty-batch-changes-nothing",
        empty_batch_changes_nothing,
        "A batch without operations commits, and changes nothing.",
        "Loops that flush what they have gathered end with one.",
    ),
    Case::new(
        "batch.every-operation-applies",
        every_operation_applies,
        "Puts and deletes of many keys in one batch all apply.",
        "The least that a batch does.",
    ),
    Case::new(
        "batch.last-operation-on-a-key-wins",
        last_operation_on_a_key_wins,
        "Of several puts of one key in a batch, the last one stays.",
        "Batches kept in a map or sorted by key lose the order.",
    ),
    Case::new(
        "batch.put-then-delete-leaves-absent",
        put_then_delete_leaves_absent,
        "A put and then a delete of one key leave it absent.",
        "Batches that apply deletes first keep the put.",
    ),
    Case::new(
        "batch.delete-then-put-leaves-value",
        delete_then_put_leaves_value,
        "A delete and then a put of one key leave the value.",
        "Batches that apply deletes last lose the put.",
    ),
    Case::new(
        "batch.can-be-committed-twice",
        can_be_committed_twice,
        "A batch is not used up by its commit: the same one can be committed again.",
        "Retries commit the batch that they have.",
    ),
    Case::new(
        "batch.large-batch-applies-whole",
        large_batch_applies_whole,
        "A batch of 10,000 operations, or as many as the limit, applies whole.",
        "A batch is never split in silence, nor cut off.",
    ),
    Case::new(
        "batch.failed-batch-changes-nothing",
        failed_batch_changes_nothing,
        "Whatever makes a batch fail, none of its operations is seen.",
        "redb 4.3.0 let a transaction commit after an operation of it had failed.",
    )
    .needs(&[Need::AtomicBatches]),
    Case::new(
        "batch.delete-range-removes-exactly-its-range",
        delete_range_removes_exactly_its_range,
        "A range delete removes what lies between its bounds, for each kind of bounds, and nothing else.",
        "The bounds of deletes are seldom tested, and cost data.",
    )
    .needs(&[Need::DeleteRange]),
    Case::new(
        "batch.delete-range-of-nothing-removes-nothing",
        delete_range_of_nothing_removes_nothing,
        "A range delete with inverted or equal excluded bounds, or over a gap, removes nothing and succeeds.",
        "Inverted bounds panic in one engine and wrap around in another.",
    )
    .needs(&[Need::DeleteRange]),
    Case::new(
        "batch.delete-range-unbounded-empties-the-store",
        delete_range_unbounded_empties_the_store,
        "A range delete without bounds removes every key, those of 0xFF bytes too.",
        "SurrealDB's tests cleared 0x00 to 0xFF and left the keys above behind.",
    )
    .needs(&[Need::DeleteRange]),
    Case::new(
        "batch.delete-range-of-a-prefix-includes-0xff-suffix",
        delete_range_of_a_prefix_includes_0xff_suffix,
        "A range delete of a prefix removes the keys that go on with 0xFF, and no neighbour.",
        "An instance that is deleted must not leave its last keys behind.",
    )
    .needs(&[Need::DeleteRange]),
    Case::new(
        "batch.delete-range-then-put-keeps-put",
        delete_range_then_put_keeps_put,
        "A put behind a range delete over its key in one batch stays.",
        "Scylla's batches give both one timestamp, and the delete wins (linera).",
    )
    .needs(&[Need::DeleteRange]),
    Case::new(
        "batch.put-then-delete-range-removes-put",
        put_then_delete_range_removes_put,
        "A range delete removes what was put earlier in the same batch.",
        "A range that is resolved against the committed state misses it.",
    )
    .needs(&[Need::DeleteRange]),
    Case::new(
        "batch.delete-range-between-two-puts",
        delete_range_between_two_puts,
        "Of a put, a range delete and a put of one key, the last one stays, and the delete's other keys go.",
        "Operations apply in order.",
    )
    .needs(&[Need::DeleteRange]),
    Case::new(
        "batch.delete-range-over-many-keys",
        delete_range_over_many_keys,
        "A range delete over 10,000 keys removes each.",
        "Deletes that collect their keys in pages stop after the first.",
    )
    .needs(&[Need::DeleteRange]),
    Case::new(
        "batch.delete-range-denied-answers-unsupported",
        delete_range_denied_answers_unsupported,
        "Without range deletes, a batch with one is Unsupported, and its other operations don't apply.",
        "An undeclared ability that half works is worse than none.",
    )
    .needs(&[Need::NoDeleteRange]),
    Case::new(
        "batch.random-program-agrees-with-model",
        random_program_agrees_with_model,
        "Random programs of batches with requirements, kept views, scans, seeks and cursors give what an ordered map gives.",
        "Operations meet in more ways than examples show.",
    ),
    Case::new(
        "batch.random-program-of-long-keys-agrees-with-model",
        random_program_of_long_keys_agrees_with_model,
        "The same, over keys and values that fill pages.",
        "Pages split and merge where entries are large.",
    )
    .needs(&[Need::KeysOf(200)]),
];

fn commit(store: &dyn Store, batch: &WriteBatch) -> Verdict {
    Ok(store.commit(batch, Durability::Relaxed)?)
}

fn empty_batch_changes_nothing(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    store.write(&WriteBatch::new())?;
    load_keys(&store, &["a"])?;
    store.write(&WriteBatch::new())?;
    check_keys(&all_keys(&store)?, &["a"], "the keys after an empty batch")
}

fn every_operation_applies(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    load_keys(&store, &["a", "b", "c"])?;
    let mut batch = WriteBatch::new();
    batch.put("d", "4").delete("b").put("a", "1").delete("absent").put("e", "5");
    store.write(&batch)?;
    check_keys(&all_keys(&store)?, &["a", "c", "d", "e"], "the keys")?;
    check_eq!(store.get("a")?.as_deref(), Some(b"1".as_slice()), "the value of a");
    check_eq!(store.get("e")?.as_deref(), Some(b"5".as_slice()), "the value of e");
    Ok(())
}

fn last_operation_on_a_key_wins(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    let mut batch = WriteBatch::new();
    batch.put("k", "3").put("j", "x").put("k", "1").put("k", "2");
    commit(&store, &batch)?;
    check_eq!(store.get("k")?.as_deref(), Some(b"2".as_slice()), "the value put last");
    let mut batch = WriteBatch::new();
    batch.put("k", "4").delete("k").put("k", "5").delete("j").put("j", "y").delete("j");
    commit(&store, &batch)?;
    check_eq!(store.get("k")?.as_deref(), Some(b"5".as_slice()), "put, delete, put");
    check_eq!(store.get("j")?, None, "delete, put, delete");
    Ok(())
}

fn put_then_delete_leaves_absent(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    load_keys(&store, &["old"])?;
    let mut batch = WriteBatch::new();
    for key in ["old", "new"] {
        batch.put(key, "v").delete(key);
    }
    commit(&store, &batch)?;
    check_keys::<&str>(&all_keys(&store)?, &[], "the keys")
}

fn delete_then_put_leaves_value(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    load_keys(&store, &["old"])?;
    let mut batch = WriteBatch::new();
    for key in ["old", "new"] {
        batch.delete(key).put(key, "v");
    }
    commit(&store, &batch)?;
    for key in ["old", "new"] {
        check_eq!(store.get(key)?.as_deref(), Some(b"v".as_slice()), "the value of {key}");
    }
    Ok(())
}

fn can_be_committed_twice(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    let mut batch = WriteBatch::new();
    batch.put("a", "1").delete("b");
    commit(&store, &batch)?;
    load_keys(&store, &["a", "b"])?;
    commit(&store, &batch)?;
    check_eq!(store.get("a")?.as_deref(), Some(b"1".as_slice()), "the value of a");
    check_keys(&all_keys(&store)?, &["a"], "the keys")
}

fn large_batch_applies_whole(ctx: &Context) -> Verdict {
    let limits = ctx.capabilities().limits;
    let bytes = limits.batch_bytes.unwrap_or(usize::MAX) / 64;
    let count = limits.batch_ops.unwrap_or(usize::MAX).min(bytes).min(10_000);
    let store = ctx.open()?;
    let expected: Vec<String> = (0..count).map(|n| format!("{n:05}")).collect();
    let mut batch = WriteBatch::new();
    for key in &expected {
        batch.put(key, value_of(key.as_bytes()));
    }
    commit(&store, &batch)?;
    check_keys(&all_keys(&store)?, &expected, "the keys of a large batch")
}

fn failed_batch_changes_nothing(ctx: &Context) -> Verdict {
    let capabilities = ctx.capabilities();
    let store = ctx.open()?;
    load_keys(&store, &["kept", "other"])?;
    let mut writes = WriteBatch::new();
    writes.put("kept", "changed").put("new", "v").delete("other");
    let mut failing: Vec<(&str, WriteBatch, Durability, ErrorKind)> = Vec::new();
    if Need::Conditional.unmet_by(capabilities).is_none() {
        let mut batch = writes.clone();
        batch.require_absent("kept");
        failing.push(("a requirement that doesn't hold", batch, Durability::Relaxed, ErrorKind::Conflict));
    }
    if let Some(limit) = capabilities.limits.key_bytes.filter(|limit| *limit <= 64 << 20) {
        let mut batch = writes.clone();
        batch.put(vec![b'k'; limit + 1], "v");
        failing.push(("a key over the limit", batch, Durability::Relaxed, ErrorKind::TooLarge));
    }
    if capabilities.durability.strongest() < Durability::Power {
        failing.push(("too strong a durability", writes.clone(), Durability::Power, ErrorKind::Unsupported));
    }
    if Need::DeleteRange.unmet_by(capabilities).is_some() {
        let mut batch = writes.clone();
        batch.delete_range(Unbounded, Unbounded);
        failing.push(("a range delete", batch, Durability::Relaxed, ErrorKind::Unsupported));
    }
    if failing.is_empty() {
        return Err(Halt::ignored("nothing that it declares can make a batch fail on demand"));
    }
    for (what, batch, durability, kind) in failing {
        check_refused(store.commit(&batch, durability), kind, &format!("a batch with {what}"))?;
        check_keys(&all_keys(&store)?, &["kept", "other"], &format!("the keys after a batch with {what}"))?;
        check_eq!(store.get("kept")?, Some(value_of(b"kept")), "the value of kept after {what}");
    }
    check_usable(&store, "batches that failed")
}

const SOME: [&[u8]; 8] = [b"\x00", b"a", b"b", b"b\x00", b"b\xff", b"d", b"\xff", b"\xff\xff"];

fn delete_range_removes_exactly_its_range(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    for low in [b"a".as_slice(), b"b", b"b\x00", b"c"] {
        for high in [b"b".as_slice(), b"b\xff", b"c", b"\xff"] {
            for start in bounds_at(low) {
                for end in bounds_at(high) {
                    load_keys(&store, &SOME)?;
                    let mut batch = WriteBatch::new();
                    batch.delete_range(start, end);
                    commit(&store, &batch)?;
                    let scan = Scan::between(start, end);
                    let gone =
                        |key: &[u8]| !scan.is_empty() && !scan.is_past(key) && !scan.reverse().is_past(key);
                    let left: Vec<&[u8]> = SOME.iter().copied().filter(|key| !gone(key)).collect();
                    let what = format!("the keys that are left by a delete of {start:?} to {end:?}");
                    check_keys(&all_keys(&store)?, &left, &what)?;
                }
            }
        }
    }
    Ok(())
}

fn delete_range_of_nothing_removes_nothing(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    load_keys(&store, &["a", "b", "c"])?;
    let mut batch = WriteBatch::new();
    batch
        .delete_range(Included(b"c"), Excluded(b"a"))
        .delete_range(Excluded(b"b"), Excluded(b"b"))
        .delete_range(Included(b"b"), Excluded(b"b"))
        .delete_range(Included(b"x"), Unbounded)
        .delete_range(Excluded(b"a"), Excluded(b"b"))
        .delete_range(Unbounded, Excluded(b""));
    commit(&store, &batch)?;
    check_keys(&all_keys(&store)?, &["a", "b", "c"], "the keys after deletes of ranges that hold nothing")
}

fn delete_range_unbounded_empties_the_store(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    load_keys(&store, &SOME)?;
    let mut batch = WriteBatch::new();
    batch.delete_range(Unbounded, Unbounded);
    commit(&store, &batch)?;
    check_keys::<&str>(&all_keys(&store)?, &[], "the keys after everything was deleted")?;
    check_usable(&store, "everything was deleted")
}

fn delete_range_of_a_prefix_includes_0xff_suffix(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    load_keys(&store, &[b"o\xff".as_slice(), b"p", b"p\x00", b"p\xff", b"p\xff\xff\xff", b"q"])?;
    let range = KeyRange::prefix(b"p");
    let mut batch = WriteBatch::new();
    batch.delete_range(range.start(), range.end());
    commit(&store, &batch)?;
    check_keys(&all_keys(&store)?, &[b"o\xff".as_slice(), b"q"], "the keys beside the prefix")
}

fn delete_range_then_put_keeps_put(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    load_keys(&store, &["a", "b", "c"])?;
    let mut batch = WriteBatch::new();
    batch.delete_range(Included(b"a"), Included(b"c")).put("b", "new").put("bb", "new");
    commit(&store, &batch)?;
    check_keys(&all_keys(&store)?, &["b", "bb"], "the keys")?;
    check_eq!(store.get("b")?.as_deref(), Some(b"new".as_slice()), "the value of b");
    Ok(())
}

fn put_then_delete_range_removes_put(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    load_keys(&store, &["a", "z"])?;
    let mut batch = WriteBatch::new();
    batch.put("a", "new").put("b", "new").put("y", "new").delete_range(Included(b"a"), Excluded(b"c"));
    commit(&store, &batch)?;
    check_keys(&all_keys(&store)?, &["y", "z"], "the keys")
}

fn delete_range_between_two_puts(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    load_keys(&store, &["a", "b", "c"])?;
    let mut batch = WriteBatch::new();
    batch.put("b", "first").delete_range(Included(b"a"), Excluded(b"c")).put("b", "second");
    commit(&store, &batch)?;
    check_keys(&all_keys(&store)?, &["b", "c"], "the keys")?;
    check_eq!(store.get("b")?.as_deref(), Some(b"second".as_slice()), "the value of b");
    Ok(())
}

fn delete_range_over_many_keys(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    let sorted: Vec<String> = (0..10_000).map(|n| format!("{n:05}")).collect();
    load_keys(&store, &sorted)?;
    let mut batch = WriteBatch::new();
    batch.delete_range(Included(b"00001"), Excluded(b"09999"));
    commit(&store, &batch)?;
    check_keys(&all_keys(&store)?, &["00000", "09999"], "the keys that are left")
}

fn delete_range_denied_answers_unsupported(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    load_keys(&store, &["a", "b"])?;
    let mut batch = WriteBatch::new();
    batch.put("c", "v").delete_range(Unbounded, Unbounded);
    let answer = store.commit(&batch, Durability::Relaxed);
    check_refused(answer, ErrorKind::Unsupported, "a batch with a range delete")?;
    check_keys(&all_keys(&store)?, &["a", "b"], "the keys after it")?;
    check_usable(&store, "a range delete that was refused")
}

fn random_program_agrees_with_model(ctx: &Context) -> Verdict {
    crate::model::agrees(ctx, "batch.random-program-agrees-with-model", crate::model::Shape::SMALL_KEYS)
}

fn random_program_of_long_keys_agrees_with_model(ctx: &Context) -> Verdict {
    let case = "batch.random-program-of-long-keys-agrees-with-model";
    crate::model::agrees(ctx, case, crate::model::Shape::LONG_KEYS)
}

#[test]
fn the_keys_of_these_cases_ascend() {
    assert!(SOME.is_sorted_by(|one, other| one < other));
}
