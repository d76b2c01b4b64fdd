//! Readers beside writers.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use engine_api::{Durability, KeyRange, Result, Scan, Store, StoreExt as _, View, ViewExt as _, WriteBatch};

use super::{THREADS, commit, number, on_threads};
use crate::case::Case;
use crate::checks::{check_keys, entries, keys, load, load_keys, value_of};
use crate::context::Context;
use crate::need::Need;
use crate::rng::Rng;
use crate::verdict::{Halt, Verdict, check, check_eq};

pub(super) const CASES: &[Case] = &[
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
        "concurrency.transfers-keep-the-sum",
        transfers_keep_the_sum,
        "While threads move amounts between accounts, every view sees the same sum.",
        "The classic of isolation: write skew and half batches both break it.",
    )
    .needs(&[Need::Conditional, Need::SnapshotReads, Need::AtomicBatches]),
];

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
