//! Several threads at once.

mod histories;
mod readers;
mod writers;

use std::thread;

use engine_api::{Durability, ErrorKind, Result, Store, WriteBatch};

use crate::case::Case;
use crate::verdict::{Halt, Verdict};

pub(super) const CASES: [&[Case]; 3] = [readers::CASES, writers::CASES, histories::CASES];

const THREADS: usize = 8;

/// Runs `work` on several threads at once; each is told its number. The first failure is the case's.
pub(super) fn on_threads(count: usize, work: impl Fn(usize) -> Verdict + Sync) -> Verdict {
    // Named, so that a hang tells which of them waits.
    let case = thread::current().name().unwrap_or_default().to_owned();
    thread::scope(|scope| {
        let threads: Vec<_> = (0..count)
            .map(|number| {
                let work = &work;
                let named = thread::Builder::new().name(format!("thread {number} of {case}"));
                named.spawn_scoped(scope, move || work(number))
            })
            .collect::<Result<_, _>>()?;
        // All are joined before the first failure is answered.
        let verdicts: Vec<Verdict> = threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| Err(Halt::failed("a thread panicked"))))
            .collect();
        verdicts.into_iter().collect()
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

fn number(value: Option<bytes::Bytes>) -> u64 {
    value.and_then(|value| std::str::from_utf8(&value).ok()?.parse().ok()).unwrap_or(0)
}
