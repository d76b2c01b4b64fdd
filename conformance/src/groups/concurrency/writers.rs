//! Writers beside each other.

use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};

use engine_api::{Durability, ErrorKind, Scan, Store, StoreExt as _, WriteBatch};

use super::{THREADS, commit, number, on_threads};
use crate::case::Case;
use crate::checks::{all_keys, check_keys, check_usable, entries, value_of};
use crate::context::Context;
use crate::need::Need;
use crate::verdict::{Verdict, check, check_eq};

pub(super) const CASES: &[Case] = &[
    Case::new(
        "concurrency.writers-of-their-own-keys-lose-nothing",
        writers_of_their_own_keys_lose_nothing,
        "Eight threads that commit batches of their own keys leave every key of each.",
        "A read-modify-write of a shared structure loses one of two.",
    ),
    Case::new(
        "concurrency.writers-of-one-key-leave-one-of-their-values",
        writers_of_one_key_leave_one_of_their_values,
        "Of threads that put values of different lengths under one key, one value stays, whole.",
        "Torn values mix the length of one with the bytes of another.",
    ),
    Case::new(
        "concurrency.put-if-absent-has-one-winner",
        put_if_absent_has_one_winner,
        "Of eight threads that claim one absent key, exactly one commits, and the key holds its value.",
        "Judging and writing in two steps lets two win.",
    )
    .needs(&[Need::Conditional]),
    Case::new(
        "concurrency.compare-and-set-counts-every-increment",
        compare_and_set_counts_every_increment,
        "A counter that eight threads raise by update ends at the sum.",
        "A lost update is what transactions are for.",
    )
    .needs(&[Need::Conditional]),
    Case::new(
        "concurrency.flush-beside-commits",
        flush_beside_commits,
        "Flushes and commits at once neither deadlock nor fail, and nothing is lost.",
        "A flush that takes the writer's lock the other way round.",
    ),
    Case::new(
        "concurrency.durable-commits-of-many-threads-all-apply",
        durable_commits_of_many_threads_all_apply,
        "Commits as durable as can be, from eight threads at once, are each seen by their own thread at once.",
        "Merged commits must answer each of those whose batch they hold.",
    ),
];

fn writers_of_their_own_keys_lose_nothing(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    on_threads(THREADS, |thread| {
        for round in 0..60 {
            let mut batch = WriteBatch::new();
            for at in 0..3 {
                let key = format!("{thread} {round:03} {at}");
                batch.put(&key, value_of(key.as_bytes()));
            }
            batch.delete(format!("{thread} {round:03} 1"));
            commit(&store, &batch, Durability::Relaxed)?;
        }
        Ok(())
    })?;
    let mut expected = Vec::new();
    for thread in 0..THREADS {
        for round in 0..60 {
            expected.extend([0, 2].map(|at| format!("{thread} {round:03} {at}")));
        }
    }
    let got = entries(store.view()?.as_ref(), Scan::all())?;
    check!(got.iter().all(|(key, value)| *value == value_of(key)), "a key has another key's value");
    check_keys(&got.into_iter().map(|(key, _)| key).collect::<Vec<_>>(), &expected, "the keys of all writers")
}

fn writers_of_one_key_leave_one_of_their_values(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    let value = |thread: usize| vec![u8::try_from(thread).unwrap_or(0); 1 + thread * 700];
    let whole = |store: &dyn Store| -> Verdict {
        let value_now = store.get("k")?.unwrap_or_default();
        let known = (0..4).any(|thread| value_now == value(thread));
        check!(known, "a value of {} bytes that no writer put", value_now.len());
        Ok(())
    };
    on_threads(4, |thread| {
        let mut batch = WriteBatch::new();
        batch.put("k", value(thread));
        for _ in 0..100 {
            commit(&store, &batch, Durability::Relaxed)?;
            whole(&store)?;
        }
        Ok(())
    })?;
    check_keys(&all_keys(&store)?, &["k"], "the keys")
}

fn put_if_absent_has_one_winner(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    for round in 0..25 {
        let key = format!("claim {round}");
        let winners = AtomicUsize::new(0);
        let winner = AtomicUsize::new(usize::MAX);
        let start = Barrier::new(THREADS);
        on_threads(THREADS, |thread| {
            let mut batch = WriteBatch::new();
            batch.require_absent(&key).put(&key, thread.to_string());
            start.wait();
            match commit(&store, &batch, Durability::Relaxed) {
                Ok(()) => {
                    winners.fetch_add(1, Ordering::SeqCst);
                    winner.store(thread, Ordering::SeqCst);
                    Ok(())
                }
                Err(error) if error.kind() == ErrorKind::Conflict => Ok(()),
                Err(error) => Err(error.into()),
            }
        })?;
        check_eq!(winners.load(Ordering::SeqCst), 1, "the winners of round {round}");
        let expected = winner.load(Ordering::SeqCst).to_string();
        check_eq!(store.get(&key)?.as_deref(), Some(expected.as_bytes()), "the value of the winner");
    }
    Ok(())
}

fn compare_and_set_counts_every_increment(ctx: &Context) -> Verdict {
    const EACH: u64 = 20;
    let store = ctx.open()?;
    // Each holds a view while it waits for the others.
    let threads = ctx.capabilities().limits.views.unwrap_or(THREADS).min(THREADS);
    let all_have_read = Barrier::new(threads);
    on_threads(threads, |_| {
        let mut first = true;
        for _ in 0..EACH {
            store.update(|txn| {
                let count = number(txn.get(b"count")?);
                // All threads read the same count once, so that one race at least is sure to happen.
                if std::mem::take(&mut first) {
                    all_have_read.wait();
                }
                txn.put("count", (count + 1).to_string());
                Ok(())
            })?;
        }
        Ok(())
    })?;
    check_eq!(number(store.get("count")?), EACH * threads as u64, "the count");
    Ok(())
}

fn flush_beside_commits(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    on_threads(4, |thread| {
        for round in 0..25 {
            if thread == 0 {
                store.flush()?;
            } else {
                let mut batch = WriteBatch::new();
                batch.put(format!("{thread} {round:02}"), "v");
                commit(&store, &batch, Durability::Relaxed)?;
            }
        }
        Ok(())
    })?;
    check_eq!(all_keys(&store)?.len(), 75, "the keys of the writers beside the flushes");
    check_usable(&store, "flushes beside commits")
}

fn durable_commits_of_many_threads_all_apply(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    let strongest = ctx.capabilities().durability.strongest();
    on_threads(THREADS, |thread| {
        for round in 0..10 {
            let key = format!("{thread} {round}");
            let mut batch = WriteBatch::new();
            batch.put(&key, value_of(key.as_bytes()));
            commit(&store, &batch, strongest)?;
            check_eq!(store.get(&key)?, Some(value_of(key.as_bytes())), "{key}, just committed");
        }
        Ok(())
    })?;
    check_eq!(all_keys(&store)?.len(), THREADS * 10, "the keys of all writers");
    Ok(())
}
