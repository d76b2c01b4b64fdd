//! The recorded histories catch stores that are wrong only where threads meet, each by the case that is
//! named for it.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
use std::time::Duration;

use bytes::Bytes;
use conformance::{Options, Outcome, Target, run};
use engine_api::{
    Capabilities, Config, Descriptor, Durability, Engine, MEMORY, MemoryStore, Opened, Result, Scan, Step,
    Store, Value, View, Visitor, WriteBatch, visitor,
};

/// What goes wrong when threads meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Race {
    None,
    /// A commit is seen by other threads only when the next one is made.
    SeenLateByOthers,
    /// Every third view is as old as the commit before the latest.
    GoesBack,
    /// Of two commits at once one is answered and not made.
    DropsOneOfTwo,
    /// Requirements are judged, and then the batch is committed without them.
    JudgesApart,
    /// A view reads half of its keys from what is there when it reads them.
    MixesTwoStates,
    /// A batch is committed in two halves.
    ShowsHalf,
    /// The operations of a batch are committed one by one, beside those of others.
    Interleaves,
}

#[derive(Debug)]
struct Racing(Race);

impl Engine for Racing {
    fn descriptor(&self) -> &'static Descriptor {
        MEMORY.descriptor()
    }

    fn open(&self, _: &Config) -> Result<Opened> {
        let store = RacingStore {
            race: self.0,
            now: MemoryStore::new(),
            before: MemoryStore::new(),
            held_back: Mutex::default(),
            committing: Mutex::default(),
            by: Mutex::default(),
            views: AtomicUsize::new(0),
        };
        Ok(Opened { store: Box::new(store), created: true })
    }

    fn destroy(&self, _: &Config) -> Result<()> {
        Ok(())
    }
}

#[derive(Debug)]
struct RacingStore {
    race: Race,
    now: MemoryStore,
    /// The same without the latest commit.
    before: MemoryStore,
    held_back: Mutex<WriteBatch>,
    committing: Mutex<()>,
    /// Which thread made the latest commit.
    by: Mutex<Option<ThreadId>>,
    views: AtomicUsize,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A batch with these operations and nothing required.
fn only(ops: &[engine_api::Op]) -> WriteBatch {
    let mut batch = WriteBatch::new();
    for op in ops {
        batch.push(op.clone());
    }
    batch
}

impl RacingStore {
    fn apply(&self, batch: &WriteBatch) -> Result<()> {
        let relaxed = Durability::Relaxed;
        match self.race {
            Race::DropsOneOfTwo => {
                let Ok(_one) = self.committing.try_lock() else { return Ok(()) };
                thread::yield_now();
                self.now.commit(batch, relaxed)
            }
            Race::JudgesApart => {
                let view = self.now.view()?;
                for requirement in batch.requirements() {
                    requirement.judge(view.get(&requirement.key)?.as_deref())?;
                }
                thread::sleep(Duration::from_micros(50));
                self.now.commit(&only(batch.ops()), relaxed)
            }
            Race::ShowsHalf if batch.requirements().is_empty() => {
                let _one = locked(&self.committing);
                let (first, rest) = batch.ops().split_at(batch.ops().len() / 2);
                self.now.commit(&only(first), relaxed)?;
                thread::sleep(Duration::from_micros(50));
                self.now.commit(&only(rest), relaxed)
            }
            Race::Interleaves if batch.requirements().is_empty() => batch.ops().iter().try_for_each(|op| {
                thread::yield_now();
                self.now.commit(&only(std::slice::from_ref(op)), relaxed)
            }),
            Race::SeenLateByOthers | Race::GoesBack => {
                let mut held_back = locked(&self.held_back);
                self.now.commit(batch, relaxed)?;
                *locked(&self.by) = Some(thread::current().id());
                self.before.commit(&std::mem::replace(&mut *held_back, only(batch.ops())), relaxed)
            }
            _ => self.now.commit(batch, relaxed),
        }
    }
}

impl Store for RacingStore {
    fn capabilities(&self) -> &Capabilities {
        self.now.capabilities()
    }

    fn view(&self) -> Result<Box<dyn View>> {
        let number = self.views.fetch_add(1, Ordering::SeqCst);
        match self.race {
            Race::SeenLateByOthers if *locked(&self.by) != Some(thread::current().id()) => self.before.view(),
            Race::GoesBack if number.is_multiple_of(3) => self.before.view(),
            Race::MixesTwoStates => {
                let pinned = self.now.view()?;
                thread::sleep(Duration::from_micros(50));
                Ok(Box::new(MixedView { pinned, later: self.now.view()? }))
            }
            _ => self.now.view(),
        }
    }

    fn commit(&self, batch: &WriteBatch, durability: Durability) -> Result<()> {
        batch.check(self.capabilities(), durability)?;
        self.apply(batch)
    }

    fn flush(&self) -> Result<()> {
        Ok(())
    }
}

struct MixedView {
    pinned: Box<dyn View>,
    later: Box<dyn View>,
}

impl View for MixedView {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>> {
        let odd = key.last().is_some_and(|last| last % 2 == 1);
        if odd { self.later.get(key) } else { self.pinned.get(key) }
    }

    fn scan(&self, scan: Scan<'_>, to: &mut dyn Visitor) -> Result<()> {
        let mut keys = Vec::new();
        let mut take = visitor(|key: &[u8], _: Value<'_>| {
            keys.push(key.to_vec());
            Ok(Step::Next)
        });
        self.pinned.scan(scan, &mut take)?;
        for key in keys {
            let Some(value) = self.get(&key)? else { continue };
            if to.visit(&key, Value::ready(&value))? == Step::Stop {
                break;
            }
        }
        Ok(())
    }
}

static ENGINES: [Racing; 8] = [
    Racing(Race::None),
    Racing(Race::SeenLateByOthers),
    Racing(Race::GoesBack),
    Racing(Race::DropsOneOfTwo),
    Racing(Race::JudgesApart),
    Racing(Race::MixesTwoStates),
    Racing(Race::ShowsHalf),
    Racing(Race::Interleaves),
];

/// What a case says of a store with the race; it must fail, but not by hanging.
#[track_caller]
fn caught(race: Race, case: &str) -> String {
    let engine = ENGINES.iter().find(|engine| engine.0 == race).unwrap();
    let target = Target::new(engine, |_| "memory:".to_owned());
    let report = run(&target, &Options::new().only(case));
    let done = &report.cases[0];
    assert_eq!(done.outcome, Outcome::Failed, "{race:?} isn't caught by {case}");
    let message = done.message.clone().unwrap();
    assert!(!message.contains("hangs"), "{message}");
    message
}

#[test]
fn without_a_race_all_pass() {
    let target = Target::new(&ENGINES[0], |_| "memory:".to_owned());
    let report = run(&target, &Options::new().only("concurrency."));
    assert!(report.is_success(), "{}", report.to_text());
}

#[test]
fn commits_that_others_see_late() {
    let told = caught(Race::SeenLateByOthers, "concurrency.single-keys-are-linearisable");
    assert!(told.contains("at first: ") && told.contains("get: "), "{told}");
    assert!(told.lines().count() < 40, "{told}");
    caught(Race::SeenLateByOthers, "concurrency.compare-and-set-is-linearisable");
    let told = caught(Race::SeenLateByOthers, "concurrency.later-views-see-later-states");
    assert!(told.contains("at tick"), "{told}");
}

#[test]
fn views_that_go_back() {
    caught(Race::GoesBack, "concurrency.single-keys-are-linearisable");
    caught(Race::GoesBack, "concurrency.later-views-see-later-states");
}

#[test]
fn commits_that_are_dropped() {
    caught(Race::DropsOneOfTwo, "concurrency.single-keys-are-linearisable");
    caught(Race::DropsOneOfTwo, "concurrency.compare-and-set-is-linearisable");
}

#[test]
fn requirements_that_are_judged_apart() {
    let told = caught(Race::JudgesApart, "concurrency.compare-and-set-is-linearisable");
    assert!(told.contains(": done"), "{told}");
    caught(Race::JudgesApart, "concurrency.compare-and-set-counts-every-increment");
    caught(Race::JudgesApart, "concurrency.views-are-states-of-the-commit-order");
}

#[test]
fn views_of_two_states() {
    let told = caught(Race::MixesTwoStates, "concurrency.views-are-states-of-the-commit-order");
    assert!(told.contains("wrote the cells"), "{told}");
    caught(Race::MixesTwoStates, "concurrency.batches-of-many-writers-are-seen-whole");
}

#[test]
fn batches_in_halves() {
    caught(Race::ShowsHalf, "concurrency.batches-of-many-writers-are-seen-whole");
}

#[test]
fn batches_that_pass_each_other() {
    caught(Race::Interleaves, "concurrency.batches-of-many-writers-are-seen-whole");
}
