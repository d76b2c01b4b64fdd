//! Transactions: read, decide, write, and again when overtaken.

use std::cell::Cell;

use engine_api::{Error, ErrorKind, StoreExt as _};

use crate::case::Case;
use crate::checks::{all_keys, check_keys, check_refused, load, load_keys};
use crate::context::Context;
use crate::need::Need;
use crate::verdict::{Verdict, check_eq};

pub(super) const CASES: &[Case] = &[
    Case::new(
        "conditional.update-denied-answers-unsupported",
        update_denied_answers_unsupported,
        "Without conditional batches, an update that has read something is Unsupported and writes nothing.",
        "It could not be told from one that lost a race.",
    )
    .needs(&[Need::NoConditional]),
    Case::new(
        "conditional.update-reads-its-own-writes",
        update_reads_its_own_writes,
        "In an update, reads by key and by range see what it has put and deleted so far.",
        "Read, decide, write, read again.",
    )
    .needs(&[Need::Conditional]),
    Case::new(
        "conditional.update-detects-a-changed-read",
        update_detects_a_changed_read,
        "An update whose read was overtaken runs again, and works on the new value.",
        "What was read by key is serialisable; slatedb#1711 is what happens when only found rows are tracked.",
    )
    .needs(&[Need::Conditional]),
    Case::new(
        "conditional.update-detects-a-key-that-appeared",
        update_detects_a_key_that_appeared,
        "An update that found a key absent runs again when the key has appeared since.",
        "Absence is something that was read; slatedb#1711 tracked only rows that were there.",
    )
    .needs(&[Need::Conditional]),
    Case::new(
        "conditional.update-that-fails-changes-nothing",
        update_that_fails_changes_nothing,
        "An update whose closure answers an error writes nothing, and answers that error.",
        "Leaving early must not commit what was gathered.",
    )
    .needs(&[Need::Conditional]),
];

fn update_denied_answers_unsupported(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    let answer = store.update(|txn| {
        txn.get(b"k")?;
        txn.put("k", "v");
        Ok(())
    });
    check_refused(answer, ErrorKind::Unsupported, "an update that has read something")?;
    check_keys::<&str>(&all_keys(&store)?, &[], "the keys after it")
}

fn update_reads_its_own_writes(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    load(&store, [("a", "1"), ("c", "3"), ("d", "4")])?;
    let seen = store.update(|txn| {
        txn.put("b", "two");
        txn.put("c", "three");
        txn.delete("d");
        let own = (txn.get(b"b")?, txn.get(b"c")?, txn.get(b"d")?);
        let mut range = Vec::new();
        txn.for_each(&engine_api::KeyRange::ALL, |key, value| {
            range.push(format!("{}={}", key.escape_ascii(), value.escape_ascii()));
            Ok(())
        })?;
        Ok((own, range.join(" ")))
    })?;
    check_eq!(seen.0, (Some("two".into()), Some("three".into()), None), "own writes read by key");
    check_eq!(seen.1, "a=1 b=two c=three", "own writes read by range");
    check_keys(&all_keys(&store)?, &["a", "b", "c"], "the keys after the commit")
}

fn update_detects_a_changed_read(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    load(&store, [("count", "1")])?;
    let attempts = Cell::new(0);
    store.update(|txn| {
        let seen = txn.get(b"count")?.unwrap_or_default();
        attempts.set(attempts.get() + 1);
        if attempts.get() == 1 {
            store.put("count", "10")?;
        }
        txn.put("count", [seen.as_ref(), b"+1"].concat());
        Ok(())
    })?;
    check_eq!(attempts.get(), 2, "how often an update ran that was overtaken once");
    check_eq!(store.get("count")?.as_deref(), Some(b"10+1".as_slice()), "the count");
    Ok(())
}

fn update_detects_a_key_that_appeared(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    let attempts = Cell::new(0);
    let found = store.update(|txn| {
        let found = txn.get(b"name")?;
        attempts.set(attempts.get() + 1);
        if attempts.get() == 1 {
            store.put("name", "theirs")?;
        }
        if found.is_none() {
            txn.put("name", "mine");
        }
        txn.put("log", "tried");
        Ok(found)
    })?;
    check_eq!(found.as_deref(), Some(b"theirs".as_slice()), "what the update found in the end");
    check_eq!(store.get("name")?.as_deref(), Some(b"theirs".as_slice()), "whose name it is");
    Ok(())
}

fn update_that_fails_changes_nothing(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    load_keys(&store, &["a"])?;
    let answer: engine_api::Result<()> = store.update(|txn| {
        txn.put("b", "v");
        txn.delete("a");
        Err(Error::new(ErrorKind::Full, "the closure's own"))
    });
    check_refused(answer, ErrorKind::Full, "an update whose closure fails")?;
    check_keys(&all_keys(&store)?, &["a"], "the keys after it")
}
