//! Histories of many threads, recorded, and judged afterwards.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Barrier, Mutex, PoisonError};
use std::thread;

use engine_api::{Durability, ErrorKind, KeyRange, Store, StoreExt as _, View, WriteBatch};

use super::{commit, on_threads};
use crate::case::Case;
use crate::checks::entries;
use crate::context::Context;
use crate::history::{Clock, Op, Recorder};
use crate::linearisable::{LONGEST, is_linearisable, story};
use crate::need::Need;
use crate::rng::Rng;
use crate::verdict::{Halt, Verdict, check, check_eq};

pub(super) const CASES: &[Case] = &[
    Case::new(
        "concurrency.single-keys-are-linearisable",
        single_keys_are_linearisable,
        "What threads that put, delete and read the same keys are answered fits one order in which each call happened at one moment.",
        "A cache in front of the store answers what was there before; a commit that is merged away is lost.",
    ),
    Case::new(
        "concurrency.compare-and-set-is-linearisable",
        compare_and_set_is_linearisable,
        "The same with puts that require the value that was read: of those that expect the same value, one is done.",
        "A requirement that is judged beside its commit lets two overwrite one value.",
    )
    .needs(&[Need::Conditional]),
    Case::new(
        "concurrency.views-are-states-of-the-commit-order",
        views_are_states_of_the_commit_order,
        "Whatever keys a view reads beside writers, by key and by range, are those of one state between two commits.",
        "Snapshot isolation, in full: a view that is put together of two states is none.",
    )
    .needs(ORDERED),
    Case::new(
        "concurrency.later-views-see-later-states",
        later_views_see_later_states,
        "A view sees every commit that returned before it was taken, and whatever an earlier view has read, on any thread.",
        "A thread's own buffer, or a replica that lags, goes back in time.",
    )
    .needs(ORDERED),
    Case::new(
        "concurrency.batches-of-many-writers-are-seen-whole",
        batches_of_many_writers_are_seen_whole,
        "Where several threads replace the same keys by batches, in different orders, every view has all keys of one batch.",
        "Writers that pass each other between two keys leave a mixture, for readers or for ever.",
    )
    .needs(&[Need::SnapshotReads, Need::AtomicBatches]),
];

const ORDERED: &[Need] = &[Need::SnapshotReads, Need::AtomicBatches, Need::Conditional];

/// So many that calls overlap, and so few that each is called at all on a small machine.
const THREADS: usize = 4;
const KEYS: usize = 2;
const ROUNDS: usize = 40;
/// On each thread in a round. The histories of a round stay short enough to be read, and to be judged whole.
const CALLS: usize = 8;
const _: () = assert!(THREADS * CALLS < LONGEST);

fn single_keys_are_linearisable(ctx: &Context) -> Verdict {
    rounds(ctx, |store, at, value, rng| {
        let mut batch = WriteBatch::new();
        let op = match rng.below(5) {
            0 | 1 => return get(store, at),
            2 => {
                batch.delete(key(at));
                Op::Delete
            }
            _ => {
                batch.put(key(at), value.to_string());
                Op::Put(value)
            }
        };
        commit(store, &batch, Durability::Relaxed)?;
        Ok(op)
    })
}

fn compare_and_set_is_linearisable(ctx: &Context) -> Verdict {
    // What some thread has read of a key lately, which is what the next swap expects.
    let read = [const { AtomicU64::new(0) }; KEYS];
    rounds(ctx, |store, at, value, rng| {
        let seen = &read[at];
        if rng.one_in(3) {
            let op = get(store, at)?;
            let Op::Get(found) = op else { return Ok(op) };
            seen.store(found.unwrap_or(0), Ordering::Relaxed);
            return Ok(op);
        }
        let expected = Some(seen.load(Ordering::Relaxed)).filter(|value| *value > 0);
        let mut batch = WriteBatch::new();
        match expected {
            Some(expected) => batch.require_equals(key(at), expected.to_string()),
            None => batch.require_absent(key(at)),
        };
        batch.put(key(at), value.to_string());
        let done = match commit(store, &batch, Durability::Relaxed) {
            Ok(()) => true,
            Err(error) if error.kind() == ErrorKind::Conflict => false,
            Err(error) => return Err(error.into()),
        };
        if done {
            seen.store(value, Ordering::Relaxed);
        }
        Ok(Op::Swap { expected, new: value, done })
    })
}

fn key(at: usize) -> String {
    format!("key {at}")
}

fn get(store: &dyn Store, at: usize) -> Verdict<Op> {
    let Some(found) = store.get(key(at))? else { return Ok(Op::Get(None)) };
    match std::str::from_utf8(&found).ok().and_then(|text| text.parse().ok()) {
        Some(value) => Ok(Op::Get(Some(value))),
        None => Err(Halt::failed(format!("\"{}\" has a value that nobody put: {found:?}", key(at)))),
    }
}

/// Has threads make calls on the same keys, round by round, and judges each round. Between two rounds
/// nothing goes on, so that each begins with a value that is known.
fn rounds(ctx: &Context, call: impl Fn(&dyn Store, usize, u64, &mut Rng) -> Verdict<Op> + Sync) -> Verdict {
    let store = ctx.open()?;
    let clock = Clock::default();
    let mut first = [None; KEYS];
    for round in 0..ROUNDS {
        let recorder = Recorder::new(&clock, KEYS);
        let start = Barrier::new(THREADS);
        on_threads(THREADS, |thread| {
            let number = round * THREADS + thread;
            let mut rng = Rng::new(ctx.seed().wrapping_add(number as u64));
            start.wait();
            for at in 0..CALLS {
                // No value is put twice.
                let value = 1 + (number * CALLS + at) as u64;
                let chosen = rng.below(KEYS);
                recorder.call(thread, chosen, || call(store.as_ref(), chosen, value, &mut rng))?;
            }
            Ok(())
        })?;
        let mut last = first;
        for (at, last) in last.iter_mut().enumerate() {
            if let Op::Get(found) = recorder.call(THREADS, at, || get(store.as_ref(), at))? {
                *last = found;
            }
        }
        for (at, (calls, first)) in recorder.into_histories().zip(first).enumerate() {
            check!(
                is_linearisable(&calls, first),
                "the calls on \"{}\" in round {round} have no order; numbers are ticks of one clock, from the \
                 call to its return:\n{}",
                key(at),
                story(&calls, first)
            );
        }
        first = last;
    }
    Ok(())
}

/// Writers go on, within reason, until readers have looked so often.
const LOOKS: usize = 100;

/// How many keys commits write beside the generation.
const CELLS: usize = 6;

/// A commit, which made a generation of the store from the one before.
#[derive(Clone, Debug)]
struct Commit {
    thread: usize,
    generation: u64,
    /// The keys that it wrote, each with the generation as its value.
    cells: Vec<usize>,
    invoked: u64,
    returned: u64,
}

/// What a view saw.
#[derive(Clone, Debug)]
struct Sight {
    thread: usize,
    generation: u64,
    cells: [u64; CELLS],
    invoked: u64,
    /// When the last of it was read.
    returned: u64,
}

/// Counts a writer out, whichever way it ends: readers go on for as long as there is one.
struct Leaving<'r>(&'r AtomicUsize);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Commits in the order of their generations, and what views saw beside them.
struct Generations {
    commits: Vec<Commit>,
    sights: Vec<Sight>,
}

fn cell(at: usize) -> String {
    format!("cell {at}")
}

/// The number that a view has under a key.
fn read(view: &dyn View, key: &str) -> Verdict<u64> {
    Ok(super::number(view.get(key.as_bytes())?))
}

impl Generations {
    /// Three writers raise the generation by compare-and-set, so that the order of their commits is known;
    /// three readers take views until they are done.
    fn run(ctx: &Context) -> Verdict<Self> {
        const WRITERS: usize = 3;
        const FEWEST: usize = 30;
        const MOST: usize = 400;
        const MOST_REFUSALS: usize = 500;
        let store = ctx.open()?;
        let mut first = WriteBatch::new();
        first.put("generation", "0");
        for at in 0..CELLS {
            first.put(cell(at), "0");
        }
        commit(store.as_ref(), &first, Durability::Relaxed)?;
        let (clock, running) = (Clock::default(), AtomicUsize::new(WRITERS));
        let (start, looks) = (Barrier::new(2 * WRITERS), AtomicUsize::new(0));
        let (commits, sights) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
        let write = |thread: usize, rng: &mut Rng| -> Verdict {
            let (mut done, mut refused) = (0, (0, 0));
            start.wait();
            while done < FEWEST || (done < MOST && looks.load(Ordering::Relaxed) < LOOKS) {
                let invoked = clock.tick();
                let before = read(store.view()?.as_ref(), "generation")?;
                // A generation that was refused isn't the latest any more.
                check!(
                    refused != (before, MOST_REFUSALS),
                    "a view that thread {thread} took at tick {invoked} sees generation {before}, as {MOST_REFUSALS} \
                     before it did, and each time a commit that required it was refused"
                );
                let generation = before + 1;
                let mut batch = WriteBatch::new();
                batch.require_equals("generation", before.to_string());
                let chosen = rng.below(1 << CELLS);
                let cells: Vec<_> = (0..CELLS).filter(|at| chosen & (1 << at) != 0).collect();
                for at in &cells {
                    batch.put(cell(*at), generation.to_string());
                }
                batch.put("generation", generation.to_string());
                match commit(store.as_ref(), &batch, Durability::Relaxed) {
                    Ok(()) => {
                        let returned = clock.tick();
                        let made = Commit { thread, generation, cells, invoked, returned };
                        commits.lock().unwrap_or_else(PoisonError::into_inner).push(made);
                        done += 1;
                    }
                    Err(error) if error.kind() == ErrorKind::Conflict => {
                        refused = (before, if refused.0 == before { refused.1 + 1 } else { 1 });
                        thread::yield_now();
                    }
                    Err(error) => return Err(error.into()),
                }
            }
            Ok(())
        };
        let look = |thread: usize, rng: &mut Rng| -> Verdict {
            start.wait();
            loop {
                let last = running.load(Ordering::SeqCst) == 0;
                let invoked = clock.tick();
                let view = store.view()?;
                let mut cells = [0; CELLS];
                // The generation first or last, and in between what commits meanwhile is not to be seen.
                let early = rng.one_in(2).then(|| read(view.as_ref(), "generation")).transpose()?;
                if rng.one_in(2) {
                    for (at, (_, value)) in
                        entries(view.as_ref(), KeyRange::prefix(b"cell ").scan())?.into_iter().enumerate()
                    {
                        check!(at < CELLS, "a view has more keys than were put");
                        cells[at] = super::number(Some(value));
                    }
                } else {
                    let from = rng.below(CELLS);
                    for at in (0..CELLS).map(|at| (at + from) % CELLS) {
                        cells[at] = read(view.as_ref(), &cell(at))?;
                        thread::yield_now();
                    }
                }
                let generation = early.map_or_else(|| read(view.as_ref(), "generation"), Ok)?;
                let returned = clock.tick();
                let seen = Sight { thread, generation, cells, invoked, returned };
                sights.lock().unwrap_or_else(PoisonError::into_inner).push(seen);
                looks.fetch_add(1, Ordering::Relaxed);
                if last {
                    return Ok(());
                }
            }
        };
        on_threads(2 * WRITERS, |thread| {
            let mut rng = Rng::new(ctx.seed() ^ thread as u64);
            if thread >= WRITERS {
                return look(thread, &mut rng);
            }
            let _leaving = Leaving(&running);
            write(thread, &mut rng)
        })?;
        let mut commits = commits.into_inner().unwrap_or_else(PoisonError::into_inner);
        commits.sort_by_key(|made| made.generation);
        for (expected, pair) in (1..).zip(&commits) {
            check_eq!(
                pair.generation,
                expected,
                "each generation is made once, but this commit follows one that another has followed: {pair:?}"
            );
        }
        Ok(Self { commits, sights: sights.into_inner().unwrap_or_else(PoisonError::into_inner) })
    }

    /// The cells after a generation was made.
    fn state(&self, generation: u64) -> [u64; CELLS] {
        let mut state = [0; CELLS];
        for made in self.commits.iter().take_while(|made| made.generation <= generation) {
            for at in &made.cells {
                state[*at] = made.generation;
            }
        }
        state
    }
}

fn views_are_states_of_the_commit_order(ctx: &Context) -> Verdict {
    let history = Generations::run(ctx)?;
    for sight in &history.sights {
        let state = history.state(sight.generation);
        check!(
            sight.cells == state,
            "a view of thread {} has generation {}, whose cells are of the generations {state:?}, and reads {:?}; \
             the commits that it mixes:\n{}",
            sight.thread,
            sight.generation,
            sight.cells,
            mixed(&history, sight)
        );
    }
    Ok(())
}

/// The commits that wrote what a view shouldn't have seen, or should have, a line each.
fn mixed(history: &Generations, sight: &Sight) -> String {
    let state = history.state(sight.generation);
    let differ = |made: &&Commit| {
        (0..CELLS)
            .any(|at| state[at] != sight.cells[at] && [state[at], sight.cells[at]].contains(&made.generation))
    };
    let lines: Vec<_> = history
        .commits
        .iter()
        .filter(differ)
        .map(|made| format!("  generation {} wrote the cells {:?}", made.generation, made.cells))
        .collect();
    lines.join("\n")
}

fn later_views_see_later_states(ctx: &Context) -> Verdict {
    let Generations { commits, mut sights } = Generations::run(ctx)?;
    for (at, after) in commits.iter().enumerate() {
        if let Some(before) = commits[..at].iter().find(|before| after.returned < before.invoked) {
            return Err(Halt::failed(format!(
                "the commits are ordered otherwise than they were made: {before:?} comes before {after:?}"
            )));
        }
    }
    sights.sort_by_key(|sight| sight.invoked);
    for sight in &sights {
        let committed =
            commits.iter().filter(|made| made.returned < sight.invoked).max_by_key(|m| m.generation);
        if let Some(made) = committed {
            check!(
                made.generation <= sight.generation,
                "thread {} committed generation {} at tick {}; a view that thread {} took at tick {} sees {}",
                made.thread,
                made.generation,
                made.returned,
                sight.thread,
                sight.invoked,
                sight.generation
            );
        }
        let seen =
            sights.iter().filter(|other| other.returned < sight.invoked).max_by_key(|other| other.generation);
        if let Some(seen) = seen {
            check!(
                seen.generation <= sight.generation,
                "thread {} had read generation {} by tick {}; a view that thread {} took at tick {} sees {}",
                seen.thread,
                seen.generation,
                seen.returned,
                sight.thread,
                sight.invoked,
                sight.generation
            );
        }
    }
    Ok(())
}

fn batches_of_many_writers_are_seen_whole(ctx: &Context) -> Verdict {
    const WRITERS: usize = 3;
    let store = ctx.open()?;
    let batch = |number: usize, from: usize| {
        let mut batch = WriteBatch::new();
        for at in 0..CELLS {
            batch.put(cell((at + from) % CELLS), number.to_string());
        }
        batch
    };
    let whole = |from: usize| -> Verdict {
        let view = store.view()?;
        let mut seen = [0; CELLS];
        for at in (0..CELLS).map(|at| (at + from) % CELLS) {
            seen[at] = read(view.as_ref(), &cell(at))?;
        }
        check!(
            seen.iter().all(|number| *number == seen[0]),
            "a view has the keys of several batches: {seen:?}"
        );
        let scanned = entries(view.as_ref(), KeyRange::prefix(b"cell ").scan())?;
        let alike = scanned.iter().all(|(_, value)| super::number(Some(value.clone())) == seen[0]);
        check!(
            alike && scanned.len() == CELLS,
            "a scan beside batches of number {} sees {scanned:?}",
            seen[0]
        );
        Ok(())
    };
    commit(store.as_ref(), &batch(1, 0), Durability::Relaxed)?;
    let (running, looks) = (AtomicUsize::new(WRITERS), AtomicUsize::new(0));
    let start = Barrier::new(2 * WRITERS);
    on_threads(2 * WRITERS, |thread| {
        start.wait();
        if thread < WRITERS {
            let _leaving = Leaving(&running);
            for round in 0..2000 {
                if round >= 60 && looks.load(Ordering::Relaxed) >= LOOKS {
                    break;
                }
                let number = 2 + round * WRITERS + thread;
                commit(store.as_ref(), &batch(number, number % CELLS), Durability::Relaxed)?;
            }
            return Ok(());
        }
        let mut from = thread;
        loop {
            let last = running.load(Ordering::SeqCst) == 0;
            whole(from % CELLS)?;
            looks.fetch_add(1, Ordering::Relaxed);
            from += 1;
            if last {
                return Ok(());
            }
        }
    })?;
    whole(0)
}
