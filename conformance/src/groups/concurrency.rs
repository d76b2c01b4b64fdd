//! Several threads at once.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use engine_api::{
    Durability, ErrorKind, KeyRange, Result, Scan, Store, StoreExt as _, View, ViewExt as _, WriteBatch,
};

use crate::case::{Case, Halt, Verdict, check, check_eq};
use crate::checks::{all_keys, check_keys, check_usable, entries, keys, load, load_keys, value_of};
use crate::context::Context;
use crate::need::Need;
use crate::rng::Rng;

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
        "concurrency.commit-is-visible-to-other-threads",
        commit_is_visible_to_other_threads,
        "Once a commit has returned on one thread, a view taken on any other sees it.",
        "A pooled reader, or a write buffer of a thread, shows the past.",
    ),
    Case::new(
        "concurrency.readers-never-see-half-a-batch",
        readers_never_see_half_a_batch,
        "Whoever reads while a writer replaces sixteen keys at once sees all of one batch, by key and by range.",
        "All or nothing holds for readers, not only for crashes.",
    )
    .needs(&[Need::SnapshotReads, Need::AtomicBatches]),
    Case::new(
        "concurrency.view-is-stable-while-writers-run",
        view_is_stable_while_writers_run,
        "A view answers the same, again and again, while other threads put, overwrite and delete.",
        "Pages that are reused under a reader change what it has counted.",
    )
    .needs(&[Need::SnapshotReads]),
    Case::new(
        "concurrency.range-delete-is-seen-whole",
        range_delete_is_seen_whole,
        "A range that is refilled in the batch that deletes it is never seen short, nor mixed.",
        "A delete that goes key by key must still be one step to readers.",
    )
    .needs(&[Need::SnapshotReads, Need::AtomicBatches, Need::DeleteRange]),
    Case::new(
        "concurrency.views-on-many-threads-read-alike",
        views_on_many_threads_read_alike,
        "Eight threads that scan and look up at once all get everything.",
        "A cursor or a connection that two readers share gives each a part.",
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
        "concurrency.transfers-keep-the-sum",
        transfers_keep_the_sum,
        "While threads move amounts between accounts, every view sees the same sum.",
        "The classic of isolation: write skew and half batches both break it.",
    )
    .needs(&[Need::Conditional, Need::SnapshotReads, Need::AtomicBatches]),
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

const THREADS: usize = 8;

/// Runs `work` on several threads at once; each is told its number. The first failure is the case's.
fn on_threads(count: usize, work: impl Fn(usize) -> Verdict + Sync) -> Verdict {
    thread::scope(|scope| {
        let threads: Vec<_> = (0..count)
            .map(|number| {
                let work = &work;
                scope.spawn(move || work(number))
            })
            .collect();
        // All are joined before the first failure is answered.
        let verdicts: Vec<Verdict> = threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| Err(Halt::failed("a thread panicked"))))
            .collect();
        verdicts.into_iter().collect()
    })
}

/// Runs `write` on one thread and `read` on others over and over until it is done, then once more.
fn readers_beside(
    readers: usize,
    write: impl FnOnce() -> Verdict + Send,
    read: impl Fn() -> Verdict + Sync,
) -> Verdict {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let verdict = write();
            done.store(true, Ordering::SeqCst);
            verdict
        });
        let verdict = on_threads(readers, |_| {
            loop {
                let last = done.load(Ordering::SeqCst);
                read()?;
                if last {
                    return Ok(());
                }
            }
        });
        let written = writer.join().unwrap_or_else(|_| {
            done.store(true, Ordering::SeqCst);
            Err(Halt::failed("the writer panicked"))
        });
        written.and(verdict)
    })
}

/// Commits where many writers may be refused for the moment: such a commit is made again.
fn commit(store: &dyn Store, batch: &WriteBatch, durability: Durability) -> Result<()> {
    loop {
        match store.commit(batch, durability) {
            Err(error) if error.kind() == ErrorKind::Busy => thread::yield_now(),
            answer => return answer,
        }
    }
}

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

fn commit_is_visible_to_other_threads(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    let committed = AtomicUsize::new(0);
    readers_beside(
        2,
        || {
            for number in 1..=200 {
                load(&store, [("latest".to_owned(), format!("{number:04}"))])?;
                committed.store(number, Ordering::SeqCst);
            }
            Ok(())
        },
        || {
            let at_least = committed.load(Ordering::SeqCst);
            let seen = store.get("latest")?.unwrap_or_default();
            check!(
                seen.as_ref() >= format!("{at_least:04}").as_bytes() || at_least == 0,
                "a view sees {seen:?} after the commit of {at_least} has returned"
            );
            Ok(())
        },
    )
}

const GENERATION_KEYS: usize = 16;

fn generation(number: usize) -> WriteBatch {
    let mut batch = WriteBatch::new();
    for at in 0..GENERATION_KEYS {
        batch.put(format!("g{at:02}"), number.to_string());
    }
    batch
}

/// A view over generations holds all keys of one.
fn one_generation(view: &dyn View) -> Verdict {
    let by_range: BTreeSet<_> =
        entries(view, KeyRange::prefix(b"g").scan())?.into_iter().map(|(_, value)| value).collect();
    check!(by_range.len() == 1, "a scan sees the generations {by_range:?} at once");
    let by_key: BTreeSet<_> = (0..GENERATION_KEYS)
        .rev()
        .map(|at| view.get(format!("g{at:02}").as_bytes()))
        .collect::<Result<_>>()?;
    check!(by_key.len() == 1, "reads by key see the generations {by_key:?} at once");
    check!(by_key.contains(&by_range.into_iter().next()), "by key and by range differ");
    Ok(())
}

fn readers_never_see_half_a_batch(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    commit(&store, &generation(0), Durability::Relaxed)?;
    readers_beside(
        3,
        || {
            for number in 1..300 {
                commit(&store, &generation(number), Durability::Relaxed)?;
            }
            Ok(())
        },
        || one_generation(store.view()?.as_ref()),
    )
}

fn range_delete_is_seen_whole(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    commit(&store, &generation(0), Durability::Relaxed)?;
    let range = KeyRange::prefix(b"g");
    readers_beside(
        3,
        || {
            for number in 1..200 {
                let mut batch = WriteBatch::new();
                batch.delete_range(range.start(), range.end()).append(generation(number));
                commit(&store, &batch, Durability::Relaxed)?;
            }
            Ok(())
        },
        || {
            let view = store.view()?;
            check_eq!(view.count(&range)?, GENERATION_KEYS as u64, "the keys of a range that is refilled");
            one_generation(view.as_ref())
        },
    )
}

fn view_is_stable_while_writers_run(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    let before: Vec<String> = (0..500).map(|n| format!("k{n:03}")).collect();
    load_keys(&store, &before)?;
    let pinned = store.view()?;
    let running = AtomicUsize::new(3);
    thread::scope(|scope| {
        let writers: Vec<_> = (0..3_u64)
            .map(|thread| {
                let (store, running) = (&store, &running);
                scope.spawn(move || {
                    let mut rng = Rng::new(ctx.seed() ^ thread);
                    let verdict = (0..150).try_for_each(|round| {
                        let mut batch = WriteBatch::new();
                        for _ in 0..10 {
                            let key = format!("k{:03}", rng.below(600));
                            if rng.one_in(2) {
                                batch.delete(key)
                            } else {
                                batch.put(key, vec![b'x'; round])
                            };
                        }
                        commit(store, &batch, Durability::Relaxed)
                    });
                    running.fetch_sub(1, Ordering::SeqCst);
                    verdict
                })
            })
            .collect();
        let verdict = loop {
            let last = running.load(Ordering::SeqCst) == 0;
            let seen = unchanged(pinned.as_ref(), &before);
            if last || seen.is_err() {
                break seen;
            }
        };
        for writer in writers {
            writer.join().map_err(|_| Halt::failed("a writer panicked"))??;
        }
        verdict
    })
}

fn unchanged(view: &dyn View, before: &[String]) -> Verdict {
    let got = entries(view, Scan::all())?;
    check!(got.iter().all(|(key, value)| *value == value_of(key)), "the view shows a value that came later");
    check_keys(&got.into_iter().map(|(key, _)| key).collect::<Vec<_>>(), before, "the keys of the view")?;
    check_eq!(view.get(b"k250")?, Some(value_of(b"k250")), "a key of the view, by key");
    Ok(())
}

fn views_on_many_threads_read_alike(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    let sorted: Vec<String> = (0..2000).map(|n| format!("{n:04}")).collect();
    load_keys(&store, &sorted)?;
    let count = ctx.capabilities().limits.views.unwrap_or(THREADS).min(THREADS);
    on_threads(count, |thread| {
        for round in 0..5 {
            let view = store.view()?;
            check_keys(
                &keys(view.as_ref(), Scan::all())?,
                &sorted,
                &format!("thread {thread}, round {round}"),
            )?;
            for key in sorted.iter().skip(thread).step_by(97) {
                check_eq!(
                    view.get(key.as_bytes())?,
                    Some(value_of(key.as_bytes())),
                    "{key}, thread {thread}"
                );
            }
        }
        Ok(())
    })
}

fn put_if_absent_has_one_winner(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    for round in 0..25 {
        let key = format!("claim {round}");
        let winners = AtomicUsize::new(0);
        let winner = AtomicUsize::new(usize::MAX);
        let start = std::sync::Barrier::new(THREADS);
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

fn number(value: Option<bytes::Bytes>) -> u64 {
    value.and_then(|value| std::str::from_utf8(&value).ok()?.parse().ok()).unwrap_or(0)
}

fn compare_and_set_counts_every_increment(ctx: &Context) -> Verdict {
    const EACH: u64 = 20;
    let store = ctx.open()?;
    on_threads(THREADS, |_| {
        for _ in 0..EACH {
            store.update(|txn| {
                let count = number(txn.get(b"count")?);
                txn.put("count", (count + 1).to_string());
                Ok(())
            })?;
        }
        Ok(())
    })?;
    check_eq!(number(store.get("count")?), EACH * THREADS as u64, "the count");
    Ok(())
}

fn transfers_keep_the_sum(ctx: &Context) -> Verdict {
    const ACCOUNTS: usize = 6;
    const EACH: u64 = 100;
    let account = |at: usize| format!("account {at}");
    let store = ctx.open()?;
    load(&store, (0..ACCOUNTS).map(|at| (account(at), EACH.to_string())))?;
    let transfer = |rng: &mut Rng| {
        let (from, amount) = (rng.below(ACCOUNTS), rng.next() % 7);
        let to = (from + 1 + rng.below(ACCOUNTS - 1)) % ACCOUNTS;
        store.update(|txn| {
            let (rich, poor) =
                (number(txn.get(account(from).as_bytes())?), number(txn.get(account(to).as_bytes())?));
            let amount = amount.min(rich);
            txn.put(account(from), (rich - amount).to_string());
            txn.put(account(to), (poor + amount).to_string());
            Ok(())
        })
    };
    readers_beside(
        1,
        || {
            on_threads(3, |thread| {
                let mut rng = Rng::new(ctx.seed() ^ thread as u64);
                for _ in 0..40 {
                    transfer(&mut rng)?;
                }
                Ok(())
            })
        },
        || {
            let view = store.view()?;
            let sum: u64 =
                entries(view.as_ref(), Scan::all())?.into_iter().map(|(_, value)| number(Some(value))).sum();
            check_eq!(sum, EACH * ACCOUNTS as u64, "the sum that a view sees");
            Ok(())
        },
    )
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
