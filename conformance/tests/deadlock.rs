//! A store that deadlocks: the case that hangs names the threads, what they wait in, and where.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use conformance::{Options, Target, run, serve_child};
use engine_api::{
    Capabilities, Config, Descriptor, Durability, Engine, MEMORY, MemoryStore, Opened, Result, Store, View,
    WriteBatch,
};

#[derive(Debug)]
struct Deadlocking;

static ENGINE: Deadlocking = Deadlocking;

impl Engine for Deadlocking {
    fn descriptor(&self) -> &'static Descriptor {
        MEMORY.descriptor()
    }

    fn open(&self, _: &Config) -> Result<Opened> {
        Ok(Opened { store: Box::new(DeadlockingStore::default()), created: true })
    }

    fn destroy(&self, _: &Config) -> Result<()> {
        Ok(())
    }
}

/// A commit locks the log and then the table, and a flush the other way round.
#[derive(Debug, Default)]
struct DeadlockingStore {
    store: MemoryStore,
    log: Mutex<()>,
    table: Mutex<()>,
    commits: AtomicBool,
    flushes: AtomicBool,
}

/// Waits for the other side to have its lock, so that the deadlock doesn't depend on luck. Alone it goes on.
fn await_other(other: &AtomicBool) {
    let begun = Instant::now();
    while !other.load(Ordering::SeqCst) && begun.elapsed() < Duration::from_secs(1) {
        thread::yield_now();
    }
}

impl Store for DeadlockingStore {
    fn capabilities(&self) -> &Capabilities {
        self.store.capabilities()
    }

    fn view(&self) -> Result<Box<dyn View>> {
        self.store.view()
    }

    fn commit(&self, batch: &WriteBatch, durability: Durability) -> Result<()> {
        let _log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        self.commits.store(true, Ordering::SeqCst);
        await_other(&self.flushes);
        let _table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        self.store.commit(batch, durability)
    }

    fn flush(&self) -> Result<()> {
        let _table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        self.flushes.store(true, Ordering::SeqCst);
        await_other(&self.commits);
        let _log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        self.store.flush()
    }
}

const CASE: &str = "concurrency.flush-beside-commits";

fn hung(options: Options) -> String {
    let target = Target::new(&ENGINE, |_| "memory:".to_owned());
    let report = run(&target, &options.only(CASE).timeout(Duration::from_secs(3)));
    report.cases[0].message.clone().unwrap()
}

/// Fails unless the text has a line with all of these.
#[track_caller]
fn has_line(text: &str, parts: &[&str]) {
    let found = text.lines().any(|line| parts.iter().all(|part| line.contains(part)));
    assert!(found, "no line has {parts:?}:\n{text}");
}

/// Fails unless the text names both threads, what each called, and how they wait.
fn names_both(text: &str) {
    has_line(text, &["hangs"]);
    has_line(text, &[&format!("thread 0 of {CASE}:"), "in flush"]);
    has_line(text, &[&format!(" of {CASE}:"), "in commit"]);
    if cfg!(target_os = "linux") {
        has_line(text, &[&format!("thread 0 of {CASE} ("), "sleeping"]);
    }
}

fn main() -> ExitCode {
    if let Some(code) = serve_child(&[&ENGINE]) {
        return code;
    }
    // What hangs keeps its directory, which goes with this one.
    let scratch = tempfile::tempdir().unwrap();
    let text = hung(Options::new().scratch(scratch.path()));
    names_both(&text);
    has_line(&text, &["no stacks: "]);
    let text = hung(Options::new().scratch(scratch.path()).with_child_process());
    names_both(&text);
    // An optimised build has neither lines nor every function.
    if cfg!(all(feature = "stacks", target_os = "linux", target_arch = "x86_64", debug_assertions)) {
        has_line(&text, &["DeadlockingStore", "::flush at ", "tests/deadlock.rs:"]);
        has_line(&text, &["DeadlockingStore", "::commit at ", "tests/deadlock.rs:"]);
    }
    if std::env::args().any(|argument| argument == "--show") {
        println!("{text}");
    }
    scratch.close().unwrap();
    println!("test a_deadlock_is_a_failure_with_stacks ... ok");
    ExitCode::SUCCESS
}
