//! The largest values and batches, and the most views.

use engine_api::{Durability, ErrorKind, Store, StoreExt as _, WriteBatch};

use super::{LARGEST_TRIED, LARGEST_WRITTEN, key_limit, within, zeros};
use crate::case::Case;
use crate::checks::{
    all_keys, check_keys, check_refused, check_usable, load_keys, patterned, put_owned, value_of,
};
use crate::context::Context;
use crate::need::Need;
use crate::verdict::{Halt, Verdict, check, check_eq};

pub(super) const CASES: &[Case] = &[
    Case::new(
        "limits.value-at-limit-round-trips",
        value_at_limit_round_trips,
        "A value of exactly the limit comes back whole, where that is at most 64 MiB.",
        "A limit that is off by one is found by users.",
    )
    .needs(&[Need::ValueLimit]),
    Case::new(
        "limits.value-over-limit-is-too-large",
        value_over_limit_is_too_large,
        "A value one byte over the limit is TooLarge, and what was stored stays.",
        "The engine must not find out half-way through writing it.",
    )
    .needs(&[Need::ValueLimit]),
    Case::new(
        "limits.batch-with-one-operation-over-limit-changes-nothing",
        batch_with_one_operation_over_limit_changes_nothing,
        "A batch in which one key is over the limit changes nothing, wherever in it the key stands.",
        "A check as the operations go leaves the first ones done, at every atomicity.",
    )
    .needs(&[Need::KeyLimit]),
    Case::new(
        "limits.batch-operations-at-limit-apply",
        batch_operations_at_limit_apply,
        "A batch of exactly the most operations applies.",
        "A limit that is off by one is found by users.",
    )
    .needs(&[Need::BatchOpsLimit]),
    Case::new(
        "limits.batch-operations-over-limit-are-too-large",
        batch_operations_over_limit_are_too_large,
        "A batch of one operation more than the limit is TooLarge, and changes nothing.",
        "An atomic batch is never split in silence.",
    )
    .needs(&[Need::BatchOpsLimit]),
    Case::new(
        "limits.batch-bytes-over-limit-are-too-large",
        batch_bytes_over_limit_are_too_large,
        "A batch of more bytes than the limit is TooLarge and changes nothing; one of exactly the limit applies.",
        "An atomic batch is never split in silence.",
    )
    .needs(&[Need::BatchBytesLimit]),
    Case::new(
        "limits.views-at-limit-all-read",
        views_at_limit_all_read,
        "As many views as the limit are open at once, and each reads.",
        "A pool that is smaller than declared makes its users wait.",
    )
    .needs(&[Need::ViewsLimit]),
    Case::new(
        "limits.views-over-limit-are-busy",
        views_over_limit_are_busy,
        "One view more than the limit is Busy; the others go on, and dropping one makes room.",
        "LMDB answers READERS_FULL at the 127th; waiting for a slot would deadlock its own thread.",
    )
    .needs(&[Need::ViewsLimit]),
    Case::new(
        "limits.usable-after-too-large",
        usable_after_too_large,
        "After each thing that is too large the store takes and gives as before.",
        "LMDB's transaction is poisoned by an operation that fails in it.",
    ),
];

fn value_limit(ctx: &Context, largest: usize) -> Verdict<usize> {
    within(ctx.capabilities().limits.value_bytes, largest, "value")
}

fn value_at_limit_round_trips(ctx: &Context) -> Verdict {
    let limit = value_limit(ctx, LARGEST_WRITTEN)?;
    let store = ctx.open()?;
    let value = patterned(limit);
    store.commit(&put_owned("k", value.clone()), Durability::Relaxed)?;
    check!(store.get("k")?.as_deref() == Some(&value), "a value of {limit} bytes isn't what was put");
    Ok(())
}

fn value_over_limit_is_too_large(ctx: &Context) -> Verdict {
    let value = zeros(value_limit(ctx, LARGEST_TRIED)? + 1);
    let store = ctx.open()?;
    load_keys(&store, &["k"])?;
    let answer = store.commit(&put_owned("k", value), Durability::Relaxed);
    check_refused(answer, ErrorKind::TooLarge, "a value one byte over the limit")?;
    check_eq!(store.get("k")?, Some(value_of(b"k")), "the value that was there");
    Ok(())
}

fn batch_with_one_operation_over_limit_changes_nothing(ctx: &Context) -> Verdict {
    let limit = key_limit(ctx, LARGEST_WRITTEN)?;
    let store = ctx.open()?;
    load_keys(&store, &["kept", "doomed"])?;
    for place in 0..3 {
        let mut batch = WriteBatch::new();
        for at in 0..3 {
            match at {
                at if at == place => batch.put(vec![b'k'; limit + 1], "v"),
                0 => batch.delete("doomed"),
                at => batch.put(format!("new {at}"), "v"),
            };
        }
        let answer = store.commit(&batch, Durability::Relaxed);
        check_refused(answer, ErrorKind::TooLarge, "a batch with one key over the limit")?;
        check_keys(&all_keys(&store)?, &["doomed", "kept"], &format!("the keys, place {place}"))?;
    }
    Ok(())
}

fn puts(count: usize) -> WriteBatch {
    let mut batch = WriteBatch::new();
    for n in 0..count {
        batch.put(format!("{n:08}"), "");
    }
    batch
}

fn operations_limit(ctx: &Context) -> Verdict<usize> {
    let limits = ctx.capabilities().limits;
    let limit = within(limits.batch_ops, 1 << 20, "batch operations")?;
    if limits.batch_bytes.is_some_and(|bytes| bytes < (limit + 1) * 8) {
        return Err(Halt::ignored("states a limit of bytes that is met before that of operations"));
    }
    Ok(limit)
}

fn batch_operations_at_limit_apply(ctx: &Context) -> Verdict {
    let limit = operations_limit(ctx)?;
    let store = ctx.open()?;
    store.commit(&puts(limit), Durability::Relaxed)?;
    check_eq!(all_keys(&store)?.len(), limit, "the keys of a batch at the limit");
    Ok(())
}

fn batch_operations_over_limit_are_too_large(ctx: &Context) -> Verdict {
    let limit = operations_limit(ctx)?;
    let store = ctx.open()?;
    let answer = store.commit(&puts(limit + 1), Durability::Relaxed);
    check_refused(answer, ErrorKind::TooLarge, "a batch of one operation more than the limit")?;
    check_keys::<&str>(&all_keys(&store)?, &[], "the keys after it")
}

fn batch_bytes_over_limit_are_too_large(ctx: &Context) -> Verdict {
    let limits = ctx.capabilities().limits;
    let limit = within(limits.batch_bytes, LARGEST_WRITTEN, "batch bytes")?;
    let most = limits.value_bytes.unwrap_or(usize::MAX).min(limit / 4);
    let of_bytes = |bytes: usize| {
        let mut batch = WriteBatch::new();
        while batch.bytes() + 8 < bytes {
            let left = bytes - batch.bytes() - 8;
            batch.put(format!("{:08}", batch.ops().len()), vec![1; left.min(most)]);
        }
        batch
    };
    let (at, over) = (of_bytes(limit), of_bytes(limit + 1));
    if at.bytes() != limit || limits.batch_ops.is_some_and(|ops| at.ops().len() >= ops) {
        return Err(Halt::ignored("states limits that no batch of these puts meets exactly"));
    }
    let store = ctx.open()?;
    let answer = store.commit(&over, Durability::Relaxed);
    check_refused(answer, ErrorKind::TooLarge, "a batch of more bytes than the limit")?;
    check_keys::<&str>(&all_keys(&store)?, &[], "the keys after it")?;
    store.commit(&at, Durability::Relaxed)?;
    check_eq!(all_keys(&store)?.len(), at.ops().len(), "the keys of a batch at the limit");
    Ok(())
}

fn views_at_limit_all_read(ctx: &Context) -> Verdict {
    let limit = within(ctx.capabilities().limits.views, 10_000, "views")?;
    let store = ctx.open()?;
    load_keys(&store, &["a"])?;
    let views = (0..limit).map(|_| store.view()).collect::<engine_api::Result<Vec<_>>>()?;
    for view in &views {
        check_eq!(view.get(b"a")?, Some(value_of(b"a")), "a in one of {limit} views");
    }
    Ok(())
}

fn views_over_limit_are_busy(ctx: &Context) -> Verdict {
    let limit = within(ctx.capabilities().limits.views, 10_000, "views")?;
    let store = ctx.open()?;
    load_keys(&store, &["a"])?;
    let mut views = (0..limit).map(|_| store.view()).collect::<engine_api::Result<Vec<_>>>()?;
    check_refused(store.view(), ErrorKind::Busy, "one view more than the limit")?;
    for view in &views {
        check_eq!(view.get(b"a")?, Some(value_of(b"a")), "a in the views that are open");
    }
    views.pop();
    let again =
        store.view().map_err(|error| Halt::failed(format!("dropping a view made no room: {error:?}")))?;
    check_eq!(again.get(b"a")?, Some(value_of(b"a")), "a in the view that took the room");
    Ok(())
}

fn usable_after_too_large(ctx: &Context) -> Verdict {
    let limits = ctx.capabilities().limits;
    let store: Box<dyn Store> = ctx.open()?;
    let mut refused = Vec::new();
    if let Some(limit) = limits.key_bytes.filter(|limit| *limit <= LARGEST_TRIED) {
        refused.push(("a key that is too large", put_owned(zeros(limit + 1), "v")));
    }
    if let Some(limit) = limits.value_bytes.filter(|limit| *limit <= LARGEST_TRIED) {
        refused.push(("a value that is too large", put_owned("k", zeros(limit + 1))));
    }
    if let Some(limit) = limits.batch_ops.filter(|limit| *limit <= 1 << 20) {
        refused.push(("a batch of too many operations", puts(limit + 1)));
    }
    if refused.is_empty() {
        return Err(Halt::ignored("states no limit that can be passed here"));
    }
    for (what, batch) in refused {
        for _ in 0..3 {
            check_refused(store.commit(&batch, Durability::Relaxed), ErrorKind::TooLarge, what)?;
            check_usable(&store, what)?;
        }
    }
    Ok(())
}
